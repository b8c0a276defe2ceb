//! People, their keys, and invitations.

use jit_core::id::GrantId;
use jit_core::name::{GroupName, PersonName};
use jit_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByName {
    /// Their name.
    #[schemars(with = "String")]
    pub name: PersonName,
}

/// Which key of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByKey {
    /// Their name.
    #[schemars(with = "String")]
    pub name: PersonName,
    /// `SHA256:…`, percent-encoded in the path.
    pub fingerprint: String,
}

/// An identity key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// `SHA256:…`
    pub fingerprint: String,
    /// In OpenSSH form.
    pub public_key: String,
    /// What it is called.
    pub comment: String,
    /// When it was added.
    #[schemars(with = "u64")]
    pub added_at: Timestamp,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// The name.
    #[schemars(with = "String")]
    pub name: PersonName,
    /// The groups.
    #[schemars(with = "Vec<String>")]
    pub groups: Vec<GroupName>,
    /// Whether they get nothing for now.
    pub suspended: bool,
    /// When they were added.
    #[schemars(with = "u64")]
    pub created_at: Timestamp,
    /// Their keys, oldest first.
    pub keys: Vec<Key>,
    /// Whether a second factor is in use.
    pub factor: bool,
    /// Whether one waits for its first code.
    pub factor_pending: bool,
    /// Whether it is locked after too many failures.
    pub locked_out: bool,
    /// Recovery codes left.
    pub recovery_codes: usize,
}

/// All people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct People {
    /// By name.
    pub people: Vec<Person>,
}

/// A new person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPerson {
    /// The name.
    #[schemars(with = "String")]
    pub name: PersonName,
    /// The groups.
    #[schemars(with = "Vec<String>")]
    #[serde(default)]
    pub groups: Vec<GroupName>,
    /// Lines of public key files.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// Groups to put a person in, and to take them out of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeGroups {
    /// In.
    #[schemars(with = "Vec<String>")]
    #[serde(default)]
    pub add: Vec<GroupName>,
    /// Out of.
    #[schemars(with = "Vec<String>")]
    #[serde(default)]
    pub remove: Vec<GroupName>,
}

/// A person after a change of their groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Regrouped {
    /// The person.
    pub person: Person,
    /// The grants that ended, as the policy no longer gives them.
    #[schemars(with = "Vec<String>")]
    pub grants_ended: Vec<GrantId>,
}

/// A key to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddKey {
    /// One line of a public key file.
    pub public_key: String,
}

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Invitation {
    /// Shown this once.
    pub code: String,
    /// When it ends.
    #[schemars(with = "u64")]
    pub expires_at: Timestamp,
    /// For `jitctl join`: where, who, code, and the server's pin where it has one.
    pub join: String,
}
