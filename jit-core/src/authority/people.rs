//! People and their identity keys.

use std::collections::BTreeSet;

use serde_json::json;

use super::grants::{alive, end_all};
use super::{Authority, Done, known_person};
use crate::config::OnChange;
use crate::error::{Error, Result};
use crate::grant::{Actor, Grant};
use crate::id::GrantId;
use crate::invitation::Invited;
use crate::name::{GroupName, PersonName, Reason};
use crate::person::{IdentityKey, Person};

impl Authority {
    /// Adds a person, with the public key lines given.
    ///
    /// # Errors
    /// Refused when there is such a person, or a key is enrolled already; invalid when a key is.
    pub fn add_person(
        &self,
        actor: &Actor,
        name: &PersonName,
        groups: &BTreeSet<GroupName>,
        keys: &[String],
    ) -> Result<Vec<IdentityKey>> {
        self.change(actor, "person.add", name.as_str(), |tx, now| {
            if tx.person(name)?.is_some() {
                return Err(Error::refused(format!("there is a person {name} already"))
                    .next(format!("jitctl user show {name}")));
            }
            let person = Person {
                name: name.clone(),
                groups: groups.clone(),
                suspended: false,
                created_at: now,
            };
            tx.put_person(&person)?;
            let keys = keys
                .iter()
                .map(|line| {
                    let key = IdentityKey::parse(name.clone(), line, now)?;
                    tx.add_identity_key(&key)?;
                    Ok(key)
                })
                .collect::<Result<Vec<_>>>()?;
            let fingerprints: Vec<_> = keys.iter().map(|key| &key.fingerprint).collect();
            let detail = json!({ "groups": groups, "keys": fingerprints });
            Ok(Done::new(keys, detail))
        })
    }

    /// Adds a person to groups and takes them out of others. Their grants that the policy no longer
    /// gives end, unless the configuration keeps them; the person, and those grants.
    ///
    /// # Errors
    /// Not found; misconfigured when there is no policy to go by.
    pub fn change_groups(
        &self,
        actor: &Actor,
        name: &PersonName,
        add: &BTreeSet<GroupName>,
        remove: &BTreeSet<GroupName>,
    ) -> Result<(Person, Vec<GrantId>)> {
        let policy = self.policy_to_reexamine()?;
        self.change(actor, "person.groups", name.as_str(), |tx, now| {
            let mut person = known_person(tx, name)?;
            let before = person.groups.clone();
            person.groups.extend(add.iter().cloned());
            person.groups.retain(|group| !remove.contains(group));
            tx.put_person(&person)?;
            let ended = match &policy {
                Some(policy) if person.groups != before => {
                    let theirs = alive(tx, Some(name), now)?;
                    self.end_denied(tx, policy, theirs, actor, now)?
                }
                _ => Vec::new(),
            };
            let detail = json!({ "before": before, "after": person.groups, "grants": ended });
            Ok(Done::new((person, ended), detail))
        })
    }

    /// Suspends a person, or lets them act again. A suspended person's grants cover nothing, and end
    /// unless the configuration keeps them.
    ///
    /// # Errors
    /// Not found.
    pub fn suspend(&self, actor: &Actor, name: &PersonName, suspended: bool) -> Result<()> {
        let action = if suspended { "person.suspend" } else { "person.resume" };
        self.change(actor, action, name.as_str(), |tx, now| {
            let mut person = known_person(tx, name)?;
            person.suspended = suspended;
            tx.put_person(&person)?;
            if !suspended || self.config.on_change == OnChange::Keep {
                return Ok(Done::new((), json!({})));
            }
            let reason = Reason::parse("the person was suspended")?;
            let ended = end_all(tx, alive(tx, Some(name), now)?, actor, &reason, now)?;
            let ids: Vec<_> = ended.iter().map(Grant::id).collect();
            Ok(Done::new((), json!({ "grants": ids })))
        })
    }

    /// Removes a person with keys and factors, and ends their grants: whoever gets the same name
    /// later inherits nothing.
    ///
    /// # Errors
    /// Not found.
    pub fn remove_person(&self, actor: &Actor, name: &PersonName) -> Result<()> {
        self.change(actor, "person.remove", name.as_str(), |tx, now| {
            known_person(tx, name)?;
            let reason = Reason::parse("the person was removed")?;
            let ended = end_all(tx, alive(tx, Some(name), now)?, actor, &reason, now)?;
            tx.remove_person(name)?;
            tx.remove_invitation(&Invited::Person(name.clone()))?;
            let ids: Vec<_> = ended.iter().map(Grant::id).collect();
            Ok(Done::new((), json!({ "grants": ids })))
        })
    }

    /// Adds an identity key: one line of a public key file.
    ///
    /// # Errors
    /// Not found; invalid when it is no key; refused when it is enrolled already.
    pub fn add_key(&self, actor: &Actor, name: &PersonName, line: &str) -> Result<IdentityKey> {
        self.change(actor, "key.add", name.as_str(), |tx, now| {
            known_person(tx, name)?;
            let key = IdentityKey::parse(name.clone(), line, now)?;
            tx.add_identity_key(&key)?;
            let detail = json!({ "fingerprint": key.fingerprint, "comment": key.comment });
            Ok(Done::new(key, detail))
        })
    }

    /// Removes an identity key of a person.
    ///
    /// # Errors
    /// Not found.
    pub fn remove_key(&self, actor: &Actor, name: &PersonName, fingerprint: &str) -> Result<()> {
        self.change(actor, "key.remove", name.as_str(), |tx, _| {
            let theirs = tx.identity_key(fingerprint)?.filter(|key| key.person == *name);
            if theirs.is_none() {
                return Err(Error::not_found(format!("{name} has no key {fingerprint}"))
                    .next(format!("jitctl user key {name} --list")));
            }
            tx.remove_identity_key(fingerprint)?;
            Ok(Done::new((), json!({ "fingerprint": fingerprint })))
        })
    }

    /// All people.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn people(&self) -> Result<Vec<Person>> {
        self.read(|tx, _| tx.people())
    }

    /// One person.
    ///
    /// # Errors
    /// Not found.
    pub fn person(&self, name: &PersonName) -> Result<Person> {
        self.read(|tx, _| known_person(tx, name))
    }

    /// A person's identity keys.
    ///
    /// # Errors
    /// Not found.
    pub fn keys(&self, name: &PersonName) -> Result<Vec<IdentityKey>> {
        self.read(|tx, _| {
            known_person(tx, name)?;
            tx.identity_keys(name)
        })
    }
}
