//! The log.

use jit_core::audit::{self, Wanted, hex};
use jit_core::authority::Which;
use jit_core::hook::Filter;

use crate::wire::{self, ByDecision, ListRecords, Nothing, Record, Records, Verified};

/// How many records are listed unless told, and at most.
const USUAL: u32 = 100;
const MOST: u32 = 1000;

endpoint!(
    /// Records.
    List = "audit", Get "/v1/audit", Admin, "Records of the log, oldest first",
    (Nothing, ListRecords, Nothing) -> Records,
    |desk, _, _, query, _| {
        let limit = query.limit.unwrap_or(USUAL).min(MOST);
        let action = query.action.as_deref().map(Filter::parse).transpose()?;
        let ListRecords { from, before, person, grant, since, until, .. } = query;
        let wanted = Wanted { person, action, grant, since, until };
        let records = match from {
            Some(from) => desk.authority.records_from(from, limit)?,
            None => desk.authority.last_records_of(&wanted, before, limit)?,
        };
        Ok(Records { records: records.into_iter().map(shown).collect() })
    }
);
endpoint!(
    /// Checks the whole log.
    Verify = "audit-verify", Get "/v1/audit/verify", Admin,
    "Checks every record and every link of the log",
    (Nothing, Nothing, Nothing) -> Verified,
    |desk, _, _, _, _| {
        let log = desk.authority.verify_log()?;
        Ok(Verified { records: log.records, head: log.head.map(|head| hex(&head.hash)) })
    }
);
endpoint!(
    /// Tells decisions again.
    Explain = "audit-explain", Get "/v1/audit/explain/{id}", Admin,
    "Why decisions came out as they did, from the log alone",
    (ByDecision, Nothing, Nothing) -> wire::Retold,
    |desk, _, path, _, _| {
        Ok(wire::Retold { decisions: desk.authority.retell(&Which::parse(&path.id)?)? })
    }
);

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
