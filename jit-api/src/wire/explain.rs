//! Whether and how somebody has, or could get, access.

use jit_core::id::GrantId;
use jit_core::name::{Login, PersonName, Place};
use jit_core::time::{Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// To what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    /// Who; oneself unless told.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// As which account.
    #[schemars(with = "String")]
    pub login: Login,
    /// On which host, or hosts of a label.
    #[schemars(with = "String")]
    pub place: Place,
    /// With sudo.
    #[serde(default)]
    pub sudo: bool,
    /// For how many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
}

impl Explain {
    /// For how long.
    ///
    /// # Errors
    /// Invalid when too long.
    pub fn span(&self) -> jit_core::Result<Option<Span>> {
        self.duration.map(Span::from_secs).transpose()
    }
}

/// An explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// Until when they have it already.
    #[schemars(with = "Option<u64>")]
    pub covered_until: Option<Timestamp>,
    /// By which grants.
    #[schemars(with = "Vec<String>")]
    pub grants: Vec<GrantId>,
    /// What the policy would say to a request: the decision as it stands on the log.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub decision: serde_json::Value,
    /// Who could approve it.
    #[schemars(with = "Vec<String>")]
    pub approvers: Vec<PersonName>,
    /// What else keeps them out.
    pub obstacles: Vec<String>,
}
