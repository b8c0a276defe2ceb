//! A no: what the person is told, and, where the audit log doesn't have it, what syslog is told.

use jit_core::error::{Error, Kind};

/// Shown where something of ours is out of order, whoever asks.
pub const OUT_OF_ORDER: &str =
    "Access can't be checked right now. Try again, or ask an administrator.";

/// A no, with its words. Those for the person never tell an outsider which check failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Refusal {
    /// Shown to the person.
    pub say: Option<String>,
    /// Written to syslog.
    pub log: Option<String>,
}

impl Refusal {
    /// A no that the audit log has, without a word of ours.
    pub fn silent() -> Self {
        Refusal::default()
    }

    /// A no that the audit log has.
    pub fn saying(text: impl Into<String>) -> Self {
        Refusal { say: Some(text.into()), log: None }
    }

    /// A no that only syslog hears of.
    pub fn logged(text: impl Into<String>) -> Self {
        Refusal { say: None, log: Some(text.into()) }
    }

    /// Adds what the person is told.
    pub fn and_saying(self, text: impl Into<String>) -> Self {
        Refusal { say: Some(text.into()), ..self }
    }

    /// The no that follows from an error. `otherwise` is what the person is told unless something of
    /// ours is out of order.
    pub fn from_error(error: &Error, otherwise: Option<&str>) -> Self {
        let say = if out_of_order(error) { Some(OUT_OF_ORDER) } else { otherwise };
        Refusal { say: say.map(str::to_owned), log: Some(error.to_string()) }
    }
}

/// Whether something of ours is out of order, rather than somebody refused.
pub fn out_of_order(error: &Error) -> bool {
    matches!(error.kind(), Kind::Misconfigured | Kind::Unavailable | Kind::Tampered)
}
