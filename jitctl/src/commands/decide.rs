//! `jitctl approve`, `deny` and `cancel`: deciding on a request in the name of a person, who proves
//! it with a code.

use jit_core::Result;
use jit_core::authority::Deed;
use jit_core::grant::{Actor, Grant};
use jit_core::name::PersonName;
use jit_core::policy::Verdict;
use jit_core::store::GrantFilter;

use super::{Desk, request};
use crate::cli::{Approve, Cancel, Deny};
use crate::grants;
use crate::output::Exit;
use crate::prompt;

/// How many of the requester's latest grants are shown to whoever approves.
const RECENT: u32 = 5;

/// Runs `jitctl approve`.
pub fn approve(desk: &Desk, approve: &Approve) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let Approve { id, person } = approve;
    let asked = authority.could(Deed::Approve, id, person)?;
    show(desk, &asked)?;
    prove(desk, person, &format!("approve {id}"))?;
    let (grant, decision) = authority.approve(id, person)?;
    let now = authority.now()?;
    if let Verdict::Pending { missing } = &decision.verdict {
        let (_, approvers) = authority.missing(&grant)?;
        let text = format!(
            "{person} approves {id}; still missing: {}.\n{}",
            request::missing(missing),
            request::next(&grant, &approvers)
        );
        output.answer(text, || grants::json(&grant, now))?;
        return Ok(Exit::Pending);
    }
    output.answer(grants::outcome(&grant, now), || grants::json(&grant, now))?;
    Ok(Exit::Done)
}

/// Runs `jitctl deny`.
pub fn deny(desk: &Desk, deny: &Deny) -> Result<Exit> {
    let actor = decider(desk, Deed::Deny, deny.person.as_ref(), &deny.id, "deny")?;
    let grant = desk.authority.deny(&deny.id, &actor, deny.reason.as_ref())?;
    told(desk, &grant)
}

/// Runs `jitctl cancel`.
pub fn cancel(desk: &Desk, cancel: &Cancel) -> Result<Exit> {
    let actor = decider(desk, Deed::Cancel, cancel.person.as_ref(), &cancel.id, "cancel")?;
    let grant = desk.authority.cancel(&cancel.id, &actor)?;
    told(desk, &grant)
}

/// Root, or the person named, once that is proved.
fn decider(
    desk: &Desk,
    deed: Deed,
    person: Option<&PersonName>,
    id: &jit_core::id::GrantId,
    verb: &str,
) -> Result<Actor> {
    let Some(person) = person else { return Ok(Actor::Root) };
    desk.authority.could(deed, id, person)?;
    prove(desk, person, &format!("{verb} {id}"))?;
    Ok(Actor::Person(person.clone()))
}

pub(super) fn prove(desk: &Desk, person: &PersonName, what_for: &str) -> Result<()> {
    let typed = prompt::code(&format!("Verification code for {person}: "))?;
    desk.authority.prove(person, typed.expose(), what_for)
}

/// What an approver should know before saying yes.
fn show(desk: &Desk, asked: &Grant) -> Result<()> {
    let Desk { authority, output } = desk;
    if output.is_json() {
        return Ok(());
    }
    let filter = GrantFilter {
        person: Some(asked.ask().person.clone()),
        limit: Some(RECENT + 1),
        ..GrantFilter::default()
    };
    let (mut recent, now) = authority.grants(&filter)?;
    recent.retain(|grant| grant.id() != asked.id());
    recent.truncate(RECENT as usize);
    let mut text = grants::details(asked, now);
    if recent.is_empty() {
        text.push_str(&format!("\n{} had no grant before.\n", asked.ask().person));
    } else {
        text.push_str(&format!("\nThe last of {}:\n", asked.ask().person));
        text.push_str(&grants::rows(&recent, now));
    }
    output.say(text)
}

fn told(desk: &Desk, grant: &Grant) -> Result<Exit> {
    let now = desk.authority.now()?;
    let text = format!("{} is {}.", grant.id(), grant.phase(now));
    desk.output.answer(text, || grants::json(grant, now))?;
    Ok(Exit::Done)
}
