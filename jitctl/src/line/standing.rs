//! What the policy says of a request, as it is told: in words and for programs.

use jit_core::authority::Explanation;
use jit_core::id::GrantId;
use jit_core::name::PersonName;
use jit_core::policy::{Decision, Verdict};
use jit_core::time::Timestamp;
use serde_json::{Value, json};

use crate::output::joined;

/// Yes, not yet, or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing is missing.
    Yes,
    /// These approvals are, in words.
    Missing(String),
    /// Why not.
    No(String),
    /// Not told: approvals are missing, and from whom is seen by who can give them.
    Open,
}

/// Where an undecided request stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What the policy says.
    pub said: Said,
    /// What is missing, for programs.
    pub missing: Value,
    /// Whose yes could help.
    pub approvers: Vec<PersonName>,
}

impl Standing {
    /// As decided.
    pub fn of(decision: &Decision, approvers: Vec<PersonName>) -> Self {
        let (said, missing) = match &decision.verdict {
            Verdict::Allow => (Said::Yes, Value::Null),
            Verdict::Pending { missing } => (Said::Missing(joined(missing, ", ")), json!(missing)),
            Verdict::Deny { why } => (Said::No(why.clone()), Value::Null),
        };
        Standing { said, missing, approvers }
    }
}

/// Whether and how somebody could get, or has, access.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Until when they have it now.
    pub covered_until: Option<Timestamp>,
    /// The grants that cover them now.
    pub grants: Vec<GrantId>,
    /// What the policy would say.
    pub standing: Standing,
    /// The role on whose terms.
    pub role: Option<String>,
    /// The other roles, and what stands against them.
    pub others: Vec<(String, String)>,
    /// What else keeps them out.
    pub obstacles: Vec<String>,
    /// The decision for programs.
    pub decision: Value,
}

impl From<Explanation> for Explained {
    fn from(explanation: Explanation) -> Self {
        let Explanation { covered_until, grants, decision, approvers, obstacles } = explanation;
        let others = decision.considered.iter().filter(|c| Some(&c.role) != decision.role.as_ref());
        Explained {
            covered_until,
            grants,
            role: decision.role.as_ref().map(ToString::to_string),
            others: others.map(|c| (c.role.to_string(), c.finding.clone())).collect(),
            obstacles,
            standing: Standing::of(&decision, approvers),
            decision: json!(decision),
        }
    }
}
