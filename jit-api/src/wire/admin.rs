//! What only admins see and do: revocations, sessions, the policy, the log, break-glass.

use jit_core::id::GrantId;
use jit_core::name::{HostName, Login, PersonName, Reason};
use jit_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which grants to end, and why. One of the three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeMany {
    /// All of this person.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// All on this host.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// All there are.
    #[serde(default)]
    pub all: bool,
    /// Why.
    #[schemars(with = "String")]
    pub reason: Reason,
}

/// A session of the authority's own host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Its number on its host.
    pub id: u64,
    /// Which host.
    #[schemars(with = "String")]
    pub host: HostName,
    /// `login` or `sudo`.
    pub action: String,
    /// Who.
    #[schemars(with = "String")]
    pub person: PersonName,
    /// As which account.
    #[schemars(with = "String")]
    pub login: Login,
    /// Since when.
    #[schemars(with = "u64")]
    pub opened_at: Timestamp,
    /// Until when, unless it has no cover any more.
    #[schemars(with = "Option<u64>")]
    pub ends_at: Option<Timestamp>,
    /// From where.
    pub rhost: Option<String>,
    /// On which terminal.
    pub tty: Option<String>,
    /// The grant to extend if it is to go on.
    #[schemars(with = "Option<String>")]
    pub extend: Option<GrantId>,
}

/// Sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    /// Oldest first.
    pub sessions: Vec<Session>,
}

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// Which: the first digits of its SHA-256.
    pub version: String,
    /// As it is written.
    pub text: String,
    /// What is wrong with the file, where it does not parse and the last good one stays.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// A policy to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckPolicy {
    /// As it is written.
    pub text: String,
}

/// What is said of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedPolicy {
    /// Whether it would take effect.
    pub good: bool,
    /// Which version it would be.
    pub version: String,
    /// What is wrong with it, with the line.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// Which records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRecords {
    /// From this number on; the last ones unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// At most so many; 100 unless told, never more than 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// 1, 2, 3 …
    pub sequence: u64,
    /// When.
    #[schemars(with = "u64")]
    pub time: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// The facts, JSON as it is stored: the hash is over these bytes.
    pub detail: String,
    /// The hash of the record before.
    pub previous: String,
    /// SHA-256 over all of it.
    pub hash: String,
}

/// Records, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Records {
    /// The records.
    pub records: Vec<Record>,
}

/// A log that verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// How many records there are.
    pub records: u64,
    /// The hash of the last.
    pub head: Option<String>,
}

/// Break-glass codes of the authority's own host, and their uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BreakGlass {
    /// Which host.
    #[schemars(with = "String")]
    pub host: HostName,
    /// Codes left.
    pub codes_left: usize,
    /// What others were used for, the newest last.
    pub uses: Vec<GlassUse>,
}

/// One use of a break-glass code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GlassUse {
    /// The grant that it gave.
    #[schemars(with = "String")]
    pub id: GrantId,
    /// Who.
    #[schemars(with = "String")]
    pub person: PersonName,
    /// As which account.
    #[schemars(with = "String")]
    pub login: Login,
    /// When.
    #[schemars(with = "u64")]
    pub at: Timestamp,
    /// Until when.
    #[schemars(with = "u64")]
    pub until: Timestamp,
    /// From where.
    pub rhost: Option<String>,
    /// Why, in their words.
    #[schemars(with = "String")]
    pub reason: Reason,
    /// Who looked at it.
    pub reviewed_by: Option<String>,
    /// What they found.
    #[schemars(with = "Option<String>")]
    pub note: Option<Reason>,
}

/// A look at a use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What was found.
    #[schemars(with = "String")]
    pub note: Reason,
}
