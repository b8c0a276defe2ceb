//! Reading and verifying the audit log.

use super::Authority;
use crate::audit::{Head, Record, check_next};
use crate::error::Result;
use crate::store::Mode;

/// Records read at a time.
const PAGE: u32 = 1000;

/// A log that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// How many records there are.
    pub records: u64,
    /// The end of the chain. Kept elsewhere, it shows later whether the log was cut.
    pub head: Option<Head>,
}

impl Authority {
    /// The last `limit` records, oldest first.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn last_records(&self, limit: u32) -> Result<Vec<Record>> {
        let tx = self.store.begin(Mode::Read)?;
        let last = tx.audit_head()?.map_or(0, |head| head.sequence);
        tx.records((last + 1).saturating_sub(u64::from(limit)).max(1), limit)
    }

    /// Records from number `from` on, at most `limit`.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn records_from(&self, from: u64, limit: u32) -> Result<Vec<Record>> {
        self.store.begin(Mode::Read)?.records(from.max(1), limit)
    }

    /// Checks every record and every link of the chain.
    ///
    /// # Errors
    /// Tampered, saying at which record and how.
    pub fn verify_log(&self) -> Result<LogState> {
        let tx = self.store.begin(Mode::Read)?;
        let mut head: Option<Head> = None;
        loop {
            let next = head.as_ref().map_or(0, |head| head.sequence) + 1;
            let records = tx.records(next, PAGE)?;
            if records.is_empty() {
                break;
            }
            for record in records {
                check_next(head.as_ref(), &record)?;
                head = Some(record.head());
            }
        }
        Ok(LogState { records: head.as_ref().map_or(0, |head| head.sequence), head })
    }
}
