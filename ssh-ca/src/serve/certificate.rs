//! The server's own certificate, and the fingerprint by which clients know it.

use std::path::Path;

use jit_core::config::Pin;
use jit_core::time::Timestamp;
use jit_core::{Error, Result, rootfile};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::tls::Files;

/// For how many years a certificate is good. Clients know the server by its key.
const YEARS: i32 = 10;

/// Makes a key and a certificate over it for these names, and writes both.
///
/// # Errors
/// Misconfigured when a file exists or can't be written; invalid when a name is none.
pub fn make(files: &Files, names: &[String], now: Timestamp) -> Result<()> {
    let failed = |e: rcgen::Error| Error::invalid(format!("the certificate can't be made: {e}"));
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(names).map_err(failed)?;
    let common = names.first().map_or("jit", String::as_str);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let year: i32 = now.rfc3339().get(..4).and_then(|year| year.parse().ok()).unwrap_or(2025);
    // From the year's first day: clients' clocks differ.
    params.not_before = date_time_ymd(year, 1, 1);
    params.not_after = date_time_ymd(year + YEARS, 12, 31);
    let certificate = params.self_signed(&key).map_err(failed)?;
    let text = Zeroizing::new(key.serialize_pem());
    rootfile::create_private(&files.key, text.as_bytes())?;
    rootfile::create_public(&files.certificate, certificate.pem().as_bytes())
}

/// The pin: `sha256:` and the hash of the certificate's public key (its SubjectPublicKeyInfo), which
/// stays the same when the certificate over the key is renewed.
pub fn fingerprint(key: &CertifiedKey) -> String {
    let spki = key.key.public_key().unwrap_or_else(|| Vec::new().into());
    pin(spki.as_ref())
}

/// The same, by the certificate alone.
pub fn pin_of(certificate: &Path) -> Option<String> {
    let read = CertificateDer::from_pem_file(certificate).ok()?;
    let spki = ParsedCertificate::try_from(&read).ok()?.subject_public_key_info();
    Some(pin(&spki))
}

fn pin(spki: &[u8]) -> String {
    Pin::of(Sha256::digest(spki).into()).to_string()
}

/// Where `ssh-ca init` puts them: beside the configuration.
pub fn beside(config: &Path) -> Files {
    let directory = config.parent().unwrap_or(Path::new("/")).join("tls");
    Files { certificate: directory.join("cert.pem"), key: directory.join("key.pem") }
}
