//! Hosts.

use jit_core::id::GrantId;
use jit_core::name::{HostName, Label};
use jit_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByHost {
    /// Its name.
    #[schemars(with = "String")]
    pub name: HostName,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// The name.
    #[schemars(with = "String")]
    pub name: HostName,
    /// Its labels.
    #[schemars(with = "Vec<String>")]
    pub labels: Vec<Label>,
    /// When it was added.
    #[schemars(with = "u64")]
    pub created_at: Timestamp,
    /// The key that it enrolled over the network, if it did.
    #[serde(default)]
    pub key: Option<String>,
    /// Whether it is the authority's own machine.
    #[serde(default)]
    pub own: bool,
    /// When it last told something of its log.
    #[schemars(with = "Option<u64>")]
    #[serde(default)]
    pub told_at: Option<Timestamp>,
}

/// All hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hosts {
    /// By name.
    pub hosts: Vec<Host>,
}

/// A host's labels, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutHost {
    /// Such as `env=prod`.
    #[schemars(with = "Vec<String>")]
    #[serde(default)]
    pub labels: Vec<Label>,
}

/// A host after a change of its labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Relabelled {
    /// The host.
    pub host: Host,
    /// The grants that ended, as the policy no longer gives them.
    #[schemars(with = "Vec<String>")]
    pub grants_ended: Vec<GrantId>,
}

/// A host's enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolHost {
    /// The code of the invitation.
    pub code: String,
    /// Which host.
    #[schemars(with = "String")]
    pub host: HostName,
    /// The key that will sign its requests, in OpenSSH form.
    pub public_key: String,
    /// Armoured SSHSIG, namespace `jit-enrol@v1`, by that key.
    pub signature: String,
}

/// What a host is given when it enrols.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostEnrolled {
    /// The user CA's public keys, for sshd.
    pub ca_keys: Vec<String>,
    /// Its labels.
    #[schemars(with = "Vec<String>")]
    pub labels: Vec<Label>,
}
