//! `jitctl deny` and `cancel`: deciding on a request, in the name of a person who proves it with a
//! code, or of root.

use jit_core::Result;
use jit_core::authority::Deed;
use jit_core::grant::{Actor, Grant};
use jit_core::name::PersonName;

use super::Desk;
use crate::cli::{Cancel, Deny};
use crate::grants;
use crate::output::Exit;
use crate::prompt;

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
pub(super) fn decider(
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

/// Asks for the person's code, and checks it.
pub(super) fn prove(desk: &Desk, person: &PersonName, what_for: &str) -> Result<()> {
    let typed = prompt::code(&format!("Verification code for {person}: "))?;
    desk.authority.prove(person, typed.expose(), what_for)
}

/// Says where the grant stands now.
pub(super) fn told(desk: &Desk, grant: &Grant) -> Result<Exit> {
    let now = desk.authority.now()?;
    let text = format!("{} is {}.", grant.id(), grant.phase(now));
    desk.output.answer(text, || grants::json(grant, now))?;
    Ok(Exit::Done)
}
