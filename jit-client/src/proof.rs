//! What is signed to prove who calls: a text for each request, in the namespace of its own
//! (PROTOCOL.sshsig), so that a signature made for anything else is none.

use jit_core::audit::hex;
use jit_core::secret::{SecretText, random_bytes};
use jit_core::time::Timestamp;
use jit_core::{Error, Result};
use sha2::{Digest, Sha256};

use crate::{SigningKey, bare};

/// The namespace of proofs.
pub const NAMESPACE: &str = "jit-proof@v1";

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
                let digest = hex(&Sha256::digest(token.expose()));
                (format!("JIT {}", token.expose()), digest, key)
            }
            Caller::Host { name, key } => (format!("JIT-Host {name}"), "-".to_owned(), key),
        };
        let nonce = hex(&random_bytes::<16>()?);
        let what = Proved { server, method, path, body, token: &token, now, nonce: &nonce };
        let signature = bare(&key.sign(NAMESPACE, &what.text()?)?)?;
        let proof = format!("t={},n={nonce},s={signature}", now.unix());
        Ok(vec![("Authorization", authorization), ("Jit-Proof", proof)])
    }
}

/// What a proof is over.
struct Proved<'a> {
    server: &'a str,
    method: &'a str,
    path: &'a str,
    body: &'a [u8],
    /// Its SHA-256, or `-` for a host.
    token: &'a str,
    now: Timestamp,
    nonce: &'a str,
}

impl Proved<'_> {
    fn text(&self) -> Result<String> {
        lines(
            NAMESPACE,
            &[
                ("server", self.server),
                ("method", self.method),
                ("path", self.path),
                ("body", &hex(&Sha256::digest(self.body))),
                ("token", self.token),
                ("time", &self.now.unix().to_string()),
                ("nonce", self.nonce),
            ],
        )
    }
}

/// A text to sign: the namespace, then a name and a value on each line.
///
/// # Errors
/// Invalid when a value is not on one line, as then two meanings could have the same bytes.
pub(crate) fn lines(namespace: &str, fields: &[(&str, &str)]) -> Result<String> {
    let mut text = format!("{namespace}\n");
    for (name, value) in fields {
        if value.contains(['\n', '\r']) {
            return Err(Error::invalid(format!("the {name} that is to be signed has two lines")));
        }
        text.push_str(&format!("{name}: {value}\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_over_all_of_the_request() {
        let now = Timestamp::from_unix(1_700_000_000).unwrap();
        let proved = Proved {
            server: "jit.example.com",
            method: "POST",
            path: "/v1/grants/k7q2-m9xd/approve?x=y",
            body: b"",
            token: "-",
            now,
            nonce: "00",
        };
        assert_eq!(
            proved.text().unwrap(),
            "jit-proof@v1\nserver: jit.example.com\nmethod: POST\n\
             path: /v1/grants/k7q2-m9xd/approve?x=y\n\
             body: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
             token: -\ntime: 1700000000\nnonce: 00\n"
        );
        assert!(Proved { path: "/a\nnonce: 1", ..proved }.text().is_err());
    }
}
