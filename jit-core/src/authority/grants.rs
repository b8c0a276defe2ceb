//! A grant's life: request, approve, deny, cancel, grant, revoke; and explaining it.

use serde::Serialize;
use serde_json::json;

use super::beforehand::{approver_counts, canceller_counts, denier_counts};
use super::evidence::check_evidence;
use super::extend::with_extensions;
use super::known::Known;
use super::room::check_room;
use super::{Authority, Done, acting_person, known_person};
use crate::error::{Error, Result};
use crate::grant::{Action, Actor, Ask, Grant, Origin, Phase, State, Terms, Way, Yes};
use crate::host::Host;
use crate::id::GrantId;
use crate::name::{HostName, Login, PersonName, Place, Reason};
use crate::person::Person;
use crate::policy::{Decision, Policy, Verdict, decide, eligible};
use crate::store::{GrantFilter, Tx};
use crate::time::{Span, Timestamp};

/// A request as it comes in.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// What is asked for.
    pub ask: Ask,
    /// Who files it: the person, or root for them.
    pub by: Actor,
    /// Where, if at a prompt.
    pub origin: Option<Origin>,
}

/// Which grants to revoke.
#[derive(Clone, Debug)]
pub enum RevokeWhich {
    /// One, and what extends it.
    Id(GrantId),
    /// All of a person.
    Person(PersonName),
    /// All on a host; those of its labels too, as they can't be revoked for one host.
    Host(HostName),
    /// All.
    All,
}

/// Whether and how somebody could get, or has, access.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Whether they have it now.
    pub covered_until: Option<Timestamp>,
    /// The grants that cover them now.
    pub grants: Vec<GrantId>,
    /// What the policy would say to a request.
    pub decision: Decision,
    /// Who could approve it.
    pub approvers: Vec<PersonName>,
    /// What else keeps them out: no key, no factor, suspended.
    pub obstacles: Vec<String>,
}

impl Authority {
    /// Files a request; where the policy says yes by itself, it is active at once.
    ///
    /// # Errors
    /// Refused when the policy says no, saying why; not found when the person is unknown.
    pub fn request(&self, new: &NewRequest) -> Result<Grant> {
        let policy = self.policy_on_record()?;
        let object = new.ask.place.to_string();
        self.change(&new.by, "grant.request", &object, |tx, now| {
            let requester = acting_person(tx, &new.ask.person)?;
            check_room(tx, new, now)?;
            let known = Known::gather(tx, &new.ask, &requester, &[], now)?;
            let decision = decide(&new.ask, &policy, &known.facts(), now);
            let facts = known.facts().on_record(now);
            if let Verdict::Deny { why } = &decision.verdict {
                let error = Error::refused(format!("denied: {why}")).next(format!(
                    "jitctl explain {} {}@{}",
                    new.ask.person, new.ask.login, new.ask.place
                ));
                let detail = json!({
                    "why": error.what(), "ask": new.ask, "decision": decision, "facts": facts,
                });
                return Ok(Done::new(Err(error), detail).refused());
            }
            let mut grant = Grant::request(
                GrantId::random()?,
                new.ask.clone(),
                decision.terms(),
                new.by.clone(),
                now,
                self.config.request_expires,
            )?
            .filed_from(new.origin.clone());
            if decision.verdict == Verdict::Allow {
                grant = grant.approve(Way::Policy, now)?;
            }
            tx.add_grant(&grant)?;
            let detail = json!({
                "ask": grant.ask(), "decision": decision, "facts": facts, "state": grant.state(),
            });
            let id = grant.id().clone();
            Ok(Done::new(Ok(grant), detail).about(id))
        })?
    }

    /// One person's yes, with what proves that it comes from them. Access starts when nothing is
    /// missing any more.
    ///
    /// # Errors
    /// Refused when their yes does not count or is not proved, or the policy has changed its mind;
    /// conflict when somebody else decided first, or the request was edited since.
    pub fn approve(&self, id: &GrantId, by: &PersonName, yes: &Yes) -> Result<(Grant, Decision)> {
        let policy = self.policy_on_record()?;
        let actor = Actor::Person(by.clone());
        self.change(&actor, "grant.approve", id.as_str(), |tx, now| {
            let grant = known_grant(tx, id)?;
            let requester = approver_counts(tx, &policy, &grant, by, now)?;
            let grant = grant.approved_by(by.clone(), yes.clone(), now)?;
            if let Some(given) = grant.approvals().last() {
                check_evidence(tx, &grant, given)?;
            }
            let known = Known::gather(tx, grant.ask(), &requester, &approvers(&grant), now)?;
            let decision = decide(grant.ask(), &policy, &known.facts(), now);
            let facts = known.facts().on_record(now);
            let mut detail = json!({
                "ask": grant.ask(), "yes_to": yes.to, "for_at_most": yes.most,
                "evidence": yes.evidence, "decision": decision, "facts": facts,
            });
            if let Verdict::Deny { why } = &decision.verdict {
                let error = Error::refused(format!("the policy now says no: {why}"));
                detail["why"] = json!(error.what());
                return Ok(Done::new(Err(error), detail).refused());
            }
            tx.replace_grant(&grant)?;
            let grant = if decision.verdict == Verdict::Allow {
                let terms = as_approved(&grant, decision.terms())?;
                let approved = grant.on_terms(terms).approve(Way::People, now)?;
                tx.replace_grant(&approved)?;
                approved
            } else {
                grant
            };
            detail["state"] = json!(grant.state());
            Ok(Done::new(Ok((grant, decision)), detail))
        })?
    }

    /// Says no: one of those who could approve, or root.
    ///
    /// # Errors
    /// Refused when it is not theirs to say; conflict when somebody else decided first.
    pub fn deny(&self, id: &GrantId, by: &Actor, reason: Option<&Reason>) -> Result<Grant> {
        let policy = self.policy()?;
        self.change(by, "grant.deny", id.as_str(), |tx, now| {
            let grant = known_grant(tx, id)?;
            if let Actor::Person(name) = by {
                denier_counts(tx, &policy, &grant, name, now)?;
            }
            let grant = grant.deny(by.clone(), reason.cloned(), now)?;
            tx.replace_grant(&grant)?;
            Ok(Done::new(grant.clone(), json!({ "reason": reason })))
        })
    }

    /// Takes a request back: the requester, or root.
    ///
    /// # Errors
    /// Refused when it is somebody else's; conflict when it is decided.
    pub fn cancel(&self, id: &GrantId, by: &Actor) -> Result<Grant> {
        self.change(by, "grant.cancel", id.as_str(), |tx, now| {
            let grant = known_grant(tx, id)?;
            if let Actor::Person(name) = by {
                canceller_counts(&grant, name)?;
            }
            let grant = grant.cancel(by.clone(), now)?;
            tx.replace_grant(&grant)?;
            Ok(Done::new(grant, json!({})))
        })
    }

    /// Root, or an admin, grants access alone, past the policy; the log says so.
    ///
    /// # Errors
    /// Not found, or refused when the person is suspended or the host unknown, or an
    /// admin grants it to themselves.
    pub fn grant_alone(&self, by: &Actor, ask: &Ask) -> Result<Grant> {
        self.change(by, "grant.alone", ask.place.to_string().as_str(), |tx, now| {
            acting_person(tx, &ask.person)?;
            if *by == Actor::Person(ask.person.clone()) {
                return Err(Error::refused("nobody grants themselves access alone")
                    .next("Ask for it: jitctl request"));
            }
            if hosts_at(tx, &ask.place)?.is_empty() {
                return Err(Error::refused(format!("no enrolled host is {}", ask.place))
                    .next("jitctl host list"));
            }
            let grant = Grant::request(
                GrantId::random()?,
                ask.clone(),
                Terms::of_root(),
                by.clone(),
                now,
                self.config.request_expires,
            )?
            .approve(Way::Root, now)?;
            tx.add_grant(&grant)?;
            let id = grant.id().clone();
            let detail = json!({ "ask": ask, "state": grant.state(), "past_policy": true });
            Ok(Done::new(grant, detail).about(id))
        })
    }

    /// Takes access away; what is undecided is denied.
    ///
    /// # Errors
    /// Not found; conflict when the one grant named has ended already.
    pub fn revoke(&self, which: &RevokeWhich, by: &Actor, reason: &Reason) -> Result<Vec<Grant>> {
        let object = match which {
            RevokeWhich::Id(id) => id.to_string(),
            RevokeWhich::Person(name) => format!("person:{name}"),
            RevokeWhich::Host(name) => format!("host:{name}"),
            RevokeWhich::All => "all".into(),
        };
        self.change(by, "grant.revoke", &object, |tx, now| {
            let chosen = match which {
                RevokeWhich::Id(id) => with_extensions(tx, known_grant(tx, id)?, now)?,
                RevokeWhich::Person(name) => {
                    known_person(tx, name)?;
                    alive(tx, Some(name), now)?
                }
                RevokeWhich::Host(name) => {
                    let host = tx.host(name)?.ok_or_else(|| {
                        Error::not_found(format!("there is no host {name}"))
                            .next("jitctl host list")
                    })?;
                    let at_host = |grant: &Grant| host.is_at(&grant.ask().place);
                    alive(tx, None, now)?.into_iter().filter(at_host).collect()
                }
                RevokeWhich::All => alive(tx, None, now)?,
            };
            let revoked = end_all(tx, chosen, by, reason, now)?;
            let ids: Vec<_> = revoked.iter().map(Grant::id).collect();
            let detail = json!({ "reason": reason, "grants": ids });
            Ok(Done::new(revoked, detail))
        })
    }

    /// Puts on record the requests that nobody decided in time.
    ///
    /// # Errors
    /// Unavailable.
    pub fn lapse_undecided(&self, by: &Actor) -> Result<Vec<GrantId>> {
        let due = |now: Timestamp, grant: &Grant| {
            matches!(grant.state(), State::Requested) && grant.phase(now) == Phase::Lapsed
        };
        // Looked for without locking anybody out: there is seldom one.
        let since = Span::from_secs(31 * 86_400)?;
        let found = self.read(|tx, now| {
            let filter = GrantFilter { alive_at: Some(now.before(since)), ..Default::default() };
            let grants = tx.grants(&filter)?;
            Ok(grants.into_iter().filter(|grant| due(now, grant)).collect::<Vec<_>>())
        })?;
        for grant in &found {
            self.change(by, "grant.lapse", grant.id().as_str(), |tx, now| {
                let lapsed = known_grant(tx, grant.id())?.lapse(now)?;
                tx.replace_grant(&lapsed)?;
                Ok(Done::new((), json!({})))
            })?;
        }
        Ok(found.iter().map(|grant| grant.id().clone()).collect())
    }

    /// One grant, and the time it was looked at.
    ///
    /// # Errors
    /// Not found.
    pub fn grant(&self, id: &GrantId) -> Result<(Grant, Timestamp)> {
        self.read(|tx, now| Ok((known_grant(tx, id)?, now)))
    }

    /// Grants, the newest first, and the time they were looked at.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn grants(&self, filter: &GrantFilter) -> Result<(Vec<Grant>, Timestamp)> {
        self.read(|tx, now| Ok((tx.grants(filter)?, now)))
    }

    /// What an undecided grant still misses, and who could give it.
    ///
    /// # Errors
    /// Unavailable or tampered; misconfigured when the policy is.
    pub fn missing(&self, grant: &Grant) -> Result<(Decision, Vec<PersonName>)> {
        let policy = self.policy()?;
        self.read(|tx, now| {
            let requester = known_person(tx, &grant.ask().person)?;
            let names = approvers(grant);
            let decision = self.decide(tx, &policy, grant.ask(), &requester, &names, now)?;
            let approvers = self.who_could(tx, &policy, grant.ask(), &requester, &names, now)?;
            Ok((decision, approvers))
        })
    }

    /// Whether and how a person has, or could get, access.
    ///
    /// # Errors
    /// Not found; misconfigured when the policy is.
    pub fn explain(
        &self,
        name: &PersonName,
        login: &Login,
        place: &Place,
        sudo: bool,
        duration: Option<Span>,
    ) -> Result<Explanation> {
        let policy = self.policy()?;
        self.read(|tx, now| {
            let person = known_person(tx, name)?;
            let ask = Ask {
                person: name.clone(),
                login: login.clone(),
                place: place.clone(),
                sudo,
                // The shortest there is: whether a role fits otherwise is the question.
                duration: duration.map_or_else(|| Span::from_secs(1), Ok)?,
                start: None,
                extends: None,
                reason: Reason::parse("explain")?,
            };
            let known = Known::gather(tx, &ask, &person, &[], now)?.draft();
            let decision = decide(&ask, &policy, &known.facts(), now);
            let approvers = who_could(tx, &policy, &ask, &known, now)?;
            let action = if sudo { Action::Sudo } else { Action::Login };
            let cover = match hosts_at(tx, place)?.as_slice() {
                [host] => self.cover(tx, name, login, host, action, now)?,
                _ => None,
            };
            let mut obstacles = Vec::new();
            if person.suspended {
                obstacles.push(format!("{name} is suspended: jitctl user resume {name}"));
            }
            if tx.identity_keys(name)?.is_empty() {
                obstacles.push(format!(
                    "{name} has no identity key: jitctl user key {name} --add FILE.pub"
                ));
            }
            let factors = tx.factors(name.as_str())?.unwrap_or_default();
            if factors.totp.is_none() {
                obstacles.push(format!("{name} has no second factor: jitctl mfa enroll {name}"));
            } else if factors.locked_out(None, &self.config.factor) {
                obstacles.push(format!("{name} is locked out: jitctl mfa reset {name}"));
            }
            let mut hosts = hosts_at(tx, place)?;
            hosts.retain(|host| factors.locked_out(Some(&host.name), &self.config.factor));
            for Host { name: host, .. } in hosts {
                obstacles.push(format!("{name} is locked out at {host}: jitctl mfa reset {name}"));
            }
            Ok(Explanation {
                covered_until: cover.as_ref().map(|cover| cover.deadline),
                grants: cover.map(|cover| cover.grants).unwrap_or_default(),
                decision,
                approvers,
                obstacles,
            })
        })
    }

    /// The policy's decision, with the facts of this transaction.
    pub(super) fn decide(
        &self,
        tx: &dyn Tx,
        policy: &Policy,
        ask: &Ask,
        requester: &Person,
        approvers: &[PersonName],
        now: Timestamp,
    ) -> Result<Decision> {
        let known = Known::gather(tx, ask, requester, approvers, now)?;
        Ok(decide(ask, policy, &known.facts(), now))
    }

    /// Whose yes could still help.
    pub(super) fn who_could(
        &self,
        tx: &dyn Tx,
        policy: &Policy,
        ask: &Ask,
        requester: &Person,
        approvers: &[PersonName],
        now: Timestamp,
    ) -> Result<Vec<PersonName>> {
        who_could(tx, policy, ask, &Known::gather(tx, ask, requester, approvers, now)?, now)
    }
}

fn who_could(
    tx: &dyn Tx,
    policy: &Policy,
    ask: &Ask,
    known: &Known,
    now: Timestamp,
) -> Result<Vec<PersonName>> {
    let everybody = tx.people()?;
    let could = eligible(ask, policy, &known.facts(), now, &everybody);
    Ok(could.into_iter().map(|person| person.name.clone()).collect())
}

/// The terms on which it is given: those of the role that decides, held to what the approvers saw.
fn as_approved(grant: &Grant, terms: Terms) -> Result<Terms> {
    let shown = &grant.terms().restrictions;
    match terms.restrictions.both(shown) {
        Some(both) if both == *shown => Ok(Terms { restrictions: both, ..terms }),
        _ => Err(Error::refused("the policy now holds it to something else than was approved")
            .next(format!("Cancel it and ask anew: jitctl cancel {}", grant.id()))),
    }
}

pub(super) fn known_grant(tx: &dyn Tx, id: &GrantId) -> Result<Grant> {
    tx.grant(id)?
        .ok_or_else(|| Error::not_found(format!("there is no grant {id}")).next("jitctl list"))
}

/// Whose yes counts.
pub(super) fn approvers(grant: &Grant) -> Vec<PersonName> {
    grant.counting().map(|approval| approval.by.clone()).collect()
}

/// The hosts that a place covers.
pub(super) fn hosts_at(tx: &dyn Tx, place: &Place) -> Result<Vec<Host>> {
    match place {
        Place::Host(name) => Ok(tx.host(name)?.into_iter().collect()),
        Place::Label(_) => Ok(tx.hosts()?.into_iter().filter(|h| h.is_at(place)).collect()),
    }
}

/// Ends living grants: those with a window are revoked, undecided ones denied.
pub(super) fn end_all(
    tx: &dyn Tx,
    grants: Vec<Grant>,
    by: &Actor,
    reason: &Reason,
    now: Timestamp,
) -> Result<Vec<Grant>> {
    grants
        .into_iter()
        .map(|grant| {
            let ended = match grant.phase(now) {
                Phase::Requested => grant.deny(by.clone(), Some(reason.clone()), now)?,
                _ => grant.revoke(by.clone(), reason.clone(), now)?,
            };
            tx.replace_grant(&ended)?;
            Ok(ended)
        })
        .collect()
}

/// Grants that are undecided, scheduled or active.
pub(super) fn alive(
    tx: &dyn Tx,
    person: Option<&PersonName>,
    now: Timestamp,
) -> Result<Vec<Grant>> {
    let filter =
        GrantFilter { person: person.cloned(), alive_at: Some(now), ..GrantFilter::default() };
    let living = |grant: &Grant| {
        matches!(grant.phase(now), Phase::Requested | Phase::Scheduled | Phase::Active)
    };
    Ok(tx.grants(&filter)?.into_iter().filter(living).collect())
}
