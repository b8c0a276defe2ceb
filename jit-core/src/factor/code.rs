//! A code as it was typed, sorted into its kind before anything looks at it.

use crate::secret::SecretText;

/// Digits of a one-time code.
pub const DIGITS: usize = 6;
/// The longest input that is looked at.
const LONGEST: usize = 64;

/// A typed code.
pub enum Code {
    /// Exactly six ASCII digits, no white space.
    Totp(SecretText),
    /// A recovery code in canonical form: 16 lower-case letters and digits.
    Recovery(SecretText),
    /// Anything else: it matches nothing, and counts as a failure.
    Malformed,
}

impl Code {
    /// Sorts what was typed. Only for recovery codes, which are copied from paper, case, hyphens
    /// and spaces do not matter.
    pub fn parse(typed: &str) -> Self {
        if typed.len() > LONGEST {
            return Code::Malformed;
        }
        if typed.len() == DIGITS && typed.bytes().all(|b| b.is_ascii_digit()) {
            return Code::Totp(SecretText::new(typed.to_owned()));
        }
        let bare: String = typed
            .chars()
            .filter(|c| !matches!(c, '-' | ' '))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if bare.len() == super::recovery::LENGTH
            && bare.bytes().all(|b| super::recovery::ALPHABET.contains(&b))
        {
            return Code::Recovery(SecretText::new(bare));
        }
        Code::Malformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_exactly_six_ascii_digits() {
        assert!(matches!(Code::parse("012345"), Code::Totp(_)));
        for bad in [
            "",
            "12345",
            "1234567",
            "12345 ",
            " 12345",
            "12 345",
            "12345a",
            "١٢٣٤٥٦",
            "１２３４５６",
            "+12345",
            "-12345",
            "1234\u{0}5",
            "12345\n",
        ] {
            assert!(matches!(Code::parse(bad), Code::Malformed), "{bad:?}");
        }
        assert!(matches!(Code::parse(&"a".repeat(10_000)), Code::Malformed));
    }
}
