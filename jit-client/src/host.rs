//! Joining a fleet as a host, by whoever is root there.

use jit_core::audit::hex;
use jit_core::name::HostName;
use jit_core::secret::SecretText;
use jit_core::{Error, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::enrol::server_name;
use crate::proof::lines;
use crate::{Caller, Client, Http, Invitation, Invited, Manner, SigningKey};

/// The namespace of enrolments.
const NAMESPACE: &str = "jit-enrol@v1";

/// What a host that joined keeps of its authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedHost {
    /// What the authority calls itself.
    pub server: String,
    /// What this host is called.
    pub host: HostName,
}

/// The host that an invitation is for.
///
/// # Errors
/// Invalid when it is for a person.
pub fn invited_host(invitation: &Invitation) -> Result<&HostName> {
    match &invitation.who {
        Invited::Host(host) => Ok(host),
        Invited::Person(_) => Err(Error::invalid("this invitation is for a person")
            .next("They run it on their own machine, as themselves.")),
    }
}

/// Gives the one-time code and the key by which the host will be known.
///
/// # Errors
/// Refused when the code is none, or used up; invalid for a person's invitation; unavailable.
pub fn join_host(invitation: &Invitation, key: &SigningKey) -> Result<JoinedHost> {
    let host = invited_host(invitation)?;
    let server = server_name(invitation)?;
    let transport = Http::https(&invitation.url, &invitation.trust())?;
    let client = Client::new(Box::new(transport), &server, Caller::Unproved);
    let text = statement(&server, host, &invitation.code, key)?;
    let body = json!({
        "code": invitation.code.expose(),
        "host": host,
        "public_key": key.line()?,
        "signature": key.sign(NAMESPACE, &text)?,
    });
    let _: Value = client.post("/v1/host/enrolment", &body, Manner::once())?;
    Ok(JoinedHost { server, host: host.clone() })
}

fn statement(server: &str, host: &HostName, code: &SecretText, key: &SigningKey) -> Result<String> {
    lines(
        NAMESPACE,
        &[
            ("server", server),
            ("host", host.as_str()),
            ("code", &hex(&Sha256::digest(code.expose()))),
            ("key", &key.fingerprint()),
        ],
    )
}
