//! The CA's key, opened once and kept ready.

use std::sync::{Mutex, PoisonError};

use jit_api::{Issuer, ProvedFactor};
use jit_core::authority::Authority;
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::{Error, Result};
use prometheus_client::metrics::counter::Counter;
use ssh_ca::issue::Issue;
use ssh_key::public::KeyData;

/// Signs for the office. What it signs, and whether, [`Authority::issue`] says, in the transaction
/// that records it: the grant and what proves it are looked at there once more.
pub struct CaIssuer {
    ready: Mutex<Option<Ready>>,
    issued: Counter,
}

struct Ready {
    issue: Issue,
    /// The store as it was when the key was read.
    marker: u64,
}

impl CaIssuer {
    /// Opens no key yet; counts what it issues.
    pub fn new(issued: Counter) -> Self {
        CaIssuer { ready: Mutex::default(), issued }
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
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        // A CA's key is changed by other processes alone, and what they do moves the marker.
        let marker = authority.change_marker()?;
        let now = match ready.take() {
            Some(kept) if kept.marker == marker => kept,
            Some(kept) if kept.issue.is_current(authority)? => Ready { marker, ..kept },
            _ => Ready { issue: Issue::open(authority)?, marker },
        };
        let now = ready.insert(now);
        let (_, certificate) = now.issue.issue(authority, actor, grant, key, factor)?;
        self.issued.inc();
        certificate
            .to_openssh()
            .map_err(|e| Error::invalid(format!("the certificate can't be written: {e}")))
    }
}
