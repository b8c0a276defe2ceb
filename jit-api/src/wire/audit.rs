//! The log.

use jit_core::id::GrantId;
use jit_core::name::PersonName;
use jit_core::policy;
use jit_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRecords {
    /// From this number on, whatever they are about; the last ones unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Only those before this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many; 100 unless told, never more than 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only what this person did, or what is about them.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// Only what was done: `grant.approve`, or `grant.*` for all of grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Only what is about this grant.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// From when on.
    #[schemars(with = "Option<u64>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Until when, not included.
    #[schemars(with = "Option<u64>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
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

/// Which decisions to tell again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByDecision {
    /// A grant's id, for all about it, or a record's number.
    pub id: String,
}

/// Decisions, told again from the log alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Retold {
    /// In the order in which they were made.
    #[schemars(with = "Vec<super::schema::Retold>")]
    pub decisions: Vec<policy::Retold>,
}
