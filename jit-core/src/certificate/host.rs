//! The certificate of a host's sshd, by which people know that they are where they meant to go
//! (sshd_config(5), HostCertificate; `@cert-authority` in sshd(8)).

use ssh_key::certificate::CertType;
use ssh_key::public::KeyData;
use ssh_key::{Certificate, Fingerprint};

use crate::error::{Error, Result};
use crate::grant::Window;
use crate::name::HostName;
use crate::time::{Span, Timestamp};

/// The key of sshd that is certified, where Debian has it.
pub const SSHD_KEY: &str = "/etc/ssh/ssh_host_ed25519_key.pub";

/// How long it lasts, in seconds: a host that is gone for good is soon nobody's.
const LASTS: u64 = 30 * 86_400;
/// After how long the next one is due, in seconds: a host that is away for a while does not lose it.
const DUE: u64 = 10 * 86_400;

/// A host's certificate to be signed: everything in it but the nonce and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpecification {
    /// Unique; never 0.
    pub serial: u64,
    /// sshd's key.
    pub public_key: KeyData,
    /// The one name that it is for.
    pub host: HostName,
    /// `valid_after ≤ now < valid_before`.
    pub validity: Window,
}

impl HostSpecification {
    /// One that is valid from `opens`, and as long as such last.
    ///
    /// # Errors
    /// Refused for anything but an Ed25519 key; invalid at the end of time.
    pub fn new(
        serial: u64,
        public_key: &KeyData,
        host: &HostName,
        opens: Timestamp,
    ) -> Result<Self> {
        if !matches!(public_key, KeyData::Ed25519(_)) {
            return Err(Error::refused("not signed: a host's key is an Ed25519 key")
                .next("Make one: ssh-keygen -A"));
        }
        Ok(HostSpecification {
            serial,
            public_key: public_key.clone(),
            host: host.clone(),
            validity: Window::new(opens, opens.after(Span::from_secs(LASTS)?)?)?,
        })
    }

    /// What sshd's log and ssh call it by.
    pub fn key_id(&self) -> String {
        format!("jit/1 host={}", self.host)
    }
}

/// Checks that a certificate is one of `key` for `host`, by a CA of `trusted`, now. Returns whether
/// the next one is due.
///
/// # Errors
/// Refused, saying what is wrong.
pub fn check_host(
    certificate: &Certificate,
    key: &KeyData,
    host: &HostName,
    trusted: &[Fingerprint],
    now: Timestamp,
) -> Result<bool> {
    let no = |why: &str| Err(Error::refused(format!("the certificate of this host's key {why}")));
    if certificate.cert_type() != CertType::Host {
        return no("is none of a host");
    }
    if certificate.public_key() != key {
        return no("is of another key");
    }
    if certificate.valid_principals() != [host.as_str()] {
        return no("is for another host");
    }
    if certificate.validate_at(now.unix(), trusted).is_err() {
        return no("is not valid now, or by none of our host CA's keys");
    }
    let aged = now.unix().saturating_sub(certificate.valid_after()) >= DUE;
    // The newest is the one that people are told of first.
    let by_newest = trusted.first().is_some_and(|newest| {
        certificate.signature_key().fingerprint(ssh_key::HashAlg::Sha256) == *newest
    });
    Ok(aged || !by_newest)
}
