//! `jitctl sessions`: who is in on this host, and for how much longer; exempt logins, too, which
//! nothing ends.

use std::collections::BTreeMap;

use jit_core::authority::Watched;
use jit_core::name::Login;
use jit_core::process;
use jit_core::time::{Timestamp, spoken};
use jit_core::{Error, Result};
use nix::unistd::User;
use serde_json::{Value, json};

use super::{Desk, breakglass};
use crate::output::{Exit, table};

/// Runs `jitctl sessions`.
pub fn run(desk: &Desk) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let sessions = authority.watched()?;
    let config = authority.config();
    let exempt = exempt(&config.exempt_logins)?;
    let text = if sessions.is_empty() && exempt.is_empty() {
        "Nobody is in.".to_owned()
    } else {
        let heads = ["ID", "PERSON", "ACCESS", "WHAT", "FROM", "OPENED", "ENDS", "LEFT"];
        let of_exempt = exempt.iter().map(|(scope, login)| {
            let access = format!("{login}@{}", config.host);
            ["-", "exempt", &access, scope, "-", "-", "never", "-"].map(str::to_owned).into()
        });
        table(&heads, sessions.iter().map(row).chain(of_exempt))
    };
    output.answer(text, || {
        let exempt = exempt.iter().map(|(scope, login)| {
            json!({ "exempt": true, "login": login, "host": config.host, "scope": scope })
        });
        sessions.iter().map(for_programs).chain(exempt).collect()
    })?;
    breakglass::remark(authority, *output)?;
    if !sessions.is_empty() && !authority.keeper_runs() {
        output.remark("jitctl: jitd does not run, so nothing ends them\n  systemctl start jitd");
    }
    Ok(Exit::Done)
}

/// The sessions that logind has for exempt logins, by the name of their scope. They are on the log as
/// each was let in; on record as sessions they are not, as nobody ends them.
fn exempt(logins: &[Login]) -> Result<BTreeMap<String, Login>> {
    let mut found = BTreeMap::new();
    if logins.is_empty() {
        return Ok(found);
    }
    let uids: BTreeMap<u32, &Login> = logins
        .iter()
        .filter_map(|login| Some((User::from_name(login.as_str()).ok()??.uid.as_raw(), login)))
        .collect();
    let all = process::all()
        .map_err(|e| Error::unavailable(format!("the processes can't be listed: {e}")))?;
    for pid in all {
        if let Some(login) = process::audit_uid(pid).and_then(|uid| uids.get(&uid))
            && let Some(scope) = process::scope(pid)
        {
            let name = scope.rsplit('/').next().unwrap_or(&scope).to_owned();
            found.insert(name, (*login).clone());
        }
    }
    Ok(found)
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
