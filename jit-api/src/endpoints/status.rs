//! How things stand, on one screen.

use jit_core::audit::hex;
use jit_core::grant::Phase;
use jit_core::store::GrantFilter;

use super::breakglass;
use crate::wire::{LogEnd, Nothing, Status};

endpoint!(
    /// How things stand.
    Show = "status", Get "/v1/status", Admin, "How things stand, on one screen",
    (Nothing, Nothing, Nothing) -> Status,
    |desk, _, _, _, _| {
        let authority = desk.authority;
        let host = authority.host(&authority.config().host)?;
        let people = authority.people()?;
        let filter = GrantFilter { alive_at: Some(authority.now()?), ..GrantFilter::default() };
        let (alive, now) = authority.grants(&filter)?;
        let count = |phase| alive.iter().filter(|grant| grant.phase(now) == phase).count();
        let (active, scheduled) = (count(Phase::Active), count(Phase::Scheduled));
        let requests = alive.into_iter().filter(|grant| grant.phase(now) == Phase::Requested);
        let (elsewhere, _) = authority.sessions_elsewhere()?;
        let last = authority.last_records(1)?.pop();
        Ok(Status {
            host: host.name,
            labels: host.labels.into_iter().collect(),
            people: people.len(),
            suspended: people.iter().filter(|person| person.suspended).count(),
            active,
            scheduled,
            requests: requests.collect(),
            sessions: authority.watched()?.len() + elsewhere.len(),
            keeper_runs: authority.keeper_runs(),
            break_glass_to_review: authority.break_glass_uses()?.unreviewed().map(breakglass::shown),
            log: last.map(|record| LogEnd {
                records: record.sequence,
                time: record.time,
                head: hex(&record.hash),
            }),
            now,
        })
    }
);
