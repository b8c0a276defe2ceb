//! `jitctl break-glass`: codes for the day when nobody can approve, and what they were used for.

use jit_core::Result;
use jit_core::authority::Authority;
use jit_core::breakglass::{Use, spoken};
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::name::{Login, PersonName, Reason};
use jit_core::secret::SecretText;
use jit_core::time::Timestamp;
use serde_json::{Value, json};

use super::{Desk, decide};
use crate::cli::BreakGlass as Command;
use crate::output::{Exit, Output, joined, table};

/// Runs `jitctl break-glass`.
pub fn run(desk: &Desk, command: &Command) -> Result<Exit> {
    match command {
        Command::Create { count, logins } => create(desk, *count, logins)?,
        Command::List => list(desk)?,
        Command::Review { id, reviewer, note, alone: _ } => {
            review(desk, id, reviewer.as_ref(), note)?;
        }
    }
    Ok(Exit::Done)
}

/// Says beside the answer of another command that a use waits for its review.
pub(super) fn remark(authority: &Authority, output: Output) -> Result<()> {
    let glass = authority.break_glass_uses()?;
    if let Some(last) = glass.unreviewed().filter(|_| !output.is_json()) {
        output.remark(&format!(
            "jitctl: {}\n  not reviewed: jitctl break-glass review {} --as REVIEWER --note TEXT",
            last.banner(&glass.host),
            last.id
        ));
    }
    Ok(())
}

fn create(desk: &Desk, count: u32, logins: &[Login]) -> Result<()> {
    let Desk { authority, output } = desk;
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

fn list(desk: &Desk) -> Result<()> {
    let Desk { authority, output } = desk;
    let glass = authority.break_glass_uses()?;
    let mut text = format!("Codes left on {}: {}", glass.host, glass.codes_left());
    if !glass.logins().is_empty() {
        text.push_str(&format!(", for {} alone", joined(glass.logins(), " ")));
    }
    text.push('\n');
    if glass.uses().is_empty() {
        text.push_str("None was ever used.\n");
    } else {
        let heads = ["ID", "PERSON", "LOGIN", "AT", "UNTIL", "FROM", "REVIEWED", "REASON"];
        text.push_str(&table(&heads, glass.uses().iter().map(row)));
    }
    match (glass.unreviewed(), authority.config().break_glass.members.as_slice()) {
        (Some(last), _) => text.push_str(&format!(
            "No other code works until it is reviewed.\n\
             Next: jitctl break-glass review {} --as REVIEWER --note TEXT",
            last.id
        )),
        (None, []) => text.push_str(
            "Nobody may use one.\nNext: [break_glass] members = [\"@admins\"] in jit.toml",
        ),
        (None, _) if glass.codes_left() == 0 => {
            text.push_str("Next: jitctl break-glass create");
        }
        (None, _) => {}
    }
    output.answer(text, || {
        json!({
            "host": glass.host, "codes_left": glass.codes_left(), "logins": glass.logins(),
            "uses": glass.uses().iter().map(for_programs).collect::<Vec<_>>(),
        })
    })
}

fn review(desk: &Desk, id: &GrantId, reviewer: Option<&PersonName>, note: &Reason) -> Result<()> {
    let Desk { authority, output } = desk;
    let by = reviewer.map_or(Actor::Root, |name| Actor::Person(name.clone()));
    // Before a code is spent on it.
    let last = authority.could_review(id, &by)?;
    if let Some(name) = reviewer {
        output.say(format!(
            "{} was in as {} from {} to {}: {}",
            last.person,
            last.login,
            last.at.local(),
            last.until.local(),
            last.reason
        ))?;
        decide::prove_here(&desk.authority, name, &format!("review break-glass use {id}"))?;
    }
    let used = authority.review_break_glass(id, &by, note)?;
    let left = authority.break_glass_uses()?.codes_left();
    let text = format!("{id} is reviewed by {}. Codes left: {left}", spoken(&by));
    output.answer(text, || for_programs(&used))
}

fn row(used: &Use) -> Vec<String> {
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
pub(super) fn for_programs(used: &Use) -> Value {
    json!({
        "id": used.id, "person": used.person, "login": used.login, "reason": used.reason,
        "from": used.rhost, "at": Timestamp::rfc3339(used.at),
        "until": Timestamp::rfc3339(used.until),
        "review": used.review.as_ref().map(|review| json!({
            "by": review.by, "at": review.at.rfc3339(), "note": review.note,
            "by_root_alone": review.by == Actor::Root,
        })),
    })
}
