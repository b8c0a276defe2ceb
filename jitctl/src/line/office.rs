//! An endpoint of the interface, called in this process: for what has no verb of its own here.

use jit_api::{Asked, Endpoint, Headers, Issuer, Office, Peer, Problem, Turn};
use jit_client::{Pin, pin};
use jit_core::authority::Authority;
use jit_core::factor::ProvedFactor;
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::name::HostName;
use jit_core::{Error, Result};
use serde::de::DeserializeOwned;
use ssh_key::public::KeyData;

/// Calls one that takes nothing but its path, as root.
pub(super) fn call<E: Endpoint>(authority: &Authority, path: &E::Path) -> Result<E::Answer>
where
    E::Query: DeserializeOwned,
{
    // The office keeps connections of its own.
    let own = authority.another()?;
    let query = serde_json::from_str("{}")
        .map_err(|e| Error::invalid(format!("{} takes a query: {e}", E::NAME)))?;
    let target = jit_api::target::<E>(path, &query)?;
    let asked = Asked {
        method: E::METHOD.as_str(),
        path: &target,
        query: None,
        headers: Headers::default(),
        body: b"{}",
        peer: Peer::Process,
    };
    let unread = |e: serde_json::Error| Error::unavailable(format!("no answer: {e}"));
    let pin = pin(authority)?;
    let office = Office::new(own, Box::new(NoIssuer)).pinned(move || Some(pin.to_string()));
    match office.answer(&asked, false) {
        Turn::Answer(answer) if answer.status < 300 => {
            serde_json::from_slice(&answer.body).map_err(unread)
        }
        Turn::Answer(answer) => {
            let problem: Problem = serde_json::from_slice(&answer.body).map_err(unread)?;
            Err(problem.into_error())
        }
        Turn::Wait { .. } => Err(Error::unavailable("it would have to be waited for")),
    }
}

/// The pin of the certificate with which this machine serves.
fn pin(authority: &Authority) -> Result<Pin> {
    let serve = authority.config().serve.as_ref().ok_or_else(|| {
        Error::refused("this machine does not serve an authority, so nobody can join it")
            .next("ssh-ca init --serve NAME, NAME being that by which clients reach this machine.")
    })?;
    pin::of_file(&serve.certificate())
}

/// This process holds no CA key.
struct NoIssuer;

impl Issuer for NoIssuer {
    fn issue(
        &self,
        _: &Authority,
        _: &Actor,
        grant: &GrantId,
        _: &KeyData,
        _: Option<ProvedFactor>,
    ) -> Result<String> {
        Err(Error::refused("jitctl holds no CA key")
            .next(format!("ssh-ca sign --grant {grant} --key FILE")))
    }

    fn issue_host(&self, _: &Authority, _: &HostName, _: &KeyData) -> Result<String> {
        Err(Error::refused("jitctl holds no CA key"))
    }
}
