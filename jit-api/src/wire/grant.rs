//! Requests, grants, what is done to them, and certificates.

use jit_core::grant::{Ask, Digest, Grant, Phase};
use jit_core::id::GrantId;
use jit_core::name::{HostName, Login, PersonName, Place, Reason};
use jit_core::time::{Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::schema;

/// A grant, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantView {
    /// As the authority keeps it.
    #[schemars(with = "schema::Grant")]
    pub grant: Grant,
    /// `requested`, `active`, …
    #[schemars(with = "String")]
    #[serde(deserialize_with = "phase")]
    pub state: Phase,
    /// When it was looked at.
    #[schemars(with = "u64")]
    pub now: Timestamp,
    /// Whose yes could still help.
    #[schemars(with = "Vec<String>")]
    pub approvers: Vec<PersonName>,
}

fn phase<'de, D: Deserializer<'de>>(from: D) -> Result<Phase, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

/// Many grants, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Grants {
    /// The grants.
    #[schemars(with = "Vec<schema::Grant>")]
    pub grants: Vec<Grant>,
    /// When they were looked at.
    #[schemars(with = "u64")]
    pub now: Timestamp,
}

/// Which grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ById {
    /// Its id, such as `k7q2-m9xd`.
    #[schemars(with = "String")]
    pub id: GrantId,
}

/// Whether to wait for a grant to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowGrant {
    /// For how many seconds at most; never for longer than 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<u32>,
    /// While it is at this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// Which grants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListGrants {
    /// Only those in this state.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only this person's; of those who are no admins always their own.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// Only those that name this host or a label of it.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// Those that are over, too.
    #[serde(default)]
    pub all: bool,
    /// At most so many; 1000 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequest {
    /// For whom; root has to say.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// The account.
    #[schemars(with = "String")]
    pub login: Login,
    /// The host, or a label of hosts.
    #[schemars(with = "String")]
    pub place: Place,
    /// With sudo.
    #[serde(default)]
    pub sudo: bool,
    /// For how many seconds.
    #[schemars(with = "u64")]
    pub duration: Span,
    /// From when, where not from the approval on.
    #[schemars(with = "Option<u64>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// Why.
    #[schemars(with = "String")]
    pub reason: Reason,
}

impl NewRequest {
    /// What is asked for, in a person's name.
    pub(crate) fn ask(&self, person: PersonName) -> Ask {
        Ask {
            person,
            login: self.login.clone(),
            place: self.place.clone(),
            sudo: self.sudo,
            duration: self.duration,
            start: self.start,
            extends: None,
            reason: self.reason.clone(),
        }
    }
}

/// What proves a yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Proof {
    /// Armoured SSHSIG, namespace `jit-approval@v1`, over the canonical request.
    Signature(String),
    /// A code of theirs; on the authority's machine only.
    Code(String),
}

/// A yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Whose; root has to say.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// The digest of what they saw.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// For at most so many seconds.
    #[schemars(with = "Option<u64>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<Span>,
    /// What proves it.
    pub evidence: Proof,
}

/// What came of a yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approved {
    /// The grant.
    #[serde(flatten)]
    pub view: GrantView,
    /// What is still missing, in words.
    pub missing: Vec<String>,
}

/// A no, or a yes taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// Whose; root acts alone unless it says.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// Why.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Their code, where no token says that they proved a factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// What is changed of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditRequest {
    /// For how many seconds.
    #[schemars(with = "Option<u64>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// From when.
    #[schemars(with = "Option<u64>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// Why.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The person whose request it is, where root edits it as they would, with their code.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// Their code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// More time at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// How many seconds more.
    #[schemars(with = "u64")]
    pub duration: Span,
    /// Why, where it is another reason.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// A sooner end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shorten {
    /// In how many seconds it ends.
    #[schemars(with = "u64")]
    pub left: Span,
    /// Whose decision; root acts alone unless it says.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// Why.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Their code, where no token says that they proved a factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// An end at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Why.
    #[schemars(with = "String")]
    pub reason: Reason,
}

/// A key to certify.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certify {
    /// For which grant.
    #[schemars(with = "String")]
    pub grant: GrantId,
    /// The key, in OpenSSH form.
    pub public_key: String,
    /// Armoured SSHSIG, namespace `jit-cert@v1`, by that key. Needed where another key signs the
    /// request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// One line in OpenSSH form.
    pub certificate: String,
}
