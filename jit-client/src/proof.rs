//! Who calls, proved anew for each request with a signature over all of it, and by which key a host
//! knows the answer.

use jit_api::proof::{Proof, REQUEST, Request};
use jit_core::Result;
use jit_core::audit::hex;
use jit_core::secret::{SecretText, random_bytes};
use jit_core::time::Timestamp;
use ssh_key::Fingerprint;

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
        /// The key that signs what it is told: an answer without is none.
        ca: Fingerprint,
    },
}

/// What proves one request.
#[derive(Default)]
pub(crate) struct Proved {
    pub(crate) headers: Vec<(&'static str, String)>,
    /// That of the proof; empty without.
    pub(crate) nonce: String,
}

impl Caller {
    /// Proves it for this one request.
    ///
    /// # Errors
    /// Refused when the key does not sign.
    pub(crate) fn prove(
        &self,
        server: &str,
        method: &str,
        path: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Proved> {
        let (authorization, token, key) = match self {
            Caller::Unproved => return Ok(Proved::default()),
            Caller::Person { token, key } => {
                (format!("JIT {}", token.expose()), Some(token.expose()), key)
            }
            Caller::Host { name, key, .. } => (format!("JIT-Host {name}"), None, key),
        };
        let (time, nonce) = (now.unix(), hex(&random_bytes::<16>()?));
        let text =
            Request { server, method, target: path, body, token, time, nonce: &nonce }.text()?;
        let sshsig = key.sign(REQUEST, &text)?;
        let proof = Proof { time, nonce, sshsig };
        let headers = vec![("Authorization", authorization), ("Jit-Proof", proof.header())];
        Ok(Proved { headers, nonce: proof.nonce })
    }
}
