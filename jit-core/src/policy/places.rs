//! Where a rule holds: `web-1`, `env=prod`, `env=prod and not tier=db`.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::name::Place;

/// How many places one expression may join: far more than anybody can read.
const MOST_TERMS: usize = 16;

/// Places joined by `and`, each of which may have `not` before it. A list of them stands for `or`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    not: bool,
    place: Place,
}

impl Places {
    /// Reads an expression.
    ///
    /// # Errors
    /// Invalid, saying what was expected.
    pub fn parse(text: &str) -> Result<Self> {
        let shape = |what: String| {
            Error::invalid(what)
                .next("Write it as web-1, env=prod, or env=prod and not tier=db; a list means or.")
        };
        let mut terms = Vec::new();
        let mut words = text.split_whitespace();
        loop {
            let mut word =
                words.next().ok_or_else(|| shape("a host or label is missing".into()))?;
            let not = word == "not";
            if not {
                word = words
                    .next()
                    .ok_or_else(|| shape("a host or label is missing after `not`".into()))?;
            }
            if matches!(word, "not" | "and" | "or") {
                return Err(shape(format!("`{word}` stands where a host or label should")));
            }
            terms.push(Term { not, place: Place::parse(word)? });
            match words.next() {
                None => break,
                Some("and") if terms.len() < MOST_TERMS => {}
                Some("and") => return Err(shape(format!("more than {MOST_TERMS} places"))),
                Some(other) => {
                    let shown: String = other.chars().take(40).collect();
                    return Err(shape(format!(
                        "`{}` stands where `and` should",
                        shown.escape_debug()
                    )));
                }
            }
        }
        Ok(Places { terms })
    }

    /// As [`Places::parse`], for a rule that gives something: it says where it holds, not only
    /// where not, as a host that nobody has labelled yet would be among the rest.
    ///
    /// # Errors
    /// As there; invalid when every place has `not` before it.
    pub fn parse_positive(text: &str) -> Result<Self> {
        let places = Places::parse(text)?;
        if places.terms.iter().all(|term| term.not) {
            return Err(Error::invalid("this says only where the role is not for")
                .next("Put a host or label first: env=prod and not tier=db"));
        }
        Ok(places)
    }

    /// Whether `host` is meant.
    pub fn includes(&self, host: &Host) -> bool {
        self.terms.iter().all(|term| host.is_at(&term.place) != term.not)
    }

    /// Whether a grant for all of `place`, whatever hosts come to it later, stays within this: only
    /// where this is that very place.
    pub fn is_exactly(&self, place: &Place) -> bool {
        matches!(self.terms.as_slice(), [term] if !term.not && term.place == *place)
    }

    /// The places it speaks of.
    pub fn named(&self) -> impl Iterator<Item = &Place> {
        self.terms.iter().map(|term| &term.place)
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, term) in self.terms.iter().enumerate() {
            let and = if number > 0 { " and " } else { "" };
            let not = if term.not { "not " } else { "" };
            write!(f, "{and}{not}{}", term.place)?;
        }
        Ok(())
    }
}

impl Serialize for Places {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;
    use crate::name::{HostName, Label};

    fn host(name: &str, labels: &[&str]) -> Host {
        Host {
            name: HostName::parse(name).unwrap(),
            labels: labels.iter().map(|label| Label::parse(label).unwrap()).collect(),
            created_at: at(0),
            key: None,
        }
    }

    #[test]
    fn places_are_joined_and_taken_out() {
        let here = |text: &str, host: &Host| Places::parse(text).unwrap().includes(host);
        let web = host("web-1", &["env=prod", "tier=web"]);
        let db = host("db-1", &["env=prod", "tier=db"]);
        for (text, on_web, on_db) in [
            ("web-1", true, false),
            ("env=prod", true, true),
            ("env=prod and not tier=db", true, false),
            ("env=prod and tier=db", false, true),
            ("not web-1", false, true),
            ("env=prod  and\tnot web-1 and not db-1", false, false),
        ] {
            assert_eq!((here(text, &web), here(text, &db)), (on_web, on_db), "{text}");
        }
        assert!(Places::parse("env=prod").unwrap().is_exactly(&Place::parse("env=prod").unwrap()));
        for other in ["not env=prod", "env=prod and tier=db", "env=test"] {
            let places = Places::parse(other).unwrap();
            assert!(!places.is_exactly(&Place::parse("env=prod").unwrap()), "{other}");
        }
    }

    #[test]
    fn what_has_another_form_is_refused() {
        for bad in [
            "",
            " ",
            "and",
            "not",
            "not not web-1",
            "web-1 and",
            "web-1 or web-2",
            "web-1 web-2",
            "env=prod and and tier=db",
            "(env=prod)",
            "env=prod AND tier=db",
            "env!=prod",
        ] {
            assert!(Places::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Places::parse(&["a"; 17].join(" and ")).is_err());
        assert!(Places::parse_positive("not web-1").is_err());
        assert!(Places::parse_positive("not web-1 and env=prod").is_ok());
        assert_eq!(
            Places::parse("Env=Prod and  not DB-1").unwrap().to_string(),
            "env=prod and not db-1"
        );
    }
}
