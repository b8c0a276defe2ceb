//! Who gets as far as an endpoint. Whose things they may touch there is [`Caller`]'s to say, and what
//! a rule says is the authority's.

use serde::Serialize;

use crate::caller::Caller;
use crate::problem::Failure;

/// Who gets as far as an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Everybody.
    Public,
    /// A person, and root.
    Person,
    /// A person who proved a second factor when logging in, and root.
    Factor,
    /// Admins with a second factor, and root.
    Admin,
    /// An enrolled host.
    Host,
    /// Who looks after the server: root and admins.
    Monitor,
}

impl Access {
    /// Lets `caller` through, or says why not.
    ///
    /// # Errors
    /// Unauthenticated when it is nobody; else forbidden.
    pub fn admit(self, caller: &Caller) -> Result<(), Failure> {
        let admitted = match self {
            Access::Public => true,
            Access::Person => {
                matches!(caller, Caller::Root | Caller::Local(_) | Caller::Person { .. })
            }
            Access::Factor => {
                matches!(caller, Caller::Root | Caller::Person { factor: Some(_), .. })
            }
            Access::Admin | Access::Monitor => caller.is_admin(),
            Access::Host => matches!(caller, Caller::Host(_)),
        };
        if admitted {
            return Ok(());
        }
        Err(match (self, caller) {
            (Access::Host, Caller::Nobody) => {
                Failure::unauthenticated("this is for hosts").next("Enrol it: jitctl join")
            }
            (_, Caller::Nobody) => {
                Failure::unauthenticated("this takes a login").next("jitctl login")
            }
            (Access::Factor, Caller::Local(_)) => {
                Failure::forbidden("this takes a login with a second factor").next("jitctl login")
            }
            (Access::Admin | Access::Monitor, Caller::Local(_)) => {
                Failure::forbidden("this is for root and admins").next("Put sudo before it.")
            }
            (Access::Admin | Access::Monitor, _) => Failure::forbidden("this is for admins")
                .next("Admins are named in jit.toml: [serve] admins."),
            (Access::Host, _) => Failure::forbidden("this is for hosts"),
            _ => Failure::forbidden("this is for people"),
        })
    }
}
