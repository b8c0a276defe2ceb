//! The authority of a host that is not its own: where it is, by which keys it and its answers are
//! known, and what a certificate alone proves here.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use ssh_key::Fingerprint;
use toml::Spanned;

use super::Reader;
use crate::error::{Error, Result};
use crate::hook::WebhookUrl;
use crate::person::parse_fingerprint;
use crate::time::Span;
use crate::tomlfile::Keys;

/// `[authority]`, which `jitctl join` writes on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Where it is: `https://jit.example.com:8443`, without a path.
    pub url: String,
    /// What it calls itself, which is part of what is signed for it.
    pub name: String,
    /// By which key it is known.
    pub pin: Pin,
    /// By which key its answers are signed: the host CA's.
    pub ca: Fingerprint,
    /// What proves a second factor here.
    pub second_factor: FactorFrom,
    /// How long a factor that a certificate names counts.
    pub fresh: Span,
}

/// What proves a second factor on a host whose authority is elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorFrom {
    /// A code, which the authority checks.
    Ask,
    /// The certificate, where one was proved for it and while that is fresh; else a code.
    Certificate,
}

/// The SHA-256 of the public key (SubjectPublicKeyInfo) in the authority's TLS certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    /// Reads `sha256:` and 43 characters of base64url.
    ///
    /// # Errors
    /// Invalid when it has another form.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid("that is no pin, such as sha256: and 43 characters of base64url")
                .next("It stands in what the authority's admin gave you to join with.")
        };
        let digest = text.strip_prefix("sha256:").ok_or_else(bad)?;
        let digest = URL_SAFE_NO_PAD.decode(digest).map_err(|_| bad())?;
        digest.try_into().map(Pin).map_err(|_| bad())
    }

    /// That of this digest.
    pub fn of(digest: [u8; 32]) -> Self {
        Pin(digest)
    }

    /// The digest.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

/// An address of an authority: https, and nothing after the port.
///
/// # Errors
/// Invalid when it has another form.
pub fn url(text: &str) -> Result<String> {
    let url = WebhookUrl::parse(text).map_err(|error| Error::invalid(error.what()))?;
    if !url.is_https() || text.matches('/').count() != 2 || text.contains('?') {
        return Err(Error::invalid("the authority's url is not https://HOST or https://HOST:PORT"));
    }
    Ok(text.to_owned())
}

/// A server's name, as it stands in what is signed.
fn name(text: &str) -> Result<String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    if text.is_empty() || text.len() > 253 || !text.bytes().all(good) {
        return Err(Error::invalid("the authority's name is no DNS name"));
    }
    Ok(text.to_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUpstream {
    url: Spanned<String>,
    name: Spanned<String>,
    pin: Spanned<String>,
    ca: Spanned<String>,
    second_factor: Option<Spanned<String>>,
    fresh: Option<Spanned<String>>,
}

pub(super) const KEYS: Keys =
    Keys { table: "authority", keys: &["url", "name", "pin", "ca", "second_factor", "fresh"] };

impl RawUpstream {
    pub(super) fn checked(&self, read: &Reader<'_>) -> Result<Upstream> {
        Ok(Upstream {
            url: read.file.checked(&self.url, url)?,
            name: read.file.checked(&self.name, name)?,
            pin: read.file.checked(&self.pin, Pin::parse)?,
            ca: read.file.checked(&self.ca, parse_fingerprint)?,
            second_factor: match &self.second_factor {
                None => FactorFrom::Ask,
                Some(word) => match word.get_ref().as_str() {
                    "ask" => FactorFrom::Ask,
                    "certificate" => FactorFrom::Certificate,
                    _ => {
                        let what = "second_factor of [authority] is \"ask\" or \"certificate\"; \
                                    \"required\" and \"none\" are words of [factor]";
                        return Err(read.file.error_at(&word.span(), what));
                    }
                },
            },
            fresh: read.span(self.fresh.as_ref(), 900, 86_400)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_an_https_address_without_a_path() {
        for good in ["https://jit.example.com", "https://jit.example.com:8443", "https://[::1]:1"] {
            assert_eq!(url(good).unwrap(), good);
        }
        for bad in [
            "http://127.0.0.1:1",
            "https://a/",
            "https://a/x",
            "https://a?x",
            "https://u@a",
            "a",
            "jit://a",
            "",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pin_has_one_spelling() {
        let pin = Pin::of([0xfb; 32]);
        assert_eq!(Pin::parse(&pin.to_string()).unwrap(), pin);
        for bad in ["", "sha256:", "sha256:AAAA", "SHA256:AAAA"] {
            assert!(Pin::parse(bad).is_err(), "{bad}");
        }
        assert!(Pin::parse(&format!("{pin}=")).is_err());
        assert!(Pin::parse(&pin.to_string().replace('-', "+")).is_err());
    }
}
