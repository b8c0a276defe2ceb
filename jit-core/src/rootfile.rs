//! Files and directories that only root may write: read without following links, refused when the
//! owner or mode of the file or of any directory on its path would let somebody else change it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path};

use nix::libc::{O_CLOEXEC, O_NOFOLLOW};

use crate::error::{Error, Result};

/// Reads a text file that only root may write (configuration, policy).
///
/// # Errors
/// Misconfigured when it is missing, writable by others, larger than `limit` bytes or not UTF-8.
pub fn read(path: &Path, limit: u64) -> Result<String> {
    read_checked(path, limit, 0o022)
}

/// Reads a text file that nobody but root may even read (keys).
///
/// # Errors
/// As [`read`], and when others may read it.
pub fn read_private(path: &Path, limit: u64) -> Result<String> {
    read_checked(path, limit, 0o077)
}

/// Refuses a file that somebody but root could change or replace: a program that runs as root, or a
/// file that decides who gets in. Links are followed.
///
/// # Errors
/// Misconfigured when it is missing, or owner or mode of it or of any directory on its path is wrong.
pub fn check_file(path: &Path) -> Result<()> {
    let missing = |e| Error::misconfigured(format!("{} can't be opened: {e}", path.display()));
    check_parents(path)?;
    let real = path.canonicalize().map_err(missing)?;
    check_parents(&real)?;
    check_owner_mode(&real, &std::fs::metadata(&real).map_err(missing)?, 0o022)
}

fn read_checked(path: &Path, limit: u64, forbidden: u32) -> Result<String> {
    let failed = |e: std::io::Error| {
        let error = Error::misconfigured(format!("{} can't be read: {e}", path.display()));
        match e.kind() {
            std::io::ErrorKind::NotFound => error.next("jitctl setup makes what is missing."),
            std::io::ErrorKind::PermissionDenied => error.next("Run this as root."),
            _ => error,
        }
    };
    check_parents(path)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NOFOLLOW | O_CLOEXEC)
        .open(path)
        .map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(Error::misconfigured(format!("{} is no plain file", path.display())));
    }
    check_owner_mode(path, &meta, forbidden)?;
    read_bounded(file, limit).map_err(failed)?.ok_or_else(|| {
        Error::misconfigured(format!("{} is larger than {limit} bytes", path.display()))
    })
}

fn read_bounded(file: File, limit: u64) -> std::io::Result<Option<String>> {
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text)?;
    Ok((text.len() as u64 <= limit).then_some(text))
}

/// Refuses a directory that somebody but root could read or write into: state lives in such.
///
/// # Errors
/// Misconfigured when it is missing, a link, or its owner or mode is wrong.
pub fn check_private_dir(path: &Path) -> Result<()> {
    check_parents(path)?;
    let meta = std::fs::symlink_metadata(path).map_err(|e| {
        Error::misconfigured(format!("{} can't be opened: {e}", path.display()))
            .next("jitctl setup makes what is missing.")
    })?;
    if !meta.is_dir() {
        return Err(Error::misconfigured(format!("{} is no directory", path.display())));
    }
    check_owner_mode(path, &meta, 0o077)
}

/// Makes a directory of mode 0700, with parents as the umask leaves them, and checks it.
///
/// # Errors
/// Misconfigured when it can't be made, or an existing one is not private.
pub fn create_private_dir(path: &Path) -> Result<()> {
    let failed =
        |e: std::io::Error| Error::misconfigured(format!("{} can't be made: {e}", path.display()));
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(e)),
        _ => {}
    }
    check_private_dir(path)
}

/// Writes a new file of mode 0600 and syncs it.
///
/// # Errors
/// Misconfigured when it exists already or can't be written.
pub fn create_private(path: &Path, content: &[u8]) -> Result<()> {
    create(path, content, 0o600)
}

/// Writes a new file of mode 0644 and syncs it.
///
/// # Errors
/// Misconfigured when it exists already or can't be written.
pub fn create_public(path: &Path, content: &[u8]) -> Result<()> {
    create(path, content, 0o644)
}

/// Puts a file of mode 0644 in place of what is at `path`, in one step: a reader, or a loss of power,
/// finds the one or the other.
///
/// # Errors
/// Misconfigured when others may write into a directory on its path, or it can't be written.
pub fn replace_public(path: &Path, content: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    check_parents(path)?;
    let failed = |e: std::io::Error| {
        Error::misconfigured(format!("{} can't be written: {e}", path.display()))
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.new"));
    match std::fs::remove_file(&beside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    create_public(&beside, content)?;
    std::fs::rename(&beside, path).and_then(|()| File::open(directory)?.sync_all()).map_err(failed)
}

fn create(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let failed = |e: std::io::Error| {
        Error::misconfigured(format!("{} can't be written: {e}", path.display()))
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(O_NOFOLLOW | O_CLOEXEC)
        .open(path)
        .map_err(failed)?;
    // The umask may have taken bits away that the file is meant to have.
    file.set_permissions(std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)
}

/// Every directory above `path` must be root's and not writable by others; a sticky one, such as
/// /tmp, does not do: others could put things beside ours.
fn check_parents(path: &Path) -> Result<()> {
    if !path.is_absolute() || path.components().any(|c| c == Component::ParentDir) {
        return Err(Error::misconfigured(format!(
            "{} is no absolute path without ..",
            path.display()
        )));
    }
    let Some(parent) = path.parent() else { return Ok(()) };
    let real = parent.canonicalize().map_err(|e| {
        Error::misconfigured(format!("{} can't be opened: {e}", parent.display()))
            .next("jitctl setup makes what is missing.")
    })?;
    // The path as it is written may lead through links (/var/run): both ways must be root's.
    for above in parent.ancestors().chain(real.ancestors()) {
        let meta = std::fs::symlink_metadata(above)
            .map_err(|e| Error::misconfigured(format!("{}: {e}", above.display())))?;
        let forbidden = if meta.is_symlink() { 0 } else { 0o022 };
        check_owner_mode(above, &meta, forbidden)?;
    }
    Ok(())
}

fn check_owner_mode(path: &Path, meta: &std::fs::Metadata, forbidden: u32) -> Result<()> {
    if meta.uid() != 0 {
        return Err(Error::misconfigured(format!("{} is not owned by root", path.display()))
            .next(format!("chown root:root {}", path.display())));
    }
    if meta.mode() & forbidden != 0 {
        let who = if forbidden == 0o077 { "others can read or write" } else { "others can write" };
        let mend = if forbidden == 0o077 { "go-rwx" } else { "go-w" };
        return Err(Error::misconfigured(format!(
            "{who} {} (mode {:04o})",
            path.display(),
            meta.mode() & 0o7777
        ))
        .next(format!("chmod {mend} {}", path.display())));
    }
    Ok(())
}
