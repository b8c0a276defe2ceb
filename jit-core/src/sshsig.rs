//! Signatures in the SSHSIG format (PROTOCOL.sshsig of OpenSSH), as `ssh-keygen -Y sign` makes them:
//! by which of somebody's keys a text was signed, and for what.

mod known;
mod verify;

use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Fingerprint, PublicKey, SshSig};

use crate::error::{Error, Result};

/// The largest signature that is read: one of an Ed25519 key has 300 bytes.
const LARGEST: usize = 4096;
/// The sizes of RSA keys, in bits, whose signatures are taken.
const RSA: std::ops::RangeInclusive<usize> = 2048..=4096;
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
    let signature = read(sshsig, namespace)?;
    // The keys given are the only ones: none of them is a certificate.
    let signer = keys
        .into_iter()
        .filter_map(|key| PublicKey::from_openssh(key).ok())
        .find(|key| key.key_data() == signature.public_key())
        .ok_or_else(|| Error::refused("the signature is not by an enrolled key"))?;
    verify(&signature, signer.key_data(), text)?;
    Ok(signer)
}

/// As [`check`], by the key with this fingerprint, which the signature itself holds.
///
/// # Errors
/// As there.
pub fn check_by(sshsig: &str, namespace: &str, text: &str, by: Fingerprint) -> Result<()> {
    let signature = read(sshsig, namespace)?;
    let signer = signature.public_key();
    if signer.fingerprint(by.algorithm()) != by {
        return Err(Error::refused("the signature is by another key"));
    }
    verify(&signature, signer, text)
}

fn read(sshsig: &str, namespace: &str) -> Result<SshSig> {
    if sshsig.len() > LARGEST {
        return Err(Error::refused("the signature is larger than 4 KiB"));
    }
    let signature = SshSig::from_pem(sshsig.trim())
        .map_err(|e| Error::refused(format!("that is no signature of ssh-keygen -Y sign: {e}")))?;
    if signature.namespace() != namespace {
        return Err(Error::refused("the signature was made for something else"));
    }
    Ok(signature)
}

fn verify(signature: &SshSig, signer: &KeyData, text: &str) -> Result<()> {
    check_strength(signer, &signature.algorithm())?;
    if matches!(signer, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_)) {
        // The last five bytes: flags and a counter.
        let flags = signature.signature_bytes().iter().rev().nth(4).copied().unwrap_or(0);
        if flags & TOUCHED == 0 {
            return Err(Error::refused("nobody touched the hardware key that signed"));
        }
    }
    if !verify::is_by(signer, text.as_bytes(), signature) {
        return Err(Error::refused("the signature is not over this text as it is now"));
    }
    Ok(())
}

/// As [`check`], for a signature that is looked at again and again: whether it is good is worked out
/// once for each key.
///
/// # Errors
/// As there.
pub fn check_again(sshsig: &str, namespace: &str, text: &str, keys: &[&str]) -> Result<()> {
    let good = |key: &&str| {
        let look = || check(sshsig, namespace, text, [*key]).is_ok();
        known::is_good([key, namespace, text, sshsig], look)
    };
    if keys.iter().any(good) {
        return Ok(());
    }
    check(sshsig, namespace, text, keys.iter().copied()).map(drop)
}

/// Refuses keys and hashes that are too weak, or larger than is looked at.
fn check_strength(key: &KeyData, by: &Algorithm) -> Result<()> {
    let no = |what: &str| {
        Err(Error::refused(what).next("Sign with another enrolled key, such as an Ed25519 one."))
    };
    match (key, by) {
        (
            KeyData::Ed25519(_)
            | KeyData::Ecdsa(_)
            | KeyData::SkEd25519(_)
            | KeyData::SkEcdsaSha2NistP256(_),
            _,
        ) => Ok(()),
        (KeyData::Rsa(rsa), Algorithm::Rsa { hash: Some(_) }) => {
            let bits = rsa.n.as_positive_bytes().map_or(0, <[u8]>::len) * 8;
            if RSA.contains(&bits) {
                return Ok(());
            }
            no(&format!("signatures of RSA keys are taken from 2048 to 4096 bits, not {bits}"))
        }
        (KeyData::Rsa(_), _) => no("an RSA signature is taken with SHA-2 only"),
        _ => no("signatures of keys of this type are not taken"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD as BASE64;
    use ed25519_dalek::Signer;
    use sha2::{Digest, Sha256};
    use ssh_key::HashAlg;
    use ssh_key::public::{SkEcdsaSha2NistP256, SkEd25519};

    const TEXT: &str = "jit-request@v1\nid: k7q2-m9xd\n";
    const FOR: &str = "jit-approval@v1";

    /// What a hardware key signs (PROTOCOL.u2f), and what it adds to its signature.
    fn by_hardware(text: &str, flags: u8) -> (Vec<u8>, [u8; 5]) {
        let more = [flags, 0, 0, 0, 7];
        let signed = SshSig::signed_data(FOR, HashAlg::Sha512, text.as_bytes()).unwrap();
        let mut data = Sha256::digest("ssh:").to_vec();
        data.extend(more);
        data.extend(Sha256::digest(signed));
        (data, more)
    }

    fn string(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
    }

    /// Key and signature as they are written; ssh-key writes none of hardware keys as OpenSSH does.
    fn armoured(key: KeyData, signature: &[u8], more: [u8; 5]) -> (String, String) {
        let public = PublicKey::new(key.clone(), "");
        let name = key.algorithm();
        let signature = [string(name.as_str().as_bytes()), string(signature), more.to_vec()];
        let blob = [
            b"SSHSIG\0\0\0\x01".to_vec(),
            string(&public.to_bytes().unwrap()),
            string(FOR.as_bytes()),
            string(b""),
            string(b"sha512"),
            string(&signature.concat()),
        ];
        let text = BASE64.encode(blob.concat());
        let lines: Vec<_> =
            text.as_bytes().chunks(70).map(|line| str::from_utf8(line).unwrap()).collect();
        let sshsig = format!(
            "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
            lines.join("\n")
        );
        (public.to_openssh().unwrap(), sshsig)
    }

    fn sk_ed25519(text: &str, flags: u8) -> (String, String) {
        let pair = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let (data, more) = by_hardware(text, flags);
        let public = ssh_key::public::Ed25519PublicKey(pair.verifying_key().to_bytes());
        let key = SkEd25519::new(public, "ssh:");
        armoured(KeyData::SkEd25519(key), &pair.sign(&data).to_bytes(), more)
    }

    fn sk_ecdsa(text: &str, flags: u8) -> (String, String) {
        use p256::ecdsa::{Signature, SigningKey};
        let pair = SigningKey::from_bytes(&[7; 32].into()).unwrap();
        let (data, more) = by_hardware(text, flags);
        let signature: Signature = pair.sign(&data);
        // Two integers as in RFC 4251, with a zero before what would be negative.
        let halves = [signature.r().to_bytes(), signature.s().to_bytes()];
        let bytes = halves.map(|half| match half[0] {
            0x80.. => string(&[&[0], &half[..]].concat()),
            _ => string(&half),
        });
        let key = SkEcdsaSha2NistP256::new(pair.verifying_key().to_encoded_point(false), "ssh:");
        armoured(KeyData::SkEcdsaSha2NistP256(key), &bytes.concat(), more)
    }

    #[test]
    fn a_hardware_key_signs_where_somebody_touched_it() {
        for sign in [sk_ed25519, sk_ecdsa] {
            let look = |(key, sshsig): (String, String), text: &str| {
                check(&sshsig, FOR, text, [key.as_str()]).map(drop)
            };
            look(sign(TEXT, TOUCHED), TEXT).unwrap();
            // Touched, and its PIN or finger was asked for.
            look(sign(TEXT, TOUCHED | 4), TEXT).unwrap();
            let untouched = look(sign(TEXT, 0), TEXT).unwrap_err();
            assert!(untouched.what().contains("nobody touched"), "{untouched}");
            let other = look(sign(TEXT, TOUCHED), "another text").unwrap_err();
            assert!(other.what().contains("not over this text"), "{other}");
        }
    }

    #[test]
    fn weak_keys_and_hashes_sign_nothing() {
        let rsa = |bytes: usize| {
            let number = |bytes| ssh_key::Mpint::from_positive_bytes(bytes).unwrap();
            let (e, n) = (number(&[1, 0, 1]), number(&vec![0xc5; bytes]));
            KeyData::Rsa(ssh_key::public::RsaPublicKey { e, n })
        };
        let sha2 = Algorithm::Rsa { hash: Some(HashAlg::Sha512) };
        for bytes in [256, 384, 512] {
            check_strength(&rsa(bytes), &sha2).unwrap();
        }
        for bytes in [128, 255, 513, 1024] {
            let error = check_strength(&rsa(bytes), &sha2).unwrap_err();
            assert!(error.what().contains("from 2048 to 4096"), "{error}");
        }
        let sha1 = check_strength(&rsa(256), &Algorithm::Rsa { hash: None }).unwrap_err();
        assert!(sha1.what().contains("SHA-2 only"), "{sha1}");
    }
}
