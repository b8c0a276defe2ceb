//! `jitctl edit`, `withdraw` and `shorten`: changing what is asked for, taking a yes back, and ending
//! a window sooner.

use jit_core::Result;
use jit_core::authority::Deed;
use jit_core::grant::{self, Phase};

use super::decide::{decider, prove, told};
use super::{Desk, request};
use crate::cli::{Edit, Shorten, Withdraw};
use crate::grants;
use crate::output::Exit;

/// Runs `jitctl edit`.
pub fn edit(desk: &Desk, edit: &Edit) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let Edit { id, person, duration, start, reason } = edit;
    let actor = decider(desk, Deed::Edit, person.as_ref(), id, "edit")?;
    let change = grant::Edit { duration: *duration, start: *start, reason: reason.clone() };
    let grant = authority.edit(id, &change, &actor)?;
    let now = authority.now()?;
    let text = if grant.phase(now) == Phase::Requested {
        let (_, approvers) = authority.missing(&grant)?;
        format!(
            "Request {id} is for {} now. Approvals given before count no longer.\n{}",
            grants::access(&grant),
            request::next(&grant, &approvers)
        )
    } else {
        grants::outcome(&grant, now)
    };
    output.answer(text, || grants::json(&grant, now))?;
    Ok(Exit::Done)
}

/// Runs `jitctl withdraw`.
pub fn withdraw(desk: &Desk, withdraw: &Withdraw) -> Result<Exit> {
    let Withdraw { id, person } = withdraw;
    desk.authority.could(Deed::Withdraw, id, person)?;
    prove(desk, person, &format!("withdraw {id}"))?;
    let grant = desk.authority.withdraw(id, person)?;
    told(desk, &grant)
}

/// Runs `jitctl shorten`.
pub fn shorten(desk: &Desk, shorten: &Shorten) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let Shorten { id, left, person, reason } = shorten;
    let actor = decider(desk, Deed::Shorten, person.as_ref(), id, "shorten")?;
    let grant = authority.shorten(id, *left, &actor, reason.as_ref())?;
    let now = authority.now()?;
    output.answer(grants::outcome(&grant, now), || grants::json(&grant, now))?;
    Ok(Exit::Done)
}
