//! Who signs: this crate holds no CA key and links none.

use jit_core::Result;
use jit_core::authority::Authority;
use jit_core::factor::ProvedFactor;
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::name::HostName;
use ssh_key::public::KeyData;

/// Issues certificates for live grants, and signs what hosts are told.
pub trait Issuer: Send + Sync {
    /// The certificate over `key` for `grant`, as one line in OpenSSH form, on record.
    ///
    /// # Errors
    /// Those of [`Authority::issue`].
    fn issue(
        &self,
        authority: &Authority,
        actor: &Actor,
        grant: &GrantId,
        key: &KeyData,
        factor: Option<ProvedFactor>,
    ) -> Result<String>;

    /// The certificate over `key` for the sshd of `host`, as one line in OpenSSH form, on record.
    ///
    /// # Errors
    /// Those of [`Authority::issue_host`].
    fn issue_host(&self, authority: &Authority, host: &HostName, key: &KeyData) -> Result<String>;

    /// The armoured signature of the host CA's key over an answer, [`Answer::text`], for the
    /// namespace [`ANSWER`].
    ///
    /// # Errors
    /// Not found without a host CA; tampered when its key does not open.
    ///
    /// [`Answer::text`]: crate::proof::Answer::text
    /// [`ANSWER`]: crate::proof::ANSWER
    fn sign_answer(&self, authority: &Authority, text: &str) -> Result<String>;
}
