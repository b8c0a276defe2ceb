//! Words to the terminals of a session: that it ends soon, and that it has ended.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use jit_core::process;
use jit_core::session::Session;
use nix::libc::{O_CLOEXEC, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};

/// Writes a line to every terminal that a process of the session is controlled by. Nobody has to
/// read it: a terminal that takes nothing is passed over. Whether any took it.
pub(crate) fn tell(session: &Session, processes: &[u32], text: &str) -> bool {
    let terminals: BTreeSet<String> =
        processes.iter().filter_map(|pid| process::terminal(*pid)).collect();
    let mut told = false;
    for terminal in terminals {
        let open = fs::OpenOptions::new()
            .write(true)
            // Not to wait for a terminal that was stopped, nor to be controlled by it.
            .custom_flags(O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC)
            .open(&terminal);
        let Ok(mut file) = open else { continue };
        // The terminal may have become somebody else's since it was looked up.
        if file.metadata().is_ok_and(|meta| meta.uid() == session.uid) {
            told |= file.write_all(format!("\r\n\x07jit: {text}\r\n").as_bytes()).is_ok();
        }
    }
    told
}
