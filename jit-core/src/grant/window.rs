//! The time in which access is had.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::time::Timestamp;

/// `not_before ≤ now < not_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first second of it.
    pub not_before: Timestamp,
    /// The first second past it.
    pub not_after: Timestamp,
}

impl Window {
    /// A window that is not empty.
    ///
    /// # Errors
    /// Invalid when it is.
    pub fn new(not_before: Timestamp, not_after: Timestamp) -> Result<Self> {
        if not_before >= not_after {
            return Err(Error::invalid("the window ends before it starts"));
        }
        Ok(Window { not_before, not_after })
    }

    /// Whether `now` lies in it.
    pub fn contains(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }
}
