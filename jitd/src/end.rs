//! Ending a session: every process that the kernel says belongs to it.
//!
//! A session has a cgroup of its own, logind's scope or one of ours, in which the kernel counts and
//! kills, however fast something forks. Where there could be none, and for what root moved out of it, an ssh session is its audit
//! session, and a sudo what the sudo process started: found by looking, stopped first, until no new
//! ones appear, and then killed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jit_core::grant::Action;
use jit_core::process::{self, AuditSession};
use jit_core::session::Session;
use jit_core::stay::user_services;
use jit_core::{Error, Result, cgroup};
use rustix::process::Signal;

use crate::signal;

/// Rounds of looking for processes to stop, or to kill, before giving up until the next tick.
const ROUNDS: u32 = 20;
/// Between rounds of waiting for killed processes to be gone.
const PAUSE: Duration = Duration::from_millis(10);

/// The processes that are in an audit session, by which one.
pub(crate) struct Processes {
    by_session: BTreeMap<AuditSession, Vec<u32>>,
}

impl Processes {
    /// Looks at all of /proc.
    ///
    /// # Errors
    /// Unavailable when the kernel doesn't tell.
    pub(crate) fn look() -> Result<Self> {
        let mut by_session: BTreeMap<AuditSession, Vec<u32>> = BTreeMap::new();
        for pid in everybody()? {
            if let Some(session) = process::audit_session(pid)
                && !process::is_zombie(pid)
            {
                by_session.entry(session).or_default().push(pid);
            }
        }
        Ok(Processes { by_session })
    }

    /// Looks while the user services of those accounts stand still: what forks and exits all the time
    /// is in none of several looks otherwise.
    ///
    /// # Errors
    /// Unavailable when the kernel doesn't tell.
    pub(crate) fn look_at_rest(uids: &BTreeSet<u32>) -> Result<Self> {
        let paths: Vec<String> = uids.iter().map(|uid| user_services(*uid)).collect();
        for path in paths.iter().filter(|path| cgroup::is_populated(path)) {
            cgroup::freeze(path, true)
                .map_err(|e| Error::unavailable(format!("{path} can't be stopped: {e}")))?;
        }
        let looked = Processes::look();
        paths.iter().for_each(|path| drop(cgroup::freeze(path, false)));
        looked
    }

    /// Whether nothing of a session is left.
    pub(crate) fn is_over(&self, session: &Session) -> Result<bool> {
        Ok(seems_over(session) && self.of(session)?.is_empty())
    }

    /// Those of a session that can be found by looking.
    pub(crate) fn of(&self, session: &Session) -> Result<BTreeSet<u32>> {
        match (session.action, session.anchor.audit_session) {
            (Action::Login, Some(number)) => {
                Ok(self.by_session.get(&number).into_iter().flatten().copied().collect())
            }
            _ => tree(session),
        }
    }
}

/// Every process but the first and the keeper itself, which belong to nobody's session.
fn everybody() -> Result<Vec<u32>> {
    let all = process::all()
        .map_err(|e| Error::unavailable(format!("the processes can't be listed: {e}")))?;
    let own = std::process::id();
    Ok(all.into_iter().filter(|pid| *pid > 1 && *pid != own).collect())
}

/// The process that opened a session, if it still runs, and all it started.
fn tree(session: &Session) -> Result<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    if !is_open(session) {
        return Ok(found);
    }
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pid in everybody()? {
        if let Some(parent) = process::parent(pid)
            && !process::is_zombie(pid)
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut next = vec![session.anchor.pid];
    while let Some(pid) = next.pop() {
        if found.insert(pid) {
            next.extend(children.get(&pid).into_iter().flatten());
        }
    }
    Ok(found)
}

/// Whether the process that opened the session still runs.
fn is_open(session: &Session) -> bool {
    session.anchor.is_alive() && !process::is_zombie(session.anchor.pid)
}

/// Whether nothing of a session is counted any more and what opened it is gone: quickly told, though
/// something that root moved out may be left.
pub(crate) fn seems_over(session: &Session) -> bool {
    !session.anchor.counted().is_some_and(cgroup::is_populated) && !is_open(session)
}

/// A session on its way to its end.
struct Ending<'a> {
    session: &'a Session,
    seen: BTreeSet<u32>,
    outcome: Option<Result<usize>>,
}

impl<'a> Ending<'a> {
    /// Kills what is counted.
    fn begin(session: &'a Session) -> Self {
        let own = session.anchor.counted();
        let seen = own.map(cgroup::processes).unwrap_or_default().into_iter().collect();
        let moved = scope_moved_into(session);
        let mut paths = own.iter().copied().chain(moved.as_deref());
        let failed = paths.find_map(|path| cgroup::kill(path).err().map(|e| (path.to_owned(), e)));
        let outcome = failed.map(|(path, e)| {
            Err(Error::unavailable(format!("the cgroup {path} can't be killed: {e}")))
        });
        Ending { session, seen, outcome }
    }

    /// Stops those that were not seen before; whether there were any.
    fn stop_new(&mut self, processes: &Processes) -> Result<bool> {
        let found = processes.of(self.session)?;
        let new: Vec<u32> = found.difference(&self.seen).copied().collect();
        new.iter().for_each(|pid| send(self.session, *pid, Signal::STOP));
        self.seen.extend(&new);
        Ok(!new.is_empty())
    }

    /// Kills what is left; done when there is nothing.
    fn kill_rest(&mut self, processes: &Processes) -> Result<()> {
        if processes.is_over(self.session)? {
            // A scope is systemd's to remove.
            self.session.anchor.cgroup.iter().for_each(|path| cgroup::remove(path));
            self.outcome = Some(Ok(self.seen.len()));
            return Ok(());
        }
        let found = processes.of(self.session)?;
        found.iter().for_each(|pid| send(self.session, *pid, Signal::KILL));
        self.seen.extend(found);
        Ok(())
    }

    fn finish(self) -> Result<usize> {
        self.outcome.unwrap_or_else(|| {
            Err(Error::unavailable(format!(
                "session {} of {} still has processes after they were killed",
                self.session.id, self.session.person
            )))
        })
    }
}

/// Ends every process of each of the sessions, all at once; says how many were seen of each, or why
/// some are still there, to be tried again. /proc is looked at for all of them together.
pub(crate) fn end(sessions: &[&Session]) -> Vec<Result<usize>> {
    let mut endings: Vec<Ending<'_>> = sessions.iter().map(|one| Ending::begin(one)).collect();
    // Out of a killed scope something may have hopped into the account's user services, forking on
    // from there faster than it is found: they stand still for as long as this takes.
    let services: BTreeSet<String> = sessions
        .iter()
        .filter(|session| session.action == Action::Login)
        .map(|session| user_services(session.uid))
        .filter(|services| cgroup::is_populated(services))
        .collect();
    let freeze = |freeze| services.iter().try_for_each(|path| cgroup::freeze(path, freeze));
    let stopped = freeze(true)
        .map_err(|e| Error::unavailable(format!("user services can't be stopped: {e}")));
    let ended = stopped.and_then(|()| end_rest(&mut endings));
    // One that is gone needs no thawing.
    let _ = freeze(false);
    if let Err(error) = ended {
        let open = endings.iter_mut().filter(|ending| ending.outcome.is_none());
        open.for_each(|ending| ending.outcome = Some(Err(error.clone())));
    }
    endings.into_iter().map(Ending::finish).collect()
}

/// What was never counted, or was moved out by root.
fn end_rest(endings: &mut [Ending<'_>]) -> Result<()> {
    for _ in 0..ROUNDS {
        let processes = Processes::look()?;
        let mut new = false;
        for ending in endings.iter_mut().filter(|ending| ending.outcome.is_none()) {
            new |= ending.stop_new(&processes)?;
        }
        if !new {
            break;
        }
    }
    for _ in 0..ROUNDS {
        let processes = Processes::look()?;
        for ending in endings.iter_mut().filter(|ending| ending.outcome.is_none()) {
            ending.kill_rest(&processes)?;
        }
        if endings.iter().all(|ending| ending.outcome.is_some()) {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Sends a signal to a process that is still of the session.
fn send(session: &Session, pid: u32, signal: Signal) {
    let still = || match session.anchor.audit_session {
        Some(_) => process::audit_session(pid) == session.anchor.audit_session,
        None => true,
    };
    // A process that is gone already is as it should be; one that stays is found again.
    signal::send(pid, signal, still);
}

/// The systemd scope that sshd moved into only after the session was recorded, where pam_systemd
/// comes after us.
fn scope_moved_into(session: &Session) -> Option<String> {
    if session.action != Action::Login || session.anchor.scope.is_some() || !is_open(session) {
        return None;
    }
    let now = process::scope(session.anchor.pid);
    now.filter(|own| session.anchor.started_in.as_ref() != Some(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::session;
    use jit_core::process::Anchor;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    /// Runs `script` in an audit session of its own, as pam_loginuid makes one, and waits until it
    /// says that it is ready.
    fn in_audit_session(script: &str) -> Child {
        let text =
            format!("echo 0 > /proc/self/loginuid || exit 1\n{script}\necho ready\nread wait");
        let mut child = Command::new("sh")
            .args(["-c", &text])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said != "ready\n" {
            child.kill().and_then(|()| child.wait()).unwrap();
            panic!("not ready: this test needs root and a kernel with audit sessions");
        }
        child
    }

    /// Ends one session.
    fn end(session: &Session) -> Result<usize> {
        super::end(&[session]).remove(0)
    }

    fn living(audit_session: u32) -> Vec<u32> {
        process::all()
            .unwrap()
            .into_iter()
            .filter(|pid| process::audit_session(*pid) == Some(audit_session))
            .filter(|pid| !process::is_zombie(*pid))
            .collect()
    }

    #[test]
    fn everything_of_a_session_is_ended_and_nothing_else() {
        let bystander = in_audit_session("true");
        let mut child = in_audit_session(
            "nohup sleep 300 >/dev/null 2>&1 & setsid sleep 300 & (sleep 300 &) ; \
             sh -c 'while :; do sleep 0.01; done' &",
        );
        let anchor = Anchor::of(child.id()).unwrap();
        let number = anchor.audit_session.unwrap();
        assert!(living(number).len() >= 5);
        // The last process dies some milliseconds after it was told to.
        let killed = end(&session(Action::Login, anchor)).unwrap();
        assert!(killed >= 5, "{killed}");
        assert_eq!(living(number), [0_u32; 0]);
        child.wait().unwrap();
        let other = Anchor::of(bystander.id()).unwrap();
        assert!(other.is_alive());
        end(&session(Action::Login, other)).unwrap();
        let mut bystander = bystander;
        bystander.wait().unwrap();
    }

    /// Starts `script` in a cgroup of its own, once it has read "go", as a sudo is.
    fn in_cgroup(child: &mut Child) -> Anchor {
        let anchor = Anchor::of(child.id()).unwrap();
        let own = cgroup::enter(&anchor).expect("this test needs root and a cgroup2 hierarchy");
        Anchor { cgroup: Some(own), ..anchor }
    }

    fn shell(script: &str) -> Child {
        Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap()
    }

    fn go(child: &mut Child) {
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"go\n").unwrap();
    }

    fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
        for _ in 0..500 {
            if happened() {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        panic!("waited in vain: {what}");
    }

    #[test]
    fn the_end_of_a_sudo_leaves_the_ssh_session_around_it() {
        // Around it: a shell in a cgroup, with a child of its own.
        let mut around = shell("read go; sleep 300 & exec sleep 300");
        let login = in_cgroup(&mut around);
        go(&mut around);
        let login_cgroup = login.cgroup.clone().unwrap();
        wait_for("the shell's child", || cgroup::processes(&login_cgroup).len() == 2);
        // What the sudo started: also what its first process no longer knows of.
        let mut inner = shell("read go; setsid sleep 300 & (sleep 300 &); exec sleep 300");
        let sudo = in_cgroup(&mut inner);
        go(&mut inner);
        let sudo_cgroup = sudo.cgroup.clone().unwrap();
        wait_for("the sudo's children", || cgroup::processes(&sudo_cgroup).len() == 3);

        assert_eq!(end(&session(Action::Sudo, sudo)).unwrap(), 3);
        inner.wait().unwrap();
        assert!(!cgroup::is_populated(&sudo_cgroup));
        assert_eq!(cgroup::processes(&login_cgroup).len(), 2, "the session goes on");

        assert_eq!(
            end(&session(Action::Login, Anchor { audit_session: None, ..login })).unwrap(),
            2
        );
        around.wait().unwrap();
    }

    #[test]
    fn a_sudo_without_a_cgroup_ends_with_all_it_started() {
        let mut child = shell("sleep 300 & sh -c 'sleep 300 & wait' & exec sleep 300");
        let anchor = Anchor::of(child.id()).unwrap();
        let sudo = session(Action::Sudo, anchor);
        wait_for("its children", || tree(&sudo).unwrap().len() == 4);
        assert_eq!(end(&sudo).unwrap(), 4);
        child.wait().unwrap();
    }

    #[test]
    fn nothing_forks_faster_than_it_is_ended() {
        let mut child =
            shell("read go; for i in 1 2 3 4; do (while :; do (:) & done) & done; exec sleep 300");
        let anchor = in_cgroup(&mut child);
        let own = anchor.cgroup.clone().unwrap();
        go(&mut child);
        wait_for("the forks", || cgroup::processes(&own).len() > 4);
        end(&session(Action::Login, Anchor { audit_session: None, ..anchor })).unwrap();
        assert!(!cgroup::is_populated(&own));
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_took_over_the_number_is_left_alone() {
        let mut child = in_audit_session("true");
        let anchor = Anchor::of(child.id()).unwrap();
        let other = Anchor { audit_session: Some(u32::MAX - 1), ..anchor.clone() };
        send(&session(Action::Login, other), child.id(), Signal::KILL);
        assert!(anchor.is_alive());
        end(&session(Action::Login, anchor)).unwrap();
        child.wait().unwrap();
    }
}
