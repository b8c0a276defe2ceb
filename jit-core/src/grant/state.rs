//! Where a grant stands: as stored, and at a moment.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Actor, Way, Window};
use crate::error::{Error, Result};
use crate::name::Reason;
use crate::time::Timestamp;

/// Where a grant stands, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase", deny_unknown_fields)]
pub enum State {
    /// Waits for a decision.
    Requested,
    /// Has a window.
    Approved {
        /// When access lasts.
        window: Window,
        /// Who said yes.
        way: Way,
    },
    /// Somebody said no.
    Denied {
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
        /// Why, in their words.
        reason: Option<Reason>,
    },
    /// The requester took it back.
    Cancelled {
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// Nobody decided in time.
    Lapsed {
        /// When.
        at: Timestamp,
    },
    /// Taken away before its end.
    Revoked {
        /// The window it had.
        window: Window,
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
        /// Why.
        reason: Reason,
    },
}

/// Where a grant stands at a moment: its state, with the window and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Phase {
    Requested,
    Scheduled,
    Active,
    Ended,
    Denied,
    Cancelled,
    Lapsed,
    Revoked,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::Requested => "requested",
            Phase::Scheduled => "scheduled",
            Phase::Active => "active",
            Phase::Ended => "ended",
            Phase::Denied => "denied",
            Phase::Cancelled => "cancelled",
            Phase::Lapsed => "lapsed",
            Phase::Revoked => "revoked",
        })
    }
}

impl std::str::FromStr for Phase {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        [
            Phase::Requested,
            Phase::Scheduled,
            Phase::Active,
            Phase::Ended,
            Phase::Denied,
            Phase::Cancelled,
            Phase::Lapsed,
            Phase::Revoked,
        ]
        .into_iter()
        .find(|phase| phase.to_string() == text)
        .ok_or_else(|| {
            Error::invalid(format!("`{}` is no state", text.escape_debug())).next(
                "States: requested, scheduled, active, ended, denied, cancelled, lapsed, revoked.",
            )
        })
    }
}
