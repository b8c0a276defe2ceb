//! Words to the terminals of a session: that it ends soon, and that it has ended; and to those of
//! everybody: that somebody broke the glass.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use jit_core::session::Session;
use jit_core::{Error, Result, process};
use nix::libc::{O_CLOEXEC, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};

/// Writes a line to every terminal that a process of the session is controlled by. Nobody has to
/// read it: a terminal that takes nothing is passed over. Whether any took it.
pub(crate) fn tell(session: &Session, processes: &[u32], text: &str) -> bool {
    let mut told = false;
    for mut file in terminals(processes.iter().copied()) {
        // The terminal may have become somebody else's since it was looked up.
        if file.metadata().is_ok_and(|meta| meta.uid() == session.uid) {
            told |= write(&mut file, text);
        }
    }
    told
}

/// Writes a line to every terminal on which somebody is logged in, as wall(1) does; those of other
/// logins than ours, too, by the kernel's login uid. How many took it.
pub(crate) fn tell_everybody(text: &str) -> Result<usize> {
    let all = process::all()
        .map_err(|e| Error::unavailable(format!("the processes can't be listed: {e}")))?;
    let logged_in = all.into_iter().filter(|pid| process::audit_uid(*pid).is_some());
    Ok(terminals(logged_in).filter_map(|mut file| write(&mut file, text).then_some(())).count())
}

/// The terminals by which processes are controlled, each once.
fn terminals(processes: impl Iterator<Item = u32>) -> impl Iterator<Item = File> {
    let names: BTreeSet<String> = processes.filter_map(process::terminal).collect();
    names.into_iter().filter_map(|name| {
        fs::OpenOptions::new()
            .write(true)
            // Not to wait for a terminal that was stopped, nor to be controlled by it.
            .custom_flags(O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC)
            .open(name)
            .ok()
    })
}

fn write(terminal: &mut File, text: &str) -> bool {
    terminal.write_all(format!("\r\n\x07jit: {text}\r\n").as_bytes()).is_ok()
}
