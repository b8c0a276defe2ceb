//! The types that go over the wire.

mod fleet;
mod grant;
mod login;
mod schema;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use fleet::{
    HostAccount, HostAsk, HostAskers, HostCode, HostFiling, HostLog, HostLogged, HostOffer,
    HostStanding, HostStateView, HostVerdict, ShowHostState,
};
pub use grant::{
    Approve, Approved, ById, Certificate, Certify, Decide, EditRequest, Extend, GrantView, Grants,
    ListGrants, NewRequest, Proof, Revoke, Shorten, ShowGrant,
};
pub use login::{Challenge, Confirm, Confirmed, Enrol, Enrolled, LoggedIn, Login, Me, Server};

/// Nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
