//! Logging in: an enrolled key and a second factor, for a token bound to a key.

use jit_core::audit::hex;
use jit_core::factor::Verdict;
use jit_core::person::{IdentityKey, fingerprint, parse_public_key};
use jit_core::secret::random_bytes;
use jit_core::{Error, sshsig};

use crate::access::Access;
use crate::caller::Caller;
use crate::challenge;
use crate::endpoint::{Desk, Endpoint, Method};
use crate::nonces::Use;
use crate::problem::Failure;
use crate::proof;
use crate::token::Token;
use crate::wire::{self, Nothing};

/// A nonce to sign over.
pub struct Challenge;

impl Endpoint for Challenge {
    const NAME: &'static str = "login-challenge";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/login/challenge";
    const ACCESS: Access = Access::Public;
    const SUMMARY: &'static str = "A nonce that a login signs over";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = wire::Challenge;

    fn handle(
        desk: &Desk<'_>,
        _: &Caller,
        _: Nothing,
        _: Nothing,
        _: Nothing,
    ) -> Result<wire::Challenge, Failure> {
        let now = desk.authority.now()?;
        let (nonce, expires_at) = challenge::make(desk.authority.vault(), now)?;
        Ok(wire::Challenge { nonce, server: desk.office.name().to_owned(), expires_at })
    }
}

/// A login.
pub struct Login;

impl Endpoint for Login {
    const NAME: &'static str = "login";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/login";
    const ACCESS: Access = Access::Public;
    const SUMMARY: &'static str = "Proves an enrolled key and a second factor, for a token";
    type Path = Nothing;
    type Query = Nothing;
    type Body = wire::Login;
    type Answer = wire::LoggedIn;

    fn handle(
        desk: &Desk<'_>,
        _: &Caller,
        _: Nothing,
        _: Nothing,
        login: wire::Login,
    ) -> Result<wire::LoggedIn, Failure> {
        let authority = desk.authority;
        desk.limit()?;
        let proof_key = parse_public_key(&login.proof_key)?;
        let key = parse_public_key(&login.public_key)?;
        match challenge::take(
            authority.vault(),
            desk.office.challenges(),
            &login.nonce,
            authority.now()?,
        ) {
            Use::Fresh => {}
            Use::Full => return Err(Error::unavailable("there are too many logins").into()),
            Use::Used => {
                return Err(Failure::unauthenticated("the nonce was used before, or is too old")
                    .next("Log in again: jitctl login"));
            }
        }
        let proof_print = fingerprint(proof_key.key_data());
        let text = proof::login(desk.office.name(), &login.nonce, &login.person, &proof_print)?;
        let key = proved(desk, &login, &fingerprint(key.key_data()), &text)?;
        let (verdict, factor) = authority.verify_login(key.as_ref(), &login.code, desk.from)?;
        let (Some(key), Some(factor)) = (key, factor) else { return Err(refused(verdict)) };
        let now = authority.now()?;
        let bare = ssh_key::PublicKey::new(proof_key.key_data().clone(), "").to_openssh();
        let token = Token {
            id: hex(&random_bytes::<8>()?),
            server: desk.office.name().to_owned(),
            person: key.person,
            key: key.fingerprint,
            proof_key: bare.map_err(|_| Error::invalid("the proof key can't be written"))?,
            factor,
            issued_at: now,
            expires_at: now.after(desk.office.token_lifetime()?)?,
        };
        let admin = desk.office.is_admin(&authority.person(&token.person)?);
        Ok(wire::LoggedIn {
            token: token.seal(authority.vault())?,
            expires_at: token.expires_at,
            person: token.person,
            admin,
        })
    }
}

/// The enrolled key, if it is this person's and signed. The signature of somebody unknown is checked
/// as well, against the key that came with it.
fn proved(
    desk: &Desk<'_>,
    login: &wire::Login,
    print: &str,
    text: &str,
) -> Result<Option<IdentityKey>, Failure> {
    let found = desk.authority.key_of_person(&login.person, print)?;
    let line = found.as_ref().map_or(login.public_key.trim(), |key| &key.public_key);
    let signed = sshsig::check(&login.signature, proof::LOGIN, text, [line]).is_ok();
    Ok(found.filter(|_| signed))
}

/// One answer, whoever it is and whatever was wrong; only who waits too briefly is told to wait.
fn refused(verdict: Verdict) -> Failure {
    match verdict {
        Verdict::Throttled { .. } => {
            Failure::rate_limited("there were too many failures of late", 30)
                .next("Wait a few minutes.")
        }
        _ => Failure::unauthenticated("the login is not right").next(
            "Person, key and code have to fit; a code counts once. Lost them? Ask an admin: \
             jitctl user invite NAME",
        ),
    }
}
