//! Filing a request.

use jit_core::authority::{Deed, NewRequest};
use jit_core::grant::{Actor, Edit as Change, Origin};

use super::decide::decider;
use super::shown::{seen, view};
use crate::caller::Caller;
use crate::problem::Failure;
use crate::wire::{self, ById, Decide, EditRequest, GrantView, Nothing};

endpoint!(
    /// Asks for access.
    File = "request", Post "/v1/requests", Person, "Asks for access",
    (Nothing, Nothing, wire::NewRequest) -> GrantView,
    |desk, caller, _, _, new| {
        let ask = new.ask(caller.acting(new.person.as_ref())?);
        let from = desk.from.map(|address| address.to_string());
        let origin = from.map(|rhost| Origin { rhost: Some(rhost), tty: None });
        let new = NewRequest { ask, by: caller.actor(), origin };
        view(desk, desk.authority.request(&new)?)
    }
);

endpoint!(
    /// Takes a request back.
    Cancel = "cancel", Post "/v1/grants/{id}/cancel", Person,
    "Takes one's own request back",
    (ById, Nothing, Decide) -> GrantView,
    |desk, caller, ById { id }, _, body| {
        seen(desk, caller, &id)?;
        let actor = match (caller, &body.person) {
            (Caller::Root, Some(_)) => {
                let code = body.code.as_deref();
                decider(desk, caller, Deed::Cancel, &id, body.person.as_ref(), code)?
            }
            (_, person) => own(caller, person.as_ref())?,
        };
        view(desk, desk.authority.cancel(&id, &actor)?)
    }
);

endpoint!(
    /// Changes a request.
    Edit = "edit", Post "/v1/grants/{id}/edit", Person,
    "Changes one's own request before it is decided; what was said yes to counts no longer",
    (ById, Nothing, EditRequest) -> GrantView,
    |desk, caller, ById { id }, _, body| {
        seen(desk, caller, &id)?;
        let actor = match (caller, &body.person) {
            (Caller::Root, Some(_)) => {
                let code = body.code.as_deref();
                decider(desk, caller, Deed::Edit, &id, body.person.as_ref(), code)?
            }
            (_, person) => own(caller, person.as_ref())?,
        };
        let edit = Change { duration: body.duration, start: body.start, reason: body.reason };
        view(desk, desk.authority.edit(&id, &edit, &actor)?)
    }
);

endpoint!(
    /// Asks for more time.
    Extend = "extend", Post "/v1/grants/{id}/extend", Person,
    "Asks for more time at the end of one's own grant",
    (ById, Nothing, wire::Extend) -> GrantView,
    |desk, caller, ById { id }, _, body| {
        let (grant, _) = seen(desk, caller, &id)?;
        if !caller.may_act_for(&grant.ask().person) {
            return Err(Failure::forbidden(format!("{id} is not yours to extend")));
        }
        let reason = body.reason.as_ref();
        view(desk, desk.authority.extend(&id, body.duration, reason, &caller.actor())?)
    }
);

/// As themselves; root as root. Whose request it is, the authority looks at.
fn own(caller: &Caller, person: Option<&jit_core::name::PersonName>) -> Result<Actor, Failure> {
    match person {
        Some(person) => caller.acting(Some(person)).map(Actor::Person),
        None => Ok(caller.actor()),
    }
}
