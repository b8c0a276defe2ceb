//! What setup changes of the machine's own files, before it does.

use std::path::PathBuf;

use jit_core::{Error, Result};
use similar::TextDiff;

use super::{copies, files, marks, pam, sshd};

/// A file as it is and as it shall be.
#[derive(Debug)]
pub struct Change {
    /// Which.
    pub path: PathBuf,
    /// None where there is no such file.
    pub before: Option<String>,
    /// None where there shall be none.
    pub after: Option<String>,
}

impl Change {
    fn new(path: impl Into<PathBuf>, before: Option<String>, after: Option<String>) -> Self {
        Change { path: path.into(), before, after }
    }

    fn is_one(&self) -> bool {
        self.before != self.after
    }

    /// As `diff -u` shows it.
    pub fn diff(&self) -> String {
        let [before, after] = [&self.before, &self.after].map(|t| t.as_deref().unwrap_or_default());
        let name = |text: &Option<String>| match text {
            Some(_) => self.path.display().to_string(),
            None => "/dev/null".to_owned(),
        };
        TextDiff::from_lines(before, after)
            .unified_diff()
            .context_radius(2)
            .header(&name(&self.before), &name(&self.after))
            .to_string()
    }

    /// Makes the file what it shall be.
    ///
    /// # Errors
    /// Unavailable.
    pub fn make(&self) -> Result<()> {
        match &self.after {
            Some(text) => copies::put_back(&self.path, text),
            None => files::remove(&self.path),
        }
    }
}

/// Every file that is ever changed.
pub fn files() -> impl Iterator<Item = PathBuf> {
    let services = pam::SERVICES.iter().map(pam::Service::path);
    [sshd::MAIN, sshd::DROP_IN].map(ToOwned::to_owned).into_iter().chain(services).map(Into::into)
}

/// What has to change for sshd and sudo to ask us; nothing where they do. sshd's files come first:
/// with these alone, people enrolled get in with key and password; with PAM's alone, nobody does.
///
/// # Errors
/// Refused where a file is not as we know it.
pub fn apply(drop_in: String) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let before = files::read(sshd::MAIN.as_ref())?;
    let after = before.as_deref().map(sshd::with_include);
    changes.push(Change::new(sshd::MAIN, before, after));
    let before = files::read(sshd::DROP_IN.as_ref())?;
    changes.push(Change::new(sshd::DROP_IN, before, Some(drop_in)));
    for service in &pam::SERVICES {
        let before = files::read(service.path().as_ref())?;
        let after = before.as_deref().map(|text| service.edit(text)).transpose()?;
        changes.push(Change::new(service.path(), before, after));
    }
    changes.retain(Change::is_one);
    Ok(changes)
}

/// What has to change for everything of ours to be gone. What others wrote since stays.
///
/// # Errors
/// Refused where a file can't be read.
pub fn undo() -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let edited = pam::SERVICES.iter().map(pam::Service::path).chain([sshd::MAIN.to_owned()]);
    for path in edited {
        let before = files::read(path.as_ref())?;
        let after = before.as_deref().map(marks::original);
        changes.push(Change::new(path, before, after));
    }
    // Last, so that sshd asks for no code that PAM no longer knows of.
    changes.push(Change::new(sshd::DROP_IN, files::read(sshd::DROP_IN.as_ref())?, None));
    changes.retain(Change::is_one);
    Ok(changes)
}

/// Lines of PAM's files that ask our module, as they are now: `FILE:LINE: TEXT`.
///
/// # Errors
/// Refused when PAM's directory can't be read.
pub fn left_over() -> Result<Vec<String>> {
    const SERVICES: &str = "/etc/pam.d";
    let failed = |e: std::io::Error| Error::refused(format!("{SERVICES} can't be read: {e}"));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(SERVICES).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // What is no text is no service.
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let line = |(at, line): (usize, &str)| format!("{}:{at}: {line}", path.display());
        found.extend(marks::asks_us(&text).into_iter().map(line));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_the_file_and_shows_what_is_new() {
        let change = Change::new("/etc/x", Some("a\nb\n".into()), Some("a\nc\n".into()));
        assert_eq!(change.diff(), "--- /etc/x\n+++ /etc/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
        let new = Change::new("/etc/x", None, Some("a\n".into()));
        assert_eq!(new.diff(), "--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+a\n");
    }
}
