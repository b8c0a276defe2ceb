//! Which server is believed: the one whose key is pinned, or one that the machine's certificate
//! authorities vouch for. There is no switch that believes any.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jit_core::{Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::{Pin, pin};

/// Where systems keep the certificates that they trust: Debian, Fedora, macOS.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Which server is believed.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The one with this key, whatever else stands in its certificate.
    Pin(Pin),
    /// One with a valid certificate for its name, from an authority in this file; in the system's
    /// unless given.
    Authorities(Option<PathBuf>),
}

impl Trust {
    /// What rustls is to do.
    pub(crate) fn tls(&self) -> Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::unavailable(format!("TLS can't be used: {e}")))?;
        let mut config = match self {
            Trust::Pin(pin) => builder
                // The pin is checked instead, and more is asked of it than of a certificate.
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Pinned { pin: *pin, provider }))
                .with_no_client_auth(),
            Trust::Authorities(file) => {
                builder.with_root_certificates(roots(file.as_deref())?).with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn roots(file: Option<&Path>) -> Result<RootCertStore> {
    let file = file
        .or_else(|| BUNDLES.iter().map(Path::new).find(|bundle| bundle.exists()))
        .ok_or_else(|| {
            Error::misconfigured("this machine has no file of trusted certificate authorities")
                .next("apt install ca-certificates, or set ca_file or pin in client.toml.")
        })?;
    let unreadable = |e: &dyn std::fmt::Display| {
        Error::misconfigured(format!("{} can't be read: {e}", file.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| unreadable(&e))? {
        // One that is malformed vouches for nobody; the others still do.
        roots.add_parsable_certificates([certificate.map_err(|e| unreadable(&e))?]);
    }
    if roots.is_empty() {
        return Err(unreadable(&"it holds no certificate"));
    }
    Ok(roots)
}

/// Believes one key, proved by the handshake's signature.
#[derive(Debug)]
struct Pinned {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let pin = pin::of(end_entity)
            .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if pin == self.pin {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
