//! Answers that are kept for whoever asks the same again: what was acknowledged is done once, also
//! when the answer was lost on its way.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How long one is kept, in seconds.
pub const LASTS: u64 = 86_400;
/// How many are kept for one caller at a time.
pub const MOST: usize = 1000;

/// A request under a key of its caller's choice, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Whose: as on the log.
    pub caller: String,
    /// SHA-256 over caller and key, in hexadecimal.
    pub key: String,
    /// SHA-256 over the request, in hexadecimal: the key stands for no other.
    pub request: String,
    /// When it came.
    pub at: Timestamp,
    /// The sealed answer, in base64; none while it is being done, or where that was cut off.
    pub answer: Option<String>,
}
