//! Files that are their user's alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jit_core::{Error, Result};
use nix::libc::{O_CLOEXEC, O_NOFOLLOW};
use nix::unistd::geteuid;

/// Makes a directory that nobody else can look into, and what is above it.
///
/// # Errors
/// Misconfigured when it can't be made, or is somebody else's to write into.
pub fn directory(path: &Path) -> Result<()> {
    let failed =
        |e: io::Error| Error::misconfigured(format!("{} can't be made: {e}", path.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let meta = std::fs::symlink_metadata(path).map_err(failed)?;
    if !meta.is_dir() || meta.uid() != geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        return Err(Error::misconfigured(format!(
            "{} is not this user's own directory",
            path.display()
        ))
        .next(format!("chmod 700 {}", path.display())));
    }
    Ok(())
}

/// Writes a file that only its user can read: whole or not at all.
///
/// # Errors
/// Misconfigured when it can't be written.
pub fn write(path: &Path, content: &str) -> Result<()> {
    let failed =
        |e: io::Error| Error::misconfigured(format!("{} can't be written: {e}", path.display()));
    if let Some(parent) = path.parent() {
        directory(parent)?;
    }
    let part = PathBuf::from(format!("{}.new", path.display()));
    remove(&part)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(O_NOFOLLOW | O_CLOEXEC)
        .open(&part)
        .map_err(failed)?;
    file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}

/// Reads a file that only its user can read; none where there is none.
///
/// # Errors
/// Misconfigured when others can read it, or it is too large or unreadable.
pub fn read(path: &Path, limit: u64) -> Result<Option<String>> {
    let failed =
        |e: io::Error| Error::misconfigured(format!("{} can't be read: {e}", path.display()));
    let opened = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_CLOEXEC).open(path);
    let file = match opened {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() || meta.uid() != geteuid().as_raw() || meta.mode() & 0o077 != 0 {
        return Err(Error::misconfigured(format!("{} can be read by others", path.display()))
            .next(format!("chmod 600 {}", path.display())));
    }
    Ok(Some(bounded(file, limit).map_err(failed)?))
}

/// Reads a file that anybody may read.
pub(crate) fn read_public(path: &Path, limit: u64) -> io::Result<String> {
    bounded(File::open(path)?, limit)
}

fn bounded(file: File, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(text)
}

/// Removes a file, if there is one.
///
/// # Errors
/// Misconfigured when it can't be removed.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(Error::misconfigured(format!("{} can't be removed: {e}", path.display())))
        }
        _ => Ok(()),
    }
}
