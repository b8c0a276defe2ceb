//! Whether and how somebody has, or could get, access.

use crate::problem::Failure;
use crate::wire::{self, Nothing};

endpoint!(
    /// Whether and how.
    Explain = "explain", Get "/v1/explain", Person,
    "Whether and how one has, or could get, access; an admin asks for anybody",
    (Nothing, wire::Explain, Nothing) -> wire::Explanation,
    |desk, caller, _, query, _| {
        let person = match &query.person {
            Some(person) if caller.may_look_at(person) => person.clone(),
            Some(person) => return Err(Failure::forbidden(format!("{person} is not you"))),
            None => caller.acting(None)?,
        };
        let span = query.span()?;
        let found = desk.authority.explain(&person, &query.login, &query.place, query.sudo, span)?;
        let decision = serde_json::to_value(&found.decision)
            .map_err(|e| jit_core::Error::unavailable(format!("it can't be written: {e}")))?;
        Ok(wire::Explanation {
            covered_until: found.covered_until,
            grants: found.grants,
            decision,
            approvers: found.approvers,
            obstacles: found.obstacles,
        })
    }
);
