//! Issuing: a live grant and a public key become a certificate that is on record.

use jit_core::authority::Authority;
use jit_core::certificate::Specification;
use jit_core::factor::ProvedFactor;
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::name::HostName;
use jit_core::person::fingerprint;
use jit_core::store::CaKind;
use jit_core::{Error, Result};
use ssh_key::Certificate;
use ssh_key::public::KeyData;

use crate::key::CaKeyPair;
use crate::sign::{HostSigner, Signer};

/// Signs a certificate over `public_key` for a grant with the user CA's newest key. It names the
/// second factor that was proved for it, and is on record before it is returned.
///
/// # Errors
/// Not found without a CA or such a grant; refused when the grant has no window any more, the person
/// is suspended, or the key is not one to certify.
pub fn issue(
    authority: &Authority,
    actor: &Actor,
    grant: &GrantId,
    public_key: &KeyData,
    factor: Option<ProvedFactor>,
) -> Result<(Specification, Certificate)> {
    Issue::open(authority)?.issue(authority, actor, grant, public_key, factor)
}

/// The CAs' keys as they are now, the one that signs opened and kept ready.
pub struct Issue {
    signer: Signer,
    /// Fingerprints of all keys of both CAs, the one that signs first.
    keys: Vec<String>,
}

impl Issue {
    /// Opens the user CA's newest key.
    ///
    /// # Errors
    /// Not found without a CA; tampered when its key does not open.
    pub fn open(authority: &Authority) -> Result<Self> {
        let user = authority.ca_keys(CaKind::User)?;
        let newest = user.first().ok_or_else(|| no_ca(CaKind::User))?;
        let signer = Signer::new(CaKeyPair::open(authority.vault(), newest)?)?;
        Ok(Issue { signer, keys: fingerprints(authority)? })
    }

    /// As [`issue`], with the keys as they were.
    ///
    /// # Errors
    /// As there; conflict when another key signs by now.
    pub fn issue(
        &self,
        authority: &Authority,
        actor: &Actor,
        grant: &GrantId,
        public_key: &KeyData,
        factor: Option<ProvedFactor>,
    ) -> Result<(Specification, Certificate)> {
        let subject = fingerprint(public_key);
        let ca = self.signer.key().fingerprint();
        authority.issue(actor, grant, public_key, factor, ca, |wanted| {
            if self.keys.contains(&subject) {
                return Err(Error::refused("not signed: the key is a CA's own"));
            }
            self.signer.sign(wanted)
        })
    }
}

/// Signs the certificate of a host's sshd with the host CA's newest key; it is on record before it is
/// returned.
///
/// # Errors
/// Not found without a host CA or such a host; refused when the key is not one to certify.
pub fn issue_host(authority: &Authority, host: &HostName, key: &KeyData) -> Result<Certificate> {
    let signer = open_host_ca(authority)?;
    let cas = fingerprints(authority)?;
    let subject = fingerprint(key);
    authority.issue_host(host, key, signer.key().fingerprint(), |wanted| {
        if cas.contains(&subject) {
            return Err(Error::refused("not signed: the key is a CA's own"));
        }
        signer.sign(wanted)
    })
}

/// Opens the host CA's newest key.
///
/// # Errors
/// Not found without a CA; tampered when its key does not open.
pub fn open_host_ca(authority: &Authority) -> Result<HostSigner> {
    let keys = authority.ca_keys(CaKind::Host)?;
    let newest = keys.first().ok_or_else(|| no_ca(CaKind::Host))?;
    HostSigner::new(CaKeyPair::open(authority.vault(), newest)?)
}

fn fingerprints(authority: &Authority) -> Result<Vec<String>> {
    let (user, host) = (authority.ca_keys(CaKind::User)?, authority.ca_keys(CaKind::Host)?);
    Ok(user.into_iter().chain(host).map(|key| key.fingerprint).collect())
}

/// There is no CA yet.
pub(crate) fn no_ca(kind: CaKind) -> Error {
    Error::not_found(format!("there is no {kind} CA")).next("Make it: ssh-ca init")
}
