//! A grant's id: short, random, easy to read out, such as `k7q2-m9xd`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::secret::random_bytes;

/// No character that is taken for another when read out or typed: no `i l o u 0 1`.
const ALPHABET: &[u8; 30] = b"abcdefghjkmnpqrstvwxyz23456789";

/// Two groups of four characters, about 39 random bits. It names a grant; it is no secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GrantId(String);

impl GrantId {
    /// A new random id.
    ///
    /// # Errors
    /// Unavailable when the system gives no random numbers.
    pub fn random() -> Result<Self> {
        let mut text = String::with_capacity(9);
        while text.len() < 9 {
            if text.len() == 4 {
                text.push('-');
            }
            // Bytes from 240 up would favour the first letters.
            let [byte] = random_bytes::<1>()?;
            if byte < 240 {
                text.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
            }
        }
        Ok(GrantId(text))
    }

    /// Reads an id as a person types it: in any case, with or without the hyphen.
    ///
    /// # Errors
    /// Invalid when it has another form.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || {
            let shown: String = text.chars().take(20).collect();
            Error::invalid(format!("`{}` is no grant id", shown.escape_debug()))
                .next("An id looks like k7q2-m9xd; jitctl list shows them.")
        };
        if text.len() > 9 {
            return Err(bad());
        }
        let lower = text.to_ascii_lowercase();
        let (head, tail) = match lower.split_once('-') {
            Some(halves) => halves,
            None => lower.split_at_checked(4).ok_or_else(bad)?,
        };
        let valid = |half: &str| half.len() == 4 && half.bytes().all(|b| ALPHABET.contains(&b));
        if valid(head) && valid(tail) { Ok(GrantId(format!("{head}-{tail}"))) } else { Err(bad()) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for GrantId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        GrantId::parse(&text)
    }
}

impl From<GrantId> for String {
    fn from(id: GrantId) -> String {
        id.0
    }
}

impl std::str::FromStr for GrantId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        GrantId::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_however_it_is_typed() {
        for _ in 0..200 {
            let id = GrantId::random().unwrap();
            assert_eq!(GrantId::parse(id.as_str()).unwrap(), id);
            let typed = id.as_str().replace('-', "").to_uppercase();
            assert_eq!(GrantId::parse(&typed).unwrap(), id);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for bad in [
            "",
            "k7q2",
            "k7q2-m9x",
            "k7q2-m9xdd",
            "k7q2m9xd-",
            "l7q2-m9xd",
            "k7q2 m9xd",
            "k7q2-m9x\n",
            "äöüß",
            "'; --",
        ] {
            assert!(GrantId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
