//! The authority, as a host may ask it.

use std::time::Duration;

use jit_core::Result;
use jit_core::factor::Verdict;
use jit_core::id::GrantId;
use jit_core::link::{Ask, Asker, Code, Filing, HostState, Told};
use jit_core::login::{Offer, Standing};
use jit_core::name::Login;

/// The authority. Every call fails as unavailable while it is out of reach.
#[allow(clippy::missing_errors_doc)]
pub trait Office: Send + Sync {
    /// What this host needs to know: as soon as it is another than `version`, or after `wait`.
    fn state(&self, version: Option<&str>, wait: Duration) -> Result<HostState>;
    /// Does a code prove somebody's second factor?
    fn factor(&self, code: &Code) -> Result<Verdict>;
    /// Who may ask for an account here?
    fn askers(&self, login: &Login) -> Result<Vec<Asker>>;
    /// For how long may somebody ask?
    fn offer(&self, ask: &Ask) -> Result<Option<Offer>>;
    /// Files a request.
    fn request(&self, filing: &Filing) -> Result<Standing>;
    /// Where does a request stand?
    fn standing(&self, id: &GrantId) -> Result<Standing>;
    /// The certificate over the key of this host's sshd, both in OpenSSH form.
    fn certificate(&self, key: &str) -> Result<String>;
    /// Tells records of this host's log; the last one that is on the authority's.
    fn log(&self, records: &[Told]) -> Result<u64>;
}
