//! What a hook is told: one record of the audit log, as JSON.

use jit_core::audit::{Record, hex};
use jit_core::name::HostName;
use serde_json::{Value, json};

/// An event as it is told.
pub(crate) struct Event {
    /// The same for every try, and for no other event, also not of a log that was restored.
    pub(crate) delivery: String,
    /// `grant.approve`
    pub(crate) action: String,
    /// One line of JSON.
    pub(crate) body: String,
}

impl Event {
    /// The event that `record` is.
    pub(crate) fn of(record: &Record, host: &HostName) -> Self {
        // The detail as the object it is; what is none is told as it stands.
        let detail = serde_json::from_str(&record.detail)
            .unwrap_or_else(|_| Value::String(record.detail.clone()));
        let body = json!({
            "id": record.sequence,
            "time": record.time.rfc3339(),
            "host": host,
            "actor": record.actor,
            "action": record.action,
            "object": record.object,
            "outcome": record.outcome,
            "detail": detail,
            "previous": hex(&record.previous),
            "hash": hex(&record.hash),
        });
        Event {
            delivery: format!("{}-{}", record.sequence, hex(&record.hash[..8])),
            action: record.action.clone(),
            body: body.to_string(),
        }
    }
}
