//! A line to the authority, wherever it is: on this machine, where root needs no daemon, or behind
//! its socket or the network. The verbs are the same, and so is what is printed.
//!
//! Here it is root who acts, or a person who is named by `--as` and proves it with a code. There it is
//! whoever logged in, which the authority checks anew for each call.

mod here;
pub mod standing;
pub mod there;
mod world;

use jit_api::Endpoint;
use jit_api::endpoints::{hosts, people};
use jit_api::wire::{ByHost, ByName, Invitation, Nothing};
use jit_core::authority::{Deed, RevokeWhich};
use jit_core::grant::{Actor, Ask, Edit, Grant, Phase};
use jit_core::id::GrantId;
use jit_core::name::{HostName, Login, PersonName, Place, Reason};
use jit_core::time::{Span, Timestamp};
use jit_core::{Kind, Result};

pub use here::Here;
pub use standing::{Explained, Standing};
pub use there::There;
pub use world::World;

use crate::output::Output;

/// What most endpoints take in one place or another.
pub const NOTHING: Nothing = Nothing {};

/// A line, and what prints.
pub struct Line {
    /// To the authority.
    pub way: Way,
    /// Prints.
    pub output: Output,
}

impl Line {
    /// ` --as PERSON`, where it has to be said who somebody is.
    pub fn by(&self, person: &PersonName) -> String {
        if self.way.is_here() { format!(" --as {person}") } else { String::new() }
    }

    /// Whether people join from machines of their own, and enrol their keys and factors there.
    pub fn invites(&self) -> bool {
        match &self.way {
            Way::Here(here) => here.authority.config().serve.is_some(),
            Way::There(_) => true,
        }
    }

    /// How somebody comes to a second factor.
    pub fn enrol(&self, person: &PersonName) -> String {
        let how = if self.invites() { "user invite" } else { "mfa enroll" };
        format!("jitctl {how} {person}")
    }
}

/// How the authority is reached.
pub enum Way {
    /// In this process.
    Here(Box<Here>),
    /// By its interface.
    There(Box<There>),
}

/// Which grants are asked for.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Only those in this state.
    pub state: Option<Phase>,
    /// Only this person's.
    pub person: Option<PersonName>,
    /// Only those on this host.
    pub host: Option<HostName>,
    /// Those that are over, too.
    pub over: bool,
    /// At most so many, the newest first.
    pub limit: Option<u32>,
}

/// What proves a yes, as it is at hand.
pub enum Proof {
    /// A signature that was made before.
    Signature(String),
    /// Nothing yet: a code is asked for, or the key here signs.
    Wanted,
}

macro_rules! both {
    ($way:expr, $authority:ident => $here:expr, $there:ident => $other:expr) => {
        match $way {
            Way::Here(here) => {
                let $authority = &here.authority;
                $here
            }
            Way::There($there) => $other,
        }
    };
}

#[allow(clippy::missing_errors_doc)] // Those of the verb, as `Authority` has them.
impl Way {
    /// The authority's time.
    pub fn now(&self) -> Result<Timestamp> {
        both!(self, a => a.now(), t => t.now())
    }

    /// Whether it is in this process.
    pub fn is_here(&self) -> bool {
        matches!(self, Way::Here(_))
    }

    /// Who acts, where that is one person whatever is said.
    pub fn me(&self) -> Option<&PersonName> {
        match self {
            Way::Here(_) => None,
            Way::There(there) => Some(there.me()),
        }
    }

    /// Files a request.
    pub fn request(&self, ask: Ask) -> Result<Grant> {
        both!(self, a => here::request(a, ask), t => t.request(&ask))
    }

    /// Asks for more time.
    pub fn extend(&self, id: &GrantId, more: Span, reason: Option<&Reason>) -> Result<Grant> {
        both!(self, a => a.extend(id, more, reason, &Actor::Root), t => t.extend(id, more, reason))
    }

    /// Changes what is asked for.
    pub fn edit(&self, id: &GrantId, edit: &Edit, by: &Actor) -> Result<Grant> {
        both!(self, a => a.edit(id, edit, by), t => t.edit(id, edit))
    }

    /// What waits for a person's yes.
    pub fn inbox(&self, person: &PersonName) -> Result<(Vec<Grant>, Timestamp)> {
        both!(self, a => a.inbox(person), t => t.inbox())
    }

    /// The grant, if it could be done to it as far as is known here.
    pub fn could(&self, deed: Deed, id: &GrantId, by: &PersonName) -> Result<Grant> {
        both!(self, a => a.could(deed, id, by), t => Ok(t.grant(id)?.0))
    }

    /// Says yes to what `seen` asks for.
    pub fn approve(
        &self,
        seen: &Grant,
        by: &PersonName,
        most: Option<Span>,
        proof: Proof,
    ) -> Result<(Grant, Standing)> {
        both!(self, a => here::approve(a, seen, by, most, proof), t => t.approve(seen, most, proof))
    }

    /// Takes a yes back.
    pub fn withdraw(&self, id: &GrantId, by: &PersonName) -> Result<Grant> {
        both!(self, a => a.withdraw(id, by), t => t.withdraw(id))
    }

    /// Says no.
    pub fn deny(&self, id: &GrantId, by: &Actor, reason: Option<&Reason>) -> Result<Grant> {
        both!(self, a => a.deny(id, by, reason), t => t.deny(id, reason))
    }

    /// Takes a request back.
    pub fn cancel(&self, id: &GrantId, by: &Actor) -> Result<Grant> {
        both!(self, a => a.cancel(id, by), t => t.cancel(id))
    }

    /// Ends a window sooner.
    pub fn shorten(
        &self,
        id: &GrantId,
        left: Span,
        by: &Actor,
        reason: Option<&Reason>,
    ) -> Result<Grant> {
        both!(self, a => a.shorten(id, left, by, reason), t => t.shorten(id, left, reason))
    }

    /// Grants past the policy.
    pub fn grant_alone(&self, ask: &Ask) -> Result<Grant> {
        both!(self, a => a.grant_alone(&Actor::Root, ask), t => t.grant_alone(ask))
    }

    /// Takes access away.
    pub fn revoke(&self, which: &RevokeWhich, reason: &Reason) -> Result<Vec<Grant>> {
        both!(self, a => a.revoke(which, &Actor::Root, reason), t => t.revoke(which, reason))
    }

    /// Calls an endpoint of the interface: here as root, there as whoever logged in.
    pub fn call<E: Endpoint>(
        &self,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Answer> {
        match self {
            Way::Here(here) => here.call::<E>(path, query, body),
            Way::There(there) => there.call::<E>(path, query, body),
        }
    }

    /// Invites a person to join; the line to send to them.
    pub fn invite_person(&self, name: &PersonName) -> Result<Invitation> {
        self.check_joinable()?;
        self.call::<people::Invite>(&ByName { name: name.clone() }, &NOTHING, &NOTHING)
    }

    /// Invites a host to join.
    pub fn invite_host(&self, name: &HostName) -> Result<Invitation> {
        self.check_joinable()?;
        self.call::<hosts::Invite>(&ByHost { name: name.clone() }, &NOTHING, &NOTHING)
    }

    /// That there is something to join: an invitation to nothing would only puzzle.
    fn check_joinable(&self) -> Result<()> {
        match self {
            Way::Here(here) => here.pin().map(drop),
            Way::There(_) => Ok(()),
        }
    }

    /// One grant, and when it was looked at.
    pub fn grant(&self, id: &GrantId) -> Result<(Grant, Timestamp)> {
        both!(self, a => a.grant(id), t => t.grant(id))
    }

    /// As [`Way::grant`], once it is decided or lapsed, or the time is over.
    pub fn decided(&self, asked: Grant, patience: Span) -> Result<(Grant, Timestamp)> {
        both!(self, a => here::decided(a, asked.id(), patience), t => t.decided(asked, patience))
    }

    /// Grants, the newest first, and when they were looked at.
    pub fn grants(&self, which: &Which) -> Result<(Vec<Grant>, Timestamp)> {
        both!(self, a => here::grants(a, which), t => t.grants(which))
    }

    /// What a request misses, and who could give it.
    pub fn standing(&self, grant: &Grant) -> Result<Standing> {
        both!(self, a => here::standing(a, grant), t => t.standing(grant))
    }

    /// A person's groups, where whoever asks may know.
    pub fn groups(&self, person: &PersonName) -> Result<Option<Vec<String>>> {
        match self.call::<people::Show>(&ByName { name: person.clone() }, &NOTHING, &NOTHING) {
            Ok(person) => Ok(Some(person.groups.iter().map(ToString::to_string).collect())),
            // Admins may know.
            Err(error)
                if !self.is_here() && matches!(error.kind(), Kind::Refused | Kind::NotFound) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a person has access, or how they could get it.
    pub fn explain(
        &self,
        person: &PersonName,
        login: &Login,
        place: &Place,
        sudo: bool,
        duration: Option<Span>,
    ) -> Result<Explained> {
        both!(self,
            a => a.explain(person, login, place, sudo, duration).map(Explained::from),
            t => t.explain(person, login, place, sudo, duration))
    }
}
