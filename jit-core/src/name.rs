//! Checked names. Each has a strict character set, is brought to its one canonical form where it
//! enters, and can't exist in any other: no comma, quote, `@`, space, newline, control character or
//! non-ASCII letter can reach a principal, a log line or a shell through a name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $example:literal, $check:expr, fold: $fold:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and brings it to its canonical form.
            ///
            /// # Errors
            /// Invalid when it has another form.
            pub fn parse(text: &str) -> Result<Self> {
                let bad = || {
                    // Bounded and escaped: the text may be hostile and long.
                    let shown: String = text.chars().take(40).collect();
                    Error::invalid(format!(concat!("`{}` is no ", $what), shown.escape_debug()))
                        .next($example)
                };
                let canonical = if $fold { text.to_ascii_lowercase() } else { text.to_owned() };
                let check: fn(&str) -> bool = $check;
                if check(&canonical) { Ok($name(canonical)) } else { Err(bad()) }
            }

            /// The canonical form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                $name::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                $name::parse(text)
            }
        }
    };
}

/// `first` for the first byte, `rest` for each other, at most `longest` bytes.
fn spelled(text: &str, longest: usize, first: fn(u8) -> bool, rest: fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [head, tail @ ..] => tail.len() < longest && first(*head) && tail.iter().all(|b| rest(*b)),
        [] => false,
    }
}

fn lower(b: u8) -> bool {
    b.is_ascii_lowercase()
}

fn lower_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn word(b: u8) -> bool {
    lower_digit(b) || matches!(b, b'-' | b'_' | b'.')
}

checked_name!(
    /// A person's name: `alice`. Case does not tell people apart.
    PersonName, "name of a person", "A name is a letter and up to 31 more of a-z 0-9 . _ -",
    |text| spelled(text, 32, lower, word), fold: true
);
checked_name!(
    /// A group of people, written `@oncall` where a person could stand too; kept without the `@`.
    GroupName, "name of a group", "A group is a letter and up to 31 more of a-z 0-9 . _ -",
    |text| spelled(text, 32, lower, word), fold: true
);
checked_name!(
    /// A local account on a host. Accounts are told apart by case, so nothing is folded.
    Login, "login", "A login is a-z or _ and up to 31 more of a-z 0-9 . _ -",
    |text| spelled(text, 32, |b| lower(b) || b == b'_', word), fold: false
);
checked_name!(
    /// A host's name: `web-1`, or `web-1.example.org`.
    HostName, "name of a host", "A host is a letter or digit and up to 62 more of a-z 0-9 . -",
    |text| spelled(text, 63, lower_digit, |b| lower_digit(b) || matches!(b, b'-' | b'.')), fold: true
);
checked_name!(
    /// A host's label: `env=prod`.
    Label, "label", "A label is key=value, each of a-z 0-9 . _ -",
    |text| text.split_once('=').is_some_and(|(key, value)| {
        spelled(key, 32, lower, word) && spelled(value, 63, lower_digit, word)
    }), fold: true
);
checked_name!(
    /// The name of a role in the policy.
    RoleName, "name of a role", "A role is a letter and up to 31 more of a-z 0-9 . _ -",
    |text| spelled(text, 32, lower, word), fold: true
);
checked_name!(
    /// The name of a hook.
    HookName, "name of a hook", "A hook is a letter and up to 31 more of a-z 0-9 . _ -",
    |text| spelled(text, 32, lower, word), fold: true
);

/// Where access is granted: one host, or every host that carries a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// One host.
    Host(HostName),
    /// Every host with this label.
    Label(Label),
}

impl Place {
    /// Reads `web-1` or `env=prod`.
    ///
    /// # Errors
    /// Invalid when it is neither.
    pub fn parse(text: &str) -> Result<Self> {
        if text.contains('=') {
            Label::parse(text).map(Place::Label)
        } else {
            HostName::parse(text).map(Place::Host)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Host(host) => host.fmt(f),
            Place::Label(label) => label.fmt(f),
        }
    }
}

impl TryFrom<String> for Place {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Place::parse(&text)
    }
}

impl From<Place> for String {
    fn from(place: Place) -> String {
        place.to_string()
    }
}

/// Why somebody asks: one line of text, 3 to 300 characters, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    /// Checks `text`; white space around it is dropped.
    ///
    /// # Errors
    /// Invalid when too short, too long, or not plain text on one line.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > 4 * 300 {
            return Err(Error::invalid("the reason is longer than 300 characters"));
        }
        let text = text.trim();
        if let Some(odd) = text.chars().find(|c| c.is_control() || is_invisible(*c)) {
            let kind = if odd.is_control() { "a control" } else { "an invisible" };
            let what = format!("the reason contains {kind} character, U+{:04X}", u32::from(odd));
            return Err(Error::invalid(what).next("Write it as plain text on one line."));
        }
        match text.chars().count() {
            0 => Err(Error::invalid("a reason is needed").next("Say in a few words what for.")),
            1..3 => Err(Error::invalid(format!("the reason `{text}` is too short"))
                .next("Say in a few words what for, in 3 to 300 characters.")),
            3..=300 => Ok(Reason(text.to_owned())),
            _ => Err(Error::invalid("the reason is longer than 300 characters")),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that change how a line reads without being seen: direction marks, line separators,
/// fillers, tags.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Reason {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Reason::parse(&text)
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> String {
        reason.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOSTILE: &[&str] = &[
        "",
        " ",
        "a b",
        "a,b",
        "a\"b",
        "a'b",
        "a@b",
        "a\nb",
        "a\0b",
        "a\x1b[0m",
        "ä",
        "a\u{202e}b",
        "a;b",
        "$(a)",
        "-a",
        ".a",
        "a/b",
        "..",
        "a\\b",
        "a:b",
        "a=b,c=d",
        "a\r",
        "а",
        "a*",
        "a%u",
    ];

    #[test]
    fn names_hosts_logins_and_labels_have_a_strict_character_set() {
        for bad in HOSTILE {
            assert!(PersonName::parse(bad).is_err(), "person {bad:?}");
            assert!(GroupName::parse(bad).is_err(), "group {bad:?}");
            assert!(Login::parse(bad).is_err(), "login {bad:?}");
            assert!(HostName::parse(bad).is_err(), "host {bad:?}");
            assert!(Label::parse(bad).is_err(), "label {bad:?}");
            assert!(RoleName::parse(bad).is_err(), "role {bad:?}");
        }
        assert!(PersonName::parse(&"a".repeat(32)).is_ok());
        assert!(PersonName::parse(&"a".repeat(33)).is_err());
    }

    #[test]
    fn a_name_is_made_canonical_once() {
        assert_eq!(PersonName::parse("Alice").unwrap(), PersonName::parse("alice").unwrap());
        assert_eq!(HostName::parse("WEB-1").unwrap().as_str(), "web-1");
        // Accounts differ by case, so folding one would name another account.
        assert!(Login::parse("Deploy").is_err());
    }

    #[test]
    fn a_reason_is_one_line_of_plain_text() {
        for bad in [
            "",
            "  ",
            "ab",
            "a\nb c",
            "tab\there",
            "esc\x1b[2J",
            "flip\u{202e}ped",
            "\u{3164}\u{3164}\u{3164}",
            "a\u{61c}bc",
            "tag\u{e0041}",
            "nul\0x",
        ] {
            assert!(Reason::parse(bad).is_err(), "{bad:?}");
        }
        for (bad, says) in [
            ("", "a reason is needed"),
            ("x", "the reason `x` is too short"),
            ("INC-1 \u{200b}disk", "an invisible character, U+200B"),
            ("INC-1 \x07disk", "a control character, U+0007"),
        ] {
            assert!(Reason::parse(bad).unwrap_err().what().contains(says), "{bad:?}");
        }
        assert!(Reason::parse(&"é".repeat(301)).is_err());
        assert_eq!(Reason::parse(" INC-1 größer ").unwrap().as_str(), "INC-1 größer");
    }

    proptest! {
        #[test]
        fn whatever_parses_is_harmless_everywhere(text in "\\PC{0,40}") {
            if let Ok(name) = PersonName::parse(&text) {
                prop_assert!(name.as_str().bytes().all(word));
            }
            if let Ok(label) = Label::parse(&text) {
                prop_assert!(label.as_str().bytes().all(|b| word(b) || b == b'='));
            }
        }
    }
}
