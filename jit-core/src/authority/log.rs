//! Reading and verifying the audit log.

use std::collections::VecDeque;
use std::fmt;

use super::Authority;
use crate::audit::{Head, Record, Wanted, check_next};
use crate::error::{Error, Result};
use crate::id::GrantId;
use crate::policy::{Retold, Versions};
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

/// Which decisions to tell again.
#[derive(Clone, Debug)]
pub enum Which {
    /// That of one record.
    Record(u64),
    /// All about a grant.
    Grant(GrantId),
}

impl Which {
    /// Reads a record's number, such as `42`, or a grant's id.
    ///
    /// # Errors
    /// Invalid when it is neither.
    pub fn parse(text: &str) -> Result<Self> {
        match text.parse() {
            Ok(number) => Ok(Which::Record(number)),
            Err(_) => GrantId::parse(text).map(Which::Grant),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Record(number) => number.fmt(f),
            Which::Grant(id) => id.fmt(f),
        }
    }
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

    /// Every decision about `which`, told again from the log alone, which is checked on the way.
    ///
    /// # Errors
    /// Tampered when the log is broken or lacks what it takes; not found when it holds none.
    pub fn retell(&self, which: &Which) -> Result<Vec<Retold>> {
        let (mut versions, mut found) = (Versions::default(), Vec::new());
        self.walk(|record| {
            versions.read(&record)?;
            let wanted = match which {
                Which::Record(number) => record.sequence == *number,
                Which::Grant(id) => record.object == id.as_str(),
            };
            if wanted {
                found.extend(versions.retell(&record)?);
            }
            Ok(())
        })?;
        if found.is_empty() {
            let what = match which {
                Which::Record(number) => format!("record {number} holds no decision"),
                Which::Grant(id) => format!("the log holds no decision about {id}"),
            };
            return Err(Error::not_found(what).next("jitctl audit show"));
        }
        Ok(found)
    }

    /// The last `limit` records that `wanted` takes, before number `before` where it is given, oldest
    /// first.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn last_records_of(
        &self,
        wanted: &Wanted,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Record>> {
        let tx = self.store.begin(Mode::Read)?;
        let end = tx.audit_head()?.map_or(0, |head| head.sequence) + 1;
        let mut before = before.map_or(end, |before| before.min(end));
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
        let head = self.walk(|_| Ok(()))?;
        Ok(LogState { records: head.as_ref().map_or(0, |head| head.sequence), head })
    }

    /// Checks the chain from its start, and shows every record.
    fn walk(&self, mut show: impl FnMut(Record) -> Result<()>) -> Result<Option<Head>> {
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
                show(record)?;
            }
        }
        Ok(head)
    }
}
