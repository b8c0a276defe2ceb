//! Invitations: a one-time code by which a person, or a host, enrols a key of their own over the
//! network, without anybody else ever seeing a secret of theirs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::grant::Actor;
use crate::name::{HostName, PersonName};
use crate::seal::Vault;
use crate::secret::{SecretText, equal, random_bytes};
use crate::time::{Span, Timestamp};

/// How long one is good.
const LASTS: u64 = 86_400;
/// Wrong codes after which it is void.
const TRIES: u32 = 5;
/// Characters of a code, hyphens not counted: 60 random bits.
const LENGTH: usize = 12;
/// Crockford's base 32, read out in upper case.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Who is invited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Invited {
    /// A person, to enrol a key and a second factor.
    Person(PersonName),
    /// A host, to enrol a key.
    Host(HostName),
}

impl fmt::Display for Invited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invited::Person(name) => write!(f, "person:{name}"),
            Invited::Host(name) => write!(f, "host:{name}"),
        }
    }
}

/// A person's enrolment that waits for the first code of the new factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// The key that they proved to hold, in OpenSSH form with its comment.
    pub public_key: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// The sealed secret of the new factor, in base64.
    pub sealed: String,
    /// Keyed hash of what continues this enrolment.
    pub confirmation: String,
}

/// An invitation. There is one at a time for each that is invited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// Who is invited.
    pub invited: Invited,
    /// Keyed hash of the code, in hexadecimal.
    pub code: String,
    /// Who invited.
    pub by: Actor,
    /// When.
    pub made_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Wrong codes that it still bears.
    pub tries_left: u32,
    /// The enrolment that has begun; the code is bound to its key then.
    pub begun: Option<Begun>,
}

impl Invitation {
    /// A new one, and its code, which is shown this once.
    ///
    /// # Errors
    /// Unavailable when the system gives no random numbers.
    pub fn new(
        vault: &Vault,
        invited: Invited,
        by: Actor,
        now: Timestamp,
    ) -> Result<(Self, SecretText)> {
        let bare: String = random_bytes::<LENGTH>()?
            .into_iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect();
        let invitation = Invitation {
            code: hash(vault, &invited, "code", &bare),
            invited,
            by,
            made_at: now,
            expires_at: now.after(Span::from_secs(LASTS)?)?,
            tries_left: TRIES,
            begun: None,
        };
        let code = format!("{}-{}-{}", &bare[..4], &bare[4..8], &bare[8..]);
        Ok((invitation, SecretText::new(code)))
    }

    /// Whether it is good for anything at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires_at && self.tries_left > 0
    }

    /// Whether `typed` is its code.
    pub fn has_code(&self, vault: &Vault, typed: &str) -> bool {
        let typed = hash(vault, &self.invited, "code", &plain(typed));
        equal(self.code.as_bytes(), typed.as_bytes())
    }

    /// Whether `text` continues the enrolment that has begun.
    pub fn is_continued_by(&self, vault: &Vault, text: &str) -> bool {
        let given = hash(vault, &self.invited, "confirmation", text);
        self.begun
            .as_ref()
            .is_some_and(|begun| equal(begun.confirmation.as_bytes(), given.as_bytes()))
    }

    /// The keyed hash of what continues an enrolment.
    pub fn confirmation_hash(&self, vault: &Vault, text: &str) -> String {
        hash(vault, &self.invited, "confirmation", text)
    }

    /// Counts a wrong code.
    pub fn count_wrong(&mut self) {
        self.tries_left = self.tries_left.saturating_sub(1);
    }
}

fn hash(vault: &Vault, invited: &Invited, what: &str, text: &str) -> String {
    // No person's name has a space in it, so this is no recovery code's hash.
    let hash = vault.code_hash(&format!("invitation {what} {invited}"), text);
    crate::audit::hex(&hash)
}

/// A code as it was typed: case, hyphens and spaces do not matter.
fn plain(typed: &str) -> String {
    let typed = typed.chars().filter(|c| !matches!(c, '-' | ' ')).take(2 * LENGTH);
    typed.map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;

    fn invited(name: &str) -> Invited {
        Invited::Person(PersonName::parse(name).unwrap())
    }

    #[test]
    fn a_code_opens_its_invitation_alone_however_it_is_typed() {
        let vault = Vault::from_master_key(&[1; 32]);
        let new = |who: &str| Invitation::new(&vault, invited(who), Actor::Root, at(100)).unwrap();
        let ((mine, code), (other, _)) = (new("alice"), new("alice"));
        let code = code.expose();
        assert_eq!(code.len(), 14);
        for typed in [code.to_owned(), code.to_lowercase(), code.replace('-', " ")] {
            assert!(mine.has_code(&vault, &typed), "{typed}");
            assert!(!other.has_code(&vault, &typed));
        }
        for typed in ["", &code[1..], &format!("{code}0")] {
            assert!(!mine.has_code(&vault, typed), "{typed}");
        }
        let moved = Invitation { invited: invited("bob"), ..mine.clone() };
        assert!(!moved.has_code(&vault, code), "a code of one person opened another's");
        assert!(!serde_json::to_string(&mine).unwrap().contains(&code.replace('-', "")));
    }

    #[test]
    fn it_ends_after_a_day_or_five_wrong_codes() {
        let vault = Vault::from_master_key(&[1; 32]);
        let (mut one, _) = Invitation::new(&vault, invited("alice"), Actor::Root, at(100)).unwrap();
        assert!(one.is_open(at(100 + LASTS - 1)) && !one.is_open(at(100 + LASTS)));
        for _ in 0..TRIES {
            assert!(one.is_open(at(100)));
            one.count_wrong();
        }
        assert!(!one.is_open(at(100)));
    }
}
