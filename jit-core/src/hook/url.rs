//! Where a webhook is: checked so far that nothing can be read in two ways, and that nothing leaves
//! this machine unencrypted.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::{Error, Result};

/// An address such as `https://chat.example.org/hook/1`. It is shown without what follows the host:
/// that is often the secret by which a chat takes it.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    text: String,
    shown: usize,
}

impl WebhookUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// Invalid when it is neither https nor http to this machine itself, or is ambiguous.
    pub fn parse(text: &str) -> Result<Self> {
        // Not repeated in the error: the path may be a secret.
        let bad = |how: &str| {
            Err(Error::invalid(format!("the url {how}"))
                .next("Write it as https://host/path, or http://127.0.0.1:8080/path."))
        };
        if text.len() > 2048 {
            return bad("is longer than 2048 bytes");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'\\' | b'"')) {
            return bad("has a space, a # or another character that no url has");
        }
        let Some((scheme, rest)) = text.split_once("://") else { return bad("has no https://") };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => match inner.split_once(']') {
                Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
                _ => return bad("has a host that is none"),
            },
            None => {
                let host = authority.split(':').next().unwrap_or_default();
                let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
                if host.is_empty() || !host.bytes().all(name) {
                    return bad("has a host that is none, or a name and password before it");
                }
                (host, &authority[host.len()..])
            }
        };
        let digits = port.strip_prefix(':').unwrap_or(port);
        let good_port = port.is_empty()
            || port.starts_with(':')
                && digits.bytes().all(|b| b.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0);
        if !good_port {
            return bad("has a port that is none");
        }
        match scheme {
            "https" => {}
            "http" if is_this_machine(host) => {}
            "http" => return bad("is http, and leaves this machine"),
            _ => return bad("is neither https nor http"),
        }
        Ok(WebhookUrl { text: text.to_owned(), shown: scheme.len() + 3 + authority.len() })
    }

    /// All of it, for the one call that goes there.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Whether it is encrypted.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text[..self.shown])
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_this_machine_unencrypted() {
        for good in [
            "https://chat.example.org/hook/s3cret?x=1",
            "https://chat.example.org",
            "https://[2001:db8::1]:8443/x",
            "http://127.0.0.1:8080/x",
            "http://localhost",
            "http://[::1]:80/",
        ] {
            let url = WebhookUrl::parse(good).unwrap();
            assert_eq!((url.expose(), url.is_https()), (good, good.starts_with("https")));
        }
        for bad in [
            "http://chat.example.org/x",
            "http://127.0.0.1.example.org/",
            "http://127.0.0.1@example.org/",
            "http://localhost@example.org/",
            "http://127.1/",
            "http://0.0.0.0/",
            "http://[::ffff:10.0.0.1]/",
            "https://user:word@example.org/",
            "https:///x",
            "https://:443/",
            "https://a b/",
            "https://a/#x",
            "https://a\\@b/",
            "https://a:0/",
            "https://a:99999/",
            "https://a:+80/",
            "https://a:80:80/",
            "https://[::1/",
            "https://[::1]x/",
            "ftp://a/",
            "chat.example.org",
            "",
        ] {
            assert!(WebhookUrl::parse(bad).is_err(), "{bad}");
        }
        assert!(WebhookUrl::parse(&format!("https://a/{}", "x".repeat(2048))).is_err());
    }

    #[test]
    fn what_follows_the_host_is_never_shown() {
        let url = WebhookUrl::parse("https://chat.example.org:8443/hook/s3cret").unwrap();
        assert_eq!(url.to_string(), "https://chat.example.org:8443");
        assert!(!format!("{url:?}").contains("s3cret"));
        let error = WebhookUrl::parse("http://chat.example.org/s3cret").unwrap_err();
        assert!(!error.to_string().contains("s3cret"));
    }
}
