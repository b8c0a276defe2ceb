//! Certificates.

use jit_core::person::{fingerprint, parse_public_key};
use jit_core::{Error, sshsig};
use ssh_key::PublicKey;

use crate::access::Access;
use crate::caller::Caller;
use crate::endpoint::{Desk, Endpoint, Method};
use crate::problem::Failure;
use crate::proof;
use crate::wire::{self, Nothing};

/// Certifies a key for one's own grant.
pub struct Certify;

impl Endpoint for Certify {
    const NAME: &'static str = "certificate";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/certificates";
    const ACCESS: Access = Access::Person;
    const SUMMARY: &'static str = "A certificate over a key that one holds, for one's own grant";
    type Path = Nothing;
    type Query = Nothing;
    type Body = wire::Certify;
    type Answer = wire::Certificate;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        _: Nothing,
        wanted: wire::Certify,
    ) -> Result<wire::Certificate, Failure> {
        let key = parse_public_key(&wanted.public_key)?;
        prove_possession(desk, &wanted, &key)?;
        let (actor, factor) = (caller.actor(), caller.factor());
        let issuer = desk.office.issuer();
        let certificate =
            issuer.issue(desk.authority, &actor, &wanted.grant, key.key_data(), factor)?;
        Ok(wire::Certificate { certificate })
    }
}

/// Checks that whoever asks holds the key to be certified. A request names grant and key; where that
/// key signed this very request, nothing else needs to be signed.
fn prove_possession(
    desk: &Desk<'_>,
    wanted: &wire::Certify,
    key: &PublicKey,
) -> Result<(), Failure> {
    let Some(signature) = &wanted.signature else {
        if desk.signed_by.as_ref() == Some(key.key_data()) {
            return Ok(());
        }
        return Err(Error::refused("nothing proves that the key is held")
            .next("Sign for it, in the namespace jit-cert@v1, or have it sign the request.")
            .into());
    };
    let print = fingerprint(key.key_data());
    let text = proof::certify(desk.office.name(), &wanted.grant, &print)?;
    sshsig::check(signature, proof::CERTIFY, &text, [wanted.public_key.trim()])
        .map_err(|error| error.context("the proof that the key is held"))?;
    Ok(())
}
