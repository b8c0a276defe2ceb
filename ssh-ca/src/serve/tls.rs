//! TLS: which versions, and the server's certificate, taken up anew when its files change.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jit_core::{Error, Result};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio::signal::unix::Signal;

use super::certificate::fingerprint;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The certificate and the key, as they are now.
pub struct Identity {
    files: Files,
    now: RwLock<Current>,
}

/// Where they are.
#[derive(Clone)]
pub struct Files {
    /// The certificate, those of its issuers after it, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
}

struct Current {
    text: (Vec<u8>, Vec<u8>),
    key: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// Misconfigured when one is missing or no PEM, others may read the key, or it is another
    /// certificate's.
    pub fn load(files: Files) -> Result<Self> {
        let now = RwLock::new(files.read()?);
        Ok(Identity { files, now })
    }

    /// Takes the files up again; whether they have changed. What is in use stays when they are bad.
    ///
    /// # Errors
    /// As [`Identity::load`].
    fn reload(&self) -> Result<bool> {
        let found = self.files.read()?;
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let changed = found.text != now.text;
        *now = found;
        Ok(changed)
    }

    /// Takes up what changes, until nobody asks any more. `hangup` has it look at once.
    pub async fn keep_up(self: Arc<Self>, mut hangup: Signal) {
        let mut trouble = String::new();
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            match self.reload() {
                Ok(true) => tracing::info!(pin = self.pin(), "took up the new certificate"),
                Ok(false) => trouble.clear(),
                Err(error) if error.to_string() != trouble => {
                    trouble = error.to_string();
                    tracing::warn!(error = trouble, "the certificate stays as it was");
                }
                Err(_) => {}
            }
        }
    }

    /// What clients pin.
    pub fn pin(&self) -> String {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        fingerprint(&now.key)
    }
}

impl Files {
    fn read(&self) -> Result<Current> {
        let bad = |path: &Path, what: &dyn fmt::Display| {
            Error::misconfigured(format!("{}: {what}", path.display()))
                .next("Make them: ssh-ca init --serve NAME, or name your own in [serve].")
        };
        let read = |path: &Path| std::fs::read(path).map_err(|e| bad(path, &e));
        let mode = std::fs::metadata(&self.key).map_err(|e| bad(&self.key, &e))?.permissions();
        if mode.mode() & 0o037 != 0 {
            return Err(bad(&self.key, &"others can read or change this private key")
                .next(format!("chmod 0640 {}", self.key.display())));
        }
        let text = (read(&self.certificate)?, read(&self.key)?);
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&text.0)
            .collect::<Result<_, _>>()
            .map_err(|e| bad(&self.certificate, &e))?;
        let key = PrivateKeyDer::from_pem_slice(&text.1).map_err(|e| bad(&self.key, &e))?;
        let key = ring::sign::any_supported_type(&key).map_err(|e| bad(&self.key, &e))?;
        if chain.is_empty() {
            return Err(bad(&self.certificate, &"there is no certificate in it"));
        }
        let key = CertifiedKey::new(chain, key);
        key.keys_match().map_err(|e| {
            bad(&self.certificate, &format!("{} is not its key: {e}", self.key.display()))
        })?;
        Ok(Current { text, key: Arc::new(key) })
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now.read().unwrap_or_else(PoisonError::into_inner).key.clone())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// TLS 1.2 and 1.3, HTTP/1.1 inside.
///
/// # Errors
/// Unavailable when the system gives no random numbers.
pub fn config(identity: Arc<Identity>) -> Result<Arc<ServerConfig>> {
    let failed = |e: rustls::Error| Error::unavailable(format!("TLS can't be had: {e}"));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(failed)?
        .with_no_client_auth()
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new().map_err(failed)?;
    Ok(Arc::new(config))
}
