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

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::id::GrantId;
use crate::name::{Login, PersonName, Place, Reason, RoleName};
use crate::restriction::Restrictions;
use crate::time::{Span, Timestamp};

/// `not_before ≤ now < not_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first second of it.
    pub not_before: Timestamp,
    /// The first second past it.
    pub not_after: Timestamp,
}

impl Window {
    /// A window that is not empty.
    ///
    /// # Errors
    /// Invalid when it is.
    pub fn new(not_before: Timestamp, not_after: Timestamp) -> Result<Self> {
        if not_before >= not_after {
            return Err(Error::invalid("the window ends before it starts"));
        }
        Ok(Window { not_before, not_after })
    }

    /// Whether `now` lies in it.
    pub fn contains(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

/// What may be done with a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Log in by ssh.
    Login,
    /// Use sudo.
    Sudo,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Action::Login => "login",
            Action::Sudo => "sudo",
        })
    }
}

/// What sshd lets a session do beyond running commands: a certificate extension, and the option of
/// the same meaning on an authorized key (PROTOCOL.certkeys, sshd(8)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// `permit-agent-forwarding`
    AgentForwarding,
    /// `permit-port-forwarding`
    PortForwarding,
    /// `permit-pty`
    Pty,
    /// `permit-user-rc`
    UserRc,
    /// `permit-X11-forwarding`
    X11Forwarding,
}

impl Permission {
    /// The certificate extension.
    pub fn extension(self) -> &'static str {
        match self {
            Permission::AgentForwarding => "permit-agent-forwarding",
            Permission::PortForwarding => "permit-port-forwarding",
            Permission::Pty => "permit-pty",
            Permission::UserRc => "permit-user-rc",
            Permission::X11Forwarding => "permit-X11-forwarding",
        }
    }

    /// The authorized_keys option, which follows `restrict`.
    pub fn key_option(self) -> &'static str {
        match self {
            Permission::AgentForwarding => "agent-forwarding",
            Permission::PortForwarding => "port-forwarding",
            Permission::Pty => "pty",
            Permission::UserRc => "user-rc",
            Permission::X11Forwarding => "X11-forwarding",
        }
    }
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// A person, who proved to be that person.
    Person(PersonName),
    /// Root on the authority's machine, at the command line.
    Root,
    /// A program of ours, such as `jitd`.
    Program(Program),
}

/// The programs that act on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The keeper.
    Jitd,
    /// The PAM module, where it doesn't know who somebody is.
    PamJit,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Program::Jitd => "jitd",
            Program::PamJit => "pam_jit",
        })
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Person(name) => write!(f, "person:{name}"),
            Actor::Root => f.write_str("root"),
            Actor::Program(name) => write!(f, "program:{name}"),
        }
    }
}

impl TryFrom<String> for Actor {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        match text.split_once(':') {
            Some(("person", name)) => Ok(Actor::Person(PersonName::parse(name)?)),
            Some(("program", "jitd")) => Ok(Actor::Program(Program::Jitd)),
            Some(("program", "pam_jit")) => Ok(Actor::Program(Program::PamJit)),
            None if text == "root" => Ok(Actor::Root),
            _ => Err(Error::tampered("a record names an unknown kind of actor")),
        }
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> String {
        actor.to_string()
    }
}

/// One person's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Whose.
    pub by: PersonName,
    /// When.
    pub at: Timestamp,
}

/// How a request came to be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The people the policy asks for said yes.
    People,
    /// The policy says yes by itself.
    Policy,
    /// Root granted it alone.
    Root,
}

/// Where a grant stands, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase", deny_unknown_fields)]
pub enum State {
    /// Waits for a decision.
    Requested,
    /// Has a window.
    Approved {
        /// When access lasts.
        window: Window,
        /// Who said yes.
        way: Way,
    },
    /// Somebody said no.
    Denied {
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
        /// Why, in their words.
        reason: Option<Reason>,
    },
    /// The requester took it back.
    Cancelled {
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// Nobody decided in time.
    Lapsed {
        /// When.
        at: Timestamp,
    },
    /// Taken away before its end.
    Revoked {
        /// The window it had.
        window: Window,
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
        /// Why.
        reason: Reason,
    },
}

/// Where a grant stands at a moment: its state, with the window and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Phase {
    Requested,
    Scheduled,
    Active,
    Ended,
    Denied,
    Cancelled,
    Lapsed,
    Revoked,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::Requested => "requested",
            Phase::Scheduled => "scheduled",
            Phase::Active => "active",
            Phase::Ended => "ended",
            Phase::Denied => "denied",
            Phase::Cancelled => "cancelled",
            Phase::Lapsed => "lapsed",
            Phase::Revoked => "revoked",
        })
    }
}

impl std::str::FromStr for Phase {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        [
            Phase::Requested,
            Phase::Scheduled,
            Phase::Active,
            Phase::Ended,
            Phase::Denied,
            Phase::Cancelled,
            Phase::Lapsed,
            Phase::Revoked,
        ]
        .into_iter()
        .find(|phase| phase.to_string() == text)
        .ok_or_else(|| {
            Error::invalid(format!("`{}` is no state", text.escape_debug())).next(
                "States: requested, scheduled, active, ended, denied, cancelled, lapsed, revoked.",
            )
        })
    }
}

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
    /// Whether approvers may shorten it.
    #[serde(default = "yes")]
    pub shorten: bool,
}

fn yes() -> bool {
    true
}

impl Terms {
    /// Those of what root grants alone.
    pub fn of_root() -> Self {
        Terms {
            role: None,
            permissions: [Permission::Pty].into(),
            restrictions: Restrictions::default(),
            shorten: true,
        }
    }
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

/// Grants for the tests of other modules, built through the real transitions.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub(crate) fn ask(person: &str, secs: u64) -> Ask {
        Ask {
            person: PersonName::parse(person).unwrap(),
            login: Login::parse("deploy").unwrap(),
            place: Place::parse("web-1").unwrap(),
            sudo: false,
            duration: Span::from_secs(secs).unwrap(),
            start: None,
            extends: None,
            reason: Reason::parse("a good reason").unwrap(),
        }
    }

    pub(crate) fn requested(ask: Ask, now: u64) -> Grant {
        Grant::request(
            GrantId::random().unwrap(),
            ask.clone(),
            Terms::of_root(),
            Actor::Person(ask.person),
            at(now),
            Span::from_secs(3600).unwrap(),
        )
        .unwrap()
    }

    pub(crate) fn active(ask: Ask, now: u64) -> Grant {
        requested(ask, now).approve(Way::People, at(now)).unwrap()
    }

    pub(crate) fn at(unix: u64) -> Timestamp {
        Timestamp::from_unix(unix).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;

    fn reason() -> Reason {
        Reason::parse("because").unwrap()
    }

    #[test]
    fn the_window_ends_when_it_ends() {
        let grant = active(ask("alice", 60), 1000);
        assert_eq!(grant.phase(at(1000)), Phase::Active);
        assert_eq!(grant.phase(at(1059)), Phase::Active);
        assert_eq!(grant.phase(at(1060)), Phase::Ended);
    }

    #[test]
    fn a_late_approval_of_a_scheduled_window_does_not_move_its_end() {
        let mut wanted = ask("alice", 600);
        wanted.start = Some(at(1100));
        let early = requested(wanted.clone(), 1000).approve(Way::People, at(1050)).unwrap();
        assert_eq!(early.window().unwrap(), Window::new(at(1100), at(1700)).unwrap());
        assert_eq!(early.phase(at(1099)), Phase::Scheduled);
        let late = requested(wanted.clone(), 1000).approve(Way::People, at(1400)).unwrap();
        assert_eq!(late.window().unwrap(), Window::new(at(1400), at(1700)).unwrap());
        assert!(requested(wanted, 1000).approve(Way::People, at(1700)).is_err());
    }

    #[test]
    fn what_is_decided_stays_decided() {
        let now = at(1010);
        let decided = [
            active(ask("alice", 60), 1000),
            requested(ask("alice", 60), 1000).deny(Actor::Root, None, now).unwrap(),
            requested(ask("alice", 60), 1000).cancel(Actor::Root, now).unwrap(),
            active(ask("alice", 60), 1000).revoke(Actor::Root, reason(), now).unwrap(),
        ];
        for grant in decided {
            let bob = PersonName::parse("bob").unwrap();
            assert!(grant.clone().approve(Way::Root, now).is_err());
            assert!(grant.clone().approved_by(bob, now).is_err());
            assert!(grant.clone().deny(Actor::Root, None, now).is_err());
            assert!(grant.clone().cancel(Actor::Root, now).is_err());
            assert!(grant.clone().lapse(at(9999)).is_err());
            let revocable = matches!(grant.state(), State::Approved { .. });
            assert_eq!(grant.clone().revoke(Actor::Root, reason(), now).is_ok(), revocable);
        }
    }

    #[test]
    fn an_undecided_request_lapses_and_then_nobody_can_approve_it() {
        let grant = requested(ask("alice", 60), 1000);
        assert!(grant.clone().lapse(at(4599)).is_err());
        assert_eq!(grant.phase(at(4600)), Phase::Lapsed);
        assert!(grant.clone().approve(Way::People, at(4600)).is_err());
        assert!(grant.lapse(at(4600)).is_ok());
    }

    #[test]
    fn nobody_approves_their_own_request_or_twice() {
        let grant = requested(ask("alice", 60), 1000);
        let alice = PersonName::parse("ALICE").unwrap();
        assert!(grant.clone().approved_by(alice, at(1001)).is_err());
        let bob = PersonName::parse("bob").unwrap();
        let once = grant.approved_by(bob.clone(), at(1001)).unwrap();
        assert_eq!(once.version(), 2);
        assert!(once.approved_by(bob, at(1002)).is_err());
    }

    #[test]
    fn a_revoked_grant_has_no_window() {
        let grant = active(ask("alice", 60), 1000).revoke(Actor::Root, reason(), at(1001)).unwrap();
        assert!(grant.window().is_none());
        assert_eq!(grant.phase(at(1001)), Phase::Revoked);
        assert!(active(ask("alice", 60), 1000).revoke(Actor::Root, reason(), at(1060)).is_err());
    }
}
