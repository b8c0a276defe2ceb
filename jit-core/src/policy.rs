//! Policy: who may get what, for how long, and whose yes it takes. Read from a file by
//! [`Policy::load`], decided by the pure function [`decide()`].

mod decide;
mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use file::{login_pattern, member};

pub use decide::{Considered, Decision, Facts, Verdict, decide, eligible, may_approve};

use crate::grant::Permission;
use crate::name::{GroupName, Login, PersonName, Place, RoleName};
use crate::person::Person;
use crate::time::Span;

/// The rules in force. An empty one denies everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What may be asked for.
    pub roles: Vec<Role>,
    /// What nobody gets, whatever a role says.
    pub denies: Vec<Deny>,
    /// The first 12 hexadecimal digits of the file's SHA-256: which policy decided.
    pub version: String,
}

/// Some people, some places, some accounts, and the terms on which they come together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// Who may ask.
    pub members: Vec<Member>,
    /// Where.
    pub hosts: Vec<Place>,
    /// As whom.
    pub logins: Vec<LoginPattern>,
    /// Whether sudo may be asked for.
    pub sudo: bool,
    /// The longest window.
    pub max_duration: Span,
    /// Whose yes it takes.
    pub approvals: Approvals,
    /// What sshd lets the session do.
    pub permissions: BTreeSet<Permission>,
}

/// A rule that wins over every role. A list that is absent matches everything; one of the three
/// is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deny {
    /// Whom.
    pub members: Option<Vec<Member>>,
    /// Where.
    pub hosts: Option<Vec<Place>>,
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
