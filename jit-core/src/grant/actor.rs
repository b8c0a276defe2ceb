//! Who does something: a person, root, or a program of ours.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::name::{HostName, PersonName};

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
    /// A host of the fleet, which says so itself.
    Host(HostName),
}

/// The programs that act on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The keeper.
    Jitd,
    /// The PAM module, where it doesn't know who somebody is.
    PamJit,
    /// What tells others of events.
    JitHooks,
    /// What keeps a host in step with its authority.
    JitLink,
    /// The authority over the network, where it doesn't know who somebody is.
    Server,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Program::Jitd => "jitd",
            Program::PamJit => "pam_jit",
            Program::JitHooks => "jit-hooks",
            Program::JitLink => "jit-link",
            Program::Server => "ssh-ca",
        })
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Person(name) => write!(f, "person:{name}"),
            Actor::Root => f.write_str("root"),
            Actor::Program(name) => write!(f, "program:{name}"),
            Actor::Host(name) => write!(f, "host:{name}"),
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
            Some(("program", "jit-hooks")) => Ok(Actor::Program(Program::JitHooks)),
            Some(("program", "jit-link")) => Ok(Actor::Program(Program::JitLink)),
            Some(("host", name)) => Ok(Actor::Host(HostName::parse(name)?)),
            Some(("program", "ssh-ca")) => Ok(Actor::Program(Program::Server)),
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
