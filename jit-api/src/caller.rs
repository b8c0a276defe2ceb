//! Who asks, once that is proved.

use std::fmt;

use jit_core::factor::ProvedFactor;
use jit_core::grant::{Actor, Grant, Program};
use jit_core::name::{HostName, PersonName};

use crate::problem::Failure;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Root on the authority's machine.
    Root,
    /// The person whose account on the authority's machine asks. Has proved no factor.
    Local(PersonName),
    /// A person with a token.
    Person {
        /// Who.
        name: PersonName,
        /// Fingerprint of the enrolled key that they logged in with.
        key: String,
        /// The factor that they logged in with.
        factor: Option<ProvedFactor>,
        /// Whether the configuration makes them an admin.
        admin: bool,
    },
    /// An enrolled host.
    Host(HostName),
    /// Nobody we know.
    Nobody,
}

impl Caller {
    /// Whether they may do what root may.
    pub fn is_admin(&self) -> bool {
        matches!(self, Caller::Root | Caller::Person { admin: true, factor: Some(_), .. })
    }

    /// The person that they are.
    pub fn person(&self) -> Option<&PersonName> {
        match self {
            Caller::Local(name) | Caller::Person { name, .. } => Some(name),
            Caller::Root | Caller::Host(_) | Caller::Nobody => None,
        }
    }

    /// The factor that they proved when they logged in.
    pub fn factor(&self) -> Option<ProvedFactor> {
        match self {
            Caller::Person { factor, .. } => *factor,
            _ => None,
        }
    }

    /// As whom they stand on the log.
    pub fn actor(&self) -> Actor {
        match self {
            Caller::Root => Actor::Root,
            Caller::Local(name) | Caller::Person { name, .. } => Actor::Person(name.clone()),
            Caller::Host(name) => Actor::Host(name.clone()),
            Caller::Nobody => Actor::Program(Program::Server),
        }
    }

    /// Whether what they do may be done as `person`: they are, or they are root, who then needs that
    /// person's proof where a person's proof is needed.
    pub fn may_act_for(&self, person: &PersonName) -> bool {
        *self == Caller::Root || self.person() == Some(person)
    }

    /// As whom they act: themselves, or whom root names.
    ///
    /// # Errors
    /// Invalid when root names nobody; forbidden when it is somebody else.
    pub fn acting(&self, named: Option<&PersonName>) -> Result<PersonName, Failure> {
        match (named, self.person()) {
            (Some(named), _) if self.may_act_for(named) => Ok(named.clone()),
            (Some(named), _) => Err(Failure::forbidden(format!("{self} can't act as {named}"))),
            (None, Some(own)) => Ok(own.clone()),
            (None, None) => Err(jit_core::Error::invalid("root has to say for whom")
                .next("Name the person.")
                .into()),
        }
    }

    /// Whether they may see everything about a person.
    pub fn may_look_at(&self, person: &PersonName) -> bool {
        self.is_admin() || self.person() == Some(person)
    }

    /// Whether a grant is theirs to see: their own, one they said yes to, or they are admins. Those
    /// who could decide it see it, too, which only the policy knows.
    pub fn may_see(&self, grant: &Grant) -> bool {
        self.may_look_at(&grant.ask().person)
            || grant.approvals().iter().any(|approval| self.person() == Some(&approval.by))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Root => f.write_str("root"),
            Caller::Local(name) => write!(f, "local:{name}"),
            Caller::Person { name, .. } => write!(f, "person:{name}"),
            Caller::Host(name) => write!(f, "host:{name}"),
            Caller::Nobody => f.write_str("nobody"),
        }
    }
}
