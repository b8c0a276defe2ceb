//! `jitctl break-glass`: codes for the day when nobody can approve, and what they were used for.

use jit_api::endpoints::breakglass;
use jit_api::wire::{BreakGlass, ById, GlassUse, Review};
use jit_core::breakglass::{banner, spoken};
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::name::{Login, PersonName, Reason};
use jit_core::secret::SecretText;
use jit_core::{Error, Result};
use serde_json::{Value, json};

use crate::cli::BreakGlass as Command;
use crate::line::{Line, NOTHING, Way};
use crate::output::{Exit, joined, table};
use crate::prompt;

/// Runs `jitctl break-glass`.
pub fn run(line: &Line, command: &Command) -> Result<Exit> {
    match command {
        Command::Create { count, logins } => create(line, *count, logins)?,
        Command::List => list(line)?,
        Command::Review { id, reviewer, note, alone: _ } => {
            review(line, id, reviewer.as_ref(), note)?;
        }
    }
    Ok(Exit::Done)
}

/// Says beside the answer of another command that a use waits for its review.
pub(super) fn remark(line: &Line) -> Result<()> {
    if line.output.is_json() {
        return Ok(());
    }
    let glass = known(line)?;
    if let Some(last) = unreviewed(&glass) {
        let said = banner(&last.person, &last.login, &glass.host, last.until, &last.reason);
        line.output.remark(&format!(
            "jitctl: {said}\n  not reviewed: jitctl break-glass review {} --as REVIEWER --note TEXT",
            last.id
        ));
    }
    Ok(())
}

fn known(line: &Line) -> Result<BreakGlass> {
    line.way.call::<breakglass::List>(&NOTHING, &NOTHING, &NOTHING)
}

/// The last use, if nobody has reviewed it.
fn unreviewed(glass: &BreakGlass) -> Option<&GlassUse> {
    glass.uses.last().filter(|used| used.review.is_none())
}

fn create(line: &Line, count: u32, logins: &[Login]) -> Result<()> {
    let Line { way, output } = line;
    let Way::Here(here) = way else {
        return Err(Error::refused("codes are made, and printed, on the host that they are for")
            .next("There: sudo jitctl break-glass create"));
    };
    let authority = &here.authority;
    let (codes, replaced) = authority.new_break_glass_codes(count, logins)?;
    let rules = &authority.config().break_glass;
    let host = &authority.config().host;
    let accounts = match logins {
        [] => joined(&rules.logins, " "),
        logins => joined(logins, " "),
    };
    let mut sheet = format!("Break-glass codes of {host}");
    // Room for all of it at once: growing would leave copies behind.
    sheet.reserve(codes.len() * 40 + 1024);
    if replaced > 0 {
        sheet.push_str(&format!("; the {replaced} left of the old ones are void"));
    }
    sheet.push_str(":\n");
    for code in &codes {
        sheet.push_str("  ");
        sheet.push_str(code.expose());
        sheet.push('\n');
    }
    sheet.push_str(&format!(
        "Each lets one of {} in once, as {accounts}, with sudo, for {}, with their own key and a\n\
         reason, and nobody is asked. They are shown this once: print them, seal each in an envelope \
         of its\nown, lock the envelopes away, and count them. To use one, type it at the code prompt.",
        joined(&rules.members, " "),
        rules.window
    ));
    let sheet = SecretText::new(sheet);
    output.answer(sheet.expose(), || {
        json!({
            "host": host, "replaced": replaced, "logins": logins,
            "codes": codes.iter().map(SecretText::expose).collect::<Vec<_>>(),
        })
    })
}

fn list(line: &Line) -> Result<()> {
    let glass = known(line)?;
    let mut text = format!("Codes left on {}: {}", glass.host, glass.codes_left);
    if !glass.logins.is_empty() {
        text.push_str(&format!(", for {} alone", joined(&glass.logins, " ")));
    }
    text.push('\n');
    if glass.uses.is_empty() {
        text.push_str("None was ever used.\n");
    } else {
        let heads = ["ID", "PERSON", "LOGIN", "AT", "UNTIL", "FROM", "REVIEWED", "REASON"];
        text.push_str(&table(&heads, glass.uses.iter().map(row)));
    }
    match (unreviewed(&glass), glass.members.as_slice()) {
        (Some(last), _) => text.push_str(&format!(
            "No other code works until it is reviewed.\n\
             Next: jitctl break-glass review {} --as REVIEWER --note TEXT",
            last.id
        )),
        (None, []) => text.push_str(
            "Nobody may use one.\nNext: [break_glass] members = [\"@admins\"] in jit.toml",
        ),
        (None, _) if glass.codes_left == 0 => {
            text.push_str("Next: jitctl break-glass create");
        }
        (None, _) => {}
    }
    line.output.answer(text, || {
        json!({
            "host": glass.host, "codes_left": glass.codes_left, "logins": glass.logins,
            "uses": glass.uses.iter().map(for_programs).collect::<Vec<_>>(),
        })
    })
}

fn review(line: &Line, id: &GrantId, reviewer: Option<&PersonName>, note: &Reason) -> Result<()> {
    let Line { way, output } = line;
    // Before a code is asked for.
    if let Way::Here(here) = way {
        let by = reviewer.map_or(Actor::Root, |name| Actor::Person(name.clone()));
        here.authority.could_review(id, &by)?;
    }
    let mut review = Review { note: note.clone(), person: None, code: None };
    if let Some(name) = reviewer {
        let glass = known(line)?;
        let last = glass.uses.iter().find(|used| used.id == *id).ok_or_else(|| {
            Error::not_found(format!("there is no use {id}")).next("jitctl break-glass list")
        })?;
        output.say(format!(
            "{} was in as {} from {} to {}: {}",
            last.person,
            last.login,
            last.at.local(),
            last.until.local(),
            last.reason
        ))?;
        review.person = Some(name.clone());
        if way.is_here() {
            let typed = prompt::code(&format!("Verification code for {name}: "))?;
            review.code = Some(typed.expose().to_owned());
        }
    }
    let used = way.call::<breakglass::Review>(&ById { id: id.clone() }, &NOTHING, &review)?;
    let by = used.review.as_ref().map_or_else(String::new, |review| spoken(&review.by));
    let left = known(line)?.codes_left;
    let text = format!("{id} is reviewed by {by}. Codes left: {left}");
    output.answer(text, || for_programs(&used))
}

fn row(used: &GlassUse) -> Vec<String> {
    vec![
        used.id.to_string(),
        used.person.to_string(),
        used.login.to_string(),
        used.at.local(),
        used.until.local(),
        used.rhost.clone().unwrap_or_else(|| "-".into()),
        used.review.as_ref().map_or_else(
            || "no".into(),
            |review| format!("by {}: {}", spoken(&review.by), review.note),
        ),
        used.reason.to_string(),
    ]
}

/// One use for programs.
pub(super) fn for_programs(used: &GlassUse) -> Value {
    json!({
        "id": used.id, "person": used.person, "login": used.login, "reason": used.reason,
        "from": used.rhost, "at": used.at.rfc3339(), "until": used.until.rfc3339(),
        "review": used.review.as_ref().map(|review| json!({
            "by": review.by, "at": review.at.rfc3339(), "note": review.note,
            "by_root_alone": review.by == Actor::Root,
        })),
    })
}
