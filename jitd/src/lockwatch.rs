//! Frees the store from a process that was stopped while it held the lock for writing.
//!
//! A sudo runs with its caller's real user id, so its caller may stop it (kill(2)), at the very
//! moment at which our module in there writes: nobody could log in, and no revocation be recorded,
//! for as long as they like. They may freeze it, too, or give it next to no time on a core. Such a
//! process is killed; its transaction never happened.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jit_core::syslog::Syslog;
use jit_core::{cgroup, process};

use crate::signal;

/// Between looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Looks in a row at which one process held the lock, before it may be killed: two seconds.
const PATIENCE: u32 = 4;
/// The bytes of SQLite's `-shm` file that are its locks (sqlite.org/walformat.html, 2.3).
const LOCKS: std::ops::RangeInclusive<u64> = 120..=127;

/// A process as it was when it was first seen: its number and when it started.
type Holder = (u32, u64);

/// Watches the store until the process is ended.
pub(crate) fn watch(database: &Path, syslog: &Syslog) -> ! {
    let file = PathBuf::from(format!("{}-shm", database.display()));
    let mut seen = BTreeMap::new();
    loop {
        std::thread::sleep(PAUSE);
        seen = look(&file, &seen);
        for pid in kill_the_stopped(&seen) {
            let text =
                format!("process {pid} was held up while it held the store's lock: it is killed");
            eprintln!("jitd: {text}");
            syslog.trouble(&text);
        }
    }
}

/// Kills those who held a lock for too long and stand still, or whose caller may make them: there
/// are more ways to hold somebody up than can be looked for. Says which.
fn kill_the_stopped(seen: &BTreeMap<Holder, u32>) -> Vec<u32> {
    let held_up = |pid: u32| {
        let callers = process::real_uid(pid).is_some_and(|uid| uid != 0);
        let frozen = process::cgroup(pid).is_some_and(|path| cgroup::is_frozen(&path));
        callers || frozen || process::is_stopped(pid)
    };
    seen.iter()
        .filter(|((pid, _), looks)| **looks > PATIENCE && held_up(*pid))
        .filter(|((pid, started), _)| signal::kill(*pid, *started))
        .map(|((pid, _), _)| *pid)
        .collect()
}

/// Who holds a lock now, and at how many looks in a row.
fn look(file: &Path, seen: &BTreeMap<Holder, u32>) -> BTreeMap<Holder, u32> {
    // Never opened: closing it would drop the locks that this process itself holds (fcntl(2)).
    let Ok(meta) = fs::metadata(file) else { return BTreeMap::new() };
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    holders(&locks, meta.ino())
        .filter(|pid| *pid != std::process::id() && has_open(*pid, &meta))
        .filter_map(|pid| Some((pid, process::started(pid)?)))
        .map(|holder| (holder, seen.get(&holder).copied().unwrap_or(0) + 1))
        .collect()
}

/// Whether a process has that very file open. What /proc/locks calls the device is not, on every
/// file system, what stat(2) calls it.
fn has_open(pid: u32, file: &fs::Metadata) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    open.flatten()
        .filter_map(|entry| fs::metadata(entry.path()).ok())
        .any(|meta| (meta.dev(), meta.ino()) == (file.dev(), file.ino()))
}

/// The processes that hold one of the locks for writing, by /proc/locks (proc(5)):
/// `1: POSIX  ADVISORY  WRITE 1234 fe:00:5678 120 120`. Those that only wait have an arrow.
fn holders(locks: &str, inode: u64) -> impl Iterator<Item = u32> {
    locks.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "POSIX", _, "WRITE", pid, file, start, _] = fields.as_slice() else { return None };
        let same = file.rsplit(':').next()?.parse() == Ok(inode);
        let ours = same && LOCKS.contains(&start.parse().ok()?);
        ours.then(|| pid.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, Signal};
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn who_holds_the_lock_is_read_from_the_kernel() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 fe:0a:77 120 120\n\
                     1: -> POSIX  ADVISORY  WRITE 12 fe:0a:77 120 120\n\
                     2: POSIX  ADVISORY  READ  13 fe:0a:77 123 123\n\
                     3: FLOCK  ADVISORY  WRITE 14 fe:0a:77 0 EOF\n\
                     4: POSIX  ADVISORY  WRITE 15 fe:0a:78 120 120\n\
                     6: POSIX  ADVISORY  WRITE 17 fe:0a:77 128 128\n\
                     7: OFDLCK ADVISORY  WRITE -1 fe:0a:77 120 120\n\
                     8: POSIX  ADVISORY  WRITE 18 fe:0a:77 122 122\nrubbish\n";
        let found: Vec<u32> = holders(locks, 77).collect();
        assert_eq!(found, [11, 18]);
    }

    #[test]
    fn a_process_that_took_over_the_number_is_not_killed() {
        let mut child = Command::new("sleep").arg("300").stdin(Stdio::null()).spawn().unwrap();
        let started = process::started(child.id()).unwrap();
        assert!(!signal::kill(child.id(), started + 1));
        assert!(child.try_wait().unwrap().is_none());
        assert!(signal::kill(child.id(), started));
        child.wait().unwrap();
    }

    /// Another process that holds SQLite's lock for writing, as this one's own locks don't count.
    fn holder(file: &Path) -> std::process::Child {
        let script = "use Fcntl; $| = 1; open(F, '+<', $ARGV[0]) or die; \
                      my $lock = pack('s s x![l!] l! l! i x![l!]', F_WRLCK, 0, 120, 1, 0); \
                      fcntl(F, F_SETLK, $lock) or die; \
                      print \"ready\\n\"; <STDIN>";
        let mut child = Command::new("perl")
            .args(["-e", script])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n");
        child
    }

    #[test]
    fn whose_caller_may_hold_it_up_is_killed_though_it_runs() {
        let mut child = Command::new("setpriv")
            .args(["--reuid", "65534", "--clear-groups", "sleep", "300"])
            .spawn()
            .unwrap();
        while process::real_uid(child.id()) != Some(65534) {
            std::thread::yield_now();
        }
        let holder =
            |child: &std::process::Child| (child.id(), process::started(child.id()).unwrap());
        let mut own = Command::new("sleep").arg("300").spawn().unwrap();
        let seen = BTreeMap::from([(holder(&child), PATIENCE + 1), (holder(&own), PATIENCE + 1)]);
        assert_eq!(kill_the_stopped(&seen), [child.id()]);
        child.wait().unwrap();
        own.kill().unwrap();
        own.wait().unwrap();
    }

    #[test]
    fn whoever_is_stopped_with_the_lock_is_killed_and_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("jit.db-shm");
        std::fs::write(&file, [0; 256]).unwrap();
        assert!(look(&file, &BTreeMap::new()).is_empty());
        let mut child = holder(&file);
        let mut seen = BTreeMap::new();
        for looks in 1..=PATIENCE + 2 {
            seen = look(&file, &seen);
            assert_eq!(seen.values().copied().collect::<Vec<_>>(), [looks]);
            assert!(kill_the_stopped(&seen).is_empty(), "it is slow, but it works");
        }
        let pid = Pid::from_child(&child);
        rustix::process::kill_process(pid, Signal::STOP).unwrap();
        while !process::is_stopped(child.id()) {
            std::thread::yield_now();
        }
        assert!(kill_the_stopped(&look(&file, &BTreeMap::new())).is_empty(), "not at once");
        assert_eq!(kill_the_stopped(&look(&file, &seen)), [child.id()]);
        child.wait().unwrap();
        assert!(look(&file, &seen).is_empty());
    }
}
