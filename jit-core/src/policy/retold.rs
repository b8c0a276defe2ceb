//! A decision told again from the log alone: which rule, which facts, which version of the policy,
//! and whether the same comes out when it is made again.
//!
//! A policy's hours go by the time zone files of the machine that tells it again.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Facts, Held, Policy, apply, decide, version};
use crate::audit::{Outcome, Record};
use crate::error::{Error, Result};
use crate::grant::Ask;
use crate::host::Host;
use crate::name::{GroupName, HostName, Label, PersonName};
use crate::person::Person;
use crate::time::Timestamp;

/// The action of the records that hold a policy's changes.
pub const CHANGE: &str = "policy.change";

/// A decision as the log has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retold {
    /// The record's number.
    pub record: u64,
    /// What was asked for.
    pub ask: Ask,
    /// What was known.
    pub facts: Value,
    /// What was decided.
    pub decision: Value,
    /// The version of the policy that decided.
    pub policy: String,
    /// The number of the record with which that took effect.
    pub in_force_since: u64,
    /// What the policy said, the whole file.
    pub policy_text: String,
    /// Whether the same comes out when it is decided again.
    pub agrees: bool,
}

/// The texts of the policy, gathered from its changes as the log is read from its start.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    text: String,
    known: Vec<(u64, String, String)>,
}

#[derive(Deserialize)]
struct Change {
    new: String,
    diff: String,
}

#[derive(Deserialize)]
struct Decided {
    ask: Ask,
    decision: Value,
    facts: Value,
}

#[derive(Deserialize)]
struct Known {
    now: String,
    requester: Someone,
    hosts: Vec<Somewhere>,
    approvers: Vec<Someone>,
    before: u64,
    held: Held,
}

#[derive(Deserialize)]
struct Someone {
    name: PersonName,
    groups: std::collections::BTreeSet<GroupName>,
    suspended: bool,
}

#[derive(Deserialize)]
struct Somewhere {
    name: HostName,
    labels: std::collections::BTreeSet<Label>,
}

impl Versions {
    /// Takes a change of the policy in; other records say nothing of it.
    ///
    /// # Errors
    /// Tampered when the changes don't follow from each other.
    pub fn read(&mut self, record: &Record) -> Result<()> {
        if record.action != CHANGE || record.outcome != Outcome::Done {
            return Ok(());
        }
        let broken = || {
            Error::tampered(format!(
                "record {} is no change of the policy before it",
                record.sequence
            ))
            .next("jitctl audit verify")
        };
        let change: Change = serde_json::from_str(&record.detail).map_err(|_| broken())?;
        let text = apply(&self.text, &change.diff).ok_or_else(broken)?;
        if version(&text) != change.new {
            return Err(broken());
        }
        self.known.push((record.sequence, change.new, text.clone()));
        self.text = text;
        Ok(())
    }

    /// The decision on a record; none where it holds none.
    ///
    /// # Errors
    /// Tampered when the log does not hold what it takes.
    pub fn retell(&self, record: &Record) -> Result<Option<Retold>> {
        let Ok(Decided { ask, decision, facts }) = serde_json::from_str(&record.detail) else {
            return Ok(None);
        };
        let lacks = |what: &str| Error::tampered(format!("record {} {what}", record.sequence));
        let by = decision["policy"].as_str().unwrap_or_default().to_owned();
        let before = self.known.iter().filter(|(number, ..)| *number < record.sequence);
        let (since, _, text) = before
            .rev()
            .find(|(_, version, _)| *version == by)
            .ok_or_else(|| lacks("names a policy that the log does not hold"))?;
        let policy = Policy::parse(Path::new("policy.toml"), text)?;
        let known: Known = serde_json::from_value(facts.clone())
            .map_err(|_| lacks("does not say what was known"))?;
        let now = Timestamp::parse(&known.now)?;
        let person = |one: &Someone| Person {
            name: one.name.clone(),
            groups: one.groups.clone(),
            suspended: one.suspended,
            created_at: now,
        };
        let host = |one: &Somewhere| Host {
            name: one.name.clone(),
            labels: one.labels.clone(),
            created_at: now,
            key: None,
        };
        let hosts: Vec<_> = known.hosts.iter().map(host).collect();
        let approvers: Vec<_> = known.approvers.iter().map(person).collect();
        let again = decide(
            &ask,
            &policy,
            &Facts {
                requester: &person(&known.requester),
                hosts: &hosts,
                approvers: &approvers,
                before: known.before,
                held: &known.held,
                draft: false,
            },
            now,
        );
        let agrees = serde_json::to_value(&again).is_ok_and(|again| again == decision);
        Ok(Some(Retold {
            record: record.sequence,
            ask,
            facts,
            decision,
            policy: by,
            in_force_since: *since,
            policy_text: text.clone(),
            agrees,
        }))
    }
}
