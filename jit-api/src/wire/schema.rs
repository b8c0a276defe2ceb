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
