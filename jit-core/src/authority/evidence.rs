//! What proves an approval, checked when it is given and again when a certificate is issued on it:
//! what somebody wrote into the database since gives no access.

use super::Authority;
use crate::audit::Outcome;
use crate::error::{Error, Result};
use crate::grant::{Actor, Approval, Evidence, Grant, NAMESPACE, State, Way};
use crate::sshsig;
use crate::store::Tx;

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
            let keys = tx.identity_keys(by)?;
            let keys: Vec<_> = keys.iter().map(|key| key.public_key.as_str()).collect();
            sshsig::check_again(sshsig, NAMESPACE, &text, &keys).map_err(|error| {
                error
                    .context(format!("the approval of {} by {by}", grant.id()))
                    .next("jitctl show ID --canonical says what to sign.")
            })
        }
        None => Err(unproved(grant, approval)),
    }
}

fn unproved(grant: &Grant, approval: &Approval) -> Error {
    Error::tampered(format!("nothing proves the approval of {} by {}", grant.id(), approval.by))
        .next(format!("jitctl revoke {} --reason TEXT, and jitctl audit show", grant.id()))
}
