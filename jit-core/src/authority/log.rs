//! Reading and verifying the audit log.

use std::collections::VecDeque;

use super::Authority;
use crate::audit::{Head, Record, Wanted, check_next};
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

    /// The last `limit` records that `wanted` takes, oldest first.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn last_records_of(&self, wanted: &Wanted, limit: u32) -> Result<Vec<Record>> {
        let tx = self.store.begin(Mode::Read)?;
        let mut before = tx.audit_head()?.map_or(0, |head| head.sequence) + 1;
        let mut found = VecDeque::new();
        // Backwards, as it is mostly the latest that somebody looks for.
        while before > 1 && found.len() < limit as usize {
            let from = before.saturating_sub(u64::from(PAGE)).max(1);
            let size = u32::try_from(before - from).unwrap_or(PAGE);
            for record in tx.records(from, size)?.into_iter().rev() {
                if found.len() < limit as usize && wanted.takes(&record) {
                    found.push_front(record);
                }
            }
            before = from;
        }
        Ok(found.into())
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
