//! What a login gives: sealed by the server for itself, so that it needs to remember none. A token
//! alone does nothing: each request is signed by the key that it names.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jit_core::factor::ProvedFactor;
use jit_core::name::PersonName;
use jit_core::seal::Vault;
use jit_core::time::Timestamp;
use jit_core::{Error, Result};
use serde::{Deserialize, Serialize};

const PURPOSE: &str = "token";
/// The longest that is looked at: the proof key of an RSA owner is the largest part.
const LONGEST: usize = 16 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    /// Random, for the log.
    pub(crate) id: String,
    /// The server that gave it.
    pub(crate) server: String,
    pub(crate) person: PersonName,
    /// Fingerprint of the enrolled key that logged in.
    pub(crate) key: String,
    /// The key that signs requests, in OpenSSH form.
    pub(crate) proof_key: String,
    pub(crate) factor: ProvedFactor,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl Token {
    pub(crate) fn seal(&self, vault: &Vault) -> Result<String> {
        let text = serde_json::to_vec(self)
            .map_err(|e| Error::unavailable(format!("the token can't be written: {e}")))?;
        Ok(URL_SAFE_NO_PAD.encode(vault.seal(PURPOSE, &text)?))
    }

    /// Nothing unless this server sealed it.
    pub(crate) fn open(vault: &Vault, text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = vault.open(PURPOSE, &sealed).ok()?;
        serde_json::from_slice(plain.expose()).ok()
    }
}
