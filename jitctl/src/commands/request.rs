//! `jitctl request` and `jitctl extend`: file a request for somebody, and wait for the answer if told
//! to.

use jit_core::grant::{Ask, Grant, Phase, State};
use jit_core::name::PersonName;
use jit_core::time::{Span, Timestamp};
use jit_core::{Error, Result};

use crate::cli::{Extend, Request, Target, Terms};
use crate::grants;
use crate::line::Line;
use crate::output::{Exit, listed};

/// Runs `jitctl request`.
pub fn run(line: &Line, request: &Request) -> Result<Exit> {
    let ask = ask(&request.person, &request.target, &request.terms)?;
    let grant = line.way.request(ask)?;
    answer(line, grant, request.wait)
}

/// Runs `jitctl extend`.
pub fn extend(line: &Line, extend: &Extend) -> Result<Exit> {
    let Extend { id, duration, reason, wait } = extend;
    let grant = line.way.extend(id, *duration, reason.as_ref())?;
    answer(line, grant, *wait)
}

/// Says what came of a request, waited for if there is patience for it.
fn answer(line: &Line, mut grant: Grant, patience: Option<Span>) -> Result<Exit> {
    let Line { way, output } = line;
    let mut now = way.now()?;
    output.say(filed(line, &grant, now)?)?;
    if let Some(patience) = patience
        && grant.phase(now) == Phase::Requested
    {
        (grant, now) = way.decided(grant, patience)?;
        output.say(grants::outcome(&grant, now))?;
    }
    // One answer for programs, whether it came at once or was waited for.
    if output.is_json() {
        output.answer("", || grants::json(&grant, now))?;
    }
    match grant.phase(now) {
        Phase::Requested if patience.is_some() => Ok(Exit::Pending),
        Phase::Requested | Phase::Scheduled | Phase::Active => Ok(Exit::Done),
        _ => Err(refusal(&grant, now)),
    }
}

/// What is asked for, as the command line says it.
///
/// # Errors
/// Invalid when the person's name can't be a login.
pub fn ask(person: &PersonName, target: &Target, terms: &Terms) -> Result<Ask> {
    Ok(Ask {
        person: person.clone(),
        login: target.login(person)?,
        place: target.place.clone(),
        sudo: terms.sudo,
        duration: terms.duration,
        start: terms.start,
        extends: None,
        reason: terms.reason.clone(),
    })
}

fn filed(line: &Line, grant: &Grant, now: Timestamp) -> Result<String> {
    if grant.phase(now) != Phase::Requested {
        return Ok(format!("{}\nThe policy approves it by itself.", grants::outcome(grant, now)));
    }
    let id = grant.id();
    let standing = line.way.standing(grant)?;
    Ok(format!(
        "Request {id} filed for {}, {}.\n{}",
        grant.ask().person,
        grants::access(grant),
        next(line, grant, &standing.approvers)
    ))
}

/// Who can approve a request, and what they type.
pub fn next(line: &Line, grant: &Grant, approvers: &[PersonName]) -> String {
    let id = grant.id();
    match approvers.first() {
        Some(first) => {
            format!(
                "{} can approve.\nNext: jitctl approve {id}{}",
                listed(approvers, "or"),
                line.by(first)
            )
        }
        None => format!("Nobody can approve it as things are.\nNext: jitctl show {id}"),
    }
}

/// That it was not approved, and why.
pub fn refusal(grant: &Grant, now: Timestamp) -> Error {
    let answer = match grant.state() {
        State::Denied { by, reason, .. } => {
            format!(" by {by}{}", reason.iter().map(|r| format!(": {r}")).collect::<String>())
        }
        _ => String::new(),
    };
    Error::refused(format!("{} was {}{answer}", grant.id(), grant.phase(now)))
        .next(format!("jitctl show {}", grant.id()))
}
