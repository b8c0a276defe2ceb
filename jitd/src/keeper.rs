//! The loop: looks at the store when it changed, at the clock always, and ends what is due.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use jit_core::authority::{Authority, Watched};
use jit_core::config::{Leftovers, OnChange};
use jit_core::error::Kind;
use jit_core::grant::{Action, Actor, Program};
use jit_core::id::GrantId;
use jit_core::session::{EndReason, Session};
use jit_core::time::Timestamp;
use jit_core::{Error, Result, cgroup};

use crate::end::{self, Processes};
use crate::{leftovers, tell};

/// How often it looks. A revocation takes effect within this and the time the kernel takes.
const TICK: Duration = Duration::from_millis(200);
/// Ticks between looks for sessions that ended by themselves, and for stays that are over.
const LOOK: u32 = 5;
/// Ticks between looks at the store although nothing changed.
const RELOOK: u32 = 150;
/// How far the wall clock moves against the boot clock, in milliseconds, before it counts as set: it
/// is read in whole seconds.
const CLOCK_STEP_MS: u64 = 2000;
/// For how long ends are recorded in one go, before it is looked again for what is due.
const RECORDING_MS: u64 = 200;
/// Ticks between moving the log of the store into its main file.
const CHECKPOINT: u32 = 150;
/// Ticks between looking for requests that nobody decided in time.
const LAPSE: u32 = 50;

/// Seconds before the end at which the person is warned.
const WARNINGS: [u64; 2] = [600, 120];
/// For how long a warning is still given that is due: through a restart of this program.
const WARNING_LASTS_MS: u64 = 30_000;
/// Whoever came in so lately was told the end.
const JUST_NOW_MS: u64 = 60_000;

/// Between saying why a session ends and ending it.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A session and the moment on the boot clock when it is over.
struct Kept {
    session: Session,
    over_at_ms: u64,
    /// The same by the wall clock, and the grant to extend; none when it has no cover.
    end: Option<(Timestamp, GrantId)>,
}

/// A session that is over, to be recorded; of another boot if it had no processes to end.
struct Ended {
    session: Session,
    why: EndReason,
    killed: usize,
}

pub(crate) struct Keeper<'a> {
    authority: &'a Authority,
    /// As of the last look that succeeded: a store out of reach stops no ending.
    kept: Vec<Kept>,
    marker: Option<u64>,
    ticks: u32,
    /// The warnings given: session, deadline, seconds before it.
    warned: BTreeSet<(u64, Timestamp, u64)>,
    /// The uses of break-glass codes that everybody was told of.
    announced: BTreeSet<GrantId>,
    /// Whether a session ended since stays were looked at.
    some_ended: bool,
    /// Ended, and not on record as that yet.
    ended: VecDeque<Ended>,
    /// Wall clock less boot clock, at the last look.
    clocks_apart_ms: u64,
    /// The version of the policy by which living grants were looked at last.
    policy: Option<String>,
    /// The version seen at the last look.
    policy_seen: Option<String>,
    policy_unreadable: bool,
    /// The trouble told of late, so that each is told once and not at every tick.
    told: BTreeSet<String>,
}

impl<'a> Keeper<'a> {
    pub(crate) fn new(authority: &'a Authority) -> Self {
        Keeper {
            authority,
            kept: Vec::new(),
            marker: None,
            ticks: 0,
            warned: BTreeSet::new(),
            announced: BTreeSet::new(),
            some_ended: false,
            ended: VecDeque::new(),
            clocks_apart_ms: 0,
            policy: None,
            policy_seen: None,
            policy_unreadable: false,
            told: BTreeSet::new(),
        }
    }

    /// Keeps sessions until the process is ended.
    pub(crate) fn keep(&mut self) -> Result<Infallible> {
        loop {
            self.tick();
            std::thread::sleep(TICK);
        }
    }

    fn tick(&mut self) {
        // What lasts is told again, now and then.
        if self.ticks.is_multiple_of(RELOOK) {
            self.told.clear();
        }
        let steps: [fn(&mut Self) -> Result<()>; 8] = [
            Self::look,
            Self::end_due,
            Self::record_ends,
            Self::release_those_who_left,
            Self::warn,
            Self::announce,
            Self::end_stays,
            Self::reexamine,
        ];
        for step in steps {
            if let Err(error) = step(self) {
                self.tell(&error);
            }
        }
        if let Err(error) = self.housekeeping() {
            self.tell(&error);
        }
        self.ticks = self.ticks.wrapping_add(1);
    }

    /// Brings `kept` up to date where something may have changed.
    fn look(&mut self) -> Result<()> {
        let marker = self.authority.change_marker()?;
        let boot = self.authority.clock().boot()?;
        let wall = self.authority.clock().now().map_or(0, Timestamp::unix);
        let apart = (wall * 1000).wrapping_sub(boot.millis);
        let was_set = apart.abs_diff(self.clocks_apart_ms) >= CLOCK_STEP_MS;
        if self.marker == Some(marker) && !was_set && !self.ticks.is_multiple_of(RELOOK) {
            return Ok(());
        }
        let watched = self.authority.watched()?.into_iter();
        let mut kept: Vec<Kept> = watched
            .map(|Watched { session, deadline, last, millis_left }| Kept {
                session,
                over_at_ms: boot.millis.saturating_add(millis_left),
                end: deadline.zip(last),
            })
            .collect();
        // Over already, though the store doesn't say so yet.
        kept.retain(|kept| !self.ended.iter().any(|ended| ended.session.id == kept.session.id));
        let vanished = vanished(std::mem::take(&mut self.kept), &kept);
        for Kept { session, .. } in &vanished {
            self.tell(&Error::tampered(format!(
                "the record of session {} of {} is gone or was edited: the session is ended",
                session.id, session.person
            )));
        }
        kept.extend(vanished);
        self.warned.retain(|(id, ..)| kept.iter().any(|kept| kept.session.id == *id));
        self.kept = kept;
        self.marker = Some(marker);
        self.clocks_apart_ms = apart;
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
        if due.is_empty() {
            return Ok(());
        }
        let here = |session: &Session| session.boot_id == boot.boot_id;
        let told = due.iter().filter(|kept| here(&kept.session) && self.say_goodbye(&kept.session));
        if told.count() > 0 {
            // What is on the terminal has a last moment to reach the other end of the connection.
            std::thread::sleep(LAST_WORDS);
        }
        let (due, past): (Vec<_>, Vec<_>) =
            due.into_iter().map(|kept| kept.session).partition(here);
        let outcomes = end::end(&due.iter().collect::<Vec<_>>());
        let mut result = Ok(());
        for (session, outcome) in due.into_iter().zip(outcomes) {
            match outcome {
                Ok(killed) => {
                    self.ended.push_back(Ended { session, why: EndReason::CoverEnded, killed });
                }
                // Comes back with the next look at the store.
                Err(error) => {
                    self.marker = None;
                    result = Err(error);
                }
            }
        }
        for session in past {
            self.ended.push_back(Ended { session, why: EndReason::Reboot, killed: 0 });
        }
        result
    }

    /// Records ends, for a while: each waits for the disk, and others may be due meanwhile.
    fn record_ends(&mut self) -> Result<()> {
        let boot = || self.authority.clock().boot();
        let until = boot()?.millis + RECORDING_MS;
        while let Some(Ended { session, why, killed }) = self.ended.front() {
            self.authority.session_ended(session, *why, *killed)?;
            eprintln!(
                "jitd: session {} of {} as {} ({}) is over: {why}; {killed} processes ended",
                session.id, session.person, session.login, session.action
            );
            self.ended.pop_front();
            self.some_ended = true;
            if boot()?.millis > until {
                break;
            }
        }
        Ok(())
    }

    /// Tells the terminals of a session why it ends; whether there are any.
    fn say_goodbye(&self, session: &Session) -> bool {
        let why = self.authority.why_over(session).unwrap_or_else(|_| "has ended".to_owned());
        tell::tell(session, &processes_of(session), &format!("{} {why}.", what(session)))
    }

    /// Warns those whose end is near.
    fn warn(&mut self) -> Result<()> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let boot = self.authority.clock().boot()?;
        for kept in &self.kept {
            let Kept { session, over_at_ms, end: Some((deadline, grant)) } = kept else { continue };
            let left = over_at_ms.saturating_sub(boot.millis);
            let open_for = boot.millis.saturating_sub(session.opened_boot_ms);
            let due = WARNINGS.into_iter().find(|seconds| is_due(*seconds, left, open_for));
            let Some(seconds) = due else { continue };
            // A sudo that ends with its session is not worth a second one.
            if self.kept.iter().any(|other| ends_no_later(other, kept)) {
                continue;
            }
            if self.warned.insert((session.id, *deadline, seconds)) {
                let text = format!(
                    "{} ends {}, in {} min. More time: jitctl extend {grant} --for 30m",
                    what(session),
                    deadline.local_hour(),
                    seconds / 60
                );
                tell::tell(session, &processes_of(session), &text);
            }
        }
        Ok(())
    }

    /// Tells everybody on this host that somebody broke the glass; anew when this program was
    /// started anew, as long as it lasts and nobody has reviewed it.
    fn announce(&mut self) -> Result<()> {
        if !self.ticks.is_multiple_of(LOOK) {
            return Ok(());
        }
        let glass = self.authority.break_glass_uses()?;
        let Some(last) = glass.unreviewed() else { return Ok(()) };
        if self.authority.clock().now()? < last.until && self.announced.insert(last.id.clone()) {
            let text = last.banner(&glass.host);
            eprintln!("jitd: {text}");
            tell::tell_everybody(&text)?;
        }
        Ok(())
    }

    /// Takes away what was left by accounts that nobody has cover for any more.
    fn end_stays(&mut self) -> Result<()> {
        if !self.some_ended && !self.ticks.is_multiple_of(LOOK) {
            return Ok(());
        }
        self.some_ended = false;
        for stay in self.authority.stays_that_are_over()? {
            let authority = self.authority;
            let config = authority.config();
            let keep =
                config.leftovers == Leftovers::Keep || config.exempt_logins.contains(&stay.login);
            let taken = if keep {
                Vec::new()
            } else {
                leftovers::take_away(&stay, &authority.clock().boot()?)?
            };
            if !taken.is_empty() {
                eprintln!("jitd: took away what {} left: {}", stay.login, taken.len());
            }
            self.authority.stay_ended(&stay, &taken)?;
        }
        Ok(())
    }

    /// Ends what the policy no longer gives: at once when it changed, and now and then for what was
    /// being decided by the old one while it did.
    fn reexamine(&mut self) -> Result<()> {
        if self.authority.config().on_change == OnChange::Keep || !self.ticks.is_multiple_of(LOOK) {
            return Ok(());
        }
        let policy = match self.authority.policy() {
            Ok(policy) => policy,
            // Told once: it may stay so for long, and nothing is taken from anybody meanwhile.
            Err(error) => {
                let told = std::mem::replace(&mut self.policy_unreadable, true);
                return if told { Ok(()) } else { Err(error) };
            }
        };
        self.policy_unreadable = false;
        // Twice the same: a file that is still being written is no policy yet.
        if self.policy_seen.as_ref() != Some(&policy.version) {
            self.policy_seen = Some(policy.version.clone());
            return Ok(());
        }
        let examined = self.policy.as_ref() == Some(&policy.version);
        if examined && !self.ticks.is_multiple_of(LAPSE) {
            return Ok(());
        }
        // What is taken is taken by a policy that the log holds.
        let policy = self.authority.policy_on_record()?;
        for id in self.authority.reexamine(&policy)? {
            eprintln!("jitd: revoked {id}: the policy no longer gives it");
            // What we change ourselves changes no marker.
            self.marker = None;
        }
        self.policy = Some(policy.version.clone());
        Ok(())
    }

    /// Has the sessions recorded that ended by themselves and left nothing running.
    fn release_those_who_left(&mut self) -> Result<()> {
        if !self.ticks.is_multiple_of(LOOK) {
            return Ok(());
        }
        let over = self.kept.iter().filter(|kept| end::seems_over(&kept.session));
        let uids: BTreeSet<u32> = over.map(|kept| kept.session.uid).collect();
        if uids.is_empty() {
            return Ok(());
        }
        let processes = Processes::look_at_rest(&uids)?;
        for kept in std::mem::take(&mut self.kept) {
            if processes.is_over(&kept.session).unwrap_or(false) {
                let session = kept.session;
                session.anchor.cgroup.iter().for_each(|path| cgroup::remove(path));
                self.ended.push_back(Ended { session, why: EndReason::Left, killed: 0 });
            } else {
                self.kept.push(kept);
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
            // One that is missing, or wrong with none before it, is for whoever asks it to say.
            if let Err(error) = self.authority.policy_on_record()
                && error.kind() != Kind::Misconfigured
            {
                return Err(error);
            }
        }
        Ok(())
    }

    fn tell(&mut self, error: &Error) {
        let text = error.to_string();
        if !self.told.contains(&text) {
            eprintln!("jitd: {text}");
            self.authority.syslog().trouble(&text);
            self.told.insert(text);
        }
    }
}

/// `access to web-1 as alice`, `sudo on web-1 as alice`.
fn what(session: &Session) -> String {
    match session.action {
        Action::Login => format!("Access to {} as {}", session.host, session.login),
        Action::Sudo => format!("sudo on {} as {}", session.host, session.login),
    }
}

/// Those of a session that could have a terminal.
fn processes_of(session: &Session) -> Vec<u32> {
    if let Some(path) = session.anchor.counted() {
        return cgroup::processes(path);
    }
    let looked = Processes::look().and_then(|processes| processes.of(session));
    looked.map(|found| found.into_iter().collect()).unwrap_or_default()
}

/// Whether the warning so many seconds before the end is to be given with `left` milliseconds. Not
/// to somebody who was told the end when they came in, just now.
fn is_due(seconds: u64, left_ms: u64, open_for_ms: u64) -> bool {
    let at = seconds * 1000;
    left_ms <= at && left_ms + WARNING_LASTS_MS > at && open_for_ms >= JUST_NOW_MS
}

/// Whether `other` is the ssh session that `one`, a sudo, runs in, and ends no later.
fn ends_no_later(other: &Kept, one: &Kept) -> bool {
    one.session.action == Action::Sudo
        && other.session.action == Action::Login
        && other.session.anchor.audit_session == one.session.anchor.audit_session
        && other.over_at_ms <= one.over_at_ms
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
    use jit_core::process::Anchor;

    #[test]
    fn a_warning_is_given_ten_and_two_minutes_before_and_not_to_who_just_came_in() {
        let due = |left_ms, open_for_ms| {
            WARNINGS.into_iter().find(|seconds| is_due(*seconds, left_ms, open_for_ms))
        };
        let long = 3_600_000;
        assert_eq!(due(600_001, long), None);
        assert_eq!(due(600_000, long), Some(600));
        assert_eq!(due(570_001, long), Some(600));
        assert_eq!(due(570_000, long), None);
        assert_eq!(due(119_800, long), Some(120));
        assert_eq!(due(60_000, long), None);
        assert_eq!(due(599_800, 59_000), None);
        assert_eq!(due(119_800, 60_000), Some(120));
    }

    #[test]
    fn a_session_whose_record_was_taken_away_is_due_at_once() {
        let kept = |id, over_at_ms| {
            let session = session(Action::Login, Anchor::here().unwrap());
            Kept { session: Session { id, ..session }, over_at_ms, end: None }
        };
        let gone =
            vanished(vec![kept(1, 500), kept(2, 600), kept(3, 700)], &[kept(1, 900), kept(4, 900)]);
        let gone: Vec<_> = gone.iter().map(|kept| (kept.session.id, kept.over_at_ms)).collect();
        assert_eq!(gone, [(2, 0), (3, 0)]);
    }
}
