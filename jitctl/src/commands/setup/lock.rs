//! One setup at a time. The file is root's alone, so that nobody else can open it and hold the lock:
//! on anything that others may read, they could keep a rollback from its work.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use jit_core::{Error, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc::O_NOFOLLOW;

/// In a directory that is root's; below /run, so that a reboot forgets it.
const FILE: &str = "/run/jit-setup.lock";

const TICK: Duration = Duration::from_millis(100);
/// Ticks after which it is said that somebody is waited for: 1 s.
const SILENT: u32 = 10;
/// And after which it is given up: 10 s. The rollback's unit then tries again.
const PATIENT: u32 = 100;

/// Taken as long as it lives.
pub type Lock = Flock<File>;

/// Takes the lock, or waits for it a little.
///
/// # Errors
/// Unavailable where another holds it, or the file can't be opened.
pub fn take() -> Result<Lock> {
    let failed = |e: String| Error::unavailable(format!("{FILE} can't be locked: {e}"));
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let mut file =
        options.custom_flags(O_NOFOLLOW).open(FILE).map_err(|e| failed(e.to_string()))?;
    for tick in 0..PATIENT {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((same, Errno::EWOULDBLOCK | Errno::EINTR)) => file = same,
            Err((_, e)) => return Err(failed(e.to_string())),
        }
        if tick == SILENT {
            eprintln!("Another jitctl setup is at work; waiting for it, up to 10 s.");
        }
        std::thread::sleep(TICK);
    }
    Err(Error::unavailable("another jitctl setup is at work")
        .next(format!("Wait for it, then run this again; who it is: fuser -v {FILE}")))
}
