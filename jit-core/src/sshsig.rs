//! Signatures in the SSHSIG format (PROTOCOL.sshsig of OpenSSH), as `ssh-keygen -Y sign` makes them:
//! by which of somebody's keys a text was signed, and for what.

use ssh_key::{Algorithm, PublicKey, SshSig};

use crate::error::{Error, Result};

/// The largest signature that is read: one of an Ed25519 key has 300 bytes.
const LARGEST: usize = 4096;
/// What a person at a hardware key did: touched it (PROTOCOL.u2f).
const TOUCHED: u8 = 1;

/// Checks that `sshsig`, armoured, is a signature over `text`, made for `namespace`, by one of `keys`
/// in OpenSSH form; returns which.
///
/// # Errors
/// Refused, saying why.
pub fn check<'a>(
    sshsig: &str,
    namespace: &str,
    text: &str,
    keys: impl IntoIterator<Item = &'a str>,
) -> Result<PublicKey> {
    if sshsig.len() > LARGEST {
        return Err(Error::refused("the signature is larger than 4 KiB"));
    }
    let signature = SshSig::from_pem(sshsig.trim())
        .map_err(|e| Error::refused(format!("that is no signature of ssh-keygen -Y sign: {e}")))?;
    if signature.namespace() != namespace {
        return Err(Error::refused("the signature was made for something else"));
    }
    // The keys given are the only ones: none of them is a certificate.
    let signer = keys
        .into_iter()
        .filter_map(|key| PublicKey::from_openssh(key).ok())
        .find(|key| key.key_data() == signature.public_key())
        .ok_or_else(|| Error::refused("the signature is not by an enrolled key"))?;
    if !matches!(signer.algorithm(), Algorithm::Ed25519 | Algorithm::SkEd25519) {
        return Err(Error::refused("only signatures of Ed25519 keys are taken")
            .next("Approve on the authority, with a code."));
    }
    if signer.algorithm() == Algorithm::SkEd25519 {
        // The last five bytes: flags and a counter.
        let flags = signature.signature_bytes().iter().rev().nth(4).copied().unwrap_or(0);
        if flags & TOUCHED == 0 {
            return Err(Error::refused("nobody touched the hardware key that signed"));
        }
    }
    signer
        .verify(namespace, text.as_bytes(), &signature)
        .map_err(|_| Error::refused("the signature is not over this text as it is now"))?;
    Ok(signer)
}
