//! Sessions of the authority's own host, and of others as those have told.

use jit_core::authority::{Elsewhere, Watched};
use jit_core::time::Timestamp;

use crate::wire::{Nothing, Processes, Session, Sessions};

endpoint!(
    /// Sessions that are not over.
    List = "sessions", Get "/v1/sessions", Admin, "Sessions that are not over",
    (Nothing, Nothing, Nothing) -> Sessions,
    |desk, _, _, _, _| {
        let mut sessions: Vec<_> = desk.authority.watched()?.into_iter().map(here).collect();
        let (others, now) = desk.authority.sessions_elsewhere()?;
        sessions.extend(others.into_iter().map(|other| elsewhere(other, now)));
        Ok(Sessions { sessions, keeper_runs: desk.authority.keeper_runs() })
    }
);

fn here(watched: Watched) -> Session {
    let session = watched.session;
    Session {
        id: session.id,
        host: session.host,
        action: session.action.to_string(),
        person: session.person,
        login: session.login,
        opened_at: session.opened_at,
        closed_at: session.closed_at,
        ends_at: watched.deadline,
        seconds_left: watched.millis_left.div_ceil(1000),
        rhost: session.rhost,
        tty: session.tty,
        grants: session.grants,
        extend: watched.last,
        processes: Some(Processes {
            pid: session.anchor.pid,
            scope: session.anchor.scope,
            audit_session: session.anchor.audit_session,
        }),
    }
}

fn elsewhere(other: Elsewhere, now: Timestamp) -> Session {
    let Elsewhere { host, id, session, deadline, last } = other;
    Session {
        id,
        host,
        action: session.action.to_string(),
        person: session.person,
        login: session.login,
        opened_at: session.opened_at,
        closed_at: session.closed_at,
        ends_at: deadline,
        seconds_left: deadline.map_or(0, |deadline| deadline.since(now)),
        rhost: session.rhost,
        tty: session.tty,
        grants: session.grants,
        extend: last,
        processes: None,
    }
}
