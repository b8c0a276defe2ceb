//! A host whose authority is elsewhere: what it is told, taken into its own store, and what it
//! remembers of the link.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Authority, Done};
use crate::error::{Error, Result};
use crate::grant::{Actor, Grant, Program, State};
use crate::link::{HostState, Link};
use crate::name::HostName;
use crate::store::{CaKey, CaKind, Mode, Tx};
use crate::time::Timestamp;

/// What is different about what a host is told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference {
    labels: bool,
    ca_keys: bool,
    people: BTreeSet<String>,
    gone: BTreeSet<String>,
    grants: Vec<Grant>,
}

impl Authority {
    /// Takes in what this host is told of itself; whether anything was new. What the authority does
    /// not know any more goes, but what was revoked here stays revoked.
    ///
    /// # Errors
    /// Invalid when it is about another host; unavailable or tampered.
    pub fn take_up(&self, state: &HostState) -> Result<bool> {
        let host = &self.config.host;
        if state.host.name != *host {
            return Err(Error::invalid(format!(
                "this is {host}, but was told of {}",
                state.host.name
            ))
            .next("`host` in jit.toml must be the name it joined as."));
        }
        // Looked for without locking a login out: mostly there is nothing.
        let tx = self.store.begin(Mode::Read)?;
        let nothing = difference(tx.as_ref(), state)? == Difference::default();
        drop(tx);
        if nothing {
            return Ok(false);
        }
        let actor = Actor::Program(Program::JitLink);
        self.change(&actor, "link.update", host.as_str(), |tx, _| {
            let new = difference(tx, state)?;
            apply(tx, state, &new)?;
            let grants: Vec<_> = new.grants.iter().map(Grant::id).collect();
            let cas: Vec<_> = state.ca_keys.iter().map(|key| &key.fingerprint).collect();
            let detail = json!({
                "labels": new.labels.then_some(&state.host.labels),
                "ca_keys": new.ca_keys.then_some(cas),
                "people": new.people, "people_gone": new.gone, "grants": grants,
            });
            Ok(Done::new(true, detail))
        })
    }

    /// How this host and its authority stand to each other.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn link(&self) -> Result<Link> {
        self.link_of(&self.config.host)
    }

    /// How a host and this authority stand to each other.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn link_of(&self, host: &HostName) -> Result<Link> {
        let link = self.store.begin(Mode::Read)?.link(host)?;
        Ok(link.unwrap_or_else(|| Link::new(host.clone())))
    }

    /// Writes down how far a link is. That is no event: it decides nothing, and a record of it would
    /// be one more to tell.
    ///
    /// # Errors
    /// Unavailable.
    pub fn note_link(&self, host: &HostName, change: impl FnOnce(&mut Link)) -> Result<()> {
        let tx = self.store.begin(Mode::Write)?;
        let mut link = tx.link(host)?.unwrap_or_else(|| Link::new(host.clone()));
        let before = link.clone();
        change(&mut link);
        if link == before {
            return Ok(());
        }
        tx.put_link(&link)?;
        tx.commit()
    }

    /// Whether `jit-link` runs.
    pub fn link_runs(&self) -> bool {
        crate::lockfile::is_held(&self.config.link_lock())
    }

    /// The clock as it stands, also where it is behind the log.
    ///
    /// # Errors
    /// Unavailable.
    pub fn wall_clock(&self) -> Result<Timestamp> {
        self.clock.now()
    }
}

fn difference(tx: &dyn Tx, state: &HostState) -> Result<Difference> {
    let mut new = Difference {
        labels: tx.host(&state.host.name)?.as_ref() != Some(&state.host),
        ..Difference::default()
    };
    for kind in [CaKind::User, CaKind::Host] {
        new.ca_keys |= tx.ca_keys(kind)? != ca_keys(state, kind);
    }
    for known in &state.people {
        let name = &known.person.name;
        let same = tx.person(name)?.as_ref() == Some(&known.person)
            && tx.identity_keys(name)? == known.keys;
        if !same {
            new.people.insert(name.to_string());
        }
    }
    for person in tx.people()? {
        if state.people.iter().all(|known| known.person.name != person.name) {
            new.gone.insert(person.name.to_string());
        }
    }
    for grant in &state.grants {
        let known = tx.grant(grant.id())?;
        let revoked_here =
            known.as_ref().is_some_and(|known| matches!(known.state(), State::Revoked { .. }));
        if !revoked_here && known.as_ref() != Some(grant) {
            new.grants.push(grant.clone());
        }
    }
    Ok(new)
}

fn apply(tx: &dyn Tx, state: &HostState, new: &Difference) -> Result<()> {
    if new.labels {
        tx.put_host(&state.host)?;
    }
    if new.ca_keys {
        for kind in [CaKind::User, CaKind::Host] {
            tx.put_ca_keys(kind, &ca_keys(state, kind))?;
        }
    }
    for person in tx.people()?.iter().filter(|person| new.gone.contains(person.name.as_str())) {
        tx.remove_person(&person.name)?;
    }
    let changed = || state.people.iter().filter(|k| new.people.contains(k.person.name.as_str()));
    // A key may have gone from one to another.
    for known in changed() {
        for key in tx.identity_keys(&known.person.name)? {
            tx.remove_identity_key(&key.fingerprint)?;
        }
    }
    for known in changed() {
        tx.put_person(&known.person)?;
        known.keys.iter().try_for_each(|key| tx.add_identity_key(key))?;
    }
    new.grants.iter().try_for_each(|grant| tx.put_grant(grant))
}

/// A CA's keys as a host stores them: there is nothing to seal.
fn ca_keys(state: &HostState, kind: CaKind) -> Vec<CaKey> {
    let keys = state.ca_keys.iter().filter(|key| key.kind == kind);
    keys.map(|key| CaKey {
        kind,
        fingerprint: key.fingerprint.clone(),
        public_key: key.public_key.clone(),
        sealed_private_key: String::new(),
        created_at: key.created_at,
    })
    .collect()
}
