//! The types that go over the wire.

mod audit;
mod breakglass;
mod explain;
mod factors;
mod fleet;
mod grant;
mod hosts;
mod login;
mod people;
mod policy;
mod revoke;
mod schema;
mod sessions;
mod status;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use audit::{ByDecision, ListRecords, Record, Records, Retold, Verified};
pub use breakglass::{BreakGlass, GlassReview, GlassUse, Review};
pub use explain::{Explain, Explanation};
pub use factors::{FactorBegun, FirstCode, ProveAgain};
pub use fleet::{
    HostAccount, HostAsk, HostAskers, HostCode, HostFiling, HostLog, HostLogged, HostOffer,
    HostStanding, HostStateView, HostVerdict, ShowHostState, SshdKey,
};
pub use grant::{
    Approve, Approved, ById, Certificate, Certify, Decide, EditRequest, Extend, GrantView, Grants,
    ListGrants, NewRequest, Proof, Revoke, Shorten, ShowGrant,
};
pub use hosts::{ByHost, EnrolHost, Host, HostEnrolled, Hosts, PutHost, Relabelled};
pub use login::{Challenge, Confirm, Confirmed, Enrol, Enrolled, LoggedIn, Login, Me, Server};
pub use people::{
    AddKey, AddPerson, ByKey, ByName, ChangeGroups, Invitation, Key, People, Person, Regrouped,
};
pub use policy::{CheckPolicy, CheckedPolicy, Policy};
pub use revoke::RevokeMany;
pub use sessions::{Processes, Session, Sessions};
pub use status::{LogEnd, Status};

/// Nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
