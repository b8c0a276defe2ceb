//! A grant: one object through its life.
//!
//! ```text
//! requested ──approve──▶ approved ──(window and clock)──▶ scheduled, active, ended
//!     │  ▲ │                 ├──shorten──▶ approved, to a sooner end
//!     │  └─┘ edit, withdraw   └──revoke───▶ revoked
//!     ├──deny────▶ denied
//!     ├──cancel──▶ cancelled
//!     └──lapse───▶ lapsed
//! ```
//! Every transition consumes the grant and gives the next one or a typed error; there is no way to
//! set a state. Each raises the version, on which the store's compare-and-swap decides races.

mod action;
mod actor;
mod approval;
mod canonical;
mod change;
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
pub use approval::{Approval, Digest, Evidence, Way, Yes};
pub use canonical::NAMESPACE;
pub use change::{Edit, Shortened};
pub use state::{Phase, State};
pub use window::Window;

use crate::error::{Error, Kind, Result};
use crate::id::GrantId;
use crate::name::{Login, PersonName, Place, Reason, RoleName};
use crate::policy::FactorRule;
use crate::restriction::Restrictions;
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
    /// What sshd holds the session to.
    #[serde(default, skip_serializing_if = "Restrictions::is_empty")]
    pub restrictions: Restrictions,
    /// Which second factors it takes.
    #[serde(default, skip_serializing_if = "FactorRule::is_default")]
    pub factors: FactorRule,
    /// Whether approvers may shorten it.
    #[serde(default = "shortening")]
    pub shorten: bool,
    /// Which version of the policy; none where root granted it alone.
    #[serde(default)]
    pub policy: String,
}

fn shortening() -> bool {
    true
}

impl Terms {
    /// Those of what root grants alone.
    pub fn of_root() -> Self {
        Terms {
            role: None,
            permissions: [Permission::Pty].into(),
            restrictions: Restrictions::default(),
            factors: FactorRule::default(),
            shorten: true,
            policy: String::new(),
        }
    }
}

/// Where a request came from that was filed at a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The client's address, as sshd reports it.
    pub rhost: Option<String>,
    /// The terminal.
    pub tty: Option<String>,
}

/// One object from request to end. See the module for its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    id: GrantId,
    version: u64,
    #[serde(default = "first")]
    revision: u64,
    ask: Ask,
    terms: Terms,
    requested_by: Actor,
    requested_at: Timestamp,
    #[serde(default)]
    origin: Option<Origin>,
    lapses_at: Timestamp,
    approvals: Vec<Approval>,
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shortened: Option<Shortened>,
}

fn first() -> u64 {
    1
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
            revision: 1,
            ask,
            terms,
            requested_by: by,
            requested_at: now,
            origin: None,
            lapses_at: now.after(patience)?,
            approvals: Vec::new(),
            state: State::Requested,
            shortened: None,
        })
    }

    /// As filed from there.
    pub(crate) fn filed_from(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// Gives the request its window: from now, or from the time asked for, to the end that follows
    /// from it. A late approval never moves the end of a scheduled window.
    ///
    /// # Errors
    /// Conflict when no longer undecided; refused when the time asked for is over.
    pub fn approve(mut self, way: Way, now: Timestamp) -> Result<Self> {
        self.check_undecided(now, "approved")?;
        let start = self.ask.start.unwrap_or(now);
        let duration = match way {
            Way::People => self.approved_for(),
            Way::Policy | Way::Root | Way::BreakGlass => self.ask.duration,
        };
        let end = start.after(duration)?;
        if end <= now {
            return Err(Error::refused(format!("the time {} asked for is over", self.id)));
        }
        let window = Window::new(start.max(now), end)?;
        self.state = State::Approved { window, way };
        Ok(self.next_version())
    }

    /// Says no.
    ///
    /// # Errors
    /// Conflict when no longer undecided.
    pub fn deny(mut self, by: Actor, reason: Option<Reason>, now: Timestamp) -> Result<Self> {
        self.check_undecided(now, "denied")?;
        self.state = State::Denied { by, at: now, reason };
        Ok(self.next_version())
    }

    /// Takes the request back.
    ///
    /// # Errors
    /// Conflict when no longer undecided.
    pub fn cancel(mut self, by: Actor, now: Timestamp) -> Result<Self> {
        self.check_undecided(now, "cancelled")?;
        self.state = State::Cancelled { by, at: now };
        Ok(self.next_version())
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

    /// Which version of what is asked for this is: raised by every edit; starts at 1.
    pub fn revision(&self) -> u64 {
        self.revision
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

    /// Where it was filed, if at a prompt.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// When it lapses if nobody decides.
    pub fn lapses_at(&self) -> Timestamp {
        self.lapses_at
    }

    /// Every yes that was given; [`Grant::counting`] are those that count.
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// The stored state; [`Grant::phase`] is what it means at a moment.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// That it was made to end sooner.
    pub fn shortened(&self) -> Option<&Shortened> {
        self.shortened.as_ref()
    }

    /// That nobody has decided.
    pub(crate) fn check_undecided(&self, now: Timestamp, verb: &str) -> Result<()> {
        match self.phase(now) {
            Phase::Requested => Ok(()),
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
