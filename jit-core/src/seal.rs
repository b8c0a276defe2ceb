//! Sealing with the master key. [`Vault`] seals secrets (XChaCha20-Poly1305, RFC 8439 with the
//! 24-byte nonce of draft-irtf-cfrg-xchacha) and tags stored rows (HMAC-SHA256), so that without the
//! master key a reader of the database learns no secret and a writer's edits are found.

use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::rootfile;
use crate::secret::{SecretBytes, random_bytes};

/// Bytes of a nonce, which stand before the sealed text.
const NONCE: usize = 24;

/// Holds the keys derived from the master key. Without Debug, and wiped when dropped.
pub struct Vault {
    seal: Zeroizing<[u8; 32]>,
    tag: Zeroizing<[u8; 32]>,
    code: Zeroizing<[u8; 32]>,
}

impl Vault {
    /// Derives the keys from a master key.
    pub fn from_master_key(master: &[u8; 32]) -> Self {
        let derive = |purpose: &str| Zeroizing::new(hmac(master, &[purpose.as_bytes()]));
        Vault { seal: derive("jit/1 seal"), tag: derive("jit/1 tag"), code: derive("jit/1 code") }
    }

    /// Reads the master key: 32 bytes as 64 hexadecimal digits, in a root-owned file of mode 0600.
    ///
    /// # Errors
    /// Misconfigured when the file is missing, readable by others or malformed.
    pub fn open_file(path: &Path) -> Result<Self> {
        let text = Zeroizing::new(rootfile::read_private(path, 1024).map_err(|e| {
            // Where it is lost, no setup makes up for it.
            if !matches!(path.try_exists(), Ok(false)) {
                return e;
            }
            e.next("Put it back from your backup, with mode 0600; on a new machine: jitctl setup.")
        })?);
        let master = parse_hex(text.trim()).ok_or_else(|| {
            Error::misconfigured(format!("{} is no master key", path.display()))
                .next("It holds 64 hexadecimal digits; restore it from your backup.")
        })?;
        Ok(Vault::from_master_key(&master))
    }

    /// Writes a new random master key. An existing file is never overwritten: what it seals would
    /// be lost.
    ///
    /// # Errors
    /// Misconfigured when the file exists or can't be written.
    pub fn create_file(path: &Path) -> Result<()> {
        let master = Zeroizing::new(random_bytes::<32>()?);
        let text: Zeroizing<String> =
            Zeroizing::new(master.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n");
        rootfile::create_private(path, text.as_bytes())
    }

    /// Seals `plain` for `purpose`; it opens for the same purpose only, so that one row's secret
    /// put into another row is refused.
    ///
    /// # Errors
    /// Unavailable when the system gives no random numbers.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let nonce = random_bytes::<NONCE>()?;
        let sealed = self
            .cipher()
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad: purpose.as_bytes() })
            .map_err(|_| Error::unavailable("the secret can't be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Vault::seal`] sealed for the same purpose.
    ///
    /// # Errors
    /// Tampered when it was damaged, edited, or sealed for another purpose or by another key.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<SecretBytes> {
        let bad = || {
            Error::tampered(format!("the sealed {purpose} does not open"))
                .next("It was edited, or the master key is another one.")
        };
        let (nonce, text) = sealed.split_at_checked(NONCE).ok_or_else(bad)?;
        self.cipher()
            .decrypt(XNonce::from_slice(nonce), Payload { msg: text, aad: purpose.as_bytes() })
            .map(SecretBytes::new)
            .map_err(|_| bad())
    }

    /// The tag of a stored row: of its table, its key and its body.
    pub fn tag(&self, table: &str, key: &str, body: &str) -> [u8; 32] {
        hmac(&self.tag, &[table.as_bytes(), key.as_bytes(), body.as_bytes()])
    }

    /// The keyed hash under which a single-use code of `person` is stored.
    pub fn code_hash(&self, person: &str, code: &str) -> [u8; 32] {
        hmac(&self.code, &[person.as_bytes(), code.as_bytes()])
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(self.seal.as_slice()))
    }
}

/// HMAC-SHA256 over parts, each with its length before it, so that no two lists of parts collide.
fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length, so this can't fail; the default would only weaken nothing.
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(key) else { unreachable!() };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn parse_hex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_key_only() {
        let vault = Vault::from_master_key(&[7; 32]);
        let sealed = vault.seal("totp of alice", b"secret").unwrap();
        assert_eq!(vault.open("totp of alice", &sealed).unwrap().expose(), b"secret");
        assert!(vault.open("totp of bob", &sealed).is_err());
        assert!(Vault::from_master_key(&[8; 32]).open("totp of alice", &sealed).is_err());
        for i in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[i] ^= 1;
            assert!(vault.open("totp of alice", &flipped).is_err(), "byte {i}");
        }
        assert!(vault.open("totp of alice", &sealed[..10]).is_err());
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
    }

    #[test]
    fn a_tag_binds_table_key_and_body() {
        let vault = Vault::from_master_key(&[7; 32]);
        let tag = vault.tag("grant", "ab", "c");
        assert_ne!(tag, vault.tag("grant", "a", "bc"));
        assert_ne!(tag, vault.tag("granta", "b", "c"));
        assert_ne!(tag, vault.code_hash("ab", "c"));
    }
}
