//! A stay: from the first session of an account on this host until nobody holds cover for it any
//! more. What was set to run on its own meanwhile (user services, lingering, at and cron jobs) is
//! taken away at its end; what was there before is not.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64_STANDARD;
use nix::libc::{O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK};
use serde::{Deserialize, Serialize};

use crate::clock::BootMoment;
use crate::name::{HostName, Login, PersonName};
use crate::session::millis_left;
use crate::time::Timestamp;

/// A larger crontab is not remembered, and left alone later.
const LARGEST_CRONTAB: u64 = 64 * 1024;

/// One account's stay on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stay {
    /// Where.
    pub host: HostName,
    /// The account.
    pub login: Login,
    /// Its user id.
    pub uid: u32,
    /// When the first session was opened, by the wall clock.
    pub began_at: Timestamp,
    /// The same in milliseconds since boot.
    pub began_boot_ms: u64,
    /// The boot it began in.
    pub boot_id: String,
    /// Who has been in.
    pub people: BTreeSet<PersonName>,
    /// What there was then.
    pub before: Before,
}

impl Stay {
    /// Milliseconds left until `deadline`; see [`millis_left`]. Files outlast a boot, so after one
    /// the wall clock alone tells.
    pub fn millis_left(&self, deadline: Timestamp, now: Timestamp, boot: &BootMoment) -> u64 {
        if boot.boot_id != self.boot_id {
            return deadline.since(now).saturating_mul(1000);
        }
        millis_left((self.began_at, self.began_boot_ms), deadline, now, boot)
    }
}

/// What an account had running on its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Whether its user services run without a session (loginctl(1), enable-linger).
    pub lingering: bool,
    /// Its crontab.
    pub crontab: Crontab,
    /// Which file that is and when it was changed last.
    pub crontab_file: Option<FileId>,
    /// The names of its at jobs.
    pub at_jobs: Vec<String>,
}

/// A file, and when it was changed last, which its owner can't set: inode number, seconds and
/// nanoseconds.
pub type FileId = (u64, i64, i64);

/// An account's crontab.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crontab {
    /// There is none.
    #[default]
    None,
    /// Its content, in base64.
    Content(String),
    /// It is no plain file of a size that one would expect.
    Unreadable,
}

impl Crontab {
    /// As it is now.
    pub fn of(login: &Login) -> Self {
        let path = crontab_file(login);
        let open = fs::OpenOptions::new()
            .read(true)
            .custom_flags(O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
            .open(path);
        let file = match open {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Crontab::None,
            Err(_) => return Crontab::Unreadable,
            Ok(file) => file,
        };
        let mut content = Vec::new();
        let plain = file.metadata().is_ok_and(|m| m.is_file() && m.len() <= LARGEST_CRONTAB);
        if !plain || file.take(LARGEST_CRONTAB).read_to_end(&mut content).is_err() {
            return Crontab::Unreadable;
        }
        Crontab::Content(BASE64_STANDARD.encode(content))
    }

    /// Its bytes, where it has content.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Crontab::Content(text) => BASE64_STANDARD.decode(text).ok(),
            Crontab::None | Crontab::Unreadable => None,
        }
    }
}

impl Before {
    /// As it is now.
    pub fn look(login: &Login, uid: u32) -> Self {
        Before {
            lingering: linger_file(login).exists(),
            // Before it is read: what is changed meanwhile is then another file.
            crontab_file: crontab_id(login),
            crontab: Crontab::of(login),
            at_jobs: at_jobs(uid),
        }
    }
}

/// Where logind notes that an account's services go on without a session.
pub fn linger_file(login: &Login) -> PathBuf {
    Path::new("/var/lib/systemd/linger").join(login.as_str())
}

/// The crontab of an account (crontab(1)).
pub fn crontab_file(login: &Login) -> PathBuf {
    Path::new("/var/spool/cron/crontabs").join(login.as_str())
}

/// Which file an account's crontab is now.
pub fn crontab_id(login: &Login) -> Option<FileId> {
    let meta = fs::symlink_metadata(crontab_file(login)).ok()?;
    Some((meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

/// Where at(1) keeps its jobs.
pub const AT_JOBS: &str = "/var/spool/cron/atjobs";

/// The cgroup of an account's user services.
pub fn user_services(uid: u32) -> String {
    format!("/user.slice/user-{uid}.slice/user@{uid}.service")
}

/// The names of an account's at jobs.
pub fn at_jobs(uid: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(AT_JOBS) else { return Vec::new() };
    let mut found: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.metadata().is_ok_and(|meta| meta.is_file() && meta.uid() == uid))
        .filter_map(|entry| entry.file_name().into_string().ok())
        // `.SEQ` counts them.
        .filter(|name| !name.starts_with('.'))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;

    #[test]
    fn a_stay_outlasts_a_boot_and_no_clock_prolongs_it() {
        let stay = Stay {
            host: HostName::parse("web-1").unwrap(),
            login: Login::parse("deploy").unwrap(),
            uid: 1000,
            began_at: at(10_000),
            began_boot_ms: 500_000,
            boot_id: "b".into(),
            people: BTreeSet::new(),
            before: Before::default(),
        };
        let boot = |id: &str, millis| BootMoment { boot_id: id.into(), millis };
        assert_eq!(stay.millis_left(at(10_060), at(10_020), &boot("b", 520_000)), 40_000);
        assert_eq!(stay.millis_left(at(10_060), at(6_420), &boot("b", 561_000)), 0);
        assert_eq!(stay.millis_left(at(10_060), at(10_020), &boot("c", 1_000)), 40_000);
        assert_eq!(stay.millis_left(at(10_060), at(10_060), &boot("c", 1_000)), 0);
    }

    #[test]
    fn a_crontab_is_remembered_byte_for_byte() {
        let content = Crontab::Content(BASE64_STANDARD.encode(b"* * * * * \xff\n"));
        assert_eq!(content.bytes().unwrap(), b"* * * * * \xff\n");
        let nobody = Login::parse("jit-no-such-account").unwrap();
        assert_eq!(Crontab::of(&nobody), Crontab::None);
    }
}
