//! Break-glass codes: what is left of them, and what others were used for.

use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::name::{HostName, Login, PersonName, Reason};
use jit_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Break-glass codes of the authority's own host, and their uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BreakGlass {
    /// Which host.
    #[schemars(with = "String")]
    pub host: HostName,
    /// Codes left.
    pub codes_left: usize,
    /// The accounts that they are for, where not for all that the configuration names.
    #[schemars(with = "Vec<String>")]
    #[serde(default)]
    pub logins: Vec<Login>,
    /// Who may use one, as the configuration says it.
    #[serde(default)]
    pub members: Vec<String>,
    /// What others were used for, the newest last.
    pub uses: Vec<GlassUse>,
}

/// One use of a break-glass code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GlassUse {
    /// The grant that it gave.
    #[schemars(with = "String")]
    pub id: GrantId,
    /// Who.
    #[schemars(with = "String")]
    pub person: PersonName,
    /// As which account.
    #[schemars(with = "String")]
    pub login: Login,
    /// When.
    #[schemars(with = "u64")]
    pub at: Timestamp,
    /// Until when.
    #[schemars(with = "u64")]
    pub until: Timestamp,
    /// From where.
    pub rhost: Option<String>,
    /// Why, in their words.
    #[schemars(with = "String")]
    pub reason: Reason,
    /// Somebody else's look at it.
    #[serde(default)]
    pub review: Option<GlassReview>,
}

/// Somebody's look at a use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GlassReview {
    /// `person:NAME`; `root` where nobody else was there to do it.
    #[schemars(with = "String")]
    pub by: Actor,
    /// When.
    #[schemars(with = "u64")]
    pub at: Timestamp,
    /// What they found.
    #[schemars(with = "String")]
    pub note: Reason,
}

/// A look at a use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What was found.
    #[schemars(with = "String")]
    pub note: Reason,
    /// In whose name, where root asks; by root alone unless told.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// Their verification code, where root asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}
