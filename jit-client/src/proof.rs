//! Who calls, proved anew for each request with a signature over all of it.

use jit_api::proof::{Proof, REQUEST, Request};
use jit_core::Result;
use jit_core::audit::hex;
use jit_core::secret::{SecretText, random_bytes};
use jit_core::time::Timestamp;

use crate::SigningKey;

/// Who calls, and what proves it.
#[derive(Clone)]
pub enum Caller {
    /// Nobody, or whoever the kernel says is at the other end of a Unix socket.
    Unproved,
    /// A person who logged in.
    Person {
        /// What the login gave.
        token: SecretText,
        /// The key that the token is bound to.
        key: SigningKey,
    },
    /// A host, by its own key.
    Host {
        /// What it is called.
        name: String,
        /// The key that it joined with.
        key: SigningKey,
    },
}

impl Caller {
    /// The headers that prove it for this one request.
    ///
    /// # Errors
    /// Refused when the key does not sign.
    pub(crate) fn headers(
        &self,
        server: &str,
        method: &str,
        path: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<(&'static str, String)>> {
        let (authorization, token, key) = match self {
            Caller::Unproved => return Ok(Vec::new()),
            Caller::Person { token, key } => {
                (format!("JIT {}", token.expose()), Some(token.expose()), key)
            }
            Caller::Host { name, key } => (format!("JIT-Host {name}"), None, key),
        };
        let (time, nonce) = (now.unix(), hex(&random_bytes::<16>()?));
        let text =
            Request { server, method, target: path, body, token, time, nonce: &nonce }.text()?;
        let sshsig = key.sign(REQUEST, &text)?;
        let proof = Proof { time, nonce, sshsig }.header();
        Ok(vec![("Authorization", authorization), ("Jit-Proof", proof)])
    }
}
