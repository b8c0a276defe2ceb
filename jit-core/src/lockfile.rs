//! The file on which a daemon of ours holds an exclusive lock while it runs, by which others tell
//! that it does. The kernel drops the lock with the process, however that ended.

use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Result};

/// How often the lock is tried for: who looks whether the daemon runs holds it for a moment.
const TRIES: u32 = 10;
/// Between tries.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes the lock for `program`, which systemd runs as `unit`; held until it is dropped.
///
/// # Errors
/// Misconfigured when the file can't be opened; unavailable when another process runs as `program`.
pub fn hold(path: &Path, program: &str, unit: &str) -> Result<Flock<File>> {
    let mut file =
        File::options().create(true).truncate(false).write(true).open(path).map_err(|e| {
            Error::misconfigured(format!("{} can't be opened: {e}", path.display()))
        })?;
    for _ in 0..TRIES {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((unlocked, _)) => file = unlocked,
        }
        thread::sleep(PAUSE);
    }
    Err(Error::unavailable(format!("{} is locked: another {program} runs", path.display()))
        .next(format!("One is enough. systemctl status {unit}")))
}

/// Whether another process holds the lock.
pub fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_by_its_process_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jitd.lock");
        assert!(!is_held(&path), "nobody made the file");
        let held = hold(&path, "jitd", "jitd").unwrap();
        assert!(is_held(&path));
        let error = hold(&path, "jitd", "jitd").unwrap_err();
        assert!(error.what().ends_with("is locked: another jitd runs"), "{error}");
        drop(held);
        assert!(!is_held(&path));
        hold(&path, "jitd", "jitd").unwrap();
    }
}
