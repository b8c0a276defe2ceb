//! Break-glass: making codes, using one at a prompt, and reviewing what it was used for.

use std::collections::BTreeSet;

use serde_json::json;

use super::grants::known_grant;
use super::login::subject;
use super::{Authority, Done, acting_person};
use crate::audit::{BREAK_GLASS, Event, Outcome};
use crate::breakglass::{Glass, Review, Use, Verdict};
use crate::error::{Error, Kind, Result};
use crate::factor;
use crate::grant::{Action, Actor, Ask, Grant, Permission, Phase, Terms, Way};
use crate::host::Host;
use crate::id::GrantId;
use crate::login::{Attempt, Identity};
use crate::name::{Login, PersonName, Place, Reason};
use crate::secret::SecretText;
use crate::store::{Mode, Tx};
use crate::time::Timestamp;

const REVIEW: &str = "break-glass.review";

impl Authority {
    /// Makes new codes for this host; those left of the old ones are void. Returns the codes, which
    /// are shown this once, and how many became void.
    ///
    /// # Errors
    /// Misconfigured when the configuration lets nobody use one.
    pub fn new_break_glass_codes(
        &self,
        count: u32,
        logins: &[Login],
    ) -> Result<(Vec<SecretText>, usize)> {
        if self.config.break_glass.members.is_empty() {
            return Err(Error::misconfigured("nobody may break the glass")
                .next("Say who: [break_glass] members = [\"@admins\"] in jit.toml."));
        }
        let host = &self.config.host;
        self.change(&Actor::Root, "break-glass.create", host.as_str(), |tx, _| {
            let mut glass = self.glass(tx)?;
            let replaced = glass.codes_left();
            let codes = glass.renew(&self.vault, count, logins.to_vec())?;
            tx.put_glass(&glass)?;
            let detail = json!({ "codes": codes.len(), "replaced": replaced, "logins": logins });
            Ok(Done::new((codes, replaced), detail))
        })
    }

    /// The codes left on this host and what others were used for. Asks no clock: it is told also
    /// while the clock is wrong.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn break_glass_uses(&self) -> Result<Glass> {
        self.glass(self.store.begin(Mode::Read)?.as_ref())
    }

    /// The use, if `by` could review it now. A refusal is recorded as that of the review itself.
    ///
    /// # Errors
    /// Those of the review.
    pub fn could_review(&self, id: &GrantId, by: &Actor) -> Result<Use> {
        let found = self.read(|tx, now| {
            let note = Reason::parse("could they")?;
            self.reviewed(tx, id, by, &note, now).map(|(_, used)| used)
        });
        if let Err(error) = &found
            && matches!(error.kind(), Kind::Refused | Kind::Conflict)
        {
            self.record(&Event {
                actor: by.clone(),
                action: REVIEW,
                object: id.to_string(),
                outcome: Outcome::Refused,
                detail: json!({ "why": error.what() }),
            })?;
        }
        found
    }

    /// Puts somebody's review on a use, after which the next code works. The caller has proved that
    /// it comes from them; root's own, without anybody else, is marked so.
    ///
    /// # Errors
    /// Not found; conflict when it was reviewed; refused when the reviewer is who used the code.
    pub fn review_break_glass(&self, id: &GrantId, by: &Actor, note: &Reason) -> Result<Use> {
        self.change(by, REVIEW, id.as_str(), |tx, now| {
            let (glass, used) = self.reviewed(tx, id, by, note, now)?;
            tx.put_glass(&glass)?;
            let detail = json!({
                "note": note, "by_root_alone": *by == Actor::Root, "person": used.person,
                "login": used.login, "reason": used.reason,
            });
            Ok(Done::new(used, detail))
        })
    }

    fn reviewed(
        &self,
        tx: &dyn Tx,
        id: &GrantId,
        by: &Actor,
        note: &Reason,
        now: Timestamp,
    ) -> Result<(Glass, Use)> {
        if let Actor::Person(name) = by {
            acting_person(tx, name)?;
        }
        let mut glass = self.glass(tx)?;
        let used = glass.review(id, Review { by: by.clone(), at: now, note: note.clone() })?;
        Ok((glass, used))
    }

    /// See [`crate::login::LoginService::break_glass`].
    pub(super) fn use_code(
        &self,
        who: Result<&Identity, &Error>,
        typed: &str,
        reason: Option<&str>,
        attempt: &Attempt,
    ) -> Result<Verdict> {
        let Some(reason) = reason else { return self.known(who, typed, attempt) };
        let reason = Reason::parse(reason)?;
        let (subject, actor, by) = subject(who);
        let object = format!("{}@{}", attempt.login, self.config.host);
        self.change(&actor, BREAK_GLASS, &object, |tx, now| {
            let mut factors = self.factors_of(tx, &subject)?;
            let mut glass = self.glass(tx)?;
            // Looked for before anything is known of who it is, so that time tells nothing.
            let found = glass.matching(&self.vault, typed);
            let allowed = match who {
                Ok(who) => self.may_break(tx, &glass, &who.person, &attempt.login)?.then_some(who),
                Err(_) => None,
            };
            let barred = factors.barred(None, &self.config.factor, now)?;
            let verdict = match (barred, found, allowed) {
                (Some(factor::Verdict::Throttled { until }), ..) => Verdict::Throttled { until },
                (Some(_), ..) => Verdict::LockedOut,
                (None, Some(index), Some(who)) => match glass.unreviewed() {
                    Some(last) => Verdict::NotReviewed(last.clone()),
                    None => {
                        let used = self.granted(tx, who, attempt, &reason, now)?;
                        Verdict::Broken(glass.burn(index, used)?)
                    }
                },
                _ => Verdict::Wrong,
            };
            match &verdict {
                Verdict::Broken(_) => factors.count(None, true, now),
                Verdict::Wrong => factors.count(None, false, now),
                _ => {}
            }
            tx.put_factors(subject.key(), &factors)?;
            tx.put_glass(&glass)?;
            let mut detail = json!({
                "for": attempt.describe(), "who": by, "reason": reason,
                "result": verdict.to_string(), "codes_left": glass.codes_left(),
                "past_policy": true,
            });
            let broken = match &verdict {
                Verdict::Broken(used) => {
                    detail["grant"] = json!(used.id);
                    detail["until"] = json!(used.until.rfc3339());
                    true
                }
                _ => false,
            };
            let done = Done::new(verdict, detail);
            Ok(if broken { done } else { done.refused() })
        })
    }

    /// Access at once, for the window that the configuration fixes.
    fn granted(
        &self,
        tx: &dyn Tx,
        who: &Identity,
        attempt: &Attempt,
        reason: &Reason,
        now: Timestamp,
    ) -> Result<Use> {
        let ask = Ask {
            person: who.person.clone(),
            login: attempt.login.clone(),
            place: Place::Host(self.this_host(tx)?.name),
            sudo: true,
            duration: self.config.break_glass.window,
            start: None,
            extends: None,
            reason: reason.clone(),
        };
        let until = now.after(ask.duration)?;
        let permissions = BTreeSet::from([Permission::Pty]);
        let terms = Terms { permissions, ..Terms::of_root() };
        let by = Actor::Person(who.person.clone());
        let patience = self.config.request_expires;
        let grant = Grant::request(GrantId::random()?, ask, terms, by, now, patience)?
            .approve(Way::BreakGlass, now)?;
        tx.add_grant(&grant)?;
        Ok(Use::of(&grant, until, attempt.rhost.clone()))
    }

    /// Whether at sudo the code is that of the window they are in: who lost their phone has no other.
    /// At ssh it is good once.
    fn known(
        &self,
        who: Result<&Identity, &Error>,
        typed: &str,
        attempt: &Attempt,
    ) -> Result<Verdict> {
        let Ok(who) = who else { return Ok(Verdict::WantsReason) };
        let used = self.read(|tx, now| {
            let glass = self.glass(tx)?;
            let whose = (&who.person, &attempt.login);
            let used = glass.used_by(&self.vault, typed, whose, now).cloned();
            let Some(used) = used.filter(|_| attempt.action == Action::Sudo) else {
                return Ok(None);
            };
            let lasts = known_grant(tx, &used.id)?.phase(now) == Phase::Active;
            Ok(lasts.then_some(used))
        })?;
        let Some(used) = used else { return Ok(Verdict::WantsReason) };
        let actor = Actor::Person(who.person.clone());
        self.change(&actor, "factor.verify", who.person.as_str(), |_, _| {
            let detail = json!({
                "for": attempt.describe(), "who": who.by, "grant": used.id,
                "result": Verdict::Known.to_string(),
            });
            Ok(Done::new(Verdict::Known, detail))
        })
    }

    /// Whether the configuration lets somebody break the glass for an account, and the codes that
    /// there are let them.
    pub(super) fn may_break(
        &self,
        tx: &dyn Tx,
        glass: &Glass,
        person: &PersonName,
        login: &Login,
    ) -> Result<bool> {
        let rules = &self.config.break_glass;
        let person = tx.person(person)?.filter(|person| !person.suspended);
        Ok(person.is_some_and(|person| {
            rules.members.iter().any(|member| member.includes(&person))
                && rules.logins.iter().any(|pattern| pattern.matches(login, &person.name))
                && glass.is_for(login)
        }))
    }

    /// The same, and there is a code left to do it with.
    pub(super) fn could_break(&self, tx: &dyn Tx, who: &PersonName, login: &Login) -> Result<bool> {
        let glass = self.glass(tx)?;
        Ok(glass.codes_left() > 0 && self.may_break(tx, &glass, who, login)?)
    }

    fn glass(&self, tx: &dyn Tx) -> Result<Glass> {
        let host = &self.config.host;
        Ok(tx.glass(host)?.unwrap_or_else(|| Glass::whole(host.clone())))
    }

    /// Makes the codes of all hosts void; how many there were.
    pub(super) fn void_break_glass(&self, tx: &dyn Tx) -> Result<usize> {
        let mut void = 0;
        for Host { name, .. } in tx.hosts()? {
            if let Some(mut glass) = tx.glass(&name)? {
                void += glass.void();
                tx.put_glass(&glass)?;
            }
        }
        Ok(void)
    }
}

#[cfg(test)]
mod tests;
