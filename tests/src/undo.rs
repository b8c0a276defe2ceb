//! Takes away what an instance put on the machine, whatever happens to the process that made it.
//!
//! `undo.sh` in the instance's directory is written before anything else is made. A guard, a shell
//! in a session of its own, waits on a pipe from our process: when the pipe closes, by a drop, a
//! panic or a `kill -9`, the guard runs it. There is one way to clean up and it is always taken.

use crate::error::{Context, Result};
use crate::run::run;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where instances live: sshd refuses programs under a directory that others may write to.
pub const HOME: &str = "/var/lib";

/// Only what carries this mark in its comment field is ever removed as an account.
pub fn mark(directory: &Path) -> String {
    format!("throw-away account of {}", directory.display())
}

/// Holds an instance's cleaning up until it is dropped.
pub struct Guard {
    shell: Child,
}

impl Guard {
    /// Writes `undo.sh` for the instance `tag` in `directory` and starts the guard.
    pub fn start(directory: &Path, tag: &str, accounts: &[String]) -> Result<Self> {
        Self::of(directory, &text(directory, tag, accounts), &[])
    }

    /// Starts a guard with the text of an `undo.sh`, by way of `launcher`: a program and arguments
    /// that end with running another.
    pub fn of(directory: &Path, text: &str, launcher: &[&str]) -> Result<Self> {
        let script = directory.join("undo.sh");
        std::fs::write(&script, text).context("writing undo.sh")?;
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o700))?;
        // The guard holds a lock on the script for as long as it lives, by a descriptor that is
        // open in it and nowhere else: its standard error.
        let lock = File::open(&script)?;
        lock.lock().context("locking undo.sh")?;
        let wait =
            format!("cat > /dev/null; [ -e {0}/keep ] || exec sh {0}/undo.sh", directory.display());
        // A session of its own, so that Ctrl-C at the terminal does not reach the guard.
        let shell = Command::new("setsid")
            .args(launcher)
            .args(["sh", "-c", &wait])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(lock)
            .current_dir("/")
            .spawn()
            .context("starting the guard that cleans up")?;
        Ok(Self { shell })
    }

    /// The guard's process.
    pub fn pid(&self) -> u32 {
        self.shell.id()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        if self.shell.wait().is_err() {
            eprintln!("the guard is gone; run the undo.sh of the instance by hand");
        }
    }
}

/// Instances whose maker and guard are gone, such as after a reboot, and that were not kept.
pub fn leftovers() -> Vec<PathBuf> {
    instances().into_iter().filter(|path| !path.join("keep").exists() && !guarded(path)).collect()
}

/// Instances that were kept running.
pub fn kept() -> Vec<PathBuf> {
    instances().into_iter().filter(|path| path.join("keep").exists()).collect()
}

/// Undoes one instance.
pub fn undo(directory: &Path) -> Result<()> {
    run(Command::new("sh").arg(directory.join("undo.sh")), "")?.ok()?;
    Ok(())
}

/// One at a time makes or removes accounts, over all processes: useradd itself gives up when
/// another one holds the password file. The lock is on a directory, so it leaves no file.
pub fn machine_lock() -> Result<Flock<File>> {
    let directory = File::open("/etc/sudoers.d").context("opening /etc/sudoers.d")?;
    Flock::lock(directory, FlockArg::LockExclusive)
        .map_err(|(_, error)| crate::Failed::new(format!("locking /etc/sudoers.d: {error}")))
}

fn instances() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(HOME) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("jit-throwaway."))
        .map(|entry| entry.path())
        .filter(|path| path.join("undo.sh").exists())
        .collect()
}

fn guarded(directory: &Path) -> bool {
    // Where the script is gone, the guard has just done its work.
    File::open(directory.join("undo.sh")).map_or(true, |script| script.try_lock().is_err())
}

fn text(directory: &Path, tag: &str, accounts: &[String]) -> String {
    SCRIPT
        .replace("@DIR@", &directory.display().to_string())
        .replace("@MARK@", &mark(directory))
        .replace("@TAG@", tag)
        .replace("@ACCOUNTS@", &accounts.join(" "))
}

const SCRIPT: &str = r#"#!/bin/sh
# Removes all that this throw-away instance put on the machine. Safe to run twice.
D='@DIR@'
cd /

# Whether a process is there and no zombie, which would wait for its parent for ever.
alive() {
    grep -qs '^State:.[^ZX]' "/proc/$1/status"
}

# Ends a daemon of this instance, if the process of that id still is one, and its children.
end() {
    [ -r "$1" ] || return 0
    read -r pid < "$1" || return 0
    tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null | grep -qF "$D" || return 0
    children=$(cat "/proc/$pid/task/$pid/children" 2> /dev/null)
    kill -TERM "$pid"
    for child in $children; do kill -KILL "$child"; done
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        alive "$pid" || return 0
        sleep 0.05
    done
    kill -KILL "$pid"
}

# Whether a process is one of this machine: in a test host, somebody else has the same uid.
here() {
    [ "$(readlink "/proc/$1/ns/pid")" = "$(readlink /proc/$$/ns/pid)" ]
}

# Ends all processes of an account: those that run under its uid, or were logged in with it.
end_account() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        left=
        for pid in $({
            grep -lsx "$1" /proc/[0-9]*/loginuid
            grep -ls "^Uid:	$1	" /proc/[0-9]*/status
        } | cut -d/ -f3 | sort -u); do
            alive "$pid" && here "$pid" || continue
            left=1
            kill -KILL "$pid" 2> /dev/null
        done
        [ -n "$left" ] || return 0
        sleep 0.05
    done
}

# Only what we made: an account of that name without our mark is somebody's.
ours() {
    entry=$(getent passwd "$1") || return 1
    case "$entry" in *":@MARK@:"*) ;; *) return 1 ;; esac
    uid=$(echo "$entry" | cut -d: -f3)
}

# Clients of this instance, then its daemons, then who is logged in.
for environ in $(grep -lszxF "JIT_INSTANCE=$D" /proc/[0-9]*/environ); do
    kill -KILL "$(echo "$environ" | cut -d/ -f3)" 2> /dev/null
done
for file in "$D"/pid/*; do end "$file" 2> /dev/null; done
for account in @ACCOUNTS@; do
    if ours "$account"; then end_account "$uid"; fi
done

exec 9< /etc/sudoers.d
flock 9
rm -f "/etc/sudoers.d/jit-@TAG@" "/etc/sudoers.d/jit-@TAG@.new" "/etc/pam.d/jit-@TAG@-"*
for account in @ACCOUNTS@; do
    ours "$account" || continue
    userdel -f -r "$account" 2> /dev/null
    rm -f "/run/sudo/ts/$account" "/run/sudo/ts/$uid" "/var/lib/sudo/lectured/$account" \
        "/var/lib/sudo/lectured/$uid"
done
rm -rf "$D"

# sshd's empty directory, if we had to make it and no other instance needs it.
if [ -e /run/jit-throwaway.made-run-sshd ] && ! ls -d /var/lib/jit-throwaway.* > /dev/null 2>&1; then
    rm -f /run/jit-throwaway.made-run-sshd
    rmdir /run/sshd 2> /dev/null
fi
exit 0
"#;
