//! A CA's key pair: made, sealed and opened here, and nowhere else in the clear.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use jit_core::authority::Authority;
use jit_core::grant::Actor;
use jit_core::person::fingerprint;
use jit_core::seal::Vault;
use jit_core::secret::random_bytes;
use jit_core::store::{CaKey, CaKind};
use jit_core::{Error, Result};
use ssh_key::PublicKey;
use ssh_key::public::{Ed25519PublicKey, KeyData};
use zeroize::Zeroizing;

/// An Ed25519 key pair of a CA. Without Debug; the private key is wiped when dropped.
pub struct CaKeyPair {
    kind: CaKind,
    signing: SigningKey,
    public: KeyData,
    fingerprint: String,
}

impl CaKeyPair {
    /// A new random key pair.
    ///
    /// # Errors
    /// Unavailable when the system gives no random numbers.
    pub fn generate(kind: CaKind) -> Result<Self> {
        let seed = Zeroizing::new(random_bytes::<32>()?);
        Ok(CaKeyPair::from_seed(kind, &seed))
    }

    fn from_seed(kind: CaKind, seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let public = KeyData::Ed25519(Ed25519PublicKey(signing.verifying_key().to_bytes()));
        let fingerprint = fingerprint(&public);
        CaKeyPair { kind, signing, public, fingerprint }
    }

    /// Opens a stored key pair.
    ///
    /// # Errors
    /// Tampered when it does not open with this master key, or is not the key it says it is.
    pub fn open(vault: &Vault, stored: &CaKey) -> Result<Self> {
        let what = purpose(stored.kind, &stored.fingerprint);
        let bad = || Error::tampered(format!("the stored {what} is damaged"));
        let sealed = STANDARD.decode(&stored.sealed_private_key).map_err(|_| bad())?;
        let seed = vault.open(&what, &sealed)?;
        let seed: &[u8; 32] = seed.expose().try_into().map_err(|_| bad())?;
        let pair = CaKeyPair::from_seed(stored.kind, seed);
        if pair.fingerprint != stored.fingerprint || pair.public_line()? != stored.public_key {
            return Err(bad());
        }
        Ok(pair)
    }

    /// The private key, sealed for this kind of CA and this key alone, in base64.
    ///
    /// # Errors
    /// Unavailable when the system gives no random numbers.
    pub fn seal(&self, vault: &Vault) -> Result<String> {
        let seed = Zeroizing::new(self.signing.to_bytes());
        let sealed = vault.seal(&purpose(self.kind, &self.fingerprint), seed.as_slice())?;
        Ok(STANDARD.encode(sealed))
    }

    /// Which CA's.
    pub fn kind(&self) -> CaKind {
        self.kind
    }

    /// The public key.
    pub fn public(&self) -> &KeyData {
        &self.public
    }

    /// `SHA256:…`
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The public key in OpenSSH form, without comment.
    ///
    /// # Errors
    /// Invalid when it can't be written.
    pub fn public_line(&self) -> Result<String> {
        PublicKey::new(self.public.clone(), "")
            .to_openssh()
            .map(|line| line.trim().to_owned())
            .map_err(|e| Error::invalid(format!("the CA key can't be written: {e}")))
    }

    /// What signs, for [`crate::sign`] alone.
    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }
}

/// Makes another key that signs people's certificates from now on; its fingerprint, and those of the
/// keys that are trusted no longer. See [`Authority::rotate_user_ca`].
///
/// # Errors
/// As there.
pub fn rotate(authority: &Authority, at_once: bool) -> Result<(String, Vec<String>)> {
    let pair = CaKeyPair::generate(CaKind::User)?;
    let sealed = pair.seal(authority.vault())?;
    let (print, line) = (pair.fingerprint(), pair.public_line()?);
    let gone = authority.rotate_user_ca(&Actor::Root, print, &line, &sealed, at_once)?;
    Ok((print.to_owned(), gone))
}

fn purpose(kind: CaKind, fingerprint: &str) -> String {
    format!("{kind} CA key {fingerprint}")
}

/// Makes the CA's key if it has none; says which signs and whether it is new. A key that is there is
/// never replaced; it is opened, to see that the master key still fits.
///
/// # Errors
/// Tampered when the stored key does not open; unavailable when the store is.
pub fn ensure(authority: &Authority, kind: CaKind) -> Result<(String, bool)> {
    if let Some(stored) = authority.ca_keys(kind)?.first() {
        CaKeyPair::open(authority.vault(), stored)?;
        return Ok((stored.fingerprint.clone(), false));
    }
    let pair = CaKeyPair::generate(kind)?;
    let sealed = pair.seal(authority.vault())?;
    let (print, line) = (pair.fingerprint(), pair.public_line()?);
    authority.add_ca_key(&Actor::Root, kind, print, &line, &sealed)?;
    Ok((print.to_owned(), true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::Kind;
    use jit_core::time::Timestamp;

    fn stored(vault: &Vault, pair: &CaKeyPair) -> CaKey {
        CaKey {
            kind: pair.kind,
            fingerprint: pair.fingerprint.clone(),
            public_key: pair.public_line().unwrap(),
            sealed_private_key: pair.seal(vault).unwrap(),
            created_at: Timestamp::from_unix(0).unwrap(),
        }
    }

    #[test]
    fn a_sealed_key_opens_with_its_master_key_and_for_its_purpose_only() {
        let vault = Vault::from_master_key(&[1; 32]);
        let pair = CaKeyPair::generate(CaKind::User).unwrap();
        let good = stored(&vault, &pair);
        let opened = CaKeyPair::open(&vault, &good).unwrap();
        assert_eq!(opened.signing.to_bytes(), pair.signing.to_bytes());

        let refused = |vault: &Vault, key: &CaKey| {
            let error = CaKeyPair::open(vault, key).err().expect("it must not open");
            assert_eq!(error.kind(), Kind::Tampered, "{error}");
        };
        refused(&Vault::from_master_key(&[2; 32]), &good);
        refused(&vault, &CaKey { kind: CaKind::Host, ..good.clone() });
        let other = stored(&vault, &CaKeyPair::generate(CaKind::User).unwrap());
        refused(&vault, &CaKey { fingerprint: other.fingerprint.clone(), ..good.clone() });
        refused(&vault, &CaKey { public_key: other.public_key, ..good.clone() });
        refused(&vault, &CaKey { sealed_private_key: other.sealed_private_key, ..good.clone() });
        refused(&vault, &CaKey { sealed_private_key: "AAAA".into(), ..good.clone() });
        refused(&vault, &CaKey { sealed_private_key: "no base64".into(), ..good });
    }

    #[test]
    fn a_key_that_opens_but_is_another_than_it_says_is_refused() {
        let vault = Vault::from_master_key(&[1; 32]);
        let mut good = stored(&vault, &CaKeyPair::generate(CaKind::User).unwrap());
        let sealed = vault.seal(&purpose(CaKind::User, &good.fingerprint), &[9; 32]).unwrap();
        good.sealed_private_key = STANDARD.encode(sealed);
        assert!(CaKeyPair::open(&vault, &good).is_err());
        good.public_key = CaKeyPair::from_seed(CaKind::User, &[9; 32]).public_line().unwrap();
        assert!(CaKeyPair::open(&vault, &good).is_err());
    }

    #[test]
    fn the_private_key_does_not_stand_in_what_is_stored() {
        let vault = Vault::from_master_key(&[1; 32]);
        let pair = CaKeyPair::generate(CaKind::User).unwrap();
        let sealed = STANDARD.decode(pair.seal(&vault).unwrap()).unwrap();
        assert!(!sealed.windows(16).any(|part| part == &pair.signing.to_bytes()[..16]));
        assert_ne!(pair.seal(&vault).unwrap(), pair.seal(&vault).unwrap());
    }
}
