//! `jitctl sessions`: who is in on this host, and for how much longer.

use jit_core::Result;
use jit_core::authority::Watched;
use jit_core::time::{Timestamp, spoken};
use serde_json::{Value, json};

use super::Desk;
use crate::output::{Exit, table};

/// Runs `jitctl sessions`.
pub fn run(desk: &Desk) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let sessions = authority.watched()?;
    let text = if sessions.is_empty() {
        "Nobody is in.".to_owned()
    } else {
        let heads = ["ID", "PERSON", "ACCESS", "WHAT", "FROM", "OPENED", "ENDS", "LEFT"];
        table(&heads, sessions.iter().map(row))
    };
    output.answer(text, || sessions.iter().map(for_programs).collect())?;
    if !sessions.is_empty() && !authority.keeper_runs() {
        output.remark("jitctl: jitd does not run, so nothing ends them\n  systemctl start jitd");
    }
    Ok(Exit::Done)
}

fn row(watched: &Watched) -> Vec<String> {
    let session = &watched.session;
    // What a closed connection left running is kept to the deadline as well.
    let closed = if session.closed_at.is_some() { ", left running" } else { "" };
    vec![
        session.id.to_string(),
        session.person.to_string(),
        format!("{}@{}", session.login, session.host),
        format!("{}{closed}", session.action),
        session.rhost.clone().unwrap_or_else(|| "-".into()),
        session.opened_at.local(),
        watched.deadline.map_or_else(|| "-".into(), Timestamp::local),
        spoken(watched.millis_left.div_ceil(1000)),
    ]
}

fn for_programs(watched: &Watched) -> Value {
    let session = &watched.session;
    json!({
        "id": session.id,
        "person": session.person,
        "login": session.login,
        "host": session.host,
        "action": session.action,
        "from": session.rhost,
        "tty": session.tty,
        "pid": session.anchor.pid,
        "scope": session.anchor.scope,
        "audit_session": session.anchor.audit_session,
        "opened_at": session.opened_at.rfc3339(),
        "closed_at": session.closed_at.map(Timestamp::rfc3339),
        "ends_at": watched.deadline.map(Timestamp::rfc3339),
        "seconds_left": watched.millis_left.div_ceil(1000),
        "grants": session.grants,
    })
}
