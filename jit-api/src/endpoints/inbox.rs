//! What waits for one's yes.

use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::wire::{Grants, Nothing};

endpoint!(
    /// What waits for one's yes.
    Inbox = "inbox", Get "/v1/inbox", Person,
    "Requests that one's yes would bring closer",
    (Nothing, Nothing, Nothing) -> Grants, inbox
);

fn inbox(
    desk: &Desk<'_>,
    caller: &Caller,
    _: Nothing,
    _: Nothing,
    _: Nothing,
) -> Result<Grants, Failure> {
    let person = caller.acting(None)?;
    let (grants, now) = desk.authority.inbox(&person)?;
    Ok(Grants { grants, now })
}
