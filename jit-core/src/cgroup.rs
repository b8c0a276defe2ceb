//! A session's own cgroup (version 2). The process that opens the session moves into it before
//! anything of the session is started, so that the kernel itself keeps count of all that follows:
//! nothing without privileges leaves it, and all of it is killed at once, however fast it forks.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::process::{Anchor, cgroup};

/// Where sessions have theirs, below the root of the hierarchy.
const ROOM: &str = "/jit";

/// Moves the calling process into a new cgroup of its own and says its path below the root. Inside
/// another session (a sudo in an ssh session) it is made below that one's, and ends with it. None
/// where the kernel or the mounts don't allow it.
pub fn enter(anchor: &Anchor) -> Option<String> {
    let now = cgroup(anchor.pid)?;
    let inside = now.starts_with("/jit/") || anchor.started_in.is_some();
    let above = if inside { now } else { ROOM.to_owned() };
    let path = format!("{above}/jit-{}-{}", anchor.pid, anchor.started);
    // Thrice: a keeper that sweeps may remove it, and the room around it, while they are still empty.
    (0..3).find_map(|_| {
        let directory = directory(&path)?;
        fs::create_dir_all(&directory).ok()?;
        fs::write(directory.join("cgroup.procs"), anchor.pid.to_string()).ok()
    })?;
    Some(path)
}

/// Whether a process is in it or below it. A cgroup that is gone has none.
pub fn is_populated(path: &str) -> bool {
    directory(path)
        .and_then(|directory| fs::read_to_string(directory.join("cgroup.events")).ok())
        .is_some_and(|events| events.lines().any(|line| line == "populated 1"))
}

/// Kills all that is in it and below it (Linux 5.14 and later).
///
/// # Errors
/// The kernel's.
pub fn kill(path: &str) -> std::io::Result<()> {
    let Some(directory) = directory(path) else { return Ok(()) };
    match fs::write(directory.join("cgroup.kill"), "1") {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Has all in it and below it stand still, or go on; for a moment it waits until they do. Whether they
/// stand still is for [`is_frozen`] to say.
///
/// # Errors
/// The kernel's.
pub fn freeze(path: &str, freeze: bool) -> std::io::Result<()> {
    let Some(directory) = directory(path) else { return Ok(()) };
    match fs::write(directory.join("cgroup.freeze"), if freeze { "1" } else { "0" }) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        done => done?,
    }
    for _ in 0..50 {
        if !freeze || is_frozen(path) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Ok(())
}

/// Whether all in it stand still, as somebody has it so or one around it.
pub fn is_frozen(path: &str) -> bool {
    directory(path)
        .and_then(|directory| fs::read_to_string(directory.join("cgroup.events")).ok())
        .is_some_and(|events| events.lines().any(|line| line == "frozen 1"))
}

/// The processes in it and below it, as far as they stand still.
pub fn processes(path: &str) -> Vec<u32> {
    directory(path).map(below).unwrap_or_default()
}

fn below(directory: PathBuf) -> Vec<u32> {
    let listed = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<u32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    for inner in directories(&directory) {
        found.extend(below(inner));
    }
    found
}

/// Removes it, where nothing is left in it.
pub fn remove(path: &str) {
    if let Some(directory) = directory(path) {
        remove_empty(directory);
    }
}

/// Removes the empty ones that nobody removed, as of sessions that were refused.
pub fn sweep() {
    remove(ROOM);
}

fn remove_empty(directory: PathBuf) {
    for inner in directories(&directory) {
        remove_empty(inner);
    }
    // Refused by the kernel while anything is in it.
    let _ = fs::remove_dir(directory);
}

fn directories(above: &std::path::Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(above) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect()
}

/// The directory of a cgroup. The path was recorded, or made here; it never climbs.
fn directory(path: &str) -> Option<PathBuf> {
    if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return None;
    }
    Some(PathBuf::from(format!("{}{path}", mount()?)))
}

/// Where the hierarchy is mounted; it is not mounted elsewhere while a program runs.
fn mount() -> Option<&'static str> {
    static MOUNT: OnceLock<Option<String>> = OnceLock::new();
    MOUNT.get_or_init(find_mount).as_deref()
}

/// Looks it up (proc(5), mountinfo).
fn find_mount() -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (after.starts_with("cgroup2 ") && root == "/").then(|| point.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn all_that_was_started_in_it_is_killed_at_once() {
        let mut child = Command::new("sh")
            .args(["-c", "read go; setsid sleep 300 & sleep 300 & read wait"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let path = enter(&Anchor::of(child.id()).unwrap())
            .expect("this test needs root and a cgroup2 hierarchy");
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"go\n").unwrap();
        let started = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            processes(&path).len() == 3
        });
        assert!(started && is_populated(&path));
        remove(&path);
        assert!(is_populated(&path), "what is not empty stays");
        kill(&path).unwrap();
        child.wait().unwrap();
        let gone = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            !is_populated(&path)
        });
        assert!(gone);
        remove(&path);
        assert!(!directory(&path).unwrap().exists());
        assert!(kill(&path).is_ok() && !is_populated(&path), "gone is empty");
    }

    #[test]
    fn a_path_never_climbs() {
        assert!(directory("/jit/../init.scope").is_none());
        assert!(directory("jit").is_none());
    }
}
