//! What hosts of the fleet ask and are told. The types are jit-core's, which knows no schemas.

use jit_core::factor::Verdict;
use jit_core::link::{Ask, Asker, Code, Filing, HostState, Told};
use jit_core::login::{Offer, Standing};
use jit_core::name::Login;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Whether to wait for news.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowHostState {
    /// For how many seconds at most; never for longer than 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<u32>,
    /// While it is this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What a host needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HostStateView(#[schemars(with = "schema::HostState")] pub HostState);

/// A code that was typed on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HostCode(#[schemars(with = "schema::HostCode")] pub Code);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostVerdict {
    /// As it is told at a prompt.
    #[schemars(with = "serde_json::Value")]
    pub answer: Verdict,
}

/// Which account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostAccount {
    /// Its name.
    #[schemars(with = "String")]
    pub login: Login,
}

/// Those who may ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostAskers {
    /// Who, and what sshd would let them do.
    #[schemars(with = "Vec<schema::Asker>")]
    pub answer: Vec<Asker>,
}

/// What somebody may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HostAsk(#[schemars(with = "schema::HostAsk")] pub Ask);

/// For how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostOffer {
    /// None where they may not.
    #[schemars(with = "Option<schema::Offer>")]
    pub answer: Option<Offer>,
}

/// A request from a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HostFiling(#[schemars(with = "schema::Filing")] pub Filing);

/// A request as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostStanding {
    /// As it is told at a prompt.
    #[schemars(with = "schema::Standing")]
    pub answer: Standing,
}

/// Records of a host's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostLog {
    /// In their order; those that were told before are passed over.
    #[schemars(with = "Vec<schema::Told>")]
    pub records: Vec<Told>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostLogged {
    /// The last record of the host that is on the authority's log.
    pub answer: u64,
}

/// The key of a host's sshd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SshdKey {
    /// In OpenSSH form.
    pub public_key: String,
}
