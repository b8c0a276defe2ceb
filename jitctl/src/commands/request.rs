//! `jitctl request` and `jitctl extend`: file a request for somebody, and wait for the answer if told
//! to.

use std::time::Duration;

use jit_core::authority::NewRequest;
use jit_core::grant::{Actor, Ask, Grant, Phase, State};
use jit_core::name::PersonName;
use jit_core::time::{Span, Timestamp};
use jit_core::{Error, Result};

use super::Desk;
use crate::cli::{Extend, Request, Target, Terms};
use crate::grants;
use crate::output::{Exit, joined, listed};

/// How often a decision is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs `jitctl request`.
pub fn run(desk: &Desk, request: &Request) -> Result<Exit> {
    let ask = ask(&request.person, &request.target, &request.terms)?;
    let grant = desk.authority.request(&NewRequest { ask, by: Actor::Root, origin: None })?;
    answer(desk, grant, request.wait)
}

/// Runs `jitctl extend`.
pub fn extend(desk: &Desk, extend: &Extend) -> Result<Exit> {
    let Extend { id, duration, reason, wait } = extend;
    let grant = desk.authority.extend(id, *duration, reason.as_ref(), &Actor::Root)?;
    answer(desk, grant, *wait)
}

/// Says what came of a request, waited for if there is patience for it.
fn answer(desk: &Desk, mut grant: Grant, patience: Option<Span>) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let mut now = authority.now()?;
    output.say(filed(desk, &grant, now)?)?;
    if let Some(patience) = patience
        && grant.phase(now) == Phase::Requested
    {
        (grant, now) = wait(desk, grant, patience)?;
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

fn filed(desk: &Desk, grant: &Grant, now: Timestamp) -> Result<String> {
    if grant.phase(now) != Phase::Requested {
        return Ok(format!("{}\nThe policy approves it by itself.", grants::outcome(grant, now)));
    }
    let id = grant.id();
    let (_, approvers) = desk.authority.missing(grant)?;
    Ok(format!(
        "Request {id} filed for {}, {}.\n{}",
        grant.ask().person,
        grants::access(grant),
        next(grant, &approvers)
    ))
}

/// Who can approve a request, and what they type.
pub fn next(grant: &Grant, approvers: &[PersonName]) -> String {
    let id = grant.id();
    match approvers.first() {
        Some(first) => {
            format!(
                "{} can approve.\nNext: jitctl approve {id} --as {first}",
                listed(approvers, "or")
            )
        }
        None => format!("Nobody can approve it as things are.\nNext: jitctl show {id}"),
    }
}

/// Looks until somebody has decided, the request has lapsed or `patience` is over.
fn wait(desk: &Desk, grant: Grant, patience: Span) -> Result<(Grant, Timestamp)> {
    // By the boot clock: setting the wall clock must not make anybody wait longer.
    let clock = desk.authority.clock();
    let end = clock.boot()?.millis.saturating_add(patience.secs().saturating_mul(1000));
    let id = grant.id().clone();
    loop {
        let (grant, now) = desk.authority.grant(&id)?;
        if grant.phase(now) != Phase::Requested || clock.boot()?.millis >= end {
            return Ok((grant, now));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn refusal(grant: &Grant, now: Timestamp) -> Error {
    let answer = match grant.state() {
        State::Denied { by, reason, .. } => {
            format!(" by {by}{}", reason.iter().map(|r| format!(": {r}")).collect::<String>())
        }
        _ => String::new(),
    };
    Error::refused(format!("{} was {}{answer}", grant.id(), grant.phase(now)))
        .next(format!("jitctl show {}", grant.id()))
}

/// The approvals that are missing, in words.
pub fn missing(missing: &[jit_core::policy::Needed]) -> String {
    joined(missing, ", ")
}
