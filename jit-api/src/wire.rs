//! The types that go over the wire.

mod admin;
mod explain;
mod fleet;
mod grant;
mod hosts;
mod login;
mod people;
mod schema;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use admin::{
    BreakGlass, CheckPolicy, CheckedPolicy, GlassUse, ListRecords, Policy, Record, Records, Review,
    RevokeMany, Session, Sessions, Verified,
};
pub use explain::{Explain, Explanation};
pub use fleet::{
    HostAccount, HostAsk, HostAskers, HostCode, HostFiling, HostLog, HostLogged, HostOffer,
    HostStanding, HostStateView, HostVerdict, ShowHostState, SshdKey,
};
pub use grant::{
    Approve, Approved, ById, Certificate, Certify, Decide, EditRequest, Extend, GrantView, Grants,
    ListGrants, NewRequest, Proof, Revoke, Shorten, ShowGrant,
};
pub use hosts::{ByHost, EnrolHost, Host, HostEnrolled, Hosts, PutHost};
pub use login::{Challenge, Confirm, Confirmed, Enrol, Enrolled, LoggedIn, Login, Me, Server};
pub use people::{AddKey, AddPerson, ByKey, ByName, ChangeGroups, Invitation, Key, People, Person};

/// Nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
