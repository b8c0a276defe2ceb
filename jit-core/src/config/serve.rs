//! `[serve]`: the authority over the network.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use crate::error::{Error, Result};
use crate::person::Person;
use crate::policy::{Member, member};
use crate::time::Span;
use crate::tomlfile::{Keys, TomlFile};

/// The largest number that a limit may be.
const MOST: u32 = 1_000_000;
/// How long a token may be good for.
const LONGEST_TOKEN: u64 = 12 * 3600;

/// How this machine is an authority over the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    /// What clients know the server by; part of everything that they sign.
    pub name: String,
    /// Where it listens: address and port.
    pub listen: std::net::SocketAddr,
    /// Who may do what root may, with a second factor.
    pub admins: Vec<Member>,
    /// How long after a login its token is good.
    pub token_lifetime: Span,
    /// A TLS certificate that is provided, where it is not our own.
    pub cert_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
    /// Open connections in all.
    pub connections: u32,
    /// Open connections of one address.
    pub connections_per_address: u32,
    /// Requests of one address in a second, on average.
    pub rate: u32,
    /// What one person, or one host, may have.
    pub each: Quota,
}

/// What one person, or one host, may have of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests in a second, on average.
    pub rate: u32,
    /// Requests that are worked on at a time.
    pub at_once: u32,
    /// Requests that wait for a change.
    pub waiting: u32,
}

/// Half of an address's rate, so that one person leaves another behind the same address some.
impl Default for Quota {
    fn default() -> Self {
        Quota { rate: 25, at_once: 16, waiting: 64 }
    }
}

impl Serve {
    /// The TLS certificate, those of its issuers after it, as PEM: the one provided, or else what
    /// `ssh-ca init` makes.
    pub fn certificate(&self) -> PathBuf {
        self.cert_file.clone().unwrap_or_else(|| "/etc/jit/tls/cert.pem".into())
    }

    /// Its private key, as PEM.
    pub fn key(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| "/etc/jit/tls/key.pem".into())
    }

    /// Whether a person is an admin.
    pub fn is_admin(&self, person: &Person) -> bool {
        !person.suspended && self.admins.iter().any(|member| member.includes(person))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServe {
    name: Spanned<String>,
    listen: Option<Spanned<String>>,
    #[serde(default)]
    admins: Vec<Spanned<String>>,
    token_lifetime: Option<Spanned<String>>,
    cert_file: Option<Spanned<PathBuf>>,
    key_file: Option<Spanned<PathBuf>>,
    connections: Option<Spanned<i64>>,
    connections_per_address: Option<Spanned<i64>>,
    rate: Option<Spanned<i64>>,
    rate_per_person: Option<Spanned<i64>>,
    requests_per_person: Option<Spanned<i64>>,
    waiting_per_person: Option<Spanned<i64>>,
}

pub(super) const KEYS: Keys = Keys {
    table: "serve",
    keys: &[
        "name",
        "listen",
        "admins",
        "token_lifetime",
        "cert_file",
        "key_file",
        "connections",
        "connections_per_address",
        "rate",
        "rate_per_person",
        "requests_per_person",
        "waiting_per_person",
    ],
};

impl RawServe {
    pub(super) fn checked(self, file: &TomlFile) -> Result<Serve> {
        let path = |value: Option<Spanned<PathBuf>>| match value {
            Some(path) if path.get_ref().is_absolute() => Ok(Some(path.into_inner())),
            Some(path) => Err(file.error_at(&path.span(), "the path is not absolute")),
            None => Ok(None),
        };
        let count = |value: &Option<Spanned<i64>>, default: u32| match value {
            Some(number) => u32::try_from(*number.get_ref())
                .ok()
                .filter(|n| (1..=MOST).contains(n))
                .ok_or_else(|| {
                    let text = format!("{} is not between 1 and {MOST}", number.get_ref());
                    file.error_at(&number.span(), text)
                }),
            None => Ok(default),
        };
        let (connections, connections_per_address, rate) = (
            count(&self.connections, 16_384)?,
            count(&self.connections_per_address, 256)?,
            count(&self.rate, 50)?,
        );
        let usual = Quota::default();
        let each = Quota {
            rate: count(&self.rate_per_person, usual.rate)?,
            at_once: count(&self.requests_per_person, usual.at_once)?,
            waiting: count(&self.waiting_per_person, usual.waiting)?,
        };
        let listen = match &self.listen {
            Some(text) => file.checked(text, |text| {
                text.parse().map_err(|_| {
                    Error::invalid(format!("`{text}` is no address with a port"))
                        .next("Write it as 0.0.0.0:8443 or [::]:8443.")
                })
            })?,
            None => std::net::SocketAddr::from(([0, 0, 0, 0], 8443)),
        };
        if let (Some(alone), None) | (None, Some(alone)) = (&self.cert_file, &self.key_file) {
            let text = "cert_file and key_file go together";
            return Err(file.error_at(&alone.span(), text));
        }
        Ok(Serve {
            name: file.checked(&self.name, server_name)?,
            listen,
            admins: self
                .admins
                .iter()
                .map(|text| file.checked(text, member))
                .collect::<Result<_>>()?,
            token_lifetime: match &self.token_lifetime {
                Some(text) => file.checked(text, |text| {
                    let span = Span::parse(text)?;
                    if span.secs() > LONGEST_TOKEN {
                        return Err(Error::invalid(format!("`{text}` is longer than 12h")));
                    }
                    Ok(span)
                })?,
                None => Span::from_secs(3600)?,
            },
            cert_file: path(self.cert_file)?,
            key_file: path(self.key_file)?,
            connections,
            connections_per_address,
            rate,
            each,
        })
    }
}

/// A host name or an address: it stands on a line of what is signed, and in URLs.
fn server_name(text: &str) -> Result<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b);
    if text.is_empty() || text.len() > 253 || !text.bytes().all(plain) {
        return Err(Error::invalid(format!("`{}` is no name of a server", text.escape_debug()))
            .next("Write it as jit.example.com."));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    fn parse(serve: &str) -> crate::Result<Config> {
        Config::parse(Path::new("/etc/jit/jit.toml"), &format!("host = 'a'\n[serve]\n{serve}"))
    }

    #[test]
    fn a_name_is_enough() {
        let serve = parse("name = 'jit.example.com'").unwrap().serve.unwrap();
        assert_eq!(serve.listen.to_string(), "0.0.0.0:8443");
        assert_eq!((serve.admins.len(), serve.token_lifetime.secs()), (0, 3600));
        assert_eq!(Config::parse(Path::new("/x"), "host = 'a'").unwrap().serve, None);
    }

    #[test]
    fn a_bad_value_is_refused_with_its_line() {
        for (bad, line) in [
            ("", ":2:"),
            ("name = 'a b'", ":3:"),
            ("name = 'a\\nb'", ":3:"),
            ("name = 'a'\nlisten = '8443'", ":4:"),
            ("name = 'a'\nadmins = ['@a b']", ":4:"),
            ("name = 'a'\ntoken_lifetime = '13h'", ":4:"),
            ("name = 'a'\ncert_file = '/x'", ":4: cert_file and key_file go together"),
            ("name = 'a'\ncert_file = 'x'\nkey_file = '/y'", ":4: the path is not absolute"),
            ("name = 'a'\nrate = 0", ":4: 0 is not between 1 and 1000000"),
            ("name = 'a'\nwaiting_per_person = -1", ":4: -1 is not between 1 and 1000000"),
            ("name = 'a'\nadmin = []", ":4: `admin` is no key in [serve]. Did you mean `admins`?"),
        ] {
            let said = parse(bad).unwrap_err().to_string();
            assert!(said.contains(line), "{bad:?}: {said}");
        }
    }
}
