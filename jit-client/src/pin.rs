//! A server known by its public key: the SHA-256 of its SubjectPublicKeyInfo, as RFC 7469 has it. A
//! certificate that is renewed with the same key keeps the pin.

use std::path::Path;

use jit_core::config::Pin;
use jit_core::{Error, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use webpki::EndEntityCert;

/// What stands before a pin in files.
const MARK: &str = "sha256:";

/// Reads `sha256:…` or the bare base64url of a join string.
///
/// # Errors
/// Invalid when it is not the hash of a key.
pub fn read(text: &str) -> Result<Pin> {
    let digits = text.strip_prefix(MARK).unwrap_or(text).trim_end_matches('=');
    Pin::parse(&format!("{MARK}{digits}")).map_err(|_| {
        Error::invalid(format!("`{text}` is no pin of a server's key"))
            .next("Copy the whole of what the admin sent.")
    })
}

/// The pin of the key in a certificate.
///
/// # Errors
/// Invalid when it is no X.509 certificate.
pub fn of(certificate: &CertificateDer<'_>) -> Result<Pin> {
    let certificate = EndEntityCert::try_from(certificate)
        .map_err(|e| Error::invalid(format!("that is no certificate: {e}")))?;
    let key = certificate.subject_public_key_info();
    Ok(Pin::of(Sha256::digest(&key).into()))
}

/// The pin of the first certificate in a PEM file.
///
/// # Errors
/// Misconfigured when there is none.
pub fn of_file(file: &Path) -> Result<Pin> {
    let certificate = CertificateDer::from_pem_file(file).map_err(|e| {
        Error::misconfigured(format!("{} holds no certificate: {e}", file.display()))
    })?;
    of(&certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_written_and_nothing_else_is() {
        let pin = Pin::of([7; 32]);
        assert_eq!(read(&pin.to_string()).unwrap(), pin);
        assert_eq!(read(pin.to_string().trim_start_matches(MARK)).unwrap(), pin);
        for bad in ["", "sha256:", "sha256:AAAA", "md5:xyz", &format!("{pin}A"), "sha256:+++/"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
