//! The server, logging in, enrolling, and who one is.

use jit_core::name::{GroupName, PersonName};
use jit_core::secret::SecretText;
use jit_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    /// Its name, part of all that is signed.
    pub name: String,
    /// Its time, in seconds since 1970.
    #[schemars(with = "u64")]
    pub time: Timestamp,
    /// The user CA's public keys, the one that signs first.
    pub user_ca: Vec<String>,
    /// The host CA's.
    pub host_ca: Vec<String>,
}

/// What a login signs over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Challenge {
    /// Once, within a minute.
    pub nonce: String,
    /// The server's name.
    pub server: String,
    /// When it ends.
    #[schemars(with = "u64")]
    pub expires_at: Timestamp,
}

/// A login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Who.
    #[schemars(with = "String")]
    pub person: PersonName,
    /// Of the challenge.
    pub nonce: String,
    /// The enrolled key, in OpenSSH form.
    pub public_key: String,
    /// The key that will sign the requests, in OpenSSH form; may be the same.
    pub proof_key: String,
    /// Armoured SSHSIG, namespace `jit-login@v1`, by the enrolled key.
    pub signature: String,
    /// A code of the authenticator app, or a recovery code.
    pub code: String,
}

/// What a login gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoggedIn {
    /// For `Authorization: JIT …`.
    pub token: String,
    /// Until when it is good.
    #[schemars(with = "u64")]
    pub expires_at: Timestamp,
    /// Who.
    #[schemars(with = "String")]
    pub person: PersonName,
    /// Whether they are an admin.
    pub admin: bool,
}

/// Who asks, as the server sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    /// The person; none of root.
    #[schemars(with = "Option<String>")]
    pub person: Option<PersonName>,
    /// Their groups.
    #[schemars(with = "Vec<String>")]
    pub groups: Vec<GroupName>,
    /// Whether they may do what root may.
    pub admin: bool,
    /// When they proved a second factor.
    #[schemars(with = "Option<u64>")]
    pub factor_at: Option<Timestamp>,
    /// Fingerprints of their keys.
    pub keys: Vec<String>,
    /// Recovery codes left.
    pub recovery_codes: usize,
}

/// The first step of a person's enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The code of the invitation.
    pub code: String,
    /// Who.
    #[schemars(with = "String")]
    pub person: PersonName,
    /// The key to enrol, in OpenSSH form.
    pub public_key: String,
    /// Armoured SSHSIG, namespace `jit-enrol@v1`, by that key.
    pub signature: String,
}

/// A second factor that waits for its first code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enrolled {
    /// For the authenticator app, plain or as a QR code.
    pub otpauth_uri: String,
    /// For the second step.
    pub confirmation: String,
}

/// The second step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// Of the first step.
    pub confirmation: String,
    /// A code of the authenticator app.
    pub code: String,
}

/// Key and factor count from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// Who.
    #[schemars(with = "String")]
    pub person: PersonName,
    /// Shown this once.
    pub recovery_codes: Vec<String>,
}

impl Confirmed {
    pub(crate) fn of(person: PersonName, codes: &[SecretText]) -> Self {
        let recovery_codes = codes.iter().map(|code| code.expose().to_owned()).collect();
        Confirmed { person, recovery_codes }
    }
}
