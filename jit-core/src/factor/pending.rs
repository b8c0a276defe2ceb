//! A secret that waits for its first code.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How long it waits, in seconds: as long as it takes to find the phone.
const LASTS: u64 = 900;
/// Wrong codes after which it is dropped.
const TRIES: u32 = 5;

/// A sealed secret whose first code has not been shown yet; it counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// The sealed secret, in base64.
    pub sealed: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Wrong codes that it still bears.
    pub tries_left: u32,
}

impl Pending {
    /// A new one.
    pub fn new(sealed: String, now: Timestamp) -> Self {
        Pending { sealed, made_at: now, tries_left: TRIES }
    }

    /// Whether a code of it still counts.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now.since(self.made_at) < LASTS && self.tries_left > 0
    }

    /// The same after a wrong code; none when that was the last one that it bore.
    pub fn after_a_wrong_code(self) -> Option<Self> {
        let tries_left = self.tries_left.saturating_sub(1);
        (tries_left > 0).then_some(Pending { tries_left, ..self })
    }
}
