//! The CAs' keys, opened once and kept ready.

use std::sync::{Arc, Mutex, PoisonError};

use jit_api::Issuer;
use jit_core::authority::Authority;
use jit_core::factor::ProvedFactor;
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::name::HostName;
use jit_core::{Error, Kind, Result};
use prometheus_client::metrics::counter::Counter;
use ssh_ca::issue::{Issue, issue_host, open_host_ca};
use ssh_ca::sign::HostSigner;
use ssh_key::Certificate;
use ssh_key::public::KeyData;

/// Signs for the office. What it signs, and whether, [`Authority::issue`] says, in the transaction
/// that records it: the grant and what proves it are looked at there once more.
pub struct CaIssuer {
    ready: Mutex<Option<Arc<Issue>>>,
    answers: Mutex<Option<Arc<HostSigner>>>,
    issued: Counter,
}

impl CaIssuer {
    /// Opens no key yet; counts what it issues.
    pub fn new(issued: Counter) -> Self {
        CaIssuer { ready: Mutex::default(), answers: Mutex::default(), issued }
    }

    fn ready(&self, authority: &Authority) -> Result<Arc<Issue>> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        match &*ready {
            Some(issue) => Ok(issue.clone()),
            None => Ok(ready.insert(Arc::new(Issue::open(authority)?)).clone()),
        }
    }

    fn forget(&self) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Issuer for CaIssuer {
    fn issue(
        &self,
        authority: &Authority,
        actor: &Actor,
        grant: &GrantId,
        key: &KeyData,
        factor: Option<ProvedFactor>,
    ) -> Result<String> {
        let issue = || self.ready(authority)?.issue(authority, actor, grant, key, factor);
        let issued = issue().or_else(|error| {
            // The CA may have got another key since.
            if error.kind() != Kind::Conflict {
                return Err(error);
            }
            self.forget();
            issue()
        });
        let (_, certificate) = issued?;
        self.issued.inc();
        line(&certificate)
    }

    fn issue_host(&self, authority: &Authority, host: &HostName, key: &KeyData) -> Result<String> {
        line(&issue_host(authority, host, key)?)
    }

    // The host CA has one key for good: every host pins it.
    fn sign_answer(&self, authority: &Authority, text: &str) -> Result<String> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let signer = match &*answers {
            Some(signer) => signer.clone(),
            None => answers.insert(Arc::new(open_host_ca(authority)?)).clone(),
        };
        drop(answers);
        signer.sign_answer(text)
    }
}

fn line(certificate: &Certificate) -> Result<String> {
    certificate
        .to_openssh()
        .map_err(|e| Error::invalid(format!("the certificate can't be written: {e}")))
}
