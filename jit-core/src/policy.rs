//! Policy: who may get what, for how long, and whose yes it takes. Read from a file by
//! [`Policy::load`], decided by the pure function [`decide()`].

mod decide;
mod diff;
mod doubts;
mod factors;
mod file;
mod hours;
mod places;
mod reason;
mod retold;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::cases;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use file::{login_pattern, member};

pub use decide::{
    Considered, Decision, Facts, Held, Verdict, decide, eligible, may_approve, strictest,
};
pub use diff::{apply, difference};
pub use doubts::doubts;
pub use factors::FactorRule;
pub use file::version;
pub use hours::Hours;
pub use places::Places;
pub use reason::{Pattern, ReasonRule};
pub use retold::{CHANGE, Retold, Versions};

use crate::grant::Permission;
use crate::host::Host;
use crate::name::{GroupName, Login, PersonName, RoleName};
use crate::person::Person;
use crate::restriction::Restrictions;
use crate::time::{Span, Timestamp};

/// The rules in force. An empty one denies everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What may be asked for.
    pub roles: Vec<Role>,
    /// What nobody gets, whatever a role says.
    pub denies: Vec<Deny>,
    /// Which policy decided, as [`version()`] has it.
    pub version: String,
}

impl Policy {
    /// Whether some role has something for `person` on `host`, whatever else it takes.
    pub fn reaches(&self, person: &Person, host: &Host) -> bool {
        self.roles.iter().any(|role| {
            role.members.iter().any(|member| member.includes(person))
                && role.hosts.iter().any(|places| places.includes(host))
        })
    }
}

/// A policy as it took effect, kept so that one that does not parse changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// As [`Policy::version`].
    pub version: String,
    /// What the file held.
    pub text: String,
    /// When it was first seen.
    pub since: Timestamp,
    /// The version of the file that did not parse since, and is on the log as that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Some people, some places, some accounts, and the terms on which they come together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// Who may ask.
    pub members: Vec<Member>,
    /// Where: in any of these.
    pub hosts: Vec<Places>,
    /// As whom.
    pub logins: Vec<LoginPattern>,
    /// Whether sudo may be asked for.
    pub sudo: bool,
    /// The longest window.
    pub max_duration: Span,
    /// How far ahead a window may start, where a time is asked for.
    pub max_lead: Span,
    /// What the reason must look like.
    pub reason: ReasonRule,
    /// When access may last: the window lies within.
    pub hours: Option<Hours>,
    /// How many grants of this role one person may have at a time.
    pub max_active: Option<u32>,
    /// Whose yes it takes.
    pub approvals: Approvals,
    /// Where one of these is met, nobody's yes is needed.
    pub auto_approve: Vec<Condition>,
    /// Which second factors it takes.
    pub factors: FactorRule,
    /// Whether approvers may shorten what was asked for.
    pub shorten: bool,
    /// What sshd lets the session do.
    pub permissions: BTreeSet<Permission>,
    /// What sshd holds the session to.
    pub restrictions: Restrictions,
}

/// When a role says yes by itself: everything that is given is met. What is absent is met always,
/// but sudo, which is approved so only where that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Who asks.
    pub members: Option<Vec<Member>>,
    /// Where.
    pub hosts: Option<Vec<Places>>,
    /// As whom.
    pub logins: Option<Vec<LoginPattern>>,
    /// When access lasts.
    pub hours: Option<Hours>,
    /// For how long at most, extensions included.
    pub max_duration: Option<Span>,
    /// Whether sudo is approved so, too.
    pub sudo: bool,
}

/// A rule that wins over every role. A list that is absent matches everything; one of the three
/// is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deny {
    /// Whom.
    pub members: Option<Vec<Member>>,
    /// Where.
    pub hosts: Option<Vec<Places>>,
    /// As whom.
    pub logins: Option<Vec<LoginPattern>>,
}

/// One person, or a group: `alice`, `@oncall`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// One person.
    Person(PersonName),
    /// All of a group.
    Group(GroupName),
}

impl Member {
    /// Whether `person` is meant.
    pub fn includes(&self, person: &Person) -> bool {
        match self {
            Member::Person(name) => *name == person.name,
            Member::Group(group) => person.groups.contains(group),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Member::Person(name) => write!(f, "{name}"),
            Member::Group(group) => write!(f, "@{group}"),
        }
    }
}

impl Serialize for Member {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        member(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// An account, or `{person}`: the account named like the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginPattern {
    /// This account.
    Login(Login),
    /// The person's own.
    Own,
}

impl LoginPattern {
    /// Whether `login` is meant, asked for by `person`.
    pub fn matches(&self, login: &Login, person: &PersonName) -> bool {
        match self {
            LoginPattern::Login(pattern) => pattern == login,
            LoginPattern::Own => login.as_str() == person.as_str(),
        }
    }
}

impl fmt::Display for LoginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoginPattern::Login(login) => login.fmt(f),
            LoginPattern::Own => f.write_str("{person}"),
        }
    }
}

/// Whose yes a role takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approvals {
    /// Nobody's: being a member is enough.
    Automatic,
    /// All of these, by distinct people, never the requester. Not empty.
    People(Vec<Needed>),
}

impl Approvals {
    /// Whether `person` is among those who are asked.
    pub fn names(&self, person: &Person) -> bool {
        match self {
            Approvals::Automatic => false,
            Approvals::People(needed) => needed.iter().any(|needed| needed.from.includes(person)),
        }
    }
}

/// So many approvals from such people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// From whom.
    pub from: Member,
    /// How many.
    pub count: u32,
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.count, self.from)
    }
}
