//! What an account set up to run on its own during a stay, taken away at its end: user services and
//! lingering, at jobs, crontab entries, and what of those runs. What was there before stays.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jit_core::clock::BootMoment;
use jit_core::stay::{
    AT_JOBS, Crontab, Stay, at_jobs, crontab_file, crontab_id, linger_file, user_services,
};
use jit_core::{Error, Result, cgroup, process};

use crate::signal;

/// Milliseconds in a clock tick of proc(5): USER_HZ is 100 on all that we run on.
const TICK_MS: u64 = 10;
/// Rounds of looking for processes that are still there.
const ROUNDS: u32 = 20;
/// Between them, and between looks whether a program has ended.
const PAUSE: Duration = Duration::from_millis(10);
/// The most of a crontab that is put on record, in characters.
const LONGEST_RECORD: usize = 2000;

/// Takes one kind of thing away, and adds to the list what it was.
type Part = fn(&Stay, &mut Vec<String>) -> std::io::Result<()>;

/// Takes away what the stay left; says what it was.
///
/// # Errors
/// Unavailable, saying what could not be taken away; what could be is, and all is tried again.
pub(crate) fn take_away(stay: &Stay, boot: &BootMoment) -> Result<Vec<String>> {
    let mut taken = Vec::new();
    // Asked before it is put back.
    let untouched =
        stay.before.crontab_file.is_some() && stay.before.crontab_file == crontab_id(&stay.login);
    let parts: [Part; 3] = [user_services_and_lingering, jobs, crontab];
    let mut result = Ok(());
    for part in parts {
        result = part(stay, &mut taken).and(result);
    }
    // Last, as what was just taken away starts no more of them.
    let result = running(stay, boot, untouched, &mut taken).and(result);
    match result {
        Ok(()) => Ok(taken),
        Err(e) => Err(Error::unavailable(format!(
            "not all that {} left running could be ended: {e}",
            stay.login
        ))),
    }
}

fn user_services_and_lingering(stay: &Stay, taken: &mut Vec<String>) -> std::io::Result<()> {
    if stay.before.lingering {
        // Its services are meant to run: what of them started during the stay is found one by one.
        return Ok(());
    }
    match fs::remove_file(linger_file(&stay.login)) {
        Ok(()) => taken.push("lingering".into()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let services = user_services(stay.uid);
    if cgroup::is_populated(&services) {
        let count = cgroup::processes(&services).len();
        cgroup::kill(&services)?;
        taken.push(format!("user services, {count} processes"));
        // Or logind would wait ten seconds before it takes them for stopped.
        systemctl(&["stop", "--no-block", &format!("user@{}.service", stay.uid)]);
    }
    Ok(())
}

fn jobs(stay: &Stay, taken: &mut Vec<String>) -> std::io::Result<()> {
    for name in at_jobs(stay.uid) {
        if !stay.before.at_jobs.contains(&name) {
            fs::remove_file(Path::new(AT_JOBS).join(&name))?;
            taken.push(format!("at job {name}"));
        }
    }
    Ok(())
}

/// Puts the crontab back as it was.
fn crontab(stay: &Stay, taken: &mut Vec<String>) -> std::io::Result<()> {
    let now = Crontab::of(&stay.login);
    if now == stay.before.crontab {
        return Ok(());
    }
    let file = crontab_file(&stay.login);
    match &stay.before.crontab {
        Crontab::Unreadable => {
            taken.push("nothing of its crontab, which could not be read before".into());
            return Ok(());
        }
        Crontab::None => fs::remove_file(&file)?,
        before @ Crontab::Content(_) => {
            let bytes = before.bytes().ok_or(std::io::ErrorKind::InvalidData)?;
            let directory = file.parent().unwrap_or(Path::new("/"));
            // cron skips names with a dot; the group is the directory's, as crontab(1) has it.
            let beside = directory.join(format!("{}.jit", stay.login));
            let _ = fs::remove_file(&beside);
            let mut draft =
                fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            draft.set_permissions(fs::Permissions::from_mode(0o600))?;
            let group = fs::metadata(directory)?.gid();
            std::os::unix::fs::fchown(&draft, Some(stay.uid), Some(group))?;
            draft.write_all(&bytes)?;
            draft.sync_all()?;
            fs::rename(beside, &file)?;
        }
    }
    let was = String::from_utf8_lossy(&now.bytes().unwrap_or_default())
        .chars()
        .take(LONGEST_RECORD)
        .collect::<String>();
    taken.push(format!("its crontab, which is again as before; it was: {was}"));
    Ok(())
}

/// Kills what started in the account's name during the stay and is in no session: its login uid tells,
/// which jobs of cron and at and user services have, and services of the machine that run under its
/// user id have not. What cron runs is spared where nobody touched the crontab: then it is from before.
/// A user service that was restarted meanwhile is not: in whose cgroup a process is, the user decides.
fn running(
    stay: &Stay,
    boot: &BootMoment,
    crontab_untouched: bool,
    taken: &mut Vec<String>,
) -> std::io::Result<()> {
    // After a boot there is nothing from before.
    let began = if boot.boot_id == stay.boot_id { stay.began_boot_ms / TICK_MS } else { 0 };
    // Standing still, nothing forks faster than it is found.
    let services = user_services(stay.uid);
    let killed = cgroup::freeze(&services, true)
        .and_then(|()| kill_all_since(stay.uid, began, crontab_untouched));
    cgroup::freeze(&services, false)?;
    match killed? {
        0 => {}
        number => taken.push(format!("what ran outside of sessions, {number} processes")),
    }
    Ok(())
}

/// Kills those with this login uid that started since `began`; says how many.
fn kill_all_since(uid: u32, began: u64, crontab_untouched: bool) -> std::io::Result<usize> {
    let mut killed = 0;
    for _ in 0..ROUNDS {
        let left: Vec<(u32, u64)> = process::all()?
            .into_iter()
            .filter(|pid| process::audit_uid(*pid) == Some(uid))
            .filter(|pid| process::scope(*pid).is_none() && !process::is_zombie(*pid))
            .filter(|pid| {
                let path = process::cgroup(*pid).unwrap_or_default();
                is_where_jobs_run(&path, uid) && !(crontab_untouched && is_of_cron(&path))
            })
            .filter_map(|pid| Some((pid, process::started(pid)?)))
            .filter(|(_, started)| *started >= began)
            .collect();
        if left.is_empty() {
            return Ok(killed);
        }
        killed += left.iter().filter(|(pid, started)| signal::kill(*pid, *started)).count();
        std::thread::sleep(PAUSE);
    }
    Err(std::io::Error::other(format!("processes of uid {uid} go on")))
}

/// Whether a cgroup is where an account's services and jobs run, which nothing without privileges
/// leaves: a container on this machine may know the same login uid as somebody else's.
fn is_where_jobs_run(path: &str, uid: u32) -> bool {
    path.starts_with(&format!("/user.slice/user-{uid}.slice/"))
        || is_of_cron(path)
        || is_in_service(path, "atd.service")
        // Without systemd.
        || path == "/"
        || path.starts_with("/jit/")
}

/// Whether a cgroup is that of cron's service, which nothing without privileges enters.
fn is_of_cron(path: &str) -> bool {
    is_in_service(path, "cron.service") || is_in_service(path, "crond.service")
}

/// Whether a cgroup is a service's of the machine. Below `user.slice`, users give theirs any name.
fn is_in_service(path: &str, name: &str) -> bool {
    let rest = path.strip_prefix("/system.slice/").and_then(|rest| rest.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Asks systemd, for a second at most. Where there is none, or it says no, nothing depends on it.
fn systemctl(arguments: &[&str]) {
    let started = Command::new("/usr/bin/systemctl")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else { return };
    for _ in 0..100 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_that_a_user_names_like_crons_is_not_crons() {
        let services = "/user.slice/user-1000.slice/user@1000.service";
        for (path, cron, jobs) in [
            ("/system.slice/cron.service", true, true),
            ("/system.slice/crond.service/job", true, true),
            ("/system.slice/atd.service", false, true),
            ("/system.slice/cron.service.d", false, false),
            ("/system.slice/app.service/cron.service", false, false),
            (&format!("{services}/cron.service"), false, true),
            (&format!("{services}/app.slice/system.slice/cron.service"), false, true),
            ("/user.slice/user-10001.slice/user@10001.service", false, false),
            ("/machine.slice/box/user.slice/user-1000.slice/session-1.scope", false, false),
        ] {
            assert_eq!((is_of_cron(path), is_where_jobs_run(path, 1000)), (cron, jobs), "{path}");
        }
    }
}
