//! What proves an approval, checked when it is given and again when a certificate is issued on it:
//! what somebody wrote into the database since gives no access.

use ssh_key::{PublicKey, SshSig};

use super::Authority;
use crate::audit::Outcome;
use crate::error::{Error, Result};
use crate::grant::{Actor, Approval, Evidence, Grant, NAMESPACE, State, Way};
use crate::person::IdentityKey;
use crate::store::Tx;

/// The largest signature that is read: one of an Ed25519 key has 300 bytes.
const LARGEST_SIGNATURE: usize = 4096;
/// What a person at a hardware key did: touched it (PROTOCOL.u2f).
const TOUCHED: u8 = 1;

impl Authority {
    /// Checks every living grant's window, and what proves its approvals.
    ///
    /// # Errors
    /// Tampered or refused, naming the first grant that is not what was approved.
    pub fn check_grants(&self) -> Result<()> {
        self.read(|tx, now| {
            let alive = super::grants::alive(tx, None, now)?;
            alive.iter().try_for_each(|grant| check_approvals(tx, grant))
        })
    }
}

/// Checks that a grant has the window that its approvals give, and that each of them is proved.
pub(super) fn check_approvals(tx: &dyn Tx, grant: &Grant) -> Result<()> {
    grant.check_window()?;
    match grant.state() {
        State::Approved { way: Way::People, .. } => {
            grant.counting().try_for_each(|approval| check_evidence(tx, grant, approval))
        }
        _ => Ok(()),
    }
}

/// Checks that an approval is its giver's, who is still a person.
pub(super) fn check_evidence(tx: &dyn Tx, grant: &Grant, approval: &Approval) -> Result<()> {
    let Approval { by, digest, .. } = approval;
    if tx.person(by)?.is_none() {
        return Err(Error::refused(format!(
            "{by}, who approved {}, is nobody any more",
            grant.id()
        ))
        .next("Ask again: jitctl request"));
    }
    match &approval.evidence {
        Some(Evidence::Factor { record }) => {
            let found = tx.records(*record, 1)?.pop().is_some_and(|found| {
                let detail: serde_json::Value =
                    serde_json::from_str(&found.detail).unwrap_or_default();
                found.sequence == *record
                    && found.action == "factor.verify"
                    && found.outcome == Outcome::Done
                    && found.actor == Actor::Person(by.clone()).to_string()
                    && detail["approves"] == digest.to_string()
            });
            if found { Ok(()) } else { Err(unproved(grant, approval)) }
        }
        Some(Evidence::Signature { sshsig }) => {
            let text = grant.canonical(approval.most)?;
            check_signature(sshsig, &text, &tx.identity_keys(by)?)
                .map_err(|error| error.context(format!("the approval of {} by {by}", grant.id())))
        }
        None => Err(unproved(grant, approval)),
    }
}

fn unproved(grant: &Grant, approval: &Approval) -> Error {
    Error::tampered(format!("nothing proves the approval of {} by {}", grant.id(), approval.by))
        .next(format!("jitctl revoke {} --reason TEXT, and jitctl audit show", grant.id()))
}

/// Checks that `sshsig` is a signature over `text`, as an approval, by one of `keys`.
fn check_signature(sshsig: &str, text: &str, keys: &[IdentityKey]) -> Result<()> {
    let no = |what: &str| Error::refused(what).next("jitctl show ID --canonical says how to sign.");
    if sshsig.len() > LARGEST_SIGNATURE {
        return Err(no("the signature is larger than 4 KiB"));
    }
    let signature = SshSig::from_pem(sshsig.trim())
        .map_err(|e| no(&format!("that is no signature of ssh-keygen -Y sign: {e}")))?;
    if signature.namespace() != NAMESPACE {
        return Err(no("the signature was made for something else"));
    }
    // The enrolled keys are the only ones: none of them is a certificate.
    let signer = keys
        .iter()
        .filter_map(|key| PublicKey::from_openssh(&key.public_key).ok())
        .find(|key| key.key_data() == signature.public_key())
        .ok_or_else(|| no("the signature is not by an enrolled key"))?;
    if !matches!(signer.algorithm(), ssh_key::Algorithm::Ed25519 | ssh_key::Algorithm::SkEd25519) {
        return Err(Error::refused("only signatures of Ed25519 keys are taken")
            .next("Approve on the authority, with a code."));
    }
    if signer.algorithm() == ssh_key::Algorithm::SkEd25519 {
        // The last five bytes: flags and a counter.
        let flags = signature.signature_bytes().iter().rev().nth(4).copied().unwrap_or(0);
        if flags & TOUCHED == 0 {
            return Err(no("nobody touched the hardware key that signed"));
        }
    }
    signer
        .verify(NAMESPACE, text.as_bytes(), &signature)
        .map_err(|_| no("the signature is not over this request as it is now"))
}
