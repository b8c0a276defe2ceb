//! Certificates.

use jit_core::person::{fingerprint, parse_public_key};
use jit_core::{Error, sshsig};

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
        let (grant, _) = desk.authority.grant(&wanted.grant)?;
        // Whoever may see it, only its person connects with it.
        if !caller.may_act_for(&grant.ask().person) {
            let id = &wanted.grant;
            return Err(Error::not_found(format!("there is no grant {id} of yours"))
                .next("jitctl list")
                .into());
        }
        let key = parse_public_key(&wanted.public_key)?;
        let print = fingerprint(key.key_data());
        let text = proof::certify(desk.office.name(), &wanted.grant, &print)?;
        let line = wanted.public_key.trim();
        sshsig::check(&wanted.signature, proof::CERTIFY, &text, [line])
            .map_err(|error| error.context("the proof that the key is held"))?;
        let (actor, factor) = (caller.actor(), caller.factor());
        let issuer = desk.office.issuer();
        let certificate =
            issuer.issue(desk.authority, &actor, &wanted.grant, key.key_data(), factor)?;
        Ok(wire::Certificate { certificate })
    }
}
