//! What the authority knows when the policy is asked: the facts, as they stand in one transaction.

use super::extend::access_before;
use super::grants::{alive, hosts_at};
use crate::error::Result;
use crate::grant::{Ask, Grant, Phase};
use crate::host::Host;
use crate::name::PersonName;
use crate::person::Person;
use crate::policy::{Facts, Held};
use crate::store::Tx;
use crate::time::Timestamp;

/// What [`Facts`] refer to.
pub(super) struct Known {
    requester: Person,
    hosts: Vec<Host>,
    approvers: Vec<Person>,
    before: u64,
    held: Held,
    draft: bool,
}

impl Known {
    /// Looks all of it up.
    pub(super) fn gather(
        tx: &dyn Tx,
        ask: &Ask,
        requester: &Person,
        approvers: &[PersonName],
        now: Timestamp,
    ) -> Result<Self> {
        Ok(Known {
            requester: requester.clone(),
            hosts: hosts_at(tx, &ask.place)?,
            approvers: people(tx, approvers)?,
            before: access_before(tx, ask)?,
            held: held(alive(tx, Some(&ask.person), now)?, ask, now),
            draft: false,
        })
    }

    /// For what is had already: how many others there are does not count against it.
    pub(super) fn had(mut self) -> Self {
        self.held = Held::new();
        self
    }

    /// For what could be asked: the reason in `ask` is none yet.
    pub(super) fn draft(mut self) -> Self {
        self.draft = true;
        self
    }

    /// To decide on.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            requester: &self.requester,
            hosts: &self.hosts,
            approvers: &self.approvers,
            before: self.before,
            held: &self.held,
            draft: self.draft,
        }
    }
}

/// The people who are still there: somebody who was removed since no longer counts.
fn people(tx: &dyn Tx, names: &[PersonName]) -> Result<Vec<Person>> {
    let found = names.iter().map(|name| tx.person(name)).collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// How many grants with a window there are by each role. What extends another is one with it, and
/// the one that `ask` goes on with does not count.
fn held(alive: Vec<Grant>, ask: &Ask, now: Timestamp) -> Held {
    let windows: Vec<_> = alive
        .into_iter()
        .filter(|grant| matches!(grant.phase(now), Phase::Scheduled | Phase::Active))
        .collect();
    let by_id = |id| windows.iter().find(|grant| Some(grant.id()) == id);
    // The first of those that are alive and go on with one another.
    let first = |mut grant| loop {
        match by_id(Grant::ask(grant).extends.as_ref()) {
            Some(base) => grant = base,
            None => return grant.id(),
        }
    };
    let continued = by_id(ask.extends.as_ref()).map(first);
    let mut held = Held::new();
    for grant in windows.iter().filter(|grant| first(grant) == grant.id()) {
        if let Some(role) = &grant.terms().role
            && continued != Some(grant.id())
        {
            *held.entry(role.clone()).or_default() += 1;
        }
    }
    held
}
