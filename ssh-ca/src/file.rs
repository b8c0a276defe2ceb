//! Files of people: their public keys, read; their certificates, read and written. They lie in
//! directories that their owner can change at any moment, while this runs as root.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jit_core::person::parse_public_key;
use jit_core::secret::random_bytes;
use jit_core::{Error, Result};
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use ssh_key::Certificate;
use ssh_key::public::KeyData;

/// The largest file read: one with 256 principals of ours is below 64 KiB.
const LARGEST: u64 = 128 * 1024;

/// Reads the one public key in a `.pub` file.
///
/// # Errors
/// Not found when there is no such file; invalid when it holds anything but one public key.
pub fn read_public_key(path: &Path) -> Result<KeyData> {
    let text = read(path)?;
    let key = parse_public_key(only_line(path, &text)?);
    key.map(|key| key.key_data().clone()).map_err(|error| error.context(path.display()))
}

/// Reads the one certificate in a `-cert.pub` file.
///
/// # Errors
/// Not found when there is no such file; invalid when it holds anything but one certificate.
pub fn read_certificate(path: &Path) -> Result<Certificate> {
    let text = read(path)?;
    Certificate::from_openssh(only_line(path, &text)?).map_err(|e| match e {
        // The parser has no word for it.
        ssh_key::Error::Time => Error::invalid(format!("{} is valid forever", path.display()))
            .next(format!("Then it is none of ours. See it: ssh-keygen -L -f {}", path.display())),
        _ => Error::invalid(format!("{} holds no SSH certificate: {e}", path.display()))
            .next("A certificate's file usually ends in -cert.pub."),
    })
}

fn only_line<'a>(path: &Path, text: &'a str) -> Result<&'a str> {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line),
        (None, _) => Err(Error::invalid(format!("{} is empty", path.display()))),
        // A private key says on its first line what it is.
        (Some(line), Some(_)) if line.contains("PRIVATE KEY") => Ok(line),
        _ => Err(Error::invalid(format!("{} holds more than one line", path.display()))),
    }
}

fn read(path: &Path) -> Result<String> {
    let bad = |what: &str| Error::invalid(format!("{} {what}", path.display()));
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Error::not_found(format!("there is no {}", path.display())),
        std::io::ErrorKind::InvalidData => bad("is no text"),
        _ => Error::new(jit_core::Kind::Misconfigured, format!("{}: {e}", path.display())),
    };
    // Opening a pipe must not wait for somebody to write into it.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY).bits())
        .open(path)
        .map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(bad("is no plain file"));
    }
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST { Err(bad("is larger than 128 KiB")) } else { Ok(text) }
}

/// Where ssh looks for the certificate of a key: `id_ed25519.pub` has `id_ed25519-cert.pub`.
pub fn beside(key: &Path) -> PathBuf {
    let base = if key.extension().is_some_and(|e| e == "pub") {
        key.with_extension("")
    } else {
        key.to_owned()
    };
    let mut name = base.into_os_string();
    name.push("-cert.pub");
    PathBuf::from(name)
}

/// A place for a certificate, found good before one is issued for it.
pub struct Target {
    path: PathBuf,
    directory: OwnedFd,
    name: PathBuf,
}

impl Target {
    /// Opens the directory of `path`, and looks at what is there by that name.
    ///
    /// # Errors
    /// Refused when the directory, or what is there, is a link, or what is there is anything but a
    /// certificate.
    pub fn at(path: &Path) -> Result<Self> {
        let no = |what: &str| {
            Error::refused(format!("{} {what}", path.display()))
                .next("Say where the certificate shall go: --out FILE-cert.pub, or --out -")
        };
        let name = PathBuf::from(path.file_name().ok_or_else(|| no("names no file"))?);
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(parent)
            .map_err(|e| no(&format!("can't be written: its directory: {e}")))?;
        let target = Target { path: path.to_owned(), directory: directory.into(), name };
        match fstatat(&target.directory, &target.name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(nix::errno::Errno::ENOENT) => Ok(target),
            Err(e) => Err(no(&format!("can't be looked at: {e}"))),
            Ok(found) => match SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT {
                SFlag::S_IFREG if target.is_certificate() => Ok(target),
                SFlag::S_IFREG => Err(no("exists and is no certificate")),
                SFlag::S_IFLNK => Err(no("is a symbolic link")),
                _ => Err(no("is no plain file")),
            },
        }
    }

    fn is_certificate(&self) -> bool {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let Ok(found) = openat(&self.directory, &self.name, flags, Mode::empty()) else {
            return false;
        };
        let mut start = String::new();
        // The type stands first, and is all that matters here.
        let read = File::from(found).take(LARGEST).read_to_string(&mut start);
        let kind = start.split(' ').next().unwrap_or_default();
        read.is_ok() && kind.ends_with("-cert-v01@openssh.com")
    }

    /// Puts `text` there, all of it or nothing, readable by everybody. Whatever has come to be by
    /// that name meanwhile is replaced, never followed.
    ///
    /// # Errors
    /// Unavailable when it can't be written; nothing of it is left then.
    pub fn write(&self, text: &str) -> Result<()> {
        let part = self.write_part(text)?;
        renameat(&self.directory, &part, &self.directory, &self.name).map_err(|e| {
            self.discard(&part);
            self.failed(&e)
        })
    }

    fn write_part(&self, text: &str) -> Result<PathBuf> {
        let random: String = random_bytes::<8>()?.iter().map(|b| format!("{b:02x}")).collect();
        let part = PathBuf::from(format!(".{random}.part"));
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&self.directory, &part, flags, Mode::from_bits_truncate(0o600))
            .map_err(|e| self.failed(&e))?;
        let mut file = File::from(file);
        let written = file
            .write_all(text.as_bytes())
            // The umask does not decide: ssh has to read it.
            .and_then(|()| file.set_permissions(Permissions::from_mode(0o644)))
            .and_then(|()| file.sync_all());
        match written {
            Ok(()) => Ok(part),
            Err(e) => {
                self.discard(&part);
                Err(self.failed(&e))
            }
        }
    }

    fn discard(&self, part: &Path) {
        // The error that is on its way says more than this one could.
        let _ = unlinkat(&self.directory, part, UnlinkatFlags::NoRemoveDir);
    }

    fn failed(&self, e: &dyn std::fmt::Display) -> Error {
        Error::unavailable(format!("{} can't be written: {e}", self.path.display()))
            .next("The certificate is on record but was given to nobody. Sign again.")
    }
}

/// Whether a path stands for standard output.
pub fn is_stdout(path: &Path) -> bool {
    path.as_os_str().as_bytes() == b"-"
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGTYXcrnX1ML9xzjnK2b0aGW7el9fEiG7b5z6hGpZaw1 x";
    const CERTIFICATE: &str = "ecdsa-sha2-nistp256-cert-v01@openssh.com AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAg4sLp4KR6gmubZEPJ6di/ev6laTzJ6cET+qo6+ZMkDnkAAAAIbmlzdHAyNTYAAABBBO8vL1BxSCT9ZoS+U+UJEqjFO7DyXoeNAbdapVOeqCi42uqw7+GyMk9BwUiBY2rcO4HkQPVbRqUj5xdiqIyRqO4AAAAAAAAAAAAAAAEAAAABeAAAAAUAAAABeQAAAAAAAAAA//////////8AAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACBk2F3K519TC/cc45ytm9Ghlu3pfXxIhu2+c+oRqWWsNQAAAFMAAAALc3NoLWVkMjU1MTkAAABAsPJimDxyrXvuNSpjQSvjzTohASBkhHLrDUY+a+CypwHD+Z5Z+vznYGmpjzKiRbBe8hU54lymecGey36QPvL5AQ== x";

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_certificate_has_its_place_beside_the_key() {
        assert_eq!(beside(Path::new("/a/id.pub")), Path::new("/a/id-cert.pub"));
        assert_eq!(beside(Path::new("key")), Path::new("key-cert.pub"));
        assert_eq!(beside(Path::new("a.b/k.x.pub")), Path::new("a.b/k.x-cert.pub"));
    }

    #[test]
    fn a_key_file_holds_one_public_key() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key.pub");
        let said = |text: &[u8]| {
            std::fs::write(&file, text).unwrap();
            read_public_key(&file).map_err(|error| error.what().to_owned())
        };
        assert!(said(format!("# mine\n\n{KEY}\n").as_bytes()).is_ok());
        for (text, why) in [
            (String::new(), "is empty"),
            (format!("{KEY}\n{KEY}\n"), "more than one line"),
            (CERTIFICATE.to_owned(), "a certificate, not a key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n".into(), "a private key"),
            ("x".repeat(200_000), "larger than 128 KiB"),
            ("hello".into(), "no SSH public key"),
        ] {
            let error = said(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
        assert!(said(&[0xff, 0xfe]).unwrap_err().contains("no text"));
        assert!(read_public_key(dir.path()).unwrap_err().what().contains("no plain file"));
        let missing = read_public_key(&dir.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), jit_core::Kind::NotFound);
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::from_bits_truncate(0o600)).unwrap();
        assert!(read_public_key(&pipe).is_err());
    }

    #[test]
    fn a_certificate_is_written_whole_and_readable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id-cert.pub");
        Target::at(&path).unwrap().write(CERTIFICATE).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
        // The next one takes its place.
        Target::at(&path).unwrap().write(&format!("{CERTIFICATE} y")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{CERTIFICATE} y"));
        assert_eq!(names(dir.path()), ["id-cert.pub"]);
    }

    #[test]
    fn nothing_but_a_certificate_is_replaced_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        assert!(Target::at(&victim).err().unwrap().what().contains("is no certificate"));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(Target::at(&link).err().unwrap().what().contains("symbolic link"));
        // A link to the directory is one, too.
        let other = dir.path().join("other");
        std::os::unix::fs::symlink(dir.path(), &other).unwrap();
        assert!(Target::at(&other.join("x")).is_err());
        assert!(Target::at(dir.path()).is_err());
        // One that comes to be between the look and the write is replaced.
        let late = dir.path().join("late");
        let target = Target::at(&late).unwrap();
        std::os::unix::fs::symlink(&victim, &late).unwrap();
        target.write(CERTIFICATE).unwrap();
        assert!(std::fs::symlink_metadata(&late).unwrap().is_file());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id-cert.pub");
        let target = Target::at(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(target.write(CERTIFICATE).is_err());
        assert_eq!(names(dir.path()), ["id-cert.pub"]);
    }
}
