//! Debian's PAM services, and our lines in them. What has another shape is left to its admin: a
//! module that runs before ours, or may skip it, would be a way in or a way to be shut out.

use jit_core::{Error, Result};

use super::marks;

/// A PAM service that asks us.
#[derive(Debug)]
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// The file of session modules that it includes.
    session: &'static str,
}

/// All of them; sudo-rs has the same names as sudo.
pub const SERVICES: [Service; 3] = [
    Service { name: "sshd", session: "common-session" },
    Service { name: "sudo", session: "common-session-noninteractive" },
    Service { name: "sudo-i", session: "common-session" },
];

const AUTH: &str = "auth       required     pam_jit.so";
const ACCOUNT: &str = "account    required     pam_jit.so";
const SESSION: &str = "session    required     pam_jit.so";

impl Service {
    /// Its file.
    pub fn path(&self) -> String {
        format!("/etc/pam.d/{}", self.name)
    }

    /// `text` with our lines: who asks for the second factor takes the place of who asks for the
    /// password; the grant is checked before anything else says yes; the session is recorded once
    /// pam_systemd has given it its scope.
    ///
    /// # Errors
    /// Refused when it does not look like Debian's.
    pub fn edit(&self, text: &str) -> Result<String> {
        let original = marks::original(text);
        if self.is_done_by_hand(&original) {
            return Ok(original);
        }
        self.check(&original).map_err(|why| {
            Error::refused(format!("{} is not as Debian ships it: {why}", self.path())).next(
                format!(
                    "Put these in by hand, the first in place of common-auth, the second before \
                     common-account, the third after {}:\n    {AUTH}\n    {ACCOUNT}\n    {SESSION}\n  \
                     Then run jitctl setup again.",
                    self.session
                ),
            )
        })?;
        let mut lines = Vec::new();
        for line in original.split('\n') {
            match included(line) {
                Some("common-auth") => lines.extend([marks::retired(line), marks::added(AUTH)]),
                Some("common-account") => lines.extend([marks::added(ACCOUNT), line.to_owned()]),
                Some(file) if file == self.session => {
                    lines.extend([line.to_owned(), marks::added(SESSION)]);
                }
                _ => lines.push(line.to_owned()),
            }
        }
        Ok(lines.join("\n"))
    }

    /// Whether an admin has put our module in already.
    fn is_done_by_hand(&self, text: &str) -> bool {
        ["auth", "account", "session"].iter().all(|phase| {
            let mut entries = text.split('\n').filter_map(entry);
            entries.any(|entry| entry.phase == *phase && entry.module.ends_with("pam_jit.so"))
        })
    }

    fn check(&self, text: &str) -> Result<(), String> {
        let mut seen = Vec::new();
        let mut loginuid = false;
        for line in text.split('\n') {
            if effective(line).ends_with('\\') {
                return Err(format!("the line `{}` goes on in the next", line.trim()));
            }
            if let Some(file) = included(line) {
                if file == self.session && self.name == "sshd" && !loginuid {
                    return Err(format!("pam_loginuid.so does not come before {file}"));
                }
                seen.push(file);
                continue;
            }
            let Some(entry) = entry(line) else { continue };
            let too_late = match entry.phase {
                "auth" => {
                    return Err(format!("it has an auth line of its own, `{}`", line.trim()));
                }
                "account" => seen.contains(&"common-account"),
                _ => seen.contains(&self.session),
            };
            if !too_late && entry.may_skip() {
                return Err(format!("the line `{}` can skip what comes after it", line.trim()));
            }
            loginuid |= entry.phase == "session" && entry.module.ends_with("pam_loginuid.so");
        }
        for file in ["common-auth", "common-account", self.session] {
            match seen.iter().filter(|seen| **seen == file).count() {
                1 => {}
                0 => return Err(format!("it has no `@include {file}`")),
                _ => return Err(format!("it includes {file} more than once")),
            }
        }
        Ok(())
    }
}

/// A line that names a module.
struct Entry<'a> {
    phase: &'a str,
    control: &'a str,
    module: &'a str,
}

impl Entry<'_> {
    /// Whether the modules after it may not be asked although it did not fail.
    fn may_skip(&self) -> bool {
        let jumps = |rule: &str| {
            rule.split_once('=')
                .is_some_and(|(_, to)| to == "done" || to.bytes().all(|b| b.is_ascii_digit()))
        };
        self.control == "sufficient"
            || self.control == "include"
            || self.control == "substack"
            || self.control.trim_matches(['[', ']']).split_ascii_whitespace().any(jumps)
    }
}

/// The line without its comment.
fn effective(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

fn included(line: &str) -> Option<&str> {
    Some(effective(line).strip_prefix("@include")?.trim())
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let line = effective(line);
    let (phase, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let end = match rest.find(']') {
        Some(end) if rest.starts_with('[') => end + 1,
        _ => rest.find(char::is_whitespace)?,
    };
    let (control, rest) = rest.split_at(end);
    let module = rest.split_ascii_whitespace().next()?;
    Some(Entry { phase: phase.trim_start_matches('-'), control, module })
}

#[cfg(test)]
mod tests;
