//! The nonce of a login: sealed by the server for itself with its end, so that handing out any
//! number of them takes no memory; only those that come back do.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jit_core::Result;
use jit_core::seal::Vault;
use jit_core::secret::random_bytes;
use jit_core::time::{Span, Timestamp};
use sha2::{Digest, Sha256};

use crate::nonces::{Nonces, Use};

const PURPOSE: &str = "login challenge";
/// How long one is good, in seconds.
const LASTS: u64 = 60;

/// A new one, and when it ends.
pub(crate) fn make(vault: &Vault, now: Timestamp) -> Result<(String, Timestamp)> {
    let until = now.after(Span::from_secs(LASTS)?)?;
    let random = random_bytes::<16>()?;
    let plain = [until.unix().to_be_bytes().as_slice(), &random].concat();
    Ok((URL_SAFE_NO_PAD.encode(vault.seal(PURPOSE, &plain)?), until))
}

/// Uses one up. `Used` for what is none, too.
pub(crate) fn take(vault: &Vault, nonces: &Nonces, text: &str, now: Timestamp) -> Use {
    let until = (text.len() < 200)
        .then(|| URL_SAFE_NO_PAD.decode(text).ok())
        .flatten()
        .and_then(|sealed| vault.open(PURPOSE, &sealed).ok())
        .and_then(|plain| plain.expose().get(..8)?.try_into().ok().map(u64::from_be_bytes));
    match until {
        Some(until) if now.unix() <= until => {
            nonces.take(Sha256::digest(text.as_bytes()).into(), now, until)
        }
        _ => Use::Used,
    }
}
