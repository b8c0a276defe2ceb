//! How things stand, on one screen.

use jit_core::grant::Grant;
use jit_core::name::{HostName, Label};
use jit_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GlassUse, schema};

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The authority's own host.
    #[schemars(with = "String")]
    pub host: HostName,
    /// Its labels.
    #[schemars(with = "Vec<String>")]
    pub labels: Vec<Label>,
    /// How many people there are.
    pub people: usize,
    /// How many of them are suspended.
    pub suspended: usize,
    /// How many grants are active.
    pub active: usize,
    /// How many will be.
    pub scheduled: usize,
    /// The requests that wait.
    #[schemars(with = "Vec<schema::Grant>")]
    pub requests: Vec<Grant>,
    /// How many sessions there are.
    pub sessions: usize,
    /// Whether `jitd` runs on that host.
    pub keeper_runs: bool,
    /// The last use of a break-glass code there, where nobody has reviewed it.
    pub break_glass_to_review: Option<GlassUse>,
    /// The end of the log, if there is anything on it.
    pub log: Option<LogEnd>,
    /// When it was looked at.
    #[schemars(with = "u64")]
    pub now: Timestamp,
}

/// The end of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogEnd {
    /// How many records there are.
    pub records: u64,
    /// When the last was written.
    #[schemars(with = "u64")]
    pub time: Timestamp,
    /// Its hash.
    pub head: String,
}
