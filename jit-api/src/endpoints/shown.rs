//! A grant as it is shown, to those who may see it.

use jit_core::Error;
use jit_core::grant::{Grant, Phase};
use jit_core::id::GrantId;
use jit_core::name::PersonName;
use jit_core::time::Timestamp;

use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::wire::GrantView;

/// A grant that the caller may see. What they may not see is not there.
///
/// # Errors
/// Not found.
pub(super) fn seen(
    desk: &Desk<'_>,
    caller: &Caller,
    id: &GrantId,
) -> Result<(Grant, Timestamp), Failure> {
    let (grant, now) = desk.authority.grant(id)?;
    if caller.may_see(&grant) {
        return Ok((grant, now));
    }
    let approvers = approvers(desk, &grant, now)?;
    if caller.person().is_some_and(|person| approvers.contains(person)) {
        return Ok((grant, now));
    }
    Err(Error::not_found(format!("there is no grant {id}")).next("jitctl list").into())
}

/// A grant with whose yes could still help.
///
/// # Errors
/// Misconfigured when the policy is.
pub(super) fn view(desk: &Desk<'_>, grant: Grant) -> Result<GrantView, Failure> {
    let now = desk.authority.now()?;
    let approvers = approvers(desk, &grant, now)?;
    Ok(GrantView { state: grant.phase(now), grant, now, approvers })
}

fn approvers(desk: &Desk<'_>, grant: &Grant, now: Timestamp) -> Result<Vec<PersonName>, Failure> {
    if grant.phase(now) != Phase::Requested {
        return Ok(Vec::new());
    }
    Ok(desk.authority.missing(grant)?.1)
}
