//! Sessions of the authority's own host.

use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::wire::{self, Nothing};

endpoint!(
    /// Sessions that are not over.
    List = "sessions", Get "/v1/sessions", Admin, "Sessions that are not over",
    (Nothing, Nothing, Nothing) -> wire::Sessions, list
);

fn list(
    desk: &Desk<'_>,
    _: &Caller,
    _: Nothing,
    _: Nothing,
    _: Nothing,
) -> Result<wire::Sessions, Failure> {
    let sessions = desk.authority.watched()?.into_iter().map(|watched| {
        let session = watched.session;
        wire::Session {
            id: session.id,
            host: session.host,
            action: session.action.to_string(),
            person: session.person,
            login: session.login,
            opened_at: session.opened_at,
            ends_at: watched.deadline,
            rhost: session.rhost,
            tty: session.tty,
            extend: watched.last,
        }
    });
    Ok(wire::Sessions { sessions: sessions.collect() })
}
