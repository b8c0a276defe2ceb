//! Signing: from a checked [`Specification`] to a certificate (PROTOCOL.certkeys of OpenSSH).

#[cfg(test)]
mod tests;

mod host;

use std::collections::BTreeSet;

use ed25519_dalek::{SignatureError, SigningKey};
use jit_core::certificate::{self, Specification};
use jit_core::host::Host;
use jit_core::name::{HostName, Place};
use jit_core::secret::random_bytes;
use jit_core::store::CaKind;
use jit_core::{Error, Result};
use ssh_key::certificate::{Builder, CertType};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Certificate, Fingerprint, Signature};

use crate::key::CaKeyPair;
use crate::rules;

pub use host::HostSigner;

/// Signs people's certificates with one user CA key, which it keeps ready.
pub struct Signer {
    key: CaKeyPair,
    fingerprint: Fingerprint,
}

impl Signer {
    /// With a user CA's key.
    ///
    /// # Errors
    /// Refused for a host CA's.
    pub fn new(key: CaKeyPair) -> Result<Self> {
        if key.kind() != CaKind::User {
            return Err(Error::refused("a host CA key signs no person's certificate"));
        }
        let fingerprint = key.public().fingerprint(ssh_key::HashAlg::Sha256);
        Ok(Signer { key, fingerprint })
    }

    /// The key that signs.
    pub fn key(&self) -> &CaKeyPair {
        &self.key
    }

    /// Checks `wanted`, signs it, reads the result back and checks it as a host would.
    ///
    /// # Errors
    /// Refused when [`rules::check`] is; tampered when what came out is not what was wanted.
    pub fn sign(&self, wanted: &Specification) -> Result<Certificate> {
        let certificate = self.sign_without_reading_back(wanted)?;
        self.read_back(&certificate, wanted)
    }

    /// As [`Signer::sign`], without the last check, which takes more time than all the rest. It
    /// finds a computer that miscalculates; the contents are checked before signing in any case.
    ///
    /// # Errors
    /// Refused when [`rules::check`] is.
    pub fn sign_without_reading_back(&self, wanted: &Specification) -> Result<Certificate> {
        rules::check(wanted, self.key.public())?;
        let nonce = random_bytes::<32>()?;
        self.build(&nonce, wanted)
            .map_err(|error| Error::tampered(format!("the certificate can't be made: {error}")))
    }

    fn build(&self, nonce: &[u8], wanted: &Specification) -> ssh_key::Result<Certificate> {
        let (opens, ends) = (wanted.validity.not_before.unix(), wanted.validity.not_after.unix());
        let mut builder = Builder::new(nonce, wanted.public_key.clone(), opens, ends)?;
        builder.serial(wanted.serial)?.cert_type(CertType::User)?;
        builder.key_id(wanted.key_id.to_string())?;
        for principal in &wanted.principals {
            builder.valid_principal(principal)?;
        }
        for permission in &wanted.permissions {
            builder.extension(permission.extension(), "")?;
        }
        for (option, value) in wanted.restrictions.critical_options() {
            builder.critical_option(option, value)?;
        }
        builder.sign(&Ready(&self.key))
    }

    fn read_back(&self, made: &Certificate, wanted: &Specification) -> Result<Certificate> {
        let bad = |why: &str| Error::tampered(format!("the signed certificate is wrong: {why}"));
        let bytes = made.to_bytes().map_err(|_| bad("it can't be written"))?;
        let read = Certificate::from_bytes(&bytes).map_err(|_| bad("it can't be read"))?;
        let same = read.serial() == wanted.serial
            && *read.public_key() == wanted.public_key
            && read.valid_principals() == wanted.principals
            && read.valid_after() == wanted.validity.not_before.unix()
            && read.valid_before() == wanted.validity.not_after.unix()
            && read.extensions().keys().map(String::as_str).collect::<BTreeSet<_>>()
                == wanted.permissions.iter().map(|permission| permission.extension()).collect()
            && certificate::restrictions(&read).as_ref() == Some(&wanted.restrictions);
        if !same {
            return Err(bad("it says something else"));
        }
        let first = wanted.principals.first().ok_or_else(|| bad("it names no principal"))?;
        let (login, place) = rules::parse_principal(first)?;
        let trusted = std::slice::from_ref(&self.fingerprint);
        let opens = wanted.validity.not_before;
        let key_id = certificate::check(&read, trusted, &login, &host_at(place)?, opens)
            .map_err(|error| bad(error.what()))?;
        if key_id != wanted.key_id { Err(bad("it names another grant")) } else { Ok(read) }
    }
}

/// A host that `place` names.
pub(crate) fn host_at(place: Place) -> Result<Host> {
    let (name, labels) = match place {
        Place::Host(name) => (name, BTreeSet::new()),
        Place::Label(label) => (HostName::parse("any")?, BTreeSet::from([label])),
    };
    Ok(Host { name, labels, created_at: jit_core::time::Timestamp::from_unix(0)?, key: None })
}

/// The key pair as `ssh-key` wants a signer. Its own would derive the key anew for each signature,
/// which takes half the time.
struct Ready<'a>(&'a CaKeyPair);

impl ed25519_dalek::Signer<Signature> for Ready<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, SignatureError> {
        let key: &SigningKey = self.0.signing();
        Signature::new(Algorithm::Ed25519, key.try_sign(message)?.to_vec())
            .map_err(SignatureError::from_source)
    }
}

impl From<&Ready<'_>> for KeyData {
    fn from(ready: &Ready<'_>) -> KeyData {
        ready.0.public().clone()
    }
}
