//! What an admin sends to somebody who is to join:
//! `jit://HOST[:PORT]/person/alice?code=XXXX-XXXX-XXXX&pin=…&ca=SHA256:…`

use jit_core::name::{HostName, PersonName};
use jit_core::person::parse_fingerprint;
use jit_core::secret::SecretText;
use jit_core::{Error, Result};
use ssh_key::Fingerprint;

use crate::{Pin, Trust, pin};

/// How it begins.
const SCHEME: &str = "jit://";

/// Who is to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invited {
    /// A person, from their own machine.
    Person(PersonName),
    /// A host, by whoever is root there.
    Host(HostName),
}

/// An invitation as it was sent.
#[derive(Clone)]
pub struct Invitation {
    /// Who is to join.
    pub who: Invited,
    /// Where the authority is, `https://HOST:PORT`.
    pub url: String,
    /// The one-time code.
    pub code: SecretText,
    /// The authority's key; without, the system's certificate authorities decide.
    pub pin: Option<Pin>,
    /// The host CA's key, which signs what hosts are told, and hosts' certificates.
    pub ca: Option<Fingerprint>,
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

impl Invitation {
    /// Reads it.
    ///
    /// # Errors
    /// Invalid, saying what is wrong, without the code.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::invalid(format!("this is no invitation: {why}"))
                .next("Copy all of it, in quotes: jitctl join 'jit://…'")
        };
        let rest =
            text.trim().strip_prefix(SCHEME).ok_or_else(|| wrong("it begins with jit://"))?;
        let (path, query) = rest.split_once('?').ok_or_else(|| wrong("it has no code"))?;
        let mut parts = path.split('/');
        let (Some(place), Some(kind), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("it is jit://HOST/person/NAME or jit://HOST/host/NAME"));
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        if place.is_empty() || !place.chars().all(fits) {
            return Err(wrong("it names no host"));
        }
        let who = match kind {
            "person" => Invited::Person(PersonName::parse(name)?),
            "host" => Invited::Host(HostName::parse(name)?),
            _ => return Err(wrong("it is for a person or a host")),
        };
        let (mut code, mut pin, mut ca) = (None, None, None);
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("code", value)) if code.is_none() && is_code(value) => {
                    code = Some(SecretText::new(value.to_owned()));
                }
                Some(("pin", value)) if pin.is_none() => pin = Some(pin::read(value)?),
                Some(("ca", value)) if ca.is_none() => ca = Some(parse_fingerprint(value)?),
                _ => return Err(wrong("it has parts that are not known here")),
            }
        }
        let code = code.ok_or_else(|| wrong("it has no code"))?;
        Ok(Invitation { who, url: format!("https://{place}"), code, pin, ca })
    }

    /// Whom to believe.
    pub fn trust(&self) -> Trust {
        self.pin.map_or(Trust::Authorities(None), Trust::Pin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_says_who_where_and_whom_to_believe() {
        let pin = "A".repeat(43);
        let ca = format!("SHA256:{}+/{}", "A".repeat(20), "A".repeat(21));
        let text = format!(
            "jit://jit.example.com:8443/person/alice?code=AB12-CD34-EF56&pin={pin}&ca={ca}"
        );
        let read = Invitation::parse(&text).unwrap();
        assert_eq!(read.who, Invited::Person(PersonName::parse("alice").unwrap()));
        assert_eq!(read.url, "https://jit.example.com:8443");
        assert_eq!(read.code.expose(), "AB12-CD34-EF56");
        assert!(matches!(read.trust(), Trust::Pin(_)));
        assert_eq!(read.ca.unwrap().to_string(), ca);
        let host = Invitation::parse("jit://[::1]:8443/host/web-2?code=X").unwrap();
        assert_eq!(host.who, Invited::Host(HostName::parse("web-2").unwrap()));
        assert!(matches!(host.trust(), Trust::Authorities(None)));
    }

    #[test]
    fn what_is_no_invitation_is_refused_and_its_code_not_repeated() {
        for bad in [
            "",
            "https://jit.example.com/person/alice?code=SECRET",
            "jit://jit.example.com/person/alice",
            "jit://jit.example.com/person/alice?code=",
            "jit://jit.example.com/person/alice?code=SECRET';id",
            "jit://jit.example.com/person/alice?code=SECRET&pin=short",
            "jit://jit.example.com/person/alice?code=SECRET&code=SECRET",
            "jit://jit.example.com/person/alice?code=SECRET&ca=SHA256:AAAA",
            "jit://jit.example.com/person/alice?code=SECRET&insecure=1",
            "jit://jit.example.com/person/a b?code=SECRET",
            "jit://jit.example.com/robot/alice?code=SECRET",
            "jit://a@b/person/alice?code=SECRET",
            "jit:///person/alice?code=SECRET",
            "jit://h/person/alice/x?code=SECRET",
        ] {
            let Err(said) = Invitation::parse(bad) else { panic!("{bad} was taken") };
            assert!(!said.to_string().contains("SECRET"), "{said}");
        }
    }
}
