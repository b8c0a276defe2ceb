//! Files of the machine: replaced whole or not at all, with the owner and mode that they had.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use jit_core::{Error, Result};

/// The largest configuration file that is looked at.
const LARGEST: u64 = 1 << 20;

/// A text file; none where there is none.
///
/// # Errors
/// Refused when it is a link, no plain file, too large or no text.
pub fn read(path: &Path) -> Result<Option<String>> {
    let failed = |why: &str| Error::refused(format!("{} can't be changed: {why}", path.display()));
    let meta = match path.symlink_metadata() {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&e.to_string())),
    };
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(failed("it is no plain file of less than 1 MiB")
            .next("Put a plain file in its place, then run jitctl setup again."));
    }
    std::fs::read_to_string(path).map(Some).map_err(|e| failed(&e.to_string()))
}

/// Puts `text` in place of what is at `path`, synced, in one step: a crash leaves the one or the
/// other. A new file is readable by all, as those of sshd and PAM are.
///
/// # Errors
/// Unavailable.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    write(path, text, path)
}

/// The same, with the owner and mode of `like`.
///
/// # Errors
/// Unavailable.
pub fn write(path: &Path, text: &str, like: &Path) -> Result<()> {
    let failed =
        |e: std::io::Error| Error::unavailable(format!("{} can't be written: {e}", path.display()));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.jit-new"));
    let write = || {
        let _ = std::fs::remove_file(&beside);
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        let (mode, owner) = match like.symlink_metadata() {
            Ok(meta) => (meta.mode() & 0o7777, Some((meta.uid(), meta.gid()))),
            Err(_) => (0o644, None),
        };
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::fchown(&file, Some(uid), Some(gid))?;
        }
        file.set_permissions(PermissionsExt::from_mode(mode))?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(&beside);
        failed(e)
    })?;
    sync_directory(path)
}

/// Removes a file, if it is there.
///
/// # Errors
/// Unavailable.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_directory(path),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::unavailable(format!("{} can't be removed: {e}", path.display()))),
    }
}

/// Has a rename or removal of the file last.
///
/// # Errors
/// Unavailable.
pub fn sync_directory(of: &Path) -> Result<()> {
    let directory = of.parent().unwrap_or(Path::new("/"));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|e| Error::unavailable(format!("{} can't be synced: {e}", directory.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_mode_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sshd");
        assert_eq!(read(&path).unwrap(), None);
        replace(&path, "one\n").unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o644);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        replace(&path, "two\n").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("two\n"));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("sshd");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert!(read(&link).unwrap_err().what().contains("no plain file"));
    }
}
