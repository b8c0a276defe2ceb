//! Living grants when the policy changes, or what it goes by: those that it would not give any more
//! end.

use std::sync::Arc;

use serde_json::json;

use super::extend::with_extensions;
use super::grants::end_all;
use super::grants::{alive, approvers, known_grant};
use super::known::Known;
use super::{Authority, Done, known_person};
use crate::config::OnChange;
use crate::error::{Error, Kind, Result};
use crate::grant::{Actor, Grant, Program, State, Way};
use crate::id::GrantId;
use crate::name::Reason;
use crate::policy::{Policy, Verdict, decide};
use crate::store::Tx;
use crate::time::Timestamp;

impl Authority {
    /// Revokes the living grants that were decided by another version of the policy and that the
    /// policy as it stands denies, each with what extends it; their ids. What root granted alone is
    /// not the policy's to take.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn reexamine(&self, policy: &Policy) -> Result<Vec<GrantId>> {
        if self.config.on_change == OnChange::Keep {
            return Ok(Vec::new());
        }
        // Looked for without locking anybody out: there is seldom one.
        let found = self.read(|tx, now| {
            let mut found = Vec::new();
            for grant in alive(tx, None, now)? {
                if was_by_another(policy, &grant) && self.denied(tx, policy, &grant)?.is_some() {
                    found.push(grant.id().clone());
                }
            }
            Ok(found)
        })?;
        let jitd = Actor::Program(Program::Jitd);
        let mut ended: Vec<GrantId> = Vec::new();
        for id in found {
            // What extends another ends with it.
            if ended.contains(&id) {
                continue;
            }
            let revoked = self.change(&jitd, "grant.revoke", id.as_str(), |tx, now| {
                let grant = known_grant(tx, &id)?;
                let Some(why) = self.denied(tx, policy, &grant)? else {
                    return Err(Error::new(
                        Kind::Conflict,
                        format!("somebody else decided on {id} first"),
                    ));
                };
                let reason = Reason::parse(&cut(&format!("the policy no longer gives it: {why}")))?;
                let chosen = with_extensions(tx, grant, now)?;
                let revoked = end_all(tx, chosen, &jitd, &reason, now)?;
                let ids: Vec<_> = revoked.iter().map(|grant| grant.id().clone()).collect();
                let detail = json!({ "reason": reason, "policy": policy.version, "grants": ids });
                Ok(Done::new(ids, detail))
            });
            match revoked {
                Ok(ids) => ended.extend(ids),
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    /// Ends those of `grants` that the policy denies by what is known of people and hosts now, each
    /// with what extends it, within the transaction that changed that; their ids.
    pub(super) fn end_denied(
        &self,
        tx: &dyn Tx,
        policy: &Policy,
        grants: Vec<Grant>,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Vec<GrantId>> {
        let mut ended: Vec<GrantId> = Vec::new();
        for grant in grants {
            // What extends another ends with it.
            if ended.contains(grant.id()) {
                continue;
            }
            let Some(why) = self.denied(tx, policy, &grant)? else { continue };
            let reason = Reason::parse(&cut(&format!("the policy no longer gives it: {why}")))?;
            let chosen = with_extensions(tx, grant, now)?;
            let revoked = end_all(tx, chosen, by, &reason, now)?;
            ended.extend(revoked.iter().map(|grant| grant.id().clone()));
        }
        Ok(ended)
    }

    /// The policy to look at living grants by after a change of people or hosts; none where the
    /// configuration lets them run.
    pub(super) fn policy_to_reexamine(&self) -> Result<Option<Arc<Policy>>> {
        match self.config.on_change {
            OnChange::Keep => Ok(None),
            OnChange::End => self.policy_on_record().map(Some),
        }
    }

    /// Why the policy would not give a grant any more that it, or an older version, gave.
    fn denied(&self, tx: &dyn Tx, policy: &Policy, grant: &Grant) -> Result<Option<String>> {
        let State::Approved { window, way: Way::People | Way::Policy } = grant.state() else {
            return Ok(None);
        };
        let requester = known_person(tx, &grant.ask().person)?;
        // As of its start: whether it would be given anew, now that some of it is over, is not asked.
        let then = window.not_before;
        let given = approvers(grant);
        match Known::gather(tx, grant.ask(), &requester, &given, then) {
            Ok(known) => {
                Ok(match decide(grant.ask(), policy, &known.had().facts(), then).verdict {
                    Verdict::Deny { why } => Some(why),
                    Verdict::Allow | Verdict::Pending { .. } => None,
                })
            }
            // What it extends is gone.
            Err(error) if error.kind() == Kind::Refused => Ok(Some(error.what().to_owned())),
            Err(error) => Err(error),
        }
    }
}

/// Whether another version of the policy decided a grant.
fn was_by_another(policy: &Policy, grant: &Grant) -> bool {
    grant.terms().policy != policy.version
}

/// As much of a text as a reason holds.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
