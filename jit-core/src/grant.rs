//! A grant: one object through its life.
//!
//! ```text
//! requested ──approve──▶ approved ──(window and clock)──▶ scheduled, active, ended
//!     │                      └──revoke──▶ revoked
//!     ├──deny────▶ denied
//!     ├──cancel──▶ cancelled
//!     └──lapse───▶ lapsed
//! ```
//! Every transition consumes the grant and gives the next one or a typed error; there is no way to
//! set a state. Each raises the version, on which the store's compare-and-swap decides races.

mod action;
mod actor;
mod approval;
mod state;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use action::{Action, Permission};
pub use actor::{Actor, Program};
pub use approval::{Approval, Way};
pub use state::{Phase, State};
pub use window::Window;

use crate::error::{Error, Kind, Result};
use crate::id::GrantId;
use crate::name::{Login, PersonName, Place, Reason, RoleName};
use crate::time::{Span, Timestamp};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Who asks.
    pub person: PersonName,
    /// The account wanted.
    pub login: Login,
    /// The host, or the hosts of a label.
    pub place: Place,
    /// Whether sudo is wanted too.
    pub sudo: bool,
    /// For how long.
    pub duration: Span,
    /// From when, where not from approval on.
    pub start: Option<Timestamp>,
    /// The grant at whose end this goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<GrantId>,
    /// Why.
    pub reason: Reason,
}

/// What the policy allowed at the time of asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The role that matched; none where root granted it alone.
    pub role: Option<RoleName>,
    /// What sshd lets the session do.
    pub permissions: BTreeSet<Permission>,
}

/// One object from request to end. See the module for its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    id: GrantId,
    version: u64,
    ask: Ask,
    terms: Terms,
    requested_by: Actor,
    requested_at: Timestamp,
    lapses_at: Timestamp,
    approvals: Vec<Approval>,
    state: State,
}

impl Grant {
    /// A new request, at version 1.
    ///
    /// # Errors
    /// Invalid when its times leave the calendar.
    pub fn request(
        id: GrantId,
        ask: Ask,
        terms: Terms,
        by: Actor,
        now: Timestamp,
        patience: Span,
    ) -> Result<Self> {
        Ok(Grant {
            id,
            version: 1,
            ask,
            terms,
            requested_by: by,
            requested_at: now,
            lapses_at: now.after(patience)?,
            approvals: Vec::new(),
            state: State::Requested,
        })
    }

    /// Adds one person's yes, which by itself opens nothing.
    ///
    /// # Errors
    /// Conflict when no longer undecided; refused when the approver is the requester, or has
    /// approved before.
    pub fn approved_by(self, by: PersonName, now: Timestamp) -> Result<Self> {
        let mut grant = self.undecided(now, "approved")?;
        // The policy says so too. It stands here as well because no path may ever get round it.
        if by == grant.ask.person {
            return Err(Error::refused(format!("{by} can't approve {by}'s own request"))
                .next("Somebody else has to."));
        }
        if grant.approvals.iter().any(|approval| approval.by == by) {
            return Err(Error::refused(format!("{by} has approved {} already", grant.id)));
        }
        grant.approvals.push(Approval { by, at: now });
        Ok(grant.next_version())
    }

    /// Gives the request its window: from now, or from the time asked for, to the end that follows
    /// from it. A late approval never moves the end of a scheduled window.
    ///
    /// # Errors
    /// Conflict when no longer undecided; refused when the time asked for is over.
    pub fn approve(self, way: Way, now: Timestamp) -> Result<Self> {
        let mut grant = self.undecided(now, "approved")?;
        let start = grant.ask.start.unwrap_or(now);
        let end = start.after(grant.ask.duration)?;
        if end <= now {
            return Err(Error::refused(format!("the time {} asked for is over", grant.id)));
        }
        let window = Window::new(start.max(now), end)?;
        grant.state = State::Approved { window, way };
        Ok(grant.next_version())
    }

    /// On the terms of the role whose approvals are complete, which may be another than the one that
    /// seemed nearest when it was asked for.
    pub(crate) fn on_terms(mut self, terms: Terms) -> Self {
        self.terms = terms;
        self
    }

    /// Says no.
    ///
    /// # Errors
    /// Conflict when no longer undecided.
    pub fn deny(self, by: Actor, reason: Option<Reason>, now: Timestamp) -> Result<Self> {
        let mut grant = self.undecided(now, "denied")?;
        grant.state = State::Denied { by, at: now, reason };
        Ok(grant.next_version())
    }

    /// Takes the request back.
    ///
    /// # Errors
    /// Conflict when no longer undecided.
    pub fn cancel(self, by: Actor, now: Timestamp) -> Result<Self> {
        let mut grant = self.undecided(now, "cancelled")?;
        grant.state = State::Cancelled { by, at: now };
        Ok(grant.next_version())
    }

    /// Puts on record that nobody decided in time.
    ///
    /// # Errors
    /// Conflict when decided, or still in time.
    pub fn lapse(mut self, now: Timestamp) -> Result<Self> {
        if self.state != State::Requested || self.phase(now) != Phase::Lapsed {
            return Err(self.illegal("lapsed", now));
        }
        self.state = State::Lapsed { at: now };
        Ok(self.next_version())
    }

    /// Takes access away before its end.
    ///
    /// # Errors
    /// Conflict when there is no access to take away.
    pub fn revoke(mut self, by: Actor, reason: Reason, now: Timestamp) -> Result<Self> {
        match (&self.state, self.phase(now)) {
            (State::Approved { window, .. }, Phase::Scheduled | Phase::Active) => {
                self.state = State::Revoked { window: *window, by, at: now, reason };
                Ok(self.next_version())
            }
            _ => Err(self.illegal("revoked", now)),
        }
    }

    /// Where the grant stands at `now`.
    pub fn phase(&self, now: Timestamp) -> Phase {
        match &self.state {
            State::Requested if now >= self.lapses_at => Phase::Lapsed,
            State::Requested => Phase::Requested,
            State::Approved { window, .. } if now < window.not_before => Phase::Scheduled,
            State::Approved { window, .. } if window.contains(now) => Phase::Active,
            State::Approved { .. } => Phase::Ended,
            State::Denied { .. } => Phase::Denied,
            State::Cancelled { .. } => Phase::Cancelled,
            State::Lapsed { .. } => Phase::Lapsed,
            State::Revoked { .. } => Phase::Revoked,
        }
    }

    /// The window, of a grant that is approved and not revoked.
    pub fn window(&self) -> Option<Window> {
        match self.state {
            State::Approved { window, .. } => Some(window),
            _ => None,
        }
    }

    /// Whether the grant allows `action` (at some time).
    pub fn allows(&self, action: Action) -> bool {
        action == Action::Login || self.ask.sudo
    }

    /// The id.
    pub fn id(&self) -> &GrantId {
        &self.id
    }

    /// Raised by every change; starts at 1.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What was asked for.
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// What the policy allowed.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Who filed it: the person, or root for them.
    pub fn requested_by(&self) -> &Actor {
        &self.requested_by
    }

    /// When it was filed.
    pub fn requested_at(&self) -> Timestamp {
        self.requested_at
    }

    /// When it lapses if nobody decides.
    pub fn lapses_at(&self) -> Timestamp {
        self.lapses_at
    }

    /// The people who said yes.
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// The stored state; [`Grant::phase`] is what it means at a moment.
    pub fn state(&self) -> &State {
        &self.state
    }

    fn undecided(self, now: Timestamp, verb: &str) -> Result<Self> {
        match self.phase(now) {
            Phase::Requested => Ok(self),
            _ => Err(self.illegal(verb, now)),
        }
    }

    fn illegal(&self, verb: &str, now: Timestamp) -> Error {
        Error::new(
            Kind::Conflict,
            format!("{} is {} and can't be {verb}", self.id, self.phase(now)),
        )
        .next(format!("jitctl show {}", self.id))
    }

    fn next_version(mut self) -> Self {
        self.version += 1;
        self
    }
}
