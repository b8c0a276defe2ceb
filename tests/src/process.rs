//! Looks at processes from the outside, in /proc.

use crate::error::{Failed, Result};
use std::time::{Duration, Instant};

/// A daemon that runs until it is dropped or told to end.
pub struct Daemon {
    child: std::process::Child,
}

impl Daemon {
    /// Takes over `child`.
    pub fn new(child: std::process::Child) -> Self {
        Self { child }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` and waits until it has ended.
    pub fn end(&mut self, signal: nix::sys::signal::Signal) -> Result<()> {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        if self.child.try_wait()?.is_none() {
            nix::sys::signal::kill(pid, signal)?;
        }
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > Duration::from_secs(10) {
                return Err(Failed::new(format!("process {pid} did not end on {signal}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// Ids of all processes whose arguments contain `text`.
pub fn with_arguments(text: &str) -> Vec<u32> {
    all()
        .into_iter()
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line: Vec<u8> = line.iter().map(|b| if *b == 0 { b' ' } else { *b }).collect();
            String::from_utf8_lossy(&line).contains(text)
        })
        .collect()
}

/// Ids of the children of a process.
pub fn children(parent: u32) -> Vec<u32> {
    let parent = parent.to_string();
    all()
        .into_iter()
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let rest = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
            rest.split_ascii_whitespace().nth(1) == Some(parent.as_str())
        })
        .collect()
}

/// Ids of all processes of this machine that run under the account `name`, or logged in as it. In a
/// test host, somebody else has the same uid.
pub fn of_account(name: &str) -> Result<Vec<u32>> {
    let uid = crate::run::must("id", &["-u", name])?;
    let uid = uid.trim();
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let here = namespace("self");
    Ok(all()
        .into_iter()
        .filter(|pid| namespace(&pid.to_string()) == here)
        .filter(|pid| {
            let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
            let status = read("status").unwrap_or_default();
            let real = status.lines().find_map(|line| line.strip_prefix("Uid:\t"));
            let zombie = status.contains("State:\tZ");
            let login = read("loginuid").unwrap_or_default();
            let owned = real.and_then(|ids| ids.split('\t').next()) == Some(uid);
            !zombie && (owned || login.trim() == uid)
        })
        .collect())
}

/// Waits until `holds`, at most `limit`; returns how long it took.
pub fn wait_until(
    what: &str,
    limit: Duration,
    mut holds: impl FnMut() -> bool,
) -> Result<Duration> {
    let began = Instant::now();
    loop {
        if holds() {
            return Ok(began.elapsed());
        }
        if began.elapsed() > limit {
            return Err(Failed::new(format!("waited {limit:?} in vain: {what}")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn all() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
