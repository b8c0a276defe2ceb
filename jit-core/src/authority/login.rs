//! Logging in: what PAM asks, answered on the authority's own machine.

use std::collections::BTreeSet;

use serde_json::json;

use super::grants::{approvers, known_grant};
use super::known::Known;
use super::{Authority, Done, NewRequest, known_person};
use crate::breakglass;
use crate::config::{FactorFrom, SecondFactor};
use crate::cover::{Cover, Wanted, cover};
use crate::error::{Error, Result};
use crate::factor::{PersonOrNobody, Proof, Verdict};
use crate::grant::{Action, Actor, Ask, Grant, Origin, Phase, Program, State};
use crate::host::Host;
use crate::id::GrantId;
use crate::login::{
    Attempt, Backstop, Entry, Evidence, Identity, LoginService, Offer, Opened, Standing,
};
use crate::name::{HostName, Login, PersonName, Place, Reason};
use crate::policy::{self, Decision, Policy};
use crate::process::Anchor;
use crate::restriction::Restrictions;
use crate::session::Session;
use crate::stay::{Before, Stay};
use crate::store::{GrantFilter, Tx};
use crate::time::{Span, Timestamp};

impl LoginService for Authority {
    fn identify(&self, evidence: &Evidence<'_>, attempt: &Attempt) -> Result<Identity> {
        self.identify_by(evidence, attempt, &|| false)
    }

    fn factor_counts(&self, who: &Identity, attempt: &Attempt) -> Result<bool> {
        let upstream = self.config.authority.as_ref();
        let taken = upstream.filter(|up| up.second_factor == FactorFrom::Certificate);
        let (Some(upstream), Some(factor)) = (taken, who.factor) else { return Ok(false) };
        let now = self.now()?;
        if !factor.is_fresh(upstream.fresh, self.config.clock_skew, now) {
            return Ok(false);
        }
        let actor = Actor::Person(who.person.clone());
        self.change(&actor, "factor.certificate", who.person.as_str(), |_, _| {
            let detail = json!({
                "for": attempt.describe(), "who": who.by, "kind": factor.kind,
                "proved": factor.at.rfc3339(),
            });
            Ok(Done::new(true, detail))
        })
    }

    fn verify_factor(
        &self,
        who: Result<&Identity, &Error>,
        typed: &str,
        attempt: &Attempt,
    ) -> Result<Verdict> {
        let (subject, actor, by) = subject(who);
        self.change(&actor, "factor.verify", subject.key(), |tx, now| {
            let verdict = self.try_code(tx, &subject, typed, None, now)?;
            if let (Ok(who), Some(kind)) = (who, verdict.kind()) {
                self.proved(tx, who, attempt, Proof { kind, at: now })?;
            }
            let detail = json!({
                "for": attempt.describe(), "who": by, "result": verdict.to_string(),
            });
            let done = Done::new(verdict, detail);
            Ok(if verdict.accepted() { done } else { done.refused() })
        })
    }

    fn break_glass(
        &self,
        who: Result<&Identity, &Error>,
        typed: &str,
        reason: Option<&str>,
        attempt: &Attempt,
    ) -> Result<breakglass::Verdict> {
        self.use_code(who, typed, reason, attempt)
    }

    fn anyone_may_enter(&self, attempt: &Attempt) -> Result<bool> {
        let object = format!("{}@{}", attempt.login, self.config.host);
        self.change(&Actor::Program(Program::PamJit), "login.check", &object, |tx, now| {
            let host = self.this_host(tx)?;
            let mut found = false;
            for person in tx.people()? {
                found |= self
                    .cover(tx, &person.name, &attempt.login, &host, attempt.action, now)?
                    .is_some();
            }
            let done =
                Done::new(found, json!({ "for": attempt.describe(), "anyone_covered": found }));
            Ok(if found { done } else { done.refused() })
        })
    }

    fn may_enter(&self, who: &Identity, attempt: &Attempt) -> Result<Entry> {
        let actor = Actor::Person(who.person.clone());
        let action = match attempt.action {
            Action::Login => "login.check",
            Action::Sudo => "sudo.check",
        };
        let object = format!("{}@{}", attempt.login, self.config.host);
        self.change(&actor, action, &object, |tx, now| {
            let host = self.this_host(tx)?;
            let cover = self.cover(tx, &who.person, &attempt.login, &host, attempt.action, now)?;
            let mut detail = json!({ "for": attempt.describe(), "who": who.by });
            Ok(match cover {
                Some(cover) => {
                    detail["until"] = json!(cover.deadline.rfc3339());
                    detail["grants"] = json!(cover.grants);
                    match self.wanted_factor(tx, who, attempt, &cover, now)? {
                        None => Done::new(Entry::Granted(cover), detail),
                        Some(wanted) => {
                            detail["why"] = json!(format!("it takes {wanted}"));
                            Done::new(Entry::WantsFactor { wanted }, detail).refused()
                        }
                    }
                }
                None => {
                    detail["why"] = json!("no cover");
                    // Where it can't be told, the policy takes no request.
                    let (person, login) = (&who.person, &attempt.login);
                    let offer = self
                        .policy_in(tx)
                        .and_then(|p| self.offer(tx, &p, person, login, attempt.action, now));
                    let longest = offer.ok().flatten().and_then(|decision| decision.longest);
                    let offer = longest.map(|longest| Offer {
                        usual: self.config.default_duration.min(longest),
                        longest,
                    });
                    let may_break = self.could_break(tx, person, login)?;
                    Done::new(Entry::NoCover { offer, may_break }, detail).refused()
                }
            })
        })
    }

    fn file_request(
        &self,
        who: &Identity,
        attempt: &Attempt,
        reason: &str,
        duration: Span,
    ) -> Result<Standing> {
        let sudo = attempt.action == Action::Sudo;
        let reason = Reason::parse(reason)?;
        let ask = Ask {
            person: who.person.clone(),
            login: attempt.login.clone(),
            place: Place::Host(self.config.host.clone()),
            sudo,
            duration,
            start: None,
            extends: None,
            reason,
        };
        let origin = Some(Origin { rhost: attempt.rhost.clone(), tty: attempt.tty.clone() });
        let by = Actor::Person(who.person.clone());
        let grant = self.request(&NewRequest { ask, by, origin })?;
        self.standing(grant.id())
    }

    fn standing(&self, id: &GrantId) -> Result<Standing> {
        let policy = self.policy()?;
        self.read(|tx, now| {
            let grant = known_grant(tx, id)?;
            let phase = grant.phase(now);
            let approved_by = approvers(&grant);
            let (mut could, mut missing) = (Vec::new(), Vec::new());
            if phase == Phase::Requested {
                let (ask, requester) = (grant.ask(), known_person(tx, &grant.ask().person)?);
                could = self.who_could(tx, &policy, ask, &requester, &approved_by, now)?;
                let decision = self.decide(tx, &policy, ask, &requester, &approved_by, now)?;
                if let policy::Verdict::Pending { missing: needed } = decision.verdict {
                    missing = needed;
                }
            }
            let answer = match grant.state() {
                State::Denied { by, reason, .. } => {
                    let by = match by {
                        Actor::Person(name) => name.to_string(),
                        other => other.to_string(),
                    };
                    Some(match reason {
                        Some(reason) => format!("{by}: {reason}"),
                        None => by,
                    })
                }
                _ => None,
            };
            Ok(Standing {
                id: id.clone(),
                phase,
                duration: grant.ask().duration,
                lapses_at: grant.lapses_at(),
                approved_by,
                missing,
                approvers: could,
                answer,
            })
        })
    }

    fn backstop(&self, who: &Identity, attempt: &Attempt) -> Result<Option<Backstop>> {
        let policy = self.policy()?;
        self.read(|tx, now| {
            let host = self.this_host(tx)?;
            let (person, login) = (&who.person, &attempt.login);
            let Some(cover) = self.cover(tx, person, login, &host, attempt.action, now)? else {
                return Ok(None);
            };
            let left = cover.deadline.since(now);
            if !self.keeper_runs() {
                return Ok(Some(Backstop { seconds: left, is_deadline: true }));
            }
            let offer = self.offer(tx, &policy, person, login, attempt.action, now)?;
            let more = offer.and_then(|decision| decision.longest).map_or(0, Span::secs);
            Ok(Some(Backstop { seconds: left + more, is_deadline: false }))
        })
    }

    fn session_opened(
        &self,
        who: &Identity,
        attempt: &Attempt,
        uid: u32,
        anchor: Anchor,
        backstop: Option<Backstop>,
    ) -> Result<Opened> {
        let boot = self.clock.boot()?;
        let stays = attempt.action == Action::Login;
        let before = stays.then(|| Before::look(&attempt.login, uid));
        // Only in a scope of the session's own does systemd end anything.
        let backstop = backstop.filter(|_| anchor.scope.is_some());
        let actor = Actor::Person(who.person.clone());
        let object = format!("{}@{}", attempt.login, self.config.host);
        self.change(&actor, "session.open", &object, |tx, now| {
            if !self.keeper_runs() && !backstop.is_some_and(|backstop| backstop.is_deadline) {
                return Err(Error::refused("jitd does not run, so nobody could end the session")
                    .next("Start it: systemctl start jitd."));
            }
            // An audit session of somebody else's is that of whoever started sshd by hand. A sudo is
            // found by its own process as well.
            let own = anchor.audit_session.is_some() && anchor.audit_uid == Some(uid);
            if attempt.action == Action::Login && !own {
                return Err(Error::refused(
                    "the session has no audit session of its own to end it by",
                )
                .next("Put pam_loginuid.so before pam_jit.so into the session stack."));
            }
            let host = self.this_host(tx)?;
            let cover = self
                .cover(tx, &who.person, &attempt.login, &host, attempt.action, now)?
                .ok_or_else(|| Error::refused("no cover any more"))?;
            let session = Session {
                id: 0,
                action: attempt.action,
                person: who.person.clone(),
                login: attempt.login.clone(),
                uid,
                host: host.name.clone(),
                anchor,
                boot_id: boot.boot_id,
                opened_at: now,
                opened_boot_ms: boot.millis,
                rhost: attempt.rhost.clone(),
                tty: attempt.tty.clone(),
                grants: cover.grants.clone(),
                factor: self.brought(tx, who, attempt, now)?,
                certified: who.factor,
                limit_boot_ms: backstop.map(|b| boot.millis.saturating_add(b.seconds * 1000)),
                closed_at: None,
                ended: None,
            };
            let id = tx.add_session(&session)?;
            if let Some(before) = before {
                let mut stay = match tx.stay(&session.host, &session.login)? {
                    Some(stay) => stay,
                    None => Stay {
                        host: session.host.clone(),
                        login: session.login.clone(),
                        uid,
                        began_at: now,
                        began_boot_ms: session.opened_boot_ms,
                        boot_id: session.boot_id.clone(),
                        people: BTreeSet::new(),
                        before,
                    },
                };
                stay.people.insert(session.person.clone());
                tx.put_stay(&stay)?;
            }
            let detail = json!({
                "session": id, "for": attempt.describe(), "who": who.by, "grants": cover.grants,
                "until": cover.deadline.rfc3339(), "pid": session.anchor.pid,
                "audit_session": session.anchor.audit_session, "scope": session.anchor.scope,
                "systemd_ends_it_after_seconds": backstop.map(|b| b.seconds),
            });
            let [grant, ..] = cover.grants.as_slice() else {
                return Err(Error::refused("no cover any more"));
            };
            let opened =
                Opened { host: host.name, deadline: cover.deadline, now, grant: grant.clone() };
            Ok(Done::new(opened, detail))
        })
    }

    fn session_closed(&self, anchor: &Anchor) -> Result<()> {
        let found = self.read(|tx, _| {
            let sessions = tx.sessions(&self.config.host)?;
            Ok(sessions.into_iter().find(|session| {
                session.anchor.pid == anchor.pid
                    && session.anchor.started == anchor.started
                    && session.closed_at.is_none()
            }))
        })?;
        let Some(session) = found else { return Ok(()) };
        let actor = Actor::Person(session.person.clone());
        let object = format!("{}@{}", session.login, session.host);
        self.change(&actor, "session.close", &object, |tx, now| {
            let closed = Session { closed_at: Some(now), ..session.clone() };
            tx.put_session(&closed)?;
            Ok(Done::new((), json!({ "session": session.id, "action": session.action })))
        })
    }

    fn exempt_used(&self, attempt: &Attempt, phase: &'static str) -> Result<()> {
        let object = format!("{}@{}", attempt.login, self.config.host);
        self.change(&Actor::Program(Program::PamJit), "login.exempt", &object, |_, _| {
            Ok(Done::new((), json!({ "for": attempt.describe(), "phase": phase })))
        })
    }
}

impl Authority {
    /// Whether a `jitd` runs that would end a session: it holds a lock while it does.
    pub fn keeper_runs(&self) -> bool {
        crate::lockfile::is_held(&self.config.keeper_lock())
    }

    /// Records that the authority checked a code that was typed here, and what came of it; one that was
    /// right counts for the roles that take its kind, as one that was checked here.
    ///
    /// # Errors
    /// Unavailable; the code must then not count.
    pub(crate) fn note_factor(
        &self,
        who: Result<&Identity, &Error>,
        verdict: Verdict,
        attempt: &Attempt,
    ) -> Result<()> {
        let (subject, actor, by) = subject(who);
        self.change(&actor, "factor.verify", subject.key(), |tx, now| {
            if let (Ok(who), Some(kind)) = (who, verdict.kind()) {
                self.proved(tx, who, attempt, Proof { kind, at: now })?;
            }
            let detail = json!({
                "for": attempt.describe(), "who": by, "result": verdict.to_string(),
                "by": "the authority",
            });
            let done = Done::new((), detail);
            Ok(if verdict.accepted() { done } else { done.refused() })
        })
    }

    /// What the policy would say to a request for this, unless it would say no. Where the authority
    /// is elsewhere, the policy here says nothing.
    pub(super) fn offer(
        &self,
        tx: &dyn Tx,
        policy: &Policy,
        person: &PersonName,
        login: &Login,
        action: Action,
        now: Timestamp,
    ) -> Result<Option<Decision>> {
        if self.config.authority.is_some() {
            return Ok(None);
        }
        self.offer_at(tx, policy, person, login, &self.config.host, action, now)
    }

    /// As [`Authority::offer`], for any host.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn offer_at(
        &self,
        tx: &dyn Tx,
        policy: &Policy,
        person: &PersonName,
        login: &Login,
        host: &HostName,
        action: Action,
        now: Timestamp,
    ) -> Result<Option<Decision>> {
        Ok(self
            .prospect(tx, policy, person, login, host, action, now)?
            .map(|(decision, _)| decision)
            .filter(|decision| !matches!(decision.verdict, policy::Verdict::Deny { .. })))
    }

    /// The same with what sshd must hold the session to in which they ask; none where it can't.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn prospect(
        &self,
        tx: &dyn Tx,
        policy: &Policy,
        person: &PersonName,
        login: &Login,
        host: &HostName,
        action: Action,
        now: Timestamp,
    ) -> Result<Option<(Decision, Restrictions)>> {
        let requester = known_person(tx, person)?;
        let ask = Ask {
            person: person.clone(),
            login: login.clone(),
            place: Place::Host(host.clone()),
            sudo: action == Action::Sudo,
            // The shortest there is: whether a role fits otherwise is the question.
            duration: Span::from_secs(1)?,
            start: None,
            extends: None,
            reason: Reason::parse("may ask")?,
        };
        let known = Known::gather(tx, &ask, &requester, &[], now)?.draft();
        let decision = policy::decide(&ask, policy, &known.facts(), now);
        let held = policy::strictest(&ask, policy, &known.facts(), now);
        Ok(held.map(|held| (decision, held)))
    }

    /// Whose cover it is, and until when.
    pub(super) fn cover(
        &self,
        tx: &dyn Tx,
        person: &PersonName,
        login: &Login,
        host: &Host,
        action: Action,
        now: Timestamp,
    ) -> Result<Option<Cover>> {
        // Suspending or removing somebody takes effect at once, whatever their grants say.
        if tx.person(person)?.is_none_or(|person| person.suspended) {
            return Ok(None);
        }
        let filter = GrantFilter {
            person: Some(person.clone()),
            alive_at: Some(now),
            ..GrantFilter::default()
        };
        let mut grants = tx.grants(&filter)?;
        grants.iter().try_for_each(Grant::check_window)?;
        if self.config.second_factor == SecondFactor::None && action == Action::Login {
            // Where nobody is asked for one, nobody comes in by a role that wants a certain one.
            grants.retain(|grant| grant.terms().factors.login.is_empty());
        }
        Ok(cover(Wanted { person, login, host, action }, &grants, now))
    }
}

/// Whose attempt it is: whose factors, which actor, and how that is known.
pub(super) fn subject(who: Result<&Identity, &Error>) -> (PersonOrNobody, Actor, String) {
    match who {
        Ok(identity) => (
            PersonOrNobody::Person(identity.person.clone()),
            Actor::Person(identity.person.clone()),
            identity.by.clone(),
        ),
        Err(error) => {
            (PersonOrNobody::Nobody, Actor::Program(Program::PamJit), error.what().to_owned())
        }
    }
}

impl Attempt {
    /// What the log says of it.
    pub fn describe(&self) -> serde_json::Value {
        json!({
            "action": self.action, "login": self.login, "service": self.service,
            "from": self.rhost, "tty": self.tty,
        })
    }
}
