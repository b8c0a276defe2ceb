//! Taking access away, and giving it alone.

use jit_core::Error;
use jit_core::authority::RevokeWhich;

use super::shown::{seen, view};
use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::wire::{self, ById, GrantView, Grants, Nothing};

endpoint!(
    /// Ends one grant.
    Revoke = "revoke", Post "/v1/grants/{id}/revoke", Person,
    "Ends one's own grant, and what extends it; an admin anybody's",
    (ById, Nothing, wire::Revoke) -> Grants,
    |desk, caller, ById { id }, _, body| {
        let (grant, _) = seen(desk, caller, &id)?;
        if !caller.may_look_at(&grant.ask().person) {
            return Err(Failure::forbidden(format!("{id} is not yours to revoke"))
                .next("Whoever approved it can end it sooner: jitctl shorten"));
        }
        ended(desk, caller, &RevokeWhich::Id(id), &body.reason)
    }
);

endpoint!(
    /// Ends many.
    RevokeMany = "revocations", Post "/v1/revocations", Admin,
    "Ends all grants of a person, on a host, or all there are",
    (Nothing, Nothing, wire::RevokeMany) -> Grants,
    |desk, caller, _, _, body| {
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
);

endpoint!(
    /// Gives access past the policy.
    GrantAlone = "grant-alone", Post "/v1/grants", Admin,
    "Gives somebody else access past the policy; the log says who did",
    (Nothing, Nothing, wire::NewRequest) -> GrantView,
    |desk, caller, _, _, new| {
        let person = new.person.clone().ok_or_else(|| {
            Error::invalid("it has to say who gets access").next("Name the person.")
        })?;
        view(desk, desk.authority.grant_alone(&caller.actor(), &new.ask(person))?)
    }
);

fn ended(
    desk: &Desk<'_>,
    caller: &Caller,
    which: &RevokeWhich,
    reason: &jit_core::name::Reason,
) -> Result<Grants, Failure> {
    let grants = desk.authority.revoke(which, &caller.actor(), reason)?;
    Ok(Grants { grants, now: desk.authority.now()? })
}
