//! Signals to a process that can't hit another one: numbers come again, descriptors don't.

use jit_core::process;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Sends a signal to the process `pid` if it is `still` the one that was meant, asked once no other
/// can take over its number. Whether it was sent.
pub(crate) fn send(pid: u32, signal: Signal, still: impl FnOnce() -> bool) -> bool {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    let Ok(descriptor) = pidfd_open(number, PidfdFlags::empty()) else { return false };
    still() && pidfd_send_signal(&descriptor, signal).is_ok()
}

/// Kills the process `pid` that started at a moment ([`process::started`]).
pub(crate) fn kill(pid: u32, started: u64) -> bool {
    send(pid, Signal::KILL, || process::started(pid) == Some(started))
}
