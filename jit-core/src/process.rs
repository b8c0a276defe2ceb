//! What the kernel says of processes: the audit session and systemd scope a process belongs to,
//! and when it started. Neither can be changed by a process without privileges.

use std::fs;

use serde::{Deserialize, Serialize};

/// The kernel's audit session (`/proc/PID/sessionid`), inherited over fork, setsid and exec.
pub type AuditSession = u32;

/// The kernel's word for "none": pam_loginuid was not run.
const UNSET: u32 = u32::MAX;

/// What identifies a session's processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The process that opened the session: sshd's monitor, or sudo.
    pub pid: u32,
    /// When it started, in clock ticks since boot: process ids come again.
    pub started: u64,
    /// The kernel's audit session, where it is set.
    pub audit_session: Option<AuditSession>,
    /// The systemd scope that logind made for the session, as a path below the cgroup root.
    pub scope: Option<String>,
    /// The scope that sshd or sudo was started in, if any. Where pam_systemd comes only later, sshd
    /// moves on from it.
    pub started_in: Option<String>,
    /// The cgroup made for the session alone, as a path below the cgroup root, where there is no
    /// such scope and one could be made.
    pub cgroup: Option<String>,
    /// The user id that pam_loginuid gave the audit session, where it did.
    pub audit_uid: Option<u32>,
}

impl Anchor {
    /// That of the calling process; none when /proc doesn't tell.
    pub fn here() -> Option<Self> {
        Anchor::of(std::process::id())
    }

    /// That of the process `pid`.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Anchor {
            pid,
            started: started(pid)?,
            audit_session: audit_session(pid),
            scope: None,
            started_in: scope(pid),
            cgroup: None,
            audit_uid: audit_uid(pid),
        })
    }

    /// That of the calling process, which has a session's processes to itself: the scope that
    /// logind moved it into since it was in `outside`, or else a new cgroup that it moves into.
    pub fn settled(outside: Option<&str>) -> Option<Self> {
        let here = Anchor::here()?;
        let now = here.started_in.clone();
        if now.is_some() && now.as_deref() != outside {
            let started_in = outside.map(str::to_owned);
            return Some(Anchor { scope: now, started_in, ..here });
        }
        Some(Anchor { cgroup: crate::cgroup::enter(&here), ..here })
    }

    /// Where the session's processes are counted, if they are.
    pub fn counted(&self) -> Option<&str> {
        self.scope.as_deref().or(self.cgroup.as_deref())
    }

    /// Whether the process that opened the session still runs.
    pub fn is_alive(&self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

/// The audit session of a process, where it is set.
pub fn audit_session(pid: u32) -> Option<AuditSession> {
    number(&format!("/proc/{pid}/sessionid"))
}

/// The user id of a process' audit session, where it is set.
pub fn audit_uid(pid: u32) -> Option<u32> {
    number(&format!("/proc/{pid}/loginuid"))
}

/// The terminal that a process is controlled by, such as `/dev/pts/3` (tty_nr of proc(5)'s stat; the
/// majors 136 to 143 are Unix98 pseudo-terminals, of 256 each).
pub fn terminal(pid: u32) -> Option<String> {
    let device: u32 = stat_field(pid, 7)?.parse().ok()?;
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    (136..144).contains(&major).then(|| format!("/dev/pts/{}", (major - 136) * 256 + minor))
}

fn number(file: &str) -> Option<u32> {
    fs::read_to_string(file).ok()?.trim().parse().ok().filter(|number| *number != UNSET)
}

/// When a process started, in clock ticks since boot (proc(5), field 22 of stat).
pub fn started(pid: u32) -> Option<u64> {
    stat_field(pid, 22)?.parse().ok()
}

/// The parent of a process.
pub fn parent(pid: u32) -> Option<u32> {
    stat_field(pid, 4)?.parse().ok()
}

/// Whether a process is dead and waits for its parent to notice.
pub fn is_zombie(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| is_dead(&stat))
}

/// Whether a process stands still, because it was told to or is being traced.
pub fn is_stopped(pid: u32) -> bool {
    stat_field(pid, 3).is_some_and(|state| state == "T" || state == "t")
}

/// The real user id of a process: that of who started it, also where it runs as another.
pub fn real_uid(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// One whose first thread has ended while others run looks the same but for their number.
fn is_dead(stat: &[u8]) -> bool {
    let state = field(stat, 3).is_some_and(|state| state == "Z" || state == "X");
    let threads = field(stat, 20).and_then(|count| count.parse::<u32>().ok());
    state && threads.is_some_and(|count| count <= 1)
}

fn stat_field(pid: u32, number: usize) -> Option<String> {
    field(&fs::read(format!("/proc/{pid}/stat")).ok()?, number)
}

/// A field of proc(5)'s stat, from the third on. The second is the program's name in brackets, which
/// may contain anything, in any coding.
fn field(stat: &[u8], number: usize) -> Option<String> {
    let stat = String::from_utf8_lossy(stat);
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(number - 3).map(str::to_owned)
}

/// The scope of a process's login session, as a path below the cgroup root:
/// `/user.slice/user-1000.slice/session-3.scope`.
pub fn scope(pid: u32) -> Option<String> {
    session_scope(&cgroup(pid)?)
}

/// The cgroup of a process, as a path below the root of the version 2 hierarchy.
pub fn cgroup(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

/// The part of a cgroup path up to its `session-N.scope`, where logind makes those. Deeper down, below
/// `user@UID.service`, the user makes cgroups of any name.
fn session_scope(path: &str) -> Option<String> {
    let mut parts = path.strip_prefix("/user.slice/")?.split('/');
    let (user, session) = (parts.next()?, parts.next()?);
    let between = |text: &str, before, after| {
        let inner = text.strip_prefix(before).and_then(|rest| str::strip_suffix(rest, after));
        inner.is_some_and(|i| !i.is_empty() && i.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    (between(user, "user-", ".slice") && between(session, "session-", ".scope"))
        .then(|| format!("/user.slice/{user}/{session}"))
}

/// Every process there is.
///
/// # Errors
/// The kernel's; an empty list would mean that all is gone.
pub fn all() -> std::io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        found.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself() {
        let anchor = Anchor::here().unwrap();
        assert!(anchor.is_alive());
        assert!(!Anchor { started: anchor.started + 1, ..anchor }.is_alive());
        assert!(all().unwrap().contains(&std::process::id()));
        assert!(parent(std::process::id()).is_some());
    }

    #[test]
    fn a_program_chooses_its_name_and_nothing_else() {
        let stat = |name: &[u8], state: u8, threads: u8| {
            let rest =
                [b") ", &[state][..], b" 1 7 7 0 -1 64 1 2 3 4 5 6 7 8 20 0 ", &[threads]].concat();
            [b"9 (", name, &rest, b" 0 4711 0"].concat()
        };
        for name in [&b"sleep"[..], b"a) Z 1 (b", b"a b\n", b"\xff\xfe", b"))"] {
            assert!(!is_dead(&stat(name, b'S', b'1')));
            assert!(is_dead(&stat(name, b'Z', b'1')));
            assert!(!is_dead(&stat(name, b'Z', b'2')), "its first thread ended, another runs");
            assert_eq!(field(&stat(name, b'S', b'1'), 4).as_deref(), Some("1"));
            assert_eq!(field(&stat(name, b'S', b'1'), 22).as_deref(), Some("4711"));
        }
        assert!(!is_dead(b""));
    }

    #[test]
    fn a_scope_is_found_in_a_cgroup_path() {
        let scope = "/user.slice/user-1000.slice/session-3.scope";
        assert_eq!(session_scope(scope).as_deref(), Some(scope));
        assert_eq!(session_scope(&format!("{scope}/inner")).as_deref(), Some(scope));
        let of_the_users_making = "/user.slice/user-1000.slice/user@1000.service/session-3.scope";
        for none in [
            "/",
            "/system.slice/ssh.service",
            "/session-3.scope",
            "/user.slice/user-1000.slice/session-.scope",
            "/user.slice/user-1000.slice/session-1.scopes",
            "/user.slice/user-1000.slice/app.slice/session-3.scope",
            of_the_users_making,
            &format!("{of_the_users_making}/user.slice/user-1000.slice/session-3.scope"),
        ] {
            assert_eq!(session_scope(none), None, "{none}");
        }
    }
}
