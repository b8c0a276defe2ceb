//! Joining an authority as a person, who alone ever sees the secret of their second factor.

use jit_core::audit::hex;
use jit_core::name::PersonName;
use jit_core::secret::SecretText;
use jit_core::{Error, Result};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::proof::lines;
use crate::{Caller, Client, Http, Invitation, Invited, Manner, Profile, SigningKey};

/// The namespace of enrolments.
const NAMESPACE: &str = "jit-enrol@v1";

/// An enrolment whose first code is still to come.
pub struct Enrolment {
    client: Client,
    confirmation: SecretText,
    /// What an authenticator app takes.
    pub otpauth_uri: SecretText,
    /// What to keep once it is confirmed.
    pub profile: Profile,
}

/// What the authority says of itself.
#[derive(Deserialize)]
struct Server {
    name: String,
}

#[derive(Deserialize)]
struct Begun {
    otpauth_uri: String,
    confirmation: String,
}

#[derive(Deserialize)]
struct Confirmed {
    recovery_codes: Vec<String>,
}

impl Enrolment {
    /// Gives the one-time code and the key that is to be enrolled.
    ///
    /// # Errors
    /// Refused when the code is none, or used up; unavailable.
    pub fn begin(invitation: &Invitation, key: &SigningKey) -> Result<Self> {
        let Invited::Person(person) = &invitation.who else {
            return Err(Error::invalid("this invitation is for a host")
                .next("Run it as root on that host."));
        };
        let name = server_name(invitation)?;
        let transport = Http::https(&invitation.url, &invitation.trust())?;
        let client = Client::new(Box::new(transport), &name, Caller::Unproved);
        let text = statement(&name, person, &invitation.code, key)?;
        let body = json!({
            "code": invitation.code.expose(),
            "person": person,
            "public_key": key.line()?,
            "signature": key.sign(NAMESPACE, &text)?,
        });
        let begun: Begun = client.post("/v1/enrolment", &body, Manner::once())?;
        let profile = Profile {
            name,
            url: invitation.url.clone(),
            pin: invitation.pin.map(|pin| pin.to_string()),
            ca_file: None,
            person: person.clone(),
            key: key.file().to_owned(),
        };
        Ok(Enrolment {
            client,
            confirmation: SecretText::new(begun.confirmation),
            otpauth_uri: SecretText::new(begun.otpauth_uri),
            profile,
        })
    }

    /// Gives the first code: from here on key and factor count. The recovery codes.
    ///
    /// # Errors
    /// Refused when the code is wrong.
    pub fn confirm(&self, code: &SecretText) -> Result<Vec<SecretText>> {
        let body = json!({ "confirmation": self.confirmation.expose(), "code": code.expose() });
        let confirmed: Confirmed =
            self.client.post("/v1/enrolment/confirm", &body, Manner::once())?;
        Ok(confirmed.recovery_codes.into_iter().map(SecretText::new).collect())
    }
}

/// What the authority at an invitation's address calls itself.
///
/// # Errors
/// Refused when it is not the one that the invitation pins; unavailable.
pub fn server_name(invitation: &Invitation) -> Result<String> {
    let transport = Http::https(&invitation.url, &invitation.trust())?;
    let client = Client::new(Box::new(transport), "", Caller::Unproved);
    let server: Server = client.get("/v1/server", Manner::default())?;
    Ok(server.name)
}

fn statement(
    server: &str,
    person: &PersonName,
    code: &SecretText,
    key: &SigningKey,
) -> Result<String> {
    lines(
        NAMESPACE,
        &[
            ("server", server),
            ("person", person.as_str()),
            ("code", &hex(&Sha256::digest(code.expose()))),
            ("key", &key.fingerprint()),
        ],
    )
}
