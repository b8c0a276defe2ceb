//! Schemas of what jit-core keeps, which knows none. They describe; they are never made.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

/// A grant.
#[derive(JsonSchema)]
#[allow(dead_code)]
pub(super) struct Grant {
    id: String,
    /// Raised by every change.
    version: u64,
    /// Raised by every edit.
    revision: u64,
    ask: Ask,
    terms: BTreeMap<String, Value>,
    requested_by: String,
    requested_at: u64,
    lapses_at: u64,
    approvals: Vec<BTreeMap<String, Value>>,
    state: State,
}

/// What is asked for.
#[derive(JsonSchema)]
#[allow(dead_code)]
struct Ask {
    person: String,
    login: String,
    place: String,
    sudo: bool,
    /// In seconds.
    duration: u64,
    start: Option<u64>,
    reason: String,
}

/// Where it stands, as stored.
#[derive(JsonSchema)]
#[allow(dead_code)]
struct State {
    is: String,
}

/// A decision, told again.
#[derive(JsonSchema)]
#[allow(dead_code)]
pub(super) struct Retold {
    /// The record's number.
    record: u64,
    ask: Ask,
    /// What was known.
    facts: Value,
    /// What was decided.
    decision: Value,
    /// The version of the policy that decided.
    policy: String,
    /// The number of the record with which that took effect.
    in_force_since: u64,
    policy_text: String,
    /// Whether the same comes out when it is decided again.
    agrees: bool,
}

/// What a host needs to know.
#[derive(JsonSchema)]
#[allow(dead_code)]
pub(super) struct HostState {
    /// Another one whenever the rest but `now` is.
    version: String,
    now: u64,
    host: BTreeMap<String, Value>,
    people: Vec<BTreeMap<String, Value>>,
    grants: Vec<Grant>,
    ca_keys: Vec<BTreeMap<String, Value>>,
}

/// A code that was typed on a host.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
pub(super) struct HostCode {
    /// Whose; none for somebody unknown.
    person: Option<String>,
    code: String,
    /// What for, as the log has it.
    attempt: Value,
    /// How it is known who they are.
    who: String,
}

/// Somebody who may ask.
#[derive(JsonSchema)]
#[allow(dead_code)]
pub(super) struct Asker {
    person: String,
    permissions: Vec<String>,
    restrictions: BTreeMap<String, Value>,
}

/// What may be asked for.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
pub(super) struct HostAsk {
    person: String,
    login: String,
    sudo: bool,
}

/// For how many seconds.
#[derive(JsonSchema)]
#[allow(dead_code)]
pub(super) struct Offer {
    usual: u64,
    longest: u64,
}

/// Where a request was filed.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
struct Origin {
    rhost: Option<String>,
    tty: Option<String>,
}

/// A request from a prompt.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
pub(super) struct Filing {
    ask: HostAsk,
    reason: String,
    /// In seconds.
    duration: u64,
    origin: Origin,
}

/// A request as it stands.
#[derive(JsonSchema)]
#[allow(dead_code)]
pub(super) struct Standing {
    id: String,
    phase: String,
    duration: u64,
    lapses_at: u64,
    approved_by: Vec<String>,
    missing: Vec<BTreeMap<String, Value>>,
    approvers: Vec<String>,
    answer: Option<String>,
}

/// A record of a host's log.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)]
pub(super) struct Told {
    sequence: u64,
    time: u64,
    actor: String,
    action: String,
    object: String,
    /// `done` or `refused`.
    outcome: String,
    detail: Value,
    /// In the host's chain, in hexadecimal.
    hash: String,
}
