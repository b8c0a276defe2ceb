//! `jitctl edit`, `withdraw` and `shorten`: changing what is asked for, taking a yes back, and ending
//! a window sooner.

use jit_core::Result;
use jit_core::authority::Deed;
use jit_core::grant::{self, Phase};

use super::decide::{decider, prove, told};
use super::request;
use crate::cli::{Edit, Shorten, Withdraw};
use crate::grants;
use crate::line::Line;
use crate::output::Exit;

/// Runs `jitctl edit`.
pub fn edit(line: &Line, edit: &Edit) -> Result<Exit> {
    let Line { way, output } = line;
    let Edit { id, person, duration, start, reason } = edit;
    let actor = decider(line, Deed::Edit, person.as_ref(), id, "edit")?;
    let change = grant::Edit { duration: *duration, start: *start, reason: reason.clone() };
    let grant = way.edit(id, &change, &actor)?;
    let now = way.now()?;
    let text = if grant.phase(now) == Phase::Requested {
        let standing = way.standing(&grant)?;
        format!(
            "Request {id} is for {} now. Approvals given before count no longer.\n{}",
            grants::access(&grant),
            request::next(line, &grant, &standing.approvers)
        )
    } else {
        grants::outcome(&grant, now)
    };
    output.answer(text, || grants::json(&grant, now))?;
    Ok(Exit::Done)
}

/// Runs `jitctl withdraw`.
pub fn withdraw(line: &Line, withdraw: &Withdraw) -> Result<Exit> {
    let Withdraw { id, person } = withdraw;
    line.way.could(Deed::Withdraw, id, person)?;
    prove(line, person, &format!("withdraw {id}"))?;
    let grant = line.way.withdraw(id, person)?;
    told(line, &grant)
}

/// Runs `jitctl shorten`.
pub fn shorten(line: &Line, shorten: &Shorten) -> Result<Exit> {
    let Line { way, output } = line;
    let Shorten { id, left, person, reason } = shorten;
    let actor = decider(line, Deed::Shorten, person.as_ref(), id, "shorten")?;
    let grant = way.shorten(id, *left, &actor, reason.as_ref())?;
    let now = way.now()?;
    output.answer(grants::outcome(&grant, now), || grants::json(&grant, now))?;
    Ok(Exit::Done)
}
