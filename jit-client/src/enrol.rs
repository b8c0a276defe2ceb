//! Joining an authority as a person, who alone ever sees the secret of their second factor.

use jit_api::endpoints::{enrolment, server};
use jit_api::proof;
use jit_api::wire::{Confirm, Enrol, Nothing};
use jit_core::secret::SecretText;
use jit_core::{Error, Result};

use crate::{Caller, Client, Http, Invitation, Invited, Manner, Profile, SigningKey};

/// An enrolment whose first code is still to come.
pub struct Enrolment {
    client: Client,
    confirmation: SecretText,
    /// What an authenticator app takes.
    pub otpauth_uri: SecretText,
    /// What to keep once it is confirmed.
    pub profile: Profile,
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
        let code = invitation.code.expose();
        let text = proof::enrol_person(&name, person, code, &key.fingerprint())?;
        let asked = Enrol {
            code: code.to_owned(),
            person: person.clone(),
            public_key: key.line()?,
            signature: key.sign(proof::ENROL, &text)?,
        };
        let nothing = Nothing {};
        let begun = client.call::<enrolment::Enrol>(&nothing, &nothing, &asked, Manner::once())?;
        let profile = Profile {
            name,
            url: invitation.url.clone(),
            pin: invitation.pin.map(|pin| pin.to_string()),
            ca_file: None,
            ca: invitation.ca.map(|ca| ca.to_string()),
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
        let given = Confirm {
            confirmation: self.confirmation.expose().to_owned(),
            code: code.expose().to_owned(),
        };
        let nothing = Nothing {};
        let confirmed =
            self.client.call::<enrolment::Confirm>(&nothing, &nothing, &given, Manner::once())?;
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
    let nothing = Nothing {};
    let server = client.call::<server::Server>(&nothing, &nothing, &nothing, Manner::default())?;
    Ok(server.name)
}
