//! Issuing: a live grant and a public key become a certificate that is on record.

use jit_core::authority::Authority;
use jit_core::certificate::Specification;
use jit_core::factor::ProvedFactor;
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::person::fingerprint;
use jit_core::store::CaKind;
use jit_core::{Error, Result};
use ssh_key::Certificate;
use ssh_key::public::KeyData;

use crate::key::CaKeyPair;
use crate::sign::Signer;

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
    let user = authority.ca_keys(CaKind::User)?;
    let host = authority.ca_keys(CaKind::Host)?;
    let newest = user.first().ok_or_else(|| no_ca(CaKind::User))?;
    let signer = Signer::new(CaKeyPair::open(authority.vault(), newest)?)?;
    let subject = fingerprint(public_key);
    let ca = signer.key().fingerprint();
    authority.issue(actor, grant, public_key, factor, ca, |wanted| {
        if user.iter().chain(&host).any(|key| key.fingerprint == subject) {
            return Err(Error::refused("not signed: the key is a CA's own"));
        }
        signer.sign(wanted)
    })
}

/// There is no CA yet.
pub(crate) fn no_ca(kind: CaKind) -> Error {
    Error::not_found(format!("there is no {kind} CA")).next("Make it: ssh-ca init")
}
