//! The log.

use jit_core::audit::{self, hex};

use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::wire::{ListRecords, Nothing, Record, Records, Verified};

/// How many records are listed unless told, and at most.
const USUAL: u32 = 100;
const MOST: u32 = 1000;

endpoint!(
    /// Records.
    List = "audit", Get "/v1/audit", Admin, "Records of the log, oldest first",
    (Nothing, ListRecords, Nothing) -> Records, list
);
endpoint!(
    /// Checks the whole log.
    Verify = "audit-verify", Get "/v1/audit/verify", Admin,
    "Checks every record and every link of the log",
    (Nothing, Nothing, Nothing) -> Verified, verify
);

fn list(
    desk: &Desk<'_>,
    _: &Caller,
    _: Nothing,
    query: ListRecords,
    _: Nothing,
) -> Result<Records, Failure> {
    let limit = query.limit.unwrap_or(USUAL).min(MOST);
    let records = match query.from {
        Some(from) => desk.authority.records_from(from, limit)?,
        None => desk.authority.last_records(limit)?,
    };
    Ok(Records { records: records.into_iter().map(shown).collect() })
}

fn shown(record: audit::Record) -> Record {
    Record {
        sequence: record.sequence,
        time: record.time,
        actor: record.actor,
        action: record.action,
        object: record.object,
        outcome: record.outcome.to_string(),
        detail: record.detail,
        previous: hex(&record.previous),
        hash: hex(&record.hash),
    }
}

fn verify(
    desk: &Desk<'_>,
    _: &Caller,
    _: Nothing,
    _: Nothing,
    _: Nothing,
) -> Result<Verified, Failure> {
    let log = desk.authority.verify_log()?;
    Ok(Verified { records: log.records, head: log.head.map(|head| hex(&head.hash)) })
}
