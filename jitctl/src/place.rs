//! Putting files in their places: whole or not at all, with what was there moved aside.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use jit_core::time::Timestamp;
use jit_core::{Error, Result, rootfile};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Root alone.
    Root,
    /// Everybody.
    All,
}

/// Puts `content` where no file is yet.
///
/// # Errors
/// Misconfigured when it can't be written.
pub fn put(path: &Path, content: &str, readers: Readers) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| failed(parent, &e))?;
    }
    let part = with_ending(path, ".new");
    // Left there by a run that was cut off.
    let _ = std::fs::remove_file(&part);
    match readers {
        Readers::Root => rootfile::create_private(&part, content.as_bytes())?,
        Readers::All => rootfile::create_public(&part, content.as_bytes())?,
    }
    moved(&part, path)
}

/// Moves a file to its place on the same file system, durably.
///
/// # Errors
/// Misconfigured when it can't be moved.
pub fn moved(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().unwrap_or(Path::new("/"));
    std::fs::rename(from, to)
        .and_then(|()| File::open(parent)?.sync_all())
        .map_err(|e| failed(to, &e))
}

/// Moves what is at `path` to a name with the time in it; the name.
///
/// # Errors
/// Misconfigured when it can't be moved.
pub fn aside(path: &Path, now: Timestamp) -> Result<PathBuf> {
    let to = with_ending(path, &format!(".replaced-{}", stamp(now)));
    if to.symlink_metadata().is_ok() {
        return Err(Error::misconfigured(format!("{} is there already", to.display()))
            .next("Try again in a second."));
    }
    moved(path, &to)?;
    Ok(to)
}

/// The name with `ending` after it.
pub fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A time as it stands in a file name: `20260131T142500Z`.
pub fn stamp(time: Timestamp) -> String {
    time.rfc3339().replace(['-', ':'], "")
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::misconfigured(format!("{} can't be put in its place: {error}", path.display()))
}
