//! Break-glass codes of the authority's own host: what they were used for. New ones are made there by
//! root, who prints them.

use jit_core::breakglass::Use;
use jit_core::grant::Actor;

use super::decide::needs_code;
use crate::wire::{self, BreakGlass, ById, GlassReview, GlassUse, Nothing};

endpoint!(
    /// What codes were used for.
    List = "break-glass", Get "/v1/break-glass", Admin,
    "Break-glass codes left, and what others were used for",
    (Nothing, Nothing, Nothing) -> BreakGlass,
    |desk, _, _, _, _| {
        let glass = desk.authority.break_glass_uses()?;
        let members = &desk.authority.config().break_glass.members;
        Ok(BreakGlass {
            codes_left: glass.codes_left(),
            logins: glass.logins().to_vec(),
            members: members.iter().map(ToString::to_string).collect(),
            uses: glass.uses().iter().map(shown).collect(),
            host: glass.host,
        })
    }
);
endpoint!(
    /// Reviews a use.
    Review = "break-glass-review", Post "/v1/break-glass/{id}/review", Admin,
    "Puts one's review on somebody else's use of a code",
    (ById, Nothing, wire::Review) -> GlassUse,
    |desk, caller, path, _, body| {
        let by = match &body.person {
            None => caller.actor(),
            person => Actor::Person(caller.acting(person.as_ref())?),
        };
        if let Actor::Person(name) = &by
            && caller.factor().is_none()
        {
            // Before a code is spent on it.
            desk.authority.could_review(&path.id, &by)?;
            let code = body.code.as_deref().ok_or_else(|| needs_code(name))?;
            desk.authority.prove(name, code, &format!("review break-glass use {}", path.id))?;
        }
        Ok(shown(&desk.authority.review_break_glass(&path.id, &by, &body.note)?))
    }
);

pub(super) fn shown(used: &Use) -> GlassUse {
    GlassUse {
        id: used.id.clone(),
        person: used.person.clone(),
        login: used.login.clone(),
        at: used.at,
        until: used.until,
        rhost: used.rhost.clone(),
        reason: used.reason.clone(),
        review: used.review.as_ref().map(|review| GlassReview {
            by: review.by.clone(),
            at: review.at,
            note: review.note.clone(),
        }),
    }
}
