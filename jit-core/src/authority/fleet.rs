//! The authority of other hosts: what each of them is told, what it may ask, and its log.

use serde_json::{Value, json};

use super::bounds::{LARGEST_STATE, bound, certified, size};
use super::grants::alive;
use super::{Authority, Done};
use crate::audit::{Event, Outcome};
use crate::error::{Error, Result};
use crate::factor::{PersonOrNobody, Verdict};
use crate::grant::{Action, Actor, Origin, Phase};
use crate::host::Host;
use crate::id::GrantId;
use crate::link::{
    Asker, Budget, CaPublic, Code, Filing, HostState, KnownPerson, Link, Room, Told,
};
use crate::login::{LoginService, Offer, Standing};
use crate::name::{HostName, Login, PersonName, Place, Reason};
use crate::person::Person;
use crate::policy;
use crate::store::{CaKind, Mode, Tx};
use crate::time::Timestamp;

use super::NewRequest;

/// So many records are taken at a time.
pub const MOST_TOLD: usize = 500;

/// What came of telling the authority a host's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Heard {
    /// The last record of the host's own that is on the authority's log.
    Until(u64),
    /// None was taken, as they are more than a host may tell within an hour.
    Later {
        /// From now on, there is room again.
        seconds: u64,
    },
}

impl Authority {
    /// What a host needs to know.
    ///
    /// # Errors
    /// Not found; unavailable or tampered.
    pub fn host_state(&self, name: &HostName) -> Result<HostState> {
        self.read(|tx, now| {
            let host = enrolled(tx, name)?;
            let mut grants = certified(tx, &host, now)?;
            let mut people = Vec::new();
            for person in tx.people()? {
                let keys = tx.identity_keys(&person.name)?;
                if !keys.is_empty() || grants.iter().any(|g| g.ask().person == person.name) {
                    people.push(KnownPerson { person, keys });
                }
            }
            let left = LARGEST_STATE.saturating_sub(size(&people)?);
            let untold = bound(&mut grants, now, left)?;
            if untold > 0 {
                self.syslog().trouble(&format!(
                    "{name} is not told of {untold} grants there, as they are too many"
                ));
            }
            let mut ca_keys = Vec::new();
            for kind in [CaKind::User, CaKind::Host] {
                ca_keys.extend(tx.ca_keys(kind)?.into_iter().map(|key| CaPublic {
                    kind,
                    fingerprint: key.fingerprint,
                    public_key: key.public_key,
                    created_at: key.created_at,
                }));
            }
            let state = HostState { version: String::new(), now, host, people, grants, ca_keys };
            state.versioned()
        })
    }

    /// Checks a code that was typed on a host, as at a prompt here: one use, throttled, on the log as
    /// the host's. Failures bar that host alone. It may ask for people who have a grant there or may
    /// ask for one, and for nobody.
    ///
    /// # Errors
    /// Refused for others; unavailable or tampered. The code is then not accepted.
    pub fn host_factor(&self, name: &HostName, typed: &Code) -> Result<Verdict> {
        let who = match &typed.person {
            Some(person) => PersonOrNobody::Person(person.clone()),
            None => PersonOrNobody::Nobody,
        };
        let actor = Actor::Host(name.clone());
        self.change(&actor, "factor.verify", who.key(), |tx, now| {
            let host = enrolled(tx, name)?;
            if let PersonOrNobody::Person(person) = &who {
                self.check_theirs(tx, &host, person, now)?;
            }
            let verdict = self.try_code(tx, &who, &typed.code, Some(name), now)?;
            let detail = json!({
                "for": short(&typed.attempt), "who": cut(&typed.who), "result": verdict.to_string(),
            });
            let done = Done::new(verdict, detail);
            Ok(if verdict.accepted() { done } else { done.refused() })
        })
    }

    /// Those who may ask for an account of a host, and what sshd would let them do.
    ///
    /// # Errors
    /// Not found, misconfigured, unavailable or tampered.
    pub fn host_askers(&self, name: &HostName, login: &Login) -> Result<Vec<Asker>> {
        let policy = self.policy()?;
        self.read(|tx, now| {
            enrolled(tx, name)?;
            let mut askers = Vec::new();
            for person in tx.people()?.into_iter().filter(|person| !person.suspended) {
                let person = person.name;
                let prospect =
                    self.prospect(tx, &policy, &person, login, name, Action::Login, now)?;
                if let Some((decision, restrictions)) = prospect
                    && !matches!(decision.verdict, policy::Verdict::Deny { .. })
                {
                    let permissions = decision.permissions;
                    askers.push(Asker { person, permissions, restrictions });
                }
            }
            Ok(askers)
        })
    }

    /// For how long somebody may ask for an account of a host; none where they may not.
    ///
    /// # Errors
    /// Not found, misconfigured, unavailable or tampered.
    pub fn host_offer(&self, name: &HostName, ask: &crate::link::Ask) -> Result<Option<Offer>> {
        let policy = self.policy()?;
        let action = if ask.sudo { Action::Sudo } else { Action::Login };
        self.read(|tx, now| {
            let host = enrolled(tx, name)?;
            if !self.is_theirs(tx, &host, &ask.person, now)? {
                return Ok(None);
            }
            let decision =
                self.offer_at(tx, &policy, &ask.person, &ask.login, name, action, now)?;
            let longest = decision.and_then(|decision| decision.longest);
            Ok(longest
                .map(|longest| Offer { usual: self.config.default_duration.min(longest), longest }))
        })
    }

    /// Files a request that somebody made at a prompt of a host, who proved there who they are.
    ///
    /// # Errors
    /// Those of [`Authority::request`]; refused for who has no business there.
    pub fn host_request(&self, name: &HostName, filing: &Filing) -> Result<Standing> {
        self.read(|tx, now| {
            let host = enrolled(tx, name)?;
            self.check_theirs(tx, &host, &filing.ask.person, now)
        })?;
        let ask = crate::grant::Ask {
            person: filing.ask.person.clone(),
            login: filing.ask.login.clone(),
            place: Place::Host(name.clone()),
            sudo: filing.ask.sudo,
            duration: filing.duration,
            start: None,
            extends: None,
            reason: Reason::parse(&filing.reason)?,
        };
        let origin = Origin {
            rhost: filing.origin.rhost.as_deref().map(cut),
            tty: filing.origin.tty.as_deref().map(cut),
        };
        // The host says so, not the person.
        let by = Actor::Host(name.clone());
        let grant = self.request(&NewRequest { ask, by, origin: Some(origin) })?;
        self.standing(grant.id())
    }

    /// Where a request stands that is for a host.
    ///
    /// # Errors
    /// Not found, also for one of another host.
    pub fn host_standing(&self, name: &HostName, id: &GrantId) -> Result<Standing> {
        self.read(|tx, _| {
            let host = enrolled(tx, name)?;
            let theirs = tx.grant(id)?.is_some_and(|grant| host.is_at(&grant.ask().place));
            if theirs {
                return Ok(());
            }
            Err(Error::not_found(format!("there is no request {id} for {name}")))
        })?;
        self.standing(id)
    }

    /// Puts a host's records on the log, as what the host says; each once. A host that tells more than
    /// it may waits, and that is on the log as well, once an hour at most.
    ///
    /// # Errors
    /// Invalid when they are too many or no records of a host; not found, unavailable or tampered.
    pub fn host_log(&self, name: &HostName, records: &[Told]) -> Result<Heard> {
        if records.len() > MOST_TOLD {
            return Err(Error::invalid(format!("more than {MOST_TOLD} records at a time")));
        }
        let tx = self.store.begin(Mode::Write)?;
        let now = self.trusted_now(tx.as_ref())?;
        enrolled(tx.as_ref(), name)?;
        let mut link = tx.link(name)?.unwrap_or_else(|| Link::new(name.clone()));
        let mut events = Vec::new();
        for told in records.iter().filter(|told| told.sequence > link.told) {
            events.push((told, as_told(name, told)?));
        }
        let bytes = events.iter().map(|(_, event)| event.detail.to_string().len() + 300).sum();
        let mut budget = link.budget.take().unwrap_or_else(|| Budget::new(now));
        let room = budget.take(events.len(), bytes, now);
        link.budget = Some(budget);
        link.contact_at = Some(now);
        let mut appended = Vec::new();
        let heard = match room {
            Room::Taken => {
                for (told, event) in events {
                    // One may come twice in what is sent.
                    if told.sequence > link.told {
                        appended.push(tx.append(&event, now)?);
                        link.told = told.sequence;
                        link.note(told);
                    }
                }
                Heard::Until(link.told)
            }
            Room::Later { seconds, first } => {
                if first {
                    let why = "it tells more than a host may within an hour, and waits";
                    appended.push(tx.append(&too_much(name, why), now)?);
                }
                Heard::Later { seconds }
            }
        };
        tx.put_link(&link)?;
        tx.commit()?;
        appended.iter().for_each(|record| self.tell(record));
        Ok(heard)
    }

    fn check_theirs(
        &self,
        tx: &dyn Tx,
        host: &Host,
        name: &PersonName,
        now: Timestamp,
    ) -> Result<()> {
        if self.is_theirs(tx, host, name, now)? {
            return Ok(());
        }
        Err(Error::refused(format!("{name} may have nothing there")))
    }

    /// Whether a host may ask about somebody: they have a grant there, or the policy has something
    /// there that they may ask for.
    fn is_theirs(
        &self,
        tx: &dyn Tx,
        host: &Host,
        name: &PersonName,
        now: Timestamp,
    ) -> Result<bool> {
        let Some(person) = tx.person(name)?.filter(|person| !person.suspended) else {
            return Ok(false);
        };
        let granted = alive(tx, Some(name), now)?
            .iter()
            .any(|g| g.phase(now) == Phase::Active && host.is_at(&g.ask().place));
        Ok(granted || self.policy_in(tx)?.reaches(&person, host))
    }
}

pub(super) fn enrolled(tx: &dyn Tx, name: &HostName) -> Result<Host> {
    tx.host(name)?.ok_or_else(|| {
        Error::not_found(format!("there is no host {name}")).next("jitctl host list")
    })
}

/// A host that is set up anew starts with no failures of anybody's.
pub(super) fn forget_failures(tx: &dyn Tx, name: &HostName) -> Result<()> {
    for Person { name: person, .. } in tx.people()? {
        if let Some(mut factors) = tx.factors(person.as_str())?
            && factors.at_hosts.remove(name).is_some()
        {
            tx.put_factors(person.as_str(), &factors)?;
        }
    }
    Ok(())
}

/// What a host's record is on the authority's log.
fn as_told(name: &HostName, told: &Told) -> Result<Event> {
    let action = crate::link::told_action(&told.action).ok_or_else(|| {
        Error::invalid(format!("`{}` is no deed of a host", told.action.escape_debug()))
    })?;
    Ok(Event {
        actor: Actor::Host(name.clone()),
        action,
        object: cut(&told.object),
        outcome: told.outcome,
        detail: json!({
            "record": told.sequence, "time": told.time.rfc3339(),
            "actor": cut(&told.actor), "hash": cut(&told.hash),
            "detail": short(&told.detail),
        }),
    })
}

fn too_much(name: &HostName, why: &str) -> Event {
    Event {
        actor: Actor::Host(name.clone()),
        action: "host.log",
        object: name.to_string(),
        outcome: Outcome::Refused,
        detail: json!({ "why": why }),
    }
}

/// As much of a host's words as the log takes.
fn cut(text: &str) -> String {
    crate::link::cut(text, 300)
}

/// A host's facts, unless they are more than the log takes.
fn short(value: &Value) -> Value {
    let text = value.to_string();
    if text.len() <= 4096 { value.clone() } else { Value::String(cut(&text)) }
}
