//! Changing a request before it is decided, taking a yes back, and ending a window sooner.

use serde_json::json;

use super::beforehand::{canceller_counts, shortener_counts};
use super::extend::with_extensions;
use super::grants::{approvers, end_all, known_grant};
use super::known::Known;
use super::{Authority, Done, acting_person};
use crate::error::{Error, Result};
use crate::grant::{Actor, Edit, Grant, Way};
use crate::id::GrantId;
use crate::name::{PersonName, Reason};
use crate::policy::{Verdict, decide};
use crate::time::Span;

impl Authority {
    /// Asks for something else, by the same rules: the requester, or root. What people said yes to
    /// before counts no longer.
    ///
    /// # Errors
    /// Refused when the policy says no, or it is somebody else's; conflict when it is decided.
    pub fn edit(&self, id: &GrantId, edit: &Edit, by: &Actor) -> Result<Grant> {
        let policy = self.policy_on_record()?;
        self.change(by, "grant.edit", id.as_str(), |tx, now| {
            let grant = known_grant(tx, id)?;
            if let Actor::Person(name) = by {
                canceller_counts(&grant, name)?;
            }
            let before = grant.ask().clone();
            let requester = acting_person(tx, &before.person)?;
            let edited = grant.edit(edit, now)?;
            let given = approvers(&edited);
            let known = Known::gather(tx, edited.ask(), &requester, &given, now)?;
            let decision = decide(edited.ask(), &policy, &known.facts(), now);
            let mut detail = json!({
                "before": before, "ask": edited.ask(), "revision": edited.revision(),
                "decision": decision, "facts": known.facts().on_record(now),
            });
            if let Verdict::Deny { why } = &decision.verdict {
                let error = Error::refused(format!("denied: {why}"))
                    .next(format!("It stands as it was: jitctl show {id}"));
                detail["why"] = json!(error.what());
                return Ok(Done::new(Err(error), detail).refused());
            }
            let mut edited = edited.on_terms(decision.terms());
            tx.replace_grant(&edited)?;
            if decision.verdict == Verdict::Allow {
                edited = edited.approve(Way::Policy, now)?;
                tx.replace_grant(&edited)?;
            }
            detail["state"] = json!(edited.state());
            Ok(Done::new(Ok(edited), detail))
        })?
    }

    /// Takes a person's yes back, which the caller has proved to be theirs, before it took effect.
    ///
    /// # Errors
    /// Refused when they gave none; conflict when it is decided.
    pub fn withdraw(&self, id: &GrantId, by: &PersonName) -> Result<Grant> {
        self.change(&Actor::Person(by.clone()), "grant.withdraw", id.as_str(), |tx, now| {
            acting_person(tx, by)?;
            let grant = known_grant(tx, id)?.withdraw(by, now)?;
            tx.replace_grant(&grant)?;
            Ok(Done::new(grant, json!({})))
        })
    }

    /// Makes a window end `left` from now, or from its start: those who could approve it, or root.
    /// What extends it has nothing left to go on from, and ends.
    ///
    /// # Errors
    /// Refused when it is not theirs to say, or it would end no sooner; conflict when it is over.
    pub fn shorten(
        &self,
        id: &GrantId,
        left: Span,
        by: &Actor,
        reason: Option<&Reason>,
    ) -> Result<Grant> {
        let policy = self.policy()?;
        self.change(by, "grant.shorten", id.as_str(), |tx, now| {
            let grant = known_grant(tx, id)?;
            if let Actor::Person(name) = by {
                shortener_counts(tx, &policy, &grant, name, now)?;
            }
            let before = grant.window();
            let shortened = grant.clone().shorten(left, by.clone(), now)?;
            let mut extensions = with_extensions(tx, grant, now)?;
            extensions.remove(0);
            let why = Reason::parse(&format!("{id}, which this extends, was shortened"))?;
            let ended = end_all(tx, extensions, by, &why, now)?;
            tx.replace_grant(&shortened)?;
            let ended: Vec<_> = ended.iter().map(Grant::id).collect();
            let detail = json!({
                "before": before, "after": shortened.window(), "reason": reason,
                "extensions_ended": ended,
            });
            Ok(Done::new(shortened, detail))
        })
    }
}
