//! Whose decision counts. Asked when it is made, and before a code of theirs is spent on it.

use serde_json::json;

use super::grants::known_grant;
use super::known::Known;
use super::{Authority, acting_person, known_person};
use crate::audit::{Event, Outcome};
use crate::error::{Error, Kind, Result};
use crate::grant::{Actor, Grant};
use crate::id::GrantId;
use crate::name::PersonName;
use crate::person::Person;
use crate::policy::{Policy, may_approve};
use crate::store::Tx;
use crate::time::Timestamp;

/// What a person can do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// [`Authority::approve`]
    Approve,
    /// [`Authority::deny`]
    Deny,
    /// [`Authority::cancel`]
    Cancel,
    /// [`Authority::edit`]
    Edit,
    /// [`Authority::withdraw`]
    Withdraw,
    /// [`Authority::shorten`]
    Shorten,
}

impl Deed {
    fn action(self) -> &'static str {
        match self {
            Deed::Approve => "grant.approve",
            Deed::Deny => "grant.deny",
            Deed::Cancel => "grant.cancel",
            Deed::Edit => "grant.edit",
            Deed::Withdraw => "grant.withdraw",
            Deed::Shorten => "grant.shorten",
        }
    }
}

impl Authority {
    /// The request, if `by` could do this to it now. A refusal is recorded as that of the deed
    /// itself. What comes of the deed is decided only when it is done.
    ///
    /// # Errors
    /// Those of the deed.
    pub fn could(&self, deed: Deed, id: &GrantId, by: &PersonName) -> Result<Grant> {
        let actor = Actor::Person(by.clone());
        let policy = self.policy()?;
        let found = self.read(|tx, now| {
            let grant = known_grant(tx, id)?;
            match deed {
                Deed::Approve => {
                    approver_counts(tx, &policy, &grant, by, now)?;
                }
                Deed::Deny => {
                    denier_counts(tx, &policy, &grant, by, now)?;
                    grant.clone().deny(actor.clone(), None, now)?;
                }
                Deed::Withdraw => {
                    acting_person(tx, by)?;
                    grant.clone().withdraw(by, now)?;
                }
                Deed::Shorten => shortener_counts(tx, &policy, &grant, by, now)?,
                Deed::Cancel | Deed::Edit => {
                    acting_person(tx, by)?;
                    canceller_counts(&grant, by)?;
                    let verb = if deed == Deed::Edit { "edited" } else { "cancelled" };
                    grant.check_undecided(now, verb)?;
                }
            }
            Ok(grant)
        });
        if let Err(error) = &found
            && matches!(error.kind(), Kind::Refused | Kind::Conflict)
        {
            self.record(&Event {
                actor,
                action: deed.action(),
                object: id.to_string(),
                outcome: Outcome::Refused,
                detail: json!({ "why": error.what() }),
            })?;
        }
        found
    }
}

/// Who asked, if `by`'s yes to it counts.
pub(super) fn approver_counts(
    tx: &dyn Tx,
    policy: &Policy,
    grant: &Grant,
    by: &PersonName,
    now: Timestamp,
) -> Result<Person> {
    let approver = acting_person(tx, by)?;
    let requester = acting_person(tx, &grant.ask().person)?;
    // Twice and oneself are refused here, before the policy is asked.
    grant.can_be_approved_by(by, now)?;
    if !decides(tx, policy, grant, &approver, &requester, now)? {
        return Err(Error::refused(format!("{by} is not among those who approve this"))
            .next(format!("jitctl show {}", grant.id())));
    }
    Ok(requester)
}

/// Whoever approved it may make it shorter, and whoever could.
pub(super) fn shortener_counts(
    tx: &dyn Tx,
    policy: &Policy,
    grant: &Grant,
    by: &PersonName,
    now: Timestamp,
) -> Result<()> {
    let requester = known_person(tx, &grant.ask().person)?;
    let who = acting_person(tx, by)?;
    let approved = grant.counting().any(|approval| approval.by == *by);
    if !approved && !decides(tx, policy, grant, &who, &requester, now)? {
        return Err(Error::refused(format!("{by} is not among those who decide this"))
            .next(format!("jitctl show {}", grant.id())));
    }
    grant.check_may_shorten()
}

pub(super) fn denier_counts(
    tx: &dyn Tx,
    policy: &Policy,
    grant: &Grant,
    by: &PersonName,
    now: Timestamp,
) -> Result<()> {
    let requester = known_person(tx, &grant.ask().person)?;
    let denier = acting_person(tx, by)?;
    if !decides(tx, policy, grant, &denier, &requester, now)? {
        return Err(Error::refused(format!("{by} is not among those who decide this"))
            .next(format!("jitctl show {}; the requester can cancel it.", grant.id())));
    }
    Ok(())
}

pub(super) fn canceller_counts(grant: &Grant, by: &PersonName) -> Result<()> {
    if *by != grant.ask().person {
        return Err(Error::refused(format!("{} is not {by}'s request", grant.id()))
            .next("An approver can deny it."));
    }
    Ok(())
}

/// Whether the policy lets `who` decide on the request.
fn decides(
    tx: &dyn Tx,
    policy: &Policy,
    grant: &Grant,
    who: &Person,
    requester: &Person,
    now: Timestamp,
) -> Result<bool> {
    let known = Known::gather(tx, grant.ask(), requester, &[], now)?;
    Ok(may_approve(who, grant.ask(), policy, &known.facts()))
}
