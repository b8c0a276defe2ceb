//! What a file was, laid beside it before it is changed: going back is then a rename, which needs no
//! room on a full disk. The names mean nothing to others: sshd reads `*.conf` alone, and no program
//! has a PAM service of such a name.

use std::path::{Path, PathBuf};

use jit_core::{Error, Result};

use super::files;

/// The copy of a file.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.jit-before"))
}

/// Lays a copy beside the file, with its owner and mode, synced.
///
/// # Errors
/// Unavailable.
pub fn keep(path: &Path, text: &str) -> Result<()> {
    files::write(&beside(path), text, path)
}

/// Makes the file `text`: by its copy where that is the same, else anew.
///
/// # Errors
/// Unavailable.
pub fn put_back(path: &Path, text: &str) -> Result<()> {
    let copy = beside(path);
    // One that can't be read is none.
    if files::read(&copy).ok().flatten().as_deref() != Some(text) {
        return files::replace(path, text);
    }
    std::fs::rename(&copy, path)
        .map_err(|e| Error::unavailable(format!("{} can't be put back: {e}", path.display())))?;
    files::sync_directory(path)
}

/// Removes the copies of these files.
///
/// # Errors
/// Unavailable.
pub fn clear(paths: impl IntoIterator<Item = PathBuf>) -> Result<()> {
    paths.into_iter().try_for_each(|path| files::remove(&beside(&path)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_copy_is_renamed_into_place_and_one_that_differs_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sshd");
        std::fs::write(&path, "before\n").unwrap();
        keep(&path, "before\n").unwrap();
        let copy = beside(&path).metadata().unwrap();
        assert_eq!(copy.mode(), path.metadata().unwrap().mode());
        files::replace(&path, "after\n").unwrap();
        put_back(&path, "before\n").unwrap();
        assert_eq!(files::read(&path).unwrap().as_deref(), Some("before\n"));
        assert_eq!(path.metadata().unwrap().ino(), copy.ino());
        assert!(!beside(&path).exists());

        keep(&path, "other\n").unwrap();
        put_back(&path, "third\n").unwrap();
        assert_eq!(files::read(&path).unwrap().as_deref(), Some("third\n"));
        clear([path]).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
