//! Hosts and their labels.

use std::collections::BTreeSet;

use serde_json::json;

use super::grants::{alive, end_all};
use super::{Authority, Done};
use crate::error::{Error, Result};
use crate::grant::{Actor, Grant};
use crate::host::Host;
use crate::id::GrantId;
use crate::invitation::Invited;
use crate::name::{HostName, Label, Place, Reason};

impl Authority {
    /// Adds a host, or replaces the labels of one. Grants for it that the policy no longer gives end,
    /// unless the configuration keeps them; the host, and those grants.
    ///
    /// # Errors
    /// Misconfigured when there is no policy to go by.
    pub fn put_host(
        &self,
        actor: &Actor,
        name: &HostName,
        labels: &BTreeSet<Label>,
    ) -> Result<(Host, Vec<GrantId>)> {
        // A host that is new is nobody's yet: it is enrolled before there is a policy.
        let is_new = self.read(|tx, _| Ok(tx.host(name)?.is_none()))?;
        let policy = if is_new { None } else { self.policy_to_reexamine()? };
        self.change(actor, "host.put", name.as_str(), |tx, now| {
            let before = tx.host(name)?;
            let host = Host {
                name: name.clone(),
                labels: labels.clone(),
                created_at: before.as_ref().map_or(now, |host| host.created_at),
                key: before.as_ref().and_then(|host| host.key.clone()),
            };
            tx.put_host(&host)?;
            let ended = match (&policy, &before) {
                (Some(policy), Some(before)) if before.labels != host.labels => {
                    let is_there = |grant: &Grant| {
                        let place = &grant.ask().place;
                        before.is_at(place) || host.is_at(place)
                    };
                    let there = alive(tx, None, now)?.into_iter().filter(is_there).collect();
                    self.end_denied(tx, policy, there, actor, now)?
                }
                _ => Vec::new(),
            };
            let before = before.map(|host| host.labels);
            let detail = json!({ "labels": labels, "before": before, "grants": ended });
            Ok(Done::new((host, ended), detail))
        })
    }

    /// Removes a host, and ends the grants for it: a host that gets the same name later is another.
    ///
    /// # Errors
    /// Not found; refused for the host this machine is.
    pub fn remove_host(&self, actor: &Actor, name: &HostName) -> Result<()> {
        self.change(actor, "host.remove", name.as_str(), |tx, now| {
            if *name == self.config.host {
                return Err(Error::refused(format!("{name} is this machine"))
                    .next("Its logins would all be denied. Change `host` in jit.toml first."));
            }
            if tx.host(name)?.is_none() {
                return Err(no_host(name));
            }
            let place = Place::Host(name.clone());
            let mut grants = alive(tx, None, now)?;
            grants.retain(|grant| grant.ask().place == place);
            let reason = Reason::parse("the host was removed")?;
            let ended = end_all(tx, grants, actor, &reason, now)?;
            tx.remove_host(name)?;
            tx.remove_invitation(&Invited::Host(name.clone()))?;
            let ids: Vec<_> = ended.iter().map(Grant::id).collect();
            Ok(Done::new((), json!({ "grants": ids })))
        })
    }

    /// All hosts.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn hosts(&self) -> Result<Vec<Host>> {
        self.read(|tx, _| tx.hosts())
    }

    /// One host.
    ///
    /// # Errors
    /// Not found.
    pub fn host(&self, name: &HostName) -> Result<Host> {
        self.read(|tx, _| tx.host(name)?.ok_or_else(|| no_host(name)))
    }
}

fn no_host(name: &HostName) -> Error {
    Error::not_found(format!("there is no host {name}")).next("jitctl host list")
}
