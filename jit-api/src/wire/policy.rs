//! The policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// Which: the first digits of its SHA-256.
    pub version: String,
    /// As it is written.
    pub text: String,
    /// What is wrong with the file, where it does not parse and the last good one stays.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// A policy to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckPolicy {
    /// As it is written.
    pub text: String,
}

/// What is said of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedPolicy {
    /// Whether it would take effect.
    pub good: bool,
    /// Which version it would be.
    pub version: String,
    /// What is wrong with it, with the line.
    #[serde(default)]
    pub trouble: Option<String>,
    /// What it says that can hardly be meant, such as groups that nobody is in.
    #[serde(default)]
    pub doubts: Vec<String>,
}
