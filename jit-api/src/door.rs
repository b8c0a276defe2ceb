//! Who asks: from the kernel, or from a token or host credential and the proof of this very request.

use jit_core::grant::Actor;
use jit_core::name::{HostName, PersonName};
use jit_core::time::Timestamp;
use jit_core::{Error, sshsig};
use sha2::{Digest, Sha256};
use ssh_key::public::KeyData;

use crate::asked::{Asked, Peer};
use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::nonces::Use;
use crate::problem::Failure;
use crate::proof::{self, Proof};
use crate::quotas::Visit;
use crate::token::Token;

/// Who asks, and what signed their request.
pub(crate) struct Arrived {
    pub(crate) caller: Caller,
    pub(crate) key: Option<KeyData>,
}

/// Finds out who asks.
///
/// # Errors
/// Unauthenticated when they claim to be somebody and don't prove it; that is on the log.
pub(crate) fn arrive(
    desk: &Desk<'_>,
    asked: &Asked<'_>,
    visit: &mut Visit,
) -> Result<Arrived, Failure> {
    let Some(claim) = asked.headers.authorization else {
        let caller = match asked.peer {
            Peer::Process | Peer::Unix { uid: 0 } => Caller::Root,
            Peer::Unix { uid } => local(desk, uid)?,
            Peer::Network { .. } => Caller::Nobody,
        };
        return Ok(Arrived { caller, key: None });
    };
    match claim.split_once(' ') {
        Some(("JIT", token)) => by_token(desk, asked, visit, token),
        Some(("JIT-Host", name)) => by_host(desk, asked, visit, name),
        _ => Err(Failure::unauthenticated("Authorization is neither JIT nor JIT-Host")),
    }
}

/// The person named like the account.
fn local(desk: &Desk<'_>, uid: u32) -> Result<Caller, Failure> {
    let account = nix::unistd::User::from_uid(uid.into())
        .map_err(|e| Error::unavailable(format!("the account {uid} can't be looked up: {e}")))?;
    let name = account.and_then(|account| named_like(&account.name));
    Ok(match name {
        Some(name) => match desk.authority.person(&name) {
            Ok(person) if !person.suspended => Caller::Local(name),
            _ => Caller::Nobody,
        },
        None => Caller::Nobody,
    })
}

/// Accounts are told apart by case, people are not.
fn named_like(account: &str) -> Option<PersonName> {
    PersonName::parse(account).ok().filter(|name| name.as_str() == account)
}

fn by_token(
    desk: &Desk<'_>,
    asked: &Asked<'_>,
    visit: &mut Visit,
    text: &str,
) -> Result<Arrived, Failure> {
    let authority = desk.authority;
    let login = |why: &str| Failure::unauthenticated(why).next("jitctl login");
    let Some(token) = Token::open(authority.vault(), text) else {
        // Anybody can send noise: that is no event.
        return Err(login("the token is not one of this server"));
    };
    let actor = Actor::Person(token.person.clone());
    let refused = |why: &str| refuse(desk, asked, &actor, why, login(why));
    if token.server != desk.office.name() {
        return Err(refused("the token is another server's"));
    }
    let (person, now) = authority.person_logged_in(&token.person, &token.key, token.issued_at)?;
    if now >= token.expires_at {
        return Err(refused("the token has expired"));
    }
    let Some(person) = person else {
        return Err(refused(
            "the person, key or second factor of this login does not count any more",
        ));
    };
    let key = check_proof(desk, asked, visit, &actor, Some(text), &token.proof_key, now)?;
    let admin = desk.office.is_admin(&person);
    let (name, login, factor) = (token.person, token.key, Some(token.factor));
    let caller = Caller::Person { name, key: login, factor, admin };
    Ok(Arrived { caller, key: Some(key) })
}

fn by_host(
    desk: &Desk<'_>,
    asked: &Asked<'_>,
    visit: &mut Visit,
    name: &str,
) -> Result<Arrived, Failure> {
    let unknown =
        || Failure::unauthenticated("no such host is enrolled here").next("Enrol it: jitctl join");
    let name = HostName::parse(name).map_err(|_| unknown())?;
    let (key, now) = desk.authority.host_key(&name)?;
    let key = key.ok_or_else(unknown)?;
    let caller = Caller::Host(name);
    let key = check_proof(desk, asked, visit, &caller.actor(), None, &key, now)?;
    Ok(Arrived { caller, key: Some(key) })
}

/// Checks that `key` signed this request just now, and that it is no replay; the key, as it was read.
fn check_proof(
    desk: &Desk<'_>,
    asked: &Asked<'_>,
    visit: &mut Visit,
    actor: &Actor,
    token: Option<&str>,
    key: &str,
    now: Timestamp,
) -> Result<KeyData, Failure> {
    let refused = |why: &str| refuse(desk, asked, actor, why, Failure::unauthenticated(why));
    let Some(header) = asked.headers.proof else {
        return Err(refused("the request is not signed"));
    };
    let proof = Proof::parse(header)?;
    let request = proof::Request {
        server: desk.office.name(),
        method: asked.method,
        target: &asked.target(),
        body: asked.body,
        token,
        time: proof.time,
        nonce: &proof.nonce,
    };
    let signer = sshsig::check(&proof.sshsig, proof::REQUEST, &request.text()?, [key])
        .map_err(|error| refused(error.context("the proof of the request").what()))?;
    let signer = signer.key_data().clone();
    let digest: [u8; 32] = Sha256::digest(format!("{key}\n{}", proof.nonce)).into();
    if visit.proof == Some(digest) {
        return Ok(signer);
    }
    in_time(desk, proof.time, now).map_err(|failure| {
        let why = failure.error.what().to_owned();
        refuse(desk, asked, actor, &why, failure)
    })?;
    // As long as it could be taken again, and a wait on top.
    let until = proof.time.saturating_add(2 * proof::FRESH + desk.office.longest_wait());
    match desk.office.proofs().take(digest, now, until) {
        Use::Fresh => {
            visit.proof = Some(digest);
            Ok(signer)
        }
        Use::Used => Err(refused("the proof was used before")),
        Use::Full => Err(Error::unavailable("there are too many requests").into()),
    }
}

fn in_time(desk: &Desk<'_>, time: u64, now: Timestamp) -> Result<(), Failure> {
    let now = now.unix();
    if time.abs_diff(now) > proof::FRESH {
        return Err(Failure::unauthenticated(format!(
            "the request was signed at another time: the clocks differ by {} seconds, or it is old",
            time.abs_diff(now)
        ))
        .next("Set the clock, and try again."));
    }
    // What was used before the start is not remembered.
    if time < desk.office.started() {
        return Err(Error::unavailable("the server has just started").next("Try again.").into());
    }
    Ok(())
}

/// Puts a refusal on the log: somebody holds a real token or names a real host.
fn refuse(
    desk: &Desk<'_>,
    asked: &Asked<'_>,
    actor: &Actor,
    why: &str,
    failure: Failure,
) -> Failure {
    let endpoint =
        crate::route::find(asked.method, asked.path).map_or("?", |(entry, _)| entry.name);
    let address = asked.peer.address();
    // Bounded, as a copy of a token must not be able to fill the log.
    let recorded = desk.authority.now().and_then(|now| {
        if desk.office.may_record(&actor.to_string(), now) {
            return desk.authority.refused_at_the_door(actor, endpoint, address, why);
        }
        desk.authority.syslog().trouble(&format!("{actor} at {endpoint}: {why}"));
        Ok(())
    });
    match recorded {
        Ok(()) => failure,
        Err(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_persons_only_by_the_very_name() {
        assert_eq!(named_like("alice"), PersonName::parse("alice").ok());
        assert_eq!((named_like("Alice"), named_like("alice "), named_like("")), (None, None, None));
    }
}
