//! Whether a key made a signature. Not by ssh-key's own dispatch: with all types of keys in there,
//! the PAM module, which verifies only certificates of our Ed25519 CA, would carry them, too.

use rsa::pkcs1v15;
use rsa::signature::Verifier;
use sha2::{Digest, Sha256};
use ssh_key::public::{EcdsaPublicKey, KeyData, RsaPublicKey};
use ssh_key::{Algorithm, HashAlg, Mpint, SshSig};

/// What a hardware key adds to its signature: flags, and a counter (PROTOCOL.u2f).
const TRAILER: usize = 5;

/// Whether `signature` is over `text`, by `key`.
pub(super) fn is_by(key: &KeyData, text: &[u8], signature: &SshSig) -> bool {
    let signed = SshSig::signed_data(signature.namespace(), signature.hash_alg(), text);
    let (Ok(signed), bytes) = (signed, signature.signature_bytes()) else { return false };
    let by = match key {
        KeyData::Ed25519(_) | KeyData::SkEd25519(_) => {
            Verifier::verify(key, &signed, signature.signature()).ok()
        }
        KeyData::Ecdsa(key) => ecdsa(key, &signed, bytes),
        KeyData::SkEcdsaSha2NistP256(key) => {
            let Some((bytes, trailer)) = bytes.split_last_chunk::<TRAILER>() else { return false };
            let mut hardware = Sha256::digest(key.application()).to_vec();
            hardware.extend(trailer);
            hardware.extend(Sha256::digest(&signed));
            p256(key.ec_point().as_bytes(), &hardware, bytes)
        }
        KeyData::Rsa(key) => rsa(key, &signature.algorithm(), &signed, bytes),
        _ => None,
    };
    by.is_some()
}

fn ecdsa(key: &EcdsaPublicKey, signed: &[u8], bytes: &[u8]) -> Option<()> {
    match key {
        EcdsaPublicKey::NistP256(point) => p256(point.as_bytes(), signed, bytes),
        EcdsaPublicKey::NistP384(point) => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point.as_bytes()).ok()?;
            let signature = p384::ecdsa::Signature::from_slice(&halves::<48>(bytes)?).ok()?;
            key.verify(signed, &signature).ok()
        }
        EcdsaPublicKey::NistP521(point) => {
            let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point.as_bytes()).ok()?;
            let signature = p521::ecdsa::Signature::from_slice(&halves::<66>(bytes)?).ok()?;
            key.verify(signed, &signature).ok()
        }
    }
}

fn p256(point: &[u8], signed: &[u8], bytes: &[u8]) -> Option<()> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
    let signature = p256::ecdsa::Signature::from_slice(&halves::<32>(bytes)?).ok()?;
    key.verify(signed, &signature).ok()
}

/// The two integers of an ECDSA signature (RFC 5656, 3.1.2), each filled up to `SIZE` bytes.
fn halves<const SIZE: usize>(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut filled = Vec::with_capacity(2 * SIZE);
    for _ in 0..2 {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (number, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        let number = Mpint::from_bytes(number).ok()?;
        let number = number.as_positive_bytes()?;
        filled.extend(vec![0; SIZE.checked_sub(number.len())?]);
        filled.extend(number);
    }
    bytes.is_empty().then_some(filled)
}

/// RFC 8332: PKCS #1 v1.5 with SHA-2.
fn rsa(key: &RsaPublicKey, by: &Algorithm, signed: &[u8], bytes: &[u8]) -> Option<()> {
    let number = |number: &Mpint| number.as_positive_bytes().map(rsa::BigUint::from_bytes_be);
    let key = rsa::RsaPublicKey::new(number(&key.n)?, number(&key.e)?).ok()?;
    let signature = pkcs1v15::Signature::try_from(bytes).ok()?;
    match by {
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) } => {
            pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(signed, &signature).ok()
        }
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) } => {
            pkcs1v15::VerifyingKey::<sha2::Sha512>::new(key).verify(signed, &signature).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integers_of_a_signature_are_two_that_fit_and_nothing_more() {
        let number =
            |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        let two = |a: &[u8], b: &[u8]| [number(a), number(b)].concat();
        let filled = [&[0; 31][..], &[7], &[0; 30], &[1, 2]].concat();
        assert_eq!(halves::<32>(&two(&[7], &[1, 2])), Some(filled));
        // With the zero before what would be negative.
        let high = [&[0][..], &[0xff; 32]].concat();
        assert!(halves::<32>(&two(&high, &[1])).is_some());
        let long = [&[1][..], &[0; 32]].concat();
        for bad in [
            number(&[7]),
            [two(&[7], &[1]), vec![0]].concat(),
            two(&long, &[1]),
            two(&[0xff], &[1]),
            vec![0xff; 8],
            vec![],
        ] {
            assert_eq!(halves::<32>(&bad), None, "{bad:?}");
        }
    }
}
