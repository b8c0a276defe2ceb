//! Second factors of people who have been enrolled already.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is asked of a person for another second factor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProveAgain {
    /// A code of the second factor in use: the login alone is not enough for another one. Root gives
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A second factor that waits for its first code; the one in use stays in use until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FactorBegun {
    /// For the authenticator app, plain or as a QR code; shown this once.
    pub otpauth_uri: String,
}

/// The first code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstCode {
    /// Of the new authenticator app.
    pub code: String,
}
