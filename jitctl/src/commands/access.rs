//! The access that somebody has to a host, and the certificate for it.

use jit_api::endpoints::{certificates, server};
use jit_api::proof;
use jit_api::wire::{Certify, Nothing, Server};
use jit_client::{Client, Manner, Profile, SigningKey};
use jit_core::clock::{Clock, SystemClock};
use jit_core::grant::{Grant, Phase};
use jit_core::id::GrantId;
use jit_core::name::{HostName, Login, PersonName, Place};
use jit_core::time::Timestamp;
use jit_core::{Error, Result};

use crate::line::{Line, There, Way, Which};

/// A grant with its window.
#[derive(Clone, Debug)]
pub struct Access {
    /// The grant.
    pub grant: Grant,
    /// When it ends.
    pub until: Timestamp,
}

/// The access that there is to an account on a host now, the longest.
///
/// # Errors
/// Unavailable; refused.
pub fn find(
    line: &Line,
    me: &PersonName,
    login: &Login,
    host: &HostName,
) -> Result<Option<Access>> {
    // Those of the host's labels, too: the authority knows which.
    let which = Which {
        state: Some(Phase::Active),
        person: Some(me.clone()),
        host: Some(host.clone()),
        ..Which::default()
    };
    let (found, _) = line.way.grants(&which)?;
    let fitting = found.into_iter().filter(|grant| grant.ask().login == *login);
    let with_end = fitting.filter_map(|grant| {
        let until = grant.window()?.not_after;
        Some(Access { grant, until })
    });
    Ok(with_end.max_by_key(|access| access.until))
}

/// A certificate over a key, for a grant.
///
/// # Errors
/// Refused when the authority gives none.
pub fn certificate(there: &There, grant: &GrantId, key: &SigningKey) -> Result<String> {
    let text = proof::certify(there.client().server(), grant, &key.fingerprint())?;
    let wanted = Certify {
        grant: grant.clone(),
        public_key: key.line()?,
        signature: Some(key.sign(proof::CERTIFY, &text)?),
    };
    let given = there.client().call::<certificates::Certify>(
        &Nothing {},
        &Nothing {},
        &wanted,
        Manner::default(),
    )?;
    let line = given.certificate.trim();
    if line.contains(['\n', '\r']) || !line.contains("-cert-v01@openssh.com ") {
        return Err(Error::unavailable("the authority gave something that is no certificate"));
    }
    Ok(line.to_owned())
}

/// What the authority says of itself.
///
/// # Errors
/// Unavailable.
pub fn server(client: &Client) -> Result<Server> {
    client.call::<server::Server>(&Nothing {}, &Nothing {}, &Nothing {}, Manner::default())
}

/// What known_hosts is to say, so that `hosts`, ssh's patterns, are known by the authority's host CA:
/// nothing where it has none. Made here of the key alone, as a line of the server's could be for any
/// host.
///
/// # Errors
/// As [`Profile::host_ca`]; unavailable.
pub fn known_hosts(client: &Client, profile: &Profile, hosts: &str) -> Result<Option<String>> {
    let Some(mut key) = profile.host_ca(&server(client)?.host_ca)? else { return Ok(None) };
    key.set_comment("");
    let key = key
        .to_openssh()
        .map_err(|e| Error::invalid(format!("the host CA's key can't be written: {e}")))?;
    Ok(Some(format!("@cert-authority {hosts} {}", key.trim())))
}

/// The host that is meant; a label can't be connected to.
///
/// # Errors
/// Invalid for a label.
pub fn host(place: &Place) -> Result<&HostName> {
    match place {
        Place::Host(host) => Ok(host),
        Place::Label(label) => Err(Error::invalid(format!("{label} is a label, not a host"))
            .next("Name one host. To ask for all of a label: jitctl request LOGIN@LABEL.")),
    }
}

/// The line there, from one's own machine.
///
/// # Errors
/// Refused on the authority itself.
pub fn there(line: &Line) -> Result<&There> {
    match &line.way {
        Way::There(there) => Ok(there),
        Way::Here(_) => Err(Error::refused("this is for people on their own machines")
            .next("Here: ssh-ca sign --grant ID --key FILE.")),
    }
}

/// Seconds from now to then.
///
/// # Errors
/// Unavailable when the clock can't be read.
pub fn seconds_until(then: Timestamp) -> Result<u64> {
    Ok(then.since(SystemClock::default().now()?))
}
