//! What proves to a receiver that an event is ours and new: `t=TIME,v1=HEX`, where HEX is the
//! HMAC-SHA256, under the webhook's secret, of the time in seconds, a full stop, and the body.

use std::path::Path;

use hmac::{Hmac, Mac};
use jit_core::audit::hex;
use jit_core::secret::SecretBytes;
use jit_core::time::Timestamp;
use jit_core::{Error, Result, rootfile};
use sha2::Sha256;

/// The shortest secret that is taken, in bytes: 128 bits as hexadecimal digits are twice that.
const SHORTEST: usize = 16;
/// The longest.
const LONGEST: u64 = 4096;

/// Reads a webhook's secret, without the line end that editors add.
///
/// # Errors
/// Misconfigured when others may read it or it is too short.
pub(crate) fn secret(file: &Path) -> Result<SecretBytes> {
    let text = rootfile::read_private(file, LONGEST).map_err(|error| {
        if file.exists() {
            return error;
        }
        Error::misconfigured(format!("there is no secret {}", file.display()))
            .next(format!("(umask 077; openssl rand -hex 32 > {})", file.display()))
    })?;
    let text = zeroize::Zeroizing::new(text);
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.len() < SHORTEST {
        return Err(Error::misconfigured(format!(
            "the secret in {} is shorter than {SHORTEST} bytes",
            file.display()
        ))
        .next(format!("(umask 077; openssl rand -hex 32 > {})", file.display())));
    }
    Ok(SecretBytes::new(secret.as_bytes().to_vec()))
}

/// The signature of a body that is sent at `time`.
///
/// # Errors
/// Invalid, which no key length is for an HMAC.
pub(crate) fn sign(secret: &SecretBytes, time: Timestamp, body: &str) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose())
        .map_err(|e| Error::invalid(format!("the secret is no key: {e}")))?;
    mac.update(format!("{}.", time.unix()).as_bytes());
    mac.update(body.as_bytes());
    Ok(format!("t={},v1={}", time.unix(), hex(&mac.finalize().into_bytes())))
}
