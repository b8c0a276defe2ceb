//! Joining a fleet as a host, by whoever is root there.

use jit_api::proof;
use jit_core::name::HostName;
use jit_core::{Error, Result};
use serde_json::{Value, json};
use ssh_key::Fingerprint;

use crate::enrol::server_name;
use crate::{Caller, Client, Http, Invitation, Invited, Manner, SigningKey};

/// What a host that joined keeps of its authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedHost {
    /// What the authority calls itself.
    pub server: String,
    /// What this host is called.
    pub host: HostName,
    /// The key that signs the authority's answers.
    pub ca: Fingerprint,
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

/// The key by which an invited host will know the authority's answers.
///
/// # Errors
/// Invalid when the invitation does not say.
pub fn invited_ca(invitation: &Invitation) -> Result<Fingerprint> {
    invitation.ca.ok_or_else(|| {
        Error::invalid("the invitation has no ca, by which a host knows its authority's answers")
            .next("On the authority, ssh-ca init if it has no CA; then: jitctl host invite")
    })
}

/// Gives the one-time code and the key by which the host will be known, and sees that it was the
/// authority that took them.
///
/// # Errors
/// Refused when the code is none, or used up; invalid for a person's invitation; tampered when it was
/// somebody else who answered; unavailable.
pub fn join_host(invitation: &Invitation, key: &SigningKey) -> Result<JoinedHost> {
    let host = invited_host(invitation)?;
    let ca = invited_ca(invitation)?;
    let server = server_name(invitation)?;
    let transport = Http::https(&invitation.url, &invitation.trust())?;
    let client = Client::new(Box::new(transport), &server, Caller::Unproved);
    let text = proof::enrol_host(&server, host, invitation.code.expose(), &key.fingerprint())?;
    let body = json!({
        "code": invitation.code.expose(),
        "host": host,
        "public_key": key.line()?,
        "signature": key.sign(proof::ENROL, &text)?,
    });
    let _: Value = client.post("/v1/host/enrolment", &body, Manner::once())?;
    // That answer is to nobody yet, and unsigned; nothing of it is used. The next one is to this host.
    let client = client.calling(Caller::Host { name: host.to_string(), key: key.clone(), ca });
    let _: Value = client.get("/v1/host/state", Manner::default())?;
    Ok(JoinedHost { server, host: host.clone(), ca })
}
