//! Who comes over the network: logging in, and what is refused before any verb is reached.

use std::net::IpAddr;

use serde_json::json;

use super::{Authority, Done};
use crate::audit::{Event, Outcome};
use crate::error::Result;
use crate::factor::{PersonOrNobody, ProvedFactor, Verdict};
use crate::grant::{Actor, Program};
use crate::name::{HostName, PersonName};
use crate::person::{IdentityKey, Person};
use crate::store::Tx;
use crate::time::Timestamp;

impl Authority {
    /// Checks the code of a login over the network, throttled and on record as at the prompt. Who
    /// did not prove a key is nobody: their code is checked against nobody's, in the same time.
    ///
    /// # Errors
    /// Unavailable.
    pub fn verify_login(
        &self,
        who: Option<&IdentityKey>,
        typed: &str,
        from: Option<IpAddr>,
    ) -> Result<(Verdict, Option<ProvedFactor>)> {
        let (subject, actor) = match who {
            Some(IdentityKey { person, .. }) => {
                (PersonOrNobody::Person(person.clone()), Actor::Person(person.clone()))
            }
            None => (PersonOrNobody::Nobody, Actor::Program(Program::Server)),
        };
        self.change(&actor, "factor.verify", subject.key(), |tx, now| {
            let verdict = self.try_code(tx, &subject, typed, None, now)?;
            let detail = json!({
                "for": "login over the network", "from": from,
                "key": who.map(|key| &key.fingerprint), "result": verdict.to_string(),
            });
            let done = Done::new((verdict, ProvedFactor::by(verdict, now)), detail);
            Ok(if verdict.accepted() { done } else { done.refused() })
        })
    }

    /// The enrolled key, if it is this person's and they may act.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn key_of_person(
        &self,
        name: &PersonName,
        fingerprint: &str,
    ) -> Result<Option<IdentityKey>> {
        self.read(|tx, _| Ok(with_key(tx, name, fingerprint)?.map(|(_, key)| key)))
    }

    /// The person of a login, if they may act, and its key and its second factor are still theirs; and
    /// the time they were looked at.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn person_logged_in(
        &self,
        name: &PersonName,
        fingerprint: &str,
        at: Timestamp,
    ) -> Result<(Option<Person>, Timestamp)> {
        self.read(|tx, now| {
            let factors = tx.factors(name.as_str())?.unwrap_or_default();
            let found = with_key(tx, name, fingerprint)?.map(|(person, _)| person);
            Ok((found.filter(|_| factors.proved_by_the_one_in_use(at)), now))
        })
    }

    /// The key of a host that is enrolled over the network, and the time it was looked at.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn host_key(&self, name: &HostName) -> Result<(Option<String>, Timestamp)> {
        self.read(|tx, now| Ok((tx.host(name)?.and_then(|host| host.key), now)))
    }

    /// Puts on record that somebody was refused at the door.
    ///
    /// # Errors
    /// Unavailable.
    pub fn refused_at_the_door(
        &self,
        by: &Actor,
        endpoint: &str,
        from: Option<IpAddr>,
        why: &str,
    ) -> Result<()> {
        let event = Event {
            actor: by.clone(),
            action: "access.refuse",
            object: endpoint.to_owned(),
            outcome: Outcome::Refused,
            detail: json!({ "why": why, "from": from }),
        };
        self.record(&event).map(drop)
    }
}

fn with_key(
    tx: &dyn Tx,
    name: &PersonName,
    fingerprint: &str,
) -> Result<Option<(Person, IdentityKey)>> {
    let person = tx.person(name)?.filter(|person| !person.suspended);
    let key = tx.identity_key(fingerprint)?.filter(|key| key.person == *name);
    Ok(person.zip(key))
}
