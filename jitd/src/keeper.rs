//! The loop: looks at the store when it changed, at the clock always, and ends what is due.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use jit_core::authority::{Authority, Watched};
use jit_core::grant::{Actor, Program};
use jit_core::session::{EndReason, Session};
use jit_core::{Error, Result, cgroup};

use crate::end::{self, Processes};

/// How often it looks. A revocation takes effect within this and the time the kernel takes.
const TICK: Duration = Duration::from_millis(200);
/// Ticks between looks at the store although nothing changed: the wall clock may have been set.
const LOOK: u32 = 5;
/// Ticks between moving the log of the store into its main file.
const CHECKPOINT: u32 = 150;
/// Ticks between looking for requests that nobody decided in time.
const LAPSE: u32 = 50;

/// A session and the moment on the boot clock when it is over.
struct Kept {
    session: Session,
    over_at_ms: u64,
}

pub(crate) struct Keeper<'a> {
    authority: &'a Authority,
    /// As of the last look that succeeded: a store out of reach stops no ending.
    kept: Vec<Kept>,
    marker: Option<u64>,
    ticks: u32,
    /// The last trouble told, so that each is told once and not at every tick.
    trouble: Option<String>,
}

impl<'a> Keeper<'a> {
    pub(crate) fn new(authority: &'a Authority) -> Self {
        Keeper { authority, kept: Vec::new(), marker: None, ticks: 0, trouble: None }
    }

    /// Keeps sessions until the process is ended.
    pub(crate) fn keep(&mut self) -> Result<Infallible> {
        loop {
            self.tick();
            std::thread::sleep(TICK);
        }
    }

    fn tick(&mut self) {
        match self.look() {
            Ok(()) => self.trouble = None,
            Err(error) => self.tell(&error),
        }
        if let Err(error) = self.end_due() {
            self.tell(&error);
        }
        if let Err(error) = self.housekeeping() {
            self.tell(&error);
        }
        self.ticks = self.ticks.wrapping_add(1);
    }

    /// Brings `kept` up to date where something may have changed.
    fn look(&mut self) -> Result<()> {
        let marker = self.authority.change_marker()?;
        if self.marker == Some(marker) && !self.ticks.is_multiple_of(LOOK) {
            return Ok(());
        }
        let boot = self.authority.clock().boot()?;
        let watched = self.authority.watched()?.into_iter();
        let mut kept: Vec<Kept> = watched
            .map(|Watched { session, millis_left, .. }| Kept {
                session,
                over_at_ms: boot.millis.saturating_add(millis_left),
            })
            .collect();
        let vanished = vanished(std::mem::take(&mut self.kept), &kept);
        for Kept { session, .. } in &vanished {
            self.tell(&Error::tampered(format!(
                "the record of session {} of {} is gone, and nobody ended it: it is ended",
                session.id, session.person
            )));
        }
        kept.extend(vanished);
        self.kept = kept;
        self.marker = Some(marker);
        Ok(())
    }

    fn end_due(&mut self) -> Result<()> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let boot = self.authority.clock().boot()?;
        let (due, going): (Vec<_>, Vec<_>) =
            self.kept.drain(..).partition(|kept| kept.over_at_ms <= boot.millis);
        self.kept = going;
        // All are ended before any is recorded: recording may have to wait for the store.
        let ended: Vec<_> = due
            .iter()
            .map(|Kept { session, .. }| {
                let here = session.boot_id == boot.boot_id;
                (session, if here { end::end(session).map(Some) } else { Ok(None) })
            })
            .collect();
        let mut result = Ok(());
        for (session, ended) in ended {
            // One that could not be ended or recorded comes back with the next look at the store.
            let recorded = ended.and_then(|killed| self.record(session, killed));
            result = recorded.and(result);
        }
        if self.ticks.is_multiple_of(LOOK) {
            self.release_those_who_left()?;
        }
        result
    }

    /// Records an end; a session of another boot had no processes left to end.
    fn record(&self, session: &Session, killed: Option<usize>) -> Result<()> {
        let Some(killed) = killed else {
            return self.authority.session_ended(session, EndReason::Reboot, 0);
        };
        eprintln!(
            "jitd: ended session {} of {} as {} ({}), {killed} processes",
            session.id, session.person, session.login, session.action
        );
        self.authority.session_ended(session, EndReason::CoverEnded, killed)
    }

    /// Records the sessions that ended by themselves and left nothing running.
    fn release_those_who_left(&mut self) -> Result<()> {
        let processes = Processes::look()?;
        let sessions: Vec<Session> = self.kept.iter().map(|kept| kept.session.clone()).collect();
        for session in &sessions {
            if processes.is_over(session)? {
                self.authority.session_ended(session, EndReason::Left, 0)?;
                self.kept.retain(|kept| kept.session.id != session.id);
                session.anchor.cgroup.iter().for_each(|path| cgroup::remove(path));
            }
        }
        Ok(())
    }

    fn housekeeping(&self) -> Result<()> {
        if self.ticks.is_multiple_of(CHECKPOINT) {
            cgroup::sweep();
            self.authority.checkpoint()?;
        }
        if self.ticks.is_multiple_of(LAPSE) {
            self.authority.lapse_undecided(&Actor::Program(Program::Jitd))?;
        }
        Ok(())
    }

    fn tell(&mut self, error: &Error) {
        let text = error.to_string();
        if self.trouble.as_ref() != Some(&text) {
            eprintln!("jitd: {text}");
            self.authority.syslog().trouble(&text);
            self.trouble = Some(text);
        }
    }
}

/// What was kept and is no longer on record: only the keeper takes a session off it, so somebody
/// edited the store. Due at once.
fn vanished(before: Vec<Kept>, now: &[Kept]) -> Vec<Kept> {
    let known: BTreeSet<u64> = now.iter().map(|kept| kept.session.id).collect();
    let gone = before.into_iter().filter(|kept| !known.contains(&kept.session.id));
    gone.map(|kept| Kept { over_at_ms: 0, ..kept }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::session;
    use jit_core::grant::Action;
    use jit_core::process::Anchor;

    #[test]
    fn a_session_whose_record_was_taken_away_is_due_at_once() {
        let kept = |id, over_at_ms| {
            let session = session(Action::Login, Anchor::here().unwrap());
            Kept { session: Session { id, ..session }, over_at_ms }
        };
        let gone =
            vanished(vec![kept(1, 500), kept(2, 600), kept(3, 700)], &[kept(1, 900), kept(4, 900)]);
        let gone: Vec<_> = gone.iter().map(|kept| (kept.session.id, kept.over_at_ms)).collect();
        assert_eq!(gone, [(2, 0), (3, 0)]);
    }
}
