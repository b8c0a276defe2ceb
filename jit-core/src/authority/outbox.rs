//! What tells others of events needs: the next one that a hook wants to hear of, and how far it is.

use serde_json::json;

use super::{Authority, Done};
use crate::audit::{Event, Outcome, Record};
use crate::error::{Error, Result};
use crate::grant::{Actor, Program};
use crate::hook::{GAVE_UP, Hook};
use crate::name::HookName;
use crate::outbox::Standing;
use crate::store::{Mode, Tx};
use crate::time::Timestamp;

/// Records read at a time.
const PAGE: u32 = 500;
/// So many records that a hook doesn't want to hear of are looked at again rather than written down.
const UNWRITTEN: u64 = 100;

/// An event that a hook was not told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The event.
    pub record: Record,
    /// How far the hook is.
    pub standing: Standing,
    /// Whether it may be tried now.
    pub due: bool,
    /// Whether it has become too old to be tried again.
    pub too_old: bool,
}

/// What waits for a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// How many events.
    pub events: u64,
    /// For how long the oldest has, in seconds; zero when there is none.
    pub oldest: u64,
}

impl Authority {
    /// How far all hooks are.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn standings(&self) -> Result<Vec<Standing>> {
        self.store.begin(Mode::Read)?.standings()
    }

    /// Takes up the hooks of the file: a new one is told what comes from now on, one that is gone is
    /// forgotten. Both are on the record, as whoever takes a hook out makes the others deaf.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn take_up_hooks(&self, hooks: &[Hook]) -> Result<()> {
        let actor = Actor::Program(Program::JitHooks);
        let known = self.standings()?;
        for hook in hooks.iter().filter(|hook| known.iter().all(|one| one.hook != hook.name)) {
            let name = hook.name.as_str();
            self.change(&actor, "hook.start", name, |tx, _| {
                let head = tx.audit_head()?.map_or(0, |head| head.sequence);
                tx.put_standing(&Standing::new(hook.name.clone(), head))?;
                let events: Vec<String> = hook.events.iter().map(ToString::to_string).collect();
                Ok(Done::new((), json!({ "events": events })))
            })?;
        }
        for gone in known.iter().filter(|one| hooks.iter().all(|hook| hook.name != one.hook)) {
            self.change(&actor, "hook.stop", gone.hook.as_str(), |tx, _| {
                tx.remove_standing(&gone.hook)?;
                Ok(Done::new((), json!({ "after": gone.after })))
            })?;
        }
        Ok(())
    }

    /// The next event of a hook, if there is one.
    ///
    /// # Errors
    /// Unavailable; tampered when the log ends before what the hook was told.
    pub fn next_event(&self, hook: &Hook) -> Result<Option<Pending>> {
        let tx = self.store.begin(Mode::Read)?;
        let now = self.hooks_now(tx.as_ref())?;
        let standing = standing(tx.as_ref(), &hook.name)?;
        let (found, seen) = first_wanted(tx.as_ref(), hook, standing.after)?;
        drop(tx);
        if let Some(record) = found {
            let due = standing.is_due(now);
            let too_old =
                standing.failing.is_some() && now.since(record.time) > hook.give_up_after.secs();
            return Ok(Some(Pending { record, standing, due, too_old }));
        }
        if seen - standing.after >= UNWRITTEN {
            self.note(&hook.name, |standing, _| Standing {
                after: seen.max(standing.after),
                ..standing
            })?;
        }
        Ok(None)
    }

    /// A hook was told an event.
    ///
    /// # Errors
    /// Unavailable; the event then comes again.
    pub fn told(&self, hook: &HookName, record: &Record) -> Result<()> {
        self.note(hook, |standing, now| standing.told(record.sequence, now))
    }

    /// A hook could not be told its next event.
    ///
    /// # Errors
    /// Unavailable.
    pub fn not_told(&self, hook: &HookName, trouble: &str, random: u32) -> Result<()> {
        self.note(hook, |standing, now| standing.failed(trouble, now, random))
    }

    /// Goes on without an event that a hook could not be told for too long. That is an event itself,
    /// unless what could not be told was just that: it would never end.
    ///
    /// # Errors
    /// Unavailable.
    pub fn give_up(&self, pending: &Pending) -> Result<()> {
        let Pending { record, standing, .. } = pending;
        let hook = &standing.hook;
        if record.action == GAVE_UP && record.object == hook.as_str() {
            return self.note(hook, |standing, _| pass(standing, record.sequence));
        }
        self.change(&Actor::Program(Program::JitHooks), GAVE_UP, hook.as_str(), |tx, _| {
            tx.put_standing(&pass(self::standing(tx, hook)?, record.sequence))?;
            let failing = standing.failing.as_ref();
            let detail = json!({
                "event": record.sequence, "action": record.action, "object": record.object,
                "tries": failing.map(|failing| failing.tries),
                "why": failing.map(|failing| failing.trouble.as_str()),
            });
            Ok(Done::new((), detail))
        })
    }

    /// What waits for a hook.
    ///
    /// # Errors
    /// Unavailable; tampered when the log ends before what the hook was told.
    pub fn waiting(&self, hook: &Hook) -> Result<Waiting> {
        let tx = self.store.begin(Mode::Read)?;
        let now = self.hooks_now(tx.as_ref())?;
        let mut waiting = Waiting { events: 0, oldest: 0 };
        let Some(standing) = tx.standing(&hook.name)? else { return Ok(waiting) };
        let mut after = standing.after;
        while let (Some(record), _) = first_wanted(tx.as_ref(), hook, after)? {
            waiting.events += 1;
            waiting.oldest = waiting.oldest.max(now.since(record.time));
            after = record.sequence;
        }
        Ok(waiting)
    }

    /// Records that root tries a hook, for it to be told of just that.
    ///
    /// # Errors
    /// Unavailable.
    pub fn hook_test(&self, hook: &HookName) -> Result<Record> {
        self.record(&Event {
            actor: Actor::Root,
            action: "hook.test",
            object: hook.to_string(),
            outcome: Outcome::Done,
            detail: json!({}),
        })
    }

    /// Whether `jit-hooks` runs.
    pub fn hooks_run(&self) -> bool {
        crate::lockfile::is_held(&self.config.hooks_lock())
    }

    /// Writes down how far a hook is. That is no event: it decides nothing, and a record of it would
    /// be one more event to tell.
    fn note(
        &self,
        hook: &HookName,
        change: impl FnOnce(Standing, Timestamp) -> Standing,
    ) -> Result<()> {
        let tx = self.store.begin(Mode::Write)?;
        let now = self.hooks_now(tx.as_ref())?;
        let standing = change(standing(tx.as_ref(), hook)?, now);
        tx.put_standing(&standing)?;
        tx.commit()
    }

    /// The clock, as far as it is not behind the log. Not `trusted_now`: that a clock was set back
    /// is no reason to tell nobody.
    fn hooks_now(&self, tx: &dyn Tx) -> Result<Timestamp> {
        let head = tx.audit_head()?.map(|head| head.time);
        match self.clock.now() {
            Ok(now) => Ok(head.map_or(now, |head| now.max(head))),
            Err(error) => head.ok_or(error),
        }
    }
}

fn pass(standing: Standing, sequence: u64) -> Standing {
    Standing { after: sequence.max(standing.after), failing: None, ..standing }
}

fn standing(tx: &dyn Tx, hook: &HookName) -> Result<Standing> {
    tx.standing(hook)?.ok_or_else(|| {
        Error::not_found(format!("the hook {hook} was never started"))
            .next("systemctl restart jit-hooks")
    })
}

/// The first record after `after` that the hook wants to hear of; and the last that was looked at.
fn first_wanted(tx: &dyn Tx, hook: &Hook, after: u64) -> Result<(Option<Record>, u64)> {
    let head = tx.audit_head()?.map_or(0, |head| head.sequence);
    if head < after {
        return Err(Error::tampered(format!(
            "the audit log ends at record {head}, but the hook {} was told record {after}",
            hook.name
        ))
        .next("Keep the database as it is, and compare it with a backup."));
    }
    let mut seen = after;
    loop {
        let records = tx.records(seen + 1, PAGE)?;
        let Some(last) = records.last() else { return Ok((None, seen)) };
        seen = last.sequence;
        if let Some(record) = records.into_iter().find(|record| hook.wants(&record.action)) {
            let number = record.sequence;
            return Ok((Some(record), number));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::authority::testing::{Desk, person};
    use crate::hook::Hooks;

    fn hook(name: &str, events: &str) -> Hook {
        let text = format!(
            "[[command]]\nname = '{name}'\nrun = ['/bin/true']\nevents = [{events}]\n\
             give_up_after = '1h'\n"
        );
        Hooks::parse(Path::new("/x"), &text).unwrap().0.remove(0)
    }

    fn suspend(desk: &Desk, name: &str, suspended: bool) {
        desk.authority.suspend(&Actor::Root, &person(name), suspended).unwrap();
    }

    fn next(desk: &Desk, hook: &Hook) -> Option<(String, String)> {
        let pending = desk.authority.next_event(hook).unwrap()?;
        Some((pending.record.action, pending.record.object))
    }

    #[test]
    fn a_hook_is_told_all_it_wants_in_order_from_its_start_on() {
        let desk = Desk::new();
        let (all, people) = (hook("all", "'*'"), hook("people", "'person.*'"));
        desk.authority.take_up_hooks(&[all.clone(), people.clone()]).unwrap();
        assert_eq!(next(&desk, &people), None, "what was before its start is not told");
        suspend(&desk, "alice", true);
        suspend(&desk, "bob", true);
        desk.authority.take_up_hooks(&[all.clone(), people.clone()]).unwrap();

        let mut told = Vec::new();
        while let Some(pending) = desk.authority.next_event(&people).unwrap() {
            assert!(pending.due && !pending.too_old);
            told.push(pending.record.object.clone());
            desk.authority.told(&people.name, &pending.record).unwrap();
        }
        assert_eq!(told, ["alice", "bob"]);
        let waiting = desk.authority.waiting(&all).unwrap();
        assert_eq!(waiting.events, 4, "its own start, the other's, two people");
        assert_eq!(next(&desk, &all), Some(("hook.start".into(), "all".into())));
        assert_eq!(next(&desk, &all), next(&desk, &all), "what was not told comes again");
    }

    #[test]
    fn what_nobody_wants_is_passed_and_written_down_at_times() {
        let desk = Desk::new();
        let people = hook("people", "'person.remove'");
        desk.authority.take_up_hooks(std::slice::from_ref(&people)).unwrap();
        let after = || desk.authority.standings().unwrap()[0].after;
        let start = after();
        for round in 0..UNWRITTEN {
            suspend(&desk, "alice", round % 2 == 0);
            if round == 50 {
                assert_eq!(next(&desk, &people), None);
                assert_eq!(after(), start);
            }
        }
        assert_eq!(next(&desk, &people), None);
        assert!(after() >= start + UNWRITTEN);
        assert_eq!(desk.authority.waiting(&people).unwrap(), Waiting { events: 0, oldest: 0 });
    }

    #[test]
    fn what_fails_waits_its_turn_and_is_given_up_on_the_record() {
        let desk = Desk::new();
        let people = hook("people", "'person.*', 'hook.*'");
        let name = &people.name;
        desk.authority.take_up_hooks(std::slice::from_ref(&people)).unwrap();
        let start = desk.authority.next_event(&people).unwrap().unwrap();
        desk.authority.told(name, &start.record).unwrap();
        suspend(&desk, "alice", true);
        suspend(&desk, "bob", true);
        desk.authority.not_told(name, "connection refused", 0).unwrap();
        assert!(!desk.authority.next_event(&people).unwrap().unwrap().due);
        desk.clock.pass(3);
        let pending = desk.authority.next_event(&people).unwrap().unwrap();
        assert!(pending.due && !pending.too_old);
        assert_eq!(pending.record.object, "alice", "nothing overtakes it");
        desk.clock.pass(3600);
        assert_eq!(desk.authority.waiting(&people).unwrap(), Waiting { events: 2, oldest: 3603 });

        let pending = desk.authority.next_event(&people).unwrap().unwrap();
        assert!(pending.too_old);
        desk.authority.give_up(&pending).unwrap();
        let pending = desk.authority.next_event(&people).unwrap().unwrap();
        assert_eq!(pending.record.object, "bob");
        assert!(pending.due && !pending.too_old, "each is tried once at least");
        desk.authority.told(name, &pending.record).unwrap();

        let pending = desk.authority.next_event(&people).unwrap().unwrap();
        let record = &pending.record;
        assert_eq!((record.action.as_str(), record.object.as_str()), (GAVE_UP, "people"));
        assert!(record.detail.contains("\"why\":\"connection refused\""), "{}", record.detail);
        let before = desk.authority.last_records(1).unwrap();
        desk.authority.give_up(&pending).unwrap();
        assert_eq!(desk.authority.last_records(1).unwrap(), before, "it ends there");
        assert_eq!(next(&desk, &people), None);
    }

    #[test]
    fn a_hook_that_is_taken_out_is_on_the_record_and_starts_anew() {
        let desk = Desk::new();
        let (one, other) = (hook("one", "'*'"), hook("other", "'*'"));
        desk.authority.take_up_hooks(&[one.clone(), other.clone()]).unwrap();
        desk.authority.take_up_hooks(std::slice::from_ref(&other)).unwrap();
        let last = desk.authority.last_records(1).unwrap().remove(0);
        assert_eq!((last.action.as_str(), last.object.as_str()), ("hook.stop", "one"));
        assert_eq!(last.actor, "program:jit-hooks");
        assert!(desk.authority.next_event(&one).is_err());
        suspend(&desk, "alice", true);
        desk.authority.take_up_hooks(&[one.clone(), other]).unwrap();
        assert_eq!(next(&desk, &one), Some(("hook.start".into(), "one".into())));
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_from_being_told() {
        let desk = Desk::new();
        let all = hook("all", "'*'");
        desk.authority.take_up_hooks(std::slice::from_ref(&all)).unwrap();
        desk.clock.set_wall(1_000_000_000);
        assert!(desk.authority.now().is_err());
        let pending = desk.authority.next_event(&all).unwrap().unwrap();
        assert!(pending.due);
        desk.authority.told(&all.name, &pending.record).unwrap();
        assert_eq!(next(&desk, &all), None);
    }
}
