//! A server known by its public key: the SHA-256 of its SubjectPublicKeyInfo, as RFC 7469 has it. A
//! certificate that is renewed with the same key keeps the pin.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jit_core::{Error, Result};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use webpki::EndEntityCert;

/// What stands before a pin in files.
const MARK: &str = "sha256:";

/// The SHA-256 of a server's SubjectPublicKeyInfo.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    /// Reads `sha256:…` or the bare base64url of a join string.
    ///
    /// # Errors
    /// Invalid when it is not the hash of a key.
    pub fn parse(text: &str) -> Result<Self> {
        let digits = text.strip_prefix(MARK).unwrap_or(text).trim_end_matches('=');
        let bytes = URL_SAFE_NO_PAD.decode(digits).ok();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Pin).ok_or_else(|| {
            Error::invalid(format!("`{text}` is no pin of a server's key"))
                .next("Copy the whole of what the admin sent.")
        })
    }

    /// The pin of the key in a certificate.
    ///
    /// # Errors
    /// Invalid when it is no X.509 certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self> {
        let certificate = EndEntityCert::try_from(certificate)
            .map_err(|e| Error::invalid(format!("that is no certificate: {e}")))?;
        let key = certificate.subject_public_key_info();
        Ok(Pin(Sha256::digest(&key).into()))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_written_and_nothing_else_is() {
        let pin = Pin([7; 32]);
        assert_eq!(Pin::parse(&pin.to_string()).unwrap(), pin);
        assert_eq!(Pin::parse(pin.to_string().trim_start_matches(MARK)).unwrap(), pin);
        for bad in ["", "sha256:", "sha256:AAAA", "md5:xyz", &format!("{pin}A"), "sha256:+++/"] {
            assert!(Pin::parse(bad).is_err(), "{bad}");
        }
    }
}
