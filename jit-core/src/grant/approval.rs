//! The yes that a request takes.

use serde::{Deserialize, Serialize};

use crate::name::PersonName;
use crate::time::Timestamp;

/// One person's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Whose.
    pub by: PersonName,
    /// When.
    pub at: Timestamp,
}

/// How a request came to be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The people the policy asks for said yes.
    People,
    /// The policy says yes by itself.
    Policy,
    /// Root granted it alone.
    Root,
}
