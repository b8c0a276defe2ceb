//! What sshd goes by on a host of a fleet: the file with the user CA's keys, which it reads at each
//! login, and the certificate of its own key. Both lie in the state directory, which root alone can
//! enter, and follow what the authority says: a rotated CA needs nobody to come by.

use std::path::{Path, PathBuf};

use jit_core::authority::Authority;
use jit_core::certificate::{SSHD_KEY, check_host};
use jit_core::person::parse_public_key;
use jit_core::store::CaKind;
use jit_core::{Error, Kind, Result, rootfile};
use ssh_key::{Certificate, Fingerprint, HashAlg, PublicKey};

use crate::Office;

/// The largest file that is read: 16 CA keys are far below.
const LARGEST: u64 = 64 * 1024;

/// What keeps sshd's files as they should be.
pub struct Sshd<'a> {
    /// This host's own store, and where the files are.
    pub here: &'a Authority,
    /// The authority.
    pub office: &'a dyn Office,
    /// sshd's public key.
    pub key: PathBuf,
}

impl<'a> Sshd<'a> {
    /// That of this machine.
    pub fn of(here: &'a Authority, office: &'a dyn Office) -> Self {
        Sshd { here, office, key: SSHD_KEY.into() }
    }

    /// Has the file that sshd trusts hold the user CA's keys as the store has them, and no others;
    /// whether it was written. The store comes first, as PAM goes by it: a key that is in the file
    /// alone lets nobody in.
    ///
    /// # Errors
    /// Unavailable or tampered; misconfigured when it can't be written.
    pub fn trust(&self) -> Result<bool> {
        let keys = self.here.ca_keys(CaKind::User)?;
        let text: String = keys.iter().map(|key| format!("{}\n", key.public_key)).collect();
        let file = self.here.config().trusted_ca_file();
        if text.is_empty() && !file.exists() {
            return Ok(false);
        }
        put(&file, &text)
    }

    /// Has sshd's key certified, where it is not or the next certificate is due; whether there is a
    /// new one.
    ///
    /// # Errors
    /// Those of the authority; misconfigured when it can't be written.
    pub fn certify(&self) -> Result<bool> {
        let cas = self.here.ca_keys(CaKind::Host)?;
        // Without a host CA there is nobody to ask, without the key nothing to ask for.
        if cas.is_empty() || !self.key.exists() {
            return Ok(false);
        }
        let trusted: Vec<Fingerprint> = cas
            .iter()
            .filter_map(|key| PublicKey::from_openssh(&key.public_key).ok())
            .map(|key| key.fingerprint(HashAlg::Sha256))
            .collect();
        let key = parse_public_key(&rootfile::read(&self.key, LARGEST)?)?;
        let config = self.here.config();
        let due = |text: &str| {
            let certificate = Certificate::from_openssh(text.trim())
                .map_err(|e| Error::refused(format!("that is no certificate: {e}")))?;
            let now = self.here.wall_clock()?;
            check_host(&certificate, key.key_data(), &config.host, &trusted, now)
        };
        let file = config.host_certificate_file();
        let current = if file.exists() { rootfile::read(&file, LARGEST)? } else { String::new() };
        if let Ok(false) = due(&current) {
            return Ok(false);
        }
        let line = key
            .to_openssh()
            .map_err(|e| Error::invalid(format!("sshd's key can't be written: {e}")))?;
        let text = format!("{}\n", self.office.certificate(&line)?.trim());
        // What does not fit must not take the place of what may still last.
        due(&text).map_err(|error| {
            Error::new(
                Kind::Unavailable,
                format!("the authority certified something else: {error}"),
            )
        })?;
        put(&file, &text)
    }
}

/// Writes a file unless it holds just that.
fn put(file: &Path, text: &str) -> Result<bool> {
    if file.exists() && rootfile::read(file, LARGEST).is_ok_and(|there| there == text) {
        return Ok(false);
    }
    rootfile::replace_public(file, text.as_bytes()).map(|()| true)
}
