//! Changing a request before it is decided, and ending a window sooner.

use serde::{Deserialize, Serialize};

use super::{Actor, Grant, Phase, State, Terms, Window};
use crate::error::{Error, Result};
use crate::name::Reason;
use crate::time::{Span, Timestamp};

/// What is changed of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// For how long.
    pub duration: Option<Span>,
    /// From when.
    pub start: Option<Timestamp>,
    /// Why.
    pub reason: Option<Reason>,
}

/// That a window was made to end sooner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shortened {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// When it would have ended.
    pub from: Timestamp,
}

impl Grant {
    /// Asks for something else. What people said yes to before counts no longer.
    ///
    /// # Errors
    /// Conflict when no longer undecided; refused when nothing is changed, or the start of what
    /// goes on with another grant.
    pub fn edit(mut self, edit: &Edit, now: Timestamp) -> Result<Self> {
        self.check_undecided(now, "edited")?;
        if self.ask.extends.is_some() && edit.start.is_some() {
            return Err(Error::refused(format!("{} starts where what it extends ends", self.id)));
        }
        let before = self.ask.clone();
        self.ask.duration = edit.duration.unwrap_or(before.duration);
        self.ask.start = edit.start.or(before.start);
        self.ask.reason = edit.reason.as_ref().unwrap_or(&before.reason).clone();
        if self.ask == before {
            return Err(Error::refused("that changes nothing"));
        }
        self.revision += 1;
        Ok(self.next_version())
    }

    /// The terms of what it asks for now.
    pub(crate) fn on_terms(mut self, terms: Terms) -> Self {
        self.terms = terms;
        self
    }

    /// That the role lets approvers give less than is asked for.
    ///
    /// # Errors
    /// Refused when it does not.
    pub(crate) fn check_may_shorten(&self) -> Result<()> {
        if self.terms.shorten {
            return Ok(());
        }
        Err(Error::refused(format!("the policy lets nobody shorten {}", self.id))
            .next(format!("Deny it, or end it: jitctl revoke {} --reason TEXT", self.id)))
    }

    /// Ends the window sooner: `left` after now, or after its start where that is to come.
    ///
    /// # Errors
    /// Conflict when there is no window to shorten; refused when it ends no later by itself.
    pub fn shorten(mut self, left: Span, by: Actor, now: Timestamp) -> Result<Self> {
        let (State::Approved { window, way }, Phase::Scheduled | Phase::Active) =
            (&self.state, self.phase(now))
        else {
            return Err(self.illegal("shortened", now));
        };
        let (window, way) = (*window, *way);
        let end = window.not_before.max(now).after(left)?;
        if end >= window.not_after {
            return Err(Error::refused(format!(
                "{} ends {}, which is no later",
                self.id,
                window.not_after.local()
            ))
            .next(format!("More time: jitctl extend {} --for DURATION", self.id)));
        }
        self.state = State::Approved { window: Window::new(window.not_before, end)?, way };
        self.shortened = Some(Shortened { by, at: now, from: window.not_after });
        Ok(self.next_version())
    }
}
