//! What waits for one's yes.

use crate::wire::{Grants, Nothing};

endpoint!(
    /// What waits for one's yes.
    Inbox = "inbox", Get "/v1/inbox", Person,
    "Requests that one's yes would bring closer",
    (Nothing, Nothing, Nothing) -> Grants,
    |desk, caller, _, _, _| {
        let person = caller.acting(None)?;
        let (grants, now) = desk.authority.inbox(&person)?;
        Ok(Grants { grants, now })
    }
);
