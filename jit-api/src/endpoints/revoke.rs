//! Taking access away, and giving it alone.

use jit_core::Error;
use jit_core::authority::RevokeWhich;
use jit_core::grant::Ask;

use super::shown::{seen, view};
use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::wire::{self, ById, GrantView, Grants, Nothing};

endpoint!(
    /// Ends one grant.
    Revoke = "revoke", Post "/v1/grants/{id}/revoke", Person,
    "Ends one's own grant, and what extends it; an admin anybody's",
    (ById, Nothing, wire::Revoke) -> Grants, revoke
);

endpoint!(
    /// Ends many.
    RevokeMany = "revocations", Post "/v1/revocations", Admin,
    "Ends all grants of a person, on a host, or all there are",
    (Nothing, Nothing, wire::RevokeMany) -> Grants, revoke_many
);

endpoint!(
    /// Gives access past the policy.
    GrantAlone = "grant-alone", Post "/v1/grants", Admin,
    "Gives somebody else access past the policy; the log says who did",
    (Nothing, Nothing, wire::NewRequest) -> GrantView, grant_alone
);

fn revoke(
    desk: &Desk<'_>,
    caller: &Caller,
    ById { id }: ById,
    _: Nothing,
    body: wire::Revoke,
) -> Result<Grants, Failure> {
    let (grant, _) = seen(desk, caller, &id)?;
    if !caller.may_look_at(&grant.ask().person) {
        return Err(Failure::forbidden(format!("{id} is not yours to revoke"))
            .next("Whoever approved it can end it sooner: jitctl shorten"));
    }
    ended(desk, caller, &RevokeWhich::Id(id), &body.reason)
}

fn revoke_many(
    desk: &Desk<'_>,
    caller: &Caller,
    _: Nothing,
    _: Nothing,
    body: wire::RevokeMany,
) -> Result<Grants, Failure> {
    let which = match (body.person, body.host, body.all) {
        (Some(person), None, false) => RevokeWhich::Person(person),
        (None, Some(host), false) => RevokeWhich::Host(host),
        (None, None, true) => RevokeWhich::All,
        _ => {
            return Err(Error::invalid("a revocation names one of person, host and all").into());
        }
    };
    ended(desk, caller, &which, &body.reason)
}

fn ended(
    desk: &Desk<'_>,
    caller: &Caller,
    which: &RevokeWhich,
    reason: &jit_core::name::Reason,
) -> Result<Grants, Failure> {
    let grants = desk.authority.revoke(which, &caller.actor(), reason)?;
    Ok(Grants { grants, now: desk.authority.now()? })
}

fn grant_alone(
    desk: &Desk<'_>,
    caller: &Caller,
    _: Nothing,
    _: Nothing,
    new: wire::NewRequest,
) -> Result<GrantView, Failure> {
    let person = new
        .person
        .ok_or_else(|| Error::invalid("it has to say who gets access").next("Name the person."))?;
    let ask = Ask {
        person,
        login: new.login,
        place: new.place,
        sudo: new.sudo,
        duration: new.duration,
        start: new.start,
        extends: None,
        reason: new.reason,
    };
    view(desk, desk.authority.grant_alone(&caller.actor(), &ask)?)
}
