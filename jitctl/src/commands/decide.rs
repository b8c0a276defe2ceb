//! `jitctl deny` and `cancel`: deciding on a request, in the name of a person who proves it with a
//! code, or of root.

use jit_core::Result;
use jit_core::authority::Deed;
use jit_core::grant::{Actor, Grant};
use jit_core::name::PersonName;

use crate::cli::{Cancel, Deny};
use crate::grants;
use crate::line::{Line, Way};
use crate::output::Exit;
use crate::prompt;

/// Runs `jitctl deny`.
pub fn deny(line: &Line, deny: &Deny) -> Result<Exit> {
    let actor = decider(line, Deed::Deny, deny.person.as_ref(), &deny.id, "deny")?;
    let grant = line.way.deny(&deny.id, &actor, deny.reason.as_ref())?;
    told(line, &grant)
}

/// Runs `jitctl cancel`.
pub fn cancel(line: &Line, cancel: &Cancel) -> Result<Exit> {
    let actor = decider(line, Deed::Cancel, cancel.person.as_ref(), &cancel.id, "cancel")?;
    let grant = line.way.cancel(&cancel.id, &actor)?;
    told(line, &grant)
}

/// Root, or the person named, once that is proved.
pub(super) fn decider(
    line: &Line,
    deed: Deed,
    person: Option<&PersonName>,
    id: &jit_core::id::GrantId,
    verb: &str,
) -> Result<Actor> {
    let Some(person) = person else { return Ok(Actor::Root) };
    line.way.could(deed, id, person)?;
    prove(line, person, &format!("{verb} {id}"))?;
    Ok(Actor::Person(person.clone()))
}

/// Asks for the person's code, and checks it.
pub(super) fn prove(line: &Line, person: &PersonName, what_for: &str) -> Result<()> {
    // There, whoever logged in has proved it.
    match &line.way {
        Way::Here(here) => {
            let typed = prompt::code(&format!("Verification code for {person}: "))?;
            here.authority.prove(person, typed.expose(), what_for)
        }
        Way::There(_) => Ok(()),
    }
}

/// Says where the grant stands now.
pub(super) fn told(line: &Line, grant: &Grant) -> Result<Exit> {
    let now = line.way.now()?;
    let text = format!("{} is {}.", grant.id(), grant.phase(now));
    line.output.answer(text, || grants::json(grant, now))?;
    Ok(Exit::Done)
}
