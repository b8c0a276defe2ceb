//! Extending a grant: a request of its own, decided by the same rules, whose window starts where the
//! other's ends. The cover of both is one, so a session that is running goes on.

use super::grants::{alive, known_grant};
use super::{Authority, NewRequest};
use crate::error::{Error, Result};
use crate::grant::{Actor, Ask, Grant, Phase, State, Window};
use crate::id::GrantId;
use crate::name::Reason;
use crate::store::Tx;
use crate::time::{Span, Timestamp};

impl Authority {
    /// Asks for `duration` more at the end of a grant, for the same person, account and place; for
    /// the same reason unless another is given. What the policy gives at most counts from the start
    /// of the grant that was extended first.
    ///
    /// # Errors
    /// As [`Authority::request`]; not found; refused when the grant has no end to go on from.
    pub fn extend(
        &self,
        id: &GrantId,
        duration: Span,
        reason: Option<&Reason>,
        by: &Actor,
    ) -> Result<Grant> {
        let (grant, now) = self.grant(id)?;
        let phase = grant.phase(now);
        let window = grant
            .window()
            .filter(|_| matches!(phase, Phase::Scheduled | Phase::Active))
            .ok_or_else(|| {
            Error::refused(format!("{id} is {phase} and can't be extended"))
                .next("Ask for access anew: jitctl request")
        })?;
        let asked = grant.ask();
        let ask = Ask {
            duration,
            start: Some(window.not_after),
            extends: Some(id.clone()),
            reason: reason.unwrap_or(&asked.reason).clone(),
            ..asked.clone()
        };
        self.request(&NewRequest { ask, by: by.clone(), origin: None })
    }
}

/// How long access lasts by the time that an extension starts, in seconds; 0 for what extends
/// nothing.
pub(super) fn access_before(tx: &dyn Tx, ask: &Ask) -> Result<u64> {
    let Some(id) = &ask.extends else { return Ok(0) };
    let mut first = known_grant(tx, id)?;
    let end = window_of(&first)?.not_after;
    while let Some(id) = &first.ask().extends {
        first = known_grant(tx, id)?;
    }
    Ok(end.since(window_of(&first)?.not_before))
}

/// The window of a grant that may be gone on with.
fn window_of(grant: &Grant) -> Result<Window> {
    grant.window().ok_or_else(|| {
        let why = match grant.state() {
            State::Revoked { .. } => "was revoked",
            _ => "has no window",
        };
        Error::refused(format!("{}, which this extends, {why}", grant.id()))
            .next("Ask for access anew: jitctl request")
    })
}

/// A grant and all living ones that extend it: taking away access takes away its extensions.
pub(super) fn with_extensions(tx: &dyn Tx, grant: Grant, now: Timestamp) -> Result<Vec<Grant>> {
    let mut others = alive(tx, Some(&grant.ask().person), now)?;
    let mut found = vec![grant];
    let mut at = 0;
    while let Some(base) = found.get(at).map(|grant| grant.id().clone()) {
        let (extend_it, rest) =
            others.into_iter().partition(|other| other.ask().extends.as_ref() == Some(&base));
        found.extend::<Vec<Grant>>(extend_it);
        others = rest;
        at += 1;
    }
    Ok(found)
}
