//! What admins do to many grants at a time.

use jit_core::name::{HostName, PersonName, Reason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which grants to end, and why. One of the three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeMany {
    /// All of this person.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// All on this host.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// All there are.
    #[serde(default)]
    pub all: bool,
    /// Why.
    #[schemars(with = "String")]
    pub reason: Reason,
}
