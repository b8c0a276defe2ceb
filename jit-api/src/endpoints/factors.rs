//! Second factors of people who have been enrolled already. A new secret is shown to whoever it will
//! prove alone, and to root: an admin invites.

use jit_core::name::PersonName;

use super::decide::needs_code;
use super::people::person;
use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::wire::{ByName, Confirmed, FactorBegun, FirstCode, Nothing, Person, ProveAgain};

endpoint!(
    /// Begins the enrolment of an authenticator app.
    Begin = "mfa-enroll", Post "/v1/people/{name}/factor", Factor,
    "Begins the enrolment of another authenticator app of one's own",
    (ByName, Nothing, ProveAgain) -> FactorBegun,
    |desk, caller, ByName { name }, _, body| {
        theirs(desk, caller, &name, body.code.as_deref(), "enrol another second factor")?;
        let begun = desk.authority.begin_enrolment(&caller.actor(), &name)?;
        Ok(FactorBegun { otpauth_uri: begun.otpauth_uri.expose().to_owned() })
    }
);
endpoint!(
    /// Puts it in use.
    Confirm = "mfa-confirm", Post "/v1/people/{name}/factor/confirm", Factor,
    "Puts the new authenticator app in use by a code of it",
    (ByName, Nothing, FirstCode) -> Confirmed,
    |desk, caller, ByName { name }, _, first| {
        own(caller, &name)?;
        let codes = desk.authority.confirm_enrolment(&caller.actor(), &name, &first.code)?;
        Ok(Confirmed::of(name, &codes))
    }
);
endpoint!(
    /// Makes new recovery codes.
    Codes = "recovery-codes", Post "/v1/people/{name}/recovery-codes", Factor,
    "Makes new recovery codes of one's own; the old ones are void",
    (ByName, Nothing, ProveAgain) -> Confirmed,
    |desk, caller, ByName { name }, _, body| {
        theirs(desk, caller, &name, body.code.as_deref(), "make new recovery codes")?;
        let codes = desk.authority.new_recovery_codes(&caller.actor(), &name)?;
        Ok(Confirmed::of(name, &codes))
    }
);
endpoint!(
    /// Resets a person's second factor.
    Reset = "mfa-reset", Post "/v1/people/{name}/mfa-reset", Admin,
    "Takes a person's second factor away, lockout included",
    (ByName, Nothing, Nothing) -> Person,
    |desk, caller, path, _, _| {
        desk.authority.reset_factors(&caller.actor(), &path.name)?;
        person(desk, &path.name)
    }
);

/// That it is the caller's own, or root asks.
fn own(caller: &Caller, name: &PersonName) -> Result<(), Failure> {
    if caller.may_act_for(name) {
        return Ok(());
    }
    Err(Failure::forbidden(format!("a second factor of {name} is shown to {name} alone"))
        .next(format!("To have them enrol one: jitctl user invite {name}")))
}

/// As [`own`], and that the second factor in use was proved for this: whoever has got hold of a
/// login must not make it last.
fn theirs(
    desk: &Desk<'_>,
    caller: &Caller,
    name: &PersonName,
    code: Option<&str>,
    what_for: &str,
) -> Result<(), Failure> {
    own(caller, name)?;
    if *caller == Caller::Root {
        return Ok(());
    }
    let code = code.ok_or_else(|| needs_code(name))?;
    Ok(desk.authority.prove(name, code, what_for)?)
}
