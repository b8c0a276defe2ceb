//! Break-glass codes of the authority's own host: what they were used for.

use jit_core::breakglass::Use;

use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::wire::{self, BreakGlass, ById, GlassUse, Nothing};

endpoint!(
    /// What codes were used for.
    List = "break-glass", Get "/v1/break-glass", Admin,
    "Break-glass codes left, and what others were used for",
    (Nothing, Nothing, Nothing) -> BreakGlass, list
);
endpoint!(
    /// Reviews a use.
    Review = "break-glass-review", Post "/v1/break-glass/{id}/review", Admin,
    "Puts one's review on somebody else's use of a code",
    (ById, Nothing, wire::Review) -> GlassUse, review
);

fn list(
    desk: &Desk<'_>,
    _: &Caller,
    _: Nothing,
    _: Nothing,
    _: Nothing,
) -> Result<BreakGlass, Failure> {
    let glass = desk.authority.break_glass_uses()?;
    Ok(BreakGlass {
        codes_left: glass.codes_left(),
        uses: glass.uses().iter().map(shown).collect(),
        host: glass.host,
    })
}

fn review(
    desk: &Desk<'_>,
    caller: &Caller,
    path: ById,
    _: Nothing,
    body: wire::Review,
) -> Result<GlassUse, Failure> {
    let used = desk.authority.review_break_glass(&path.id, &caller.actor(), &body.note)?;
    Ok(shown(&used))
}

fn shown(used: &Use) -> GlassUse {
    GlassUse {
        id: used.id.clone(),
        person: used.person.clone(),
        login: used.login.clone(),
        at: used.at,
        until: used.until,
        rhost: used.rhost.clone(),
        reason: used.reason.clone(),
        reviewed_by: used.review.as_ref().map(|review| review.by.to_string()),
        note: used.review.as_ref().map(|review| review.note.clone()),
    }
}
