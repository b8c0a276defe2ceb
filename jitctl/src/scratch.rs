//! A private directory for what is being made, beside where it will go.

use std::path::{Path, PathBuf};

use jit_core::Result;
use jit_core::id::GrantId;
use jit_core::rootfile;

/// Gone, with all that is in it, when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one in `parent`, so that a file is moved out of it in one step.
    ///
    /// # Errors
    /// Misconfigured when it can't be made.
    pub fn new(parent: &Path) -> Result<Self> {
        let path = parent.join(format!(".work-{}", GrantId::random()?));
        rootfile::create_private_dir(&path)?;
        Ok(Scratch(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file `name` in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed harms nobody: only root can enter it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
