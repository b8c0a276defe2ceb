//! Recovery codes: look-up secrets in the sense of NIST SP 800-63B section 5.1.2. Random, used
//! once, shown once, stored as keyed hashes.

use super::{Code, PersonOrNobody};
use crate::error::Result;
use crate::seal::Vault;
use crate::secret::{SecretText, equal, random_bytes};

/// How many a person gets.
pub const COUNT: usize = 10;
/// Characters of a code, hyphens not counted: 80 random bits.
pub const LENGTH: usize = 16;
/// Crockford's base 32: no `i l o u`.
pub const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// New codes, as they are shown once, and the hashes to store.
///
/// # Errors
/// Unavailable when the system gives no random numbers.
pub fn generate(vault: &Vault, person: &PersonOrNobody) -> Result<(Vec<SecretText>, Vec<String>)> {
    let (mut shown, mut stored) = (Vec::new(), Vec::new());
    for _ in 0..COUNT {
        let bare: String = random_bytes::<LENGTH>()?
            .into_iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect();
        stored.push(hash(vault, person, &bare));
        let groups: Vec<_> =
            bare.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect();
        shown.push(SecretText::new(groups.join("-")));
        drop(SecretText::new(bare));
    }
    Ok((shown, stored))
}

/// Which of the stored hashes `code` has. Compares with every one of them.
pub fn matching(
    vault: &Vault,
    person: &PersonOrNobody,
    code: &Code,
    stored: &[String],
) -> Option<usize> {
    let typed = match code {
        Code::Recovery(typed) => hash(vault, person, typed.expose()),
        Code::Totp(_) | Code::Malformed => hash(vault, person, ""),
    };
    let mut found = None;
    for (index, hash) in stored.iter().enumerate() {
        if equal(hash.as_bytes(), typed.as_bytes()) {
            found = Some(index);
        }
    }
    found
}

fn hash(vault: &Vault, person: &PersonOrNobody, bare: &str) -> String {
    vault.code_hash(person.key(), bare).iter().map(|b| format!("{b:02x}")).collect()
}
