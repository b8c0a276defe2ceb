//! `jitctl sessions`: who is in, on all hosts, and for how much longer; on this host exempt logins,
//! too, which nothing ends.

use std::collections::BTreeMap;

use jit_api::endpoints::sessions;
use jit_api::wire::Session;
use jit_core::name::Login;
use jit_core::process;
use jit_core::time::{Timestamp, spoken};
use jit_core::{Error, Result};
use nix::unistd::User;
use serde_json::{Value, json};

use super::breakglass;
use crate::line::{Line, NOTHING, Way};
use crate::output::{Exit, table};

/// Runs `jitctl sessions`.
pub fn run(line: &Line) -> Result<Exit> {
    let Line { way, output } = line;
    let found = way.call::<sessions::List>(&NOTHING, &NOTHING, &NOTHING)?;
    // Only root on a host sees whose its processes are.
    let (host, exempt) = match way {
        Way::Here(here) => {
            let config = here.authority.config();
            (config.host.to_string(), exempt(&config.exempt_logins)?)
        }
        Way::There(_) => (String::new(), BTreeMap::new()),
    };
    let text = if found.sessions.is_empty() && exempt.is_empty() {
        "Nobody is in.".to_owned()
    } else {
        let heads = ["ID", "PERSON", "ACCESS", "WHAT", "FROM", "OPENED", "ENDS", "LEFT"];
        let of_exempt = exempt.iter().map(|(scope, login)| {
            let access = format!("{login}@{host}");
            ["-", "exempt", &access, scope, "-", "-", "never", "-"].map(str::to_owned).into()
        });
        table(&heads, found.sessions.iter().map(row).chain(of_exempt))
    };
    output.answer(text, || {
        let exempt = exempt.iter().map(|(scope, login)| {
            json!({ "exempt": true, "login": login, "host": host, "scope": scope })
        });
        found.sessions.iter().map(for_programs).chain(exempt).collect()
    })?;
    breakglass::remark(line)?;
    let own = found.sessions.iter().any(|session| session.processes.is_some());
    if own && !found.keeper_runs {
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

fn row(session: &Session) -> Vec<String> {
    // What a closed connection left running is kept to the deadline as well.
    let closed = if session.closed_at.is_some() { ", left running" } else { "" };
    vec![
        session.id.to_string(),
        session.person.to_string(),
        format!("{}@{}", session.login, session.host),
        format!("{}{closed}", session.action),
        session.rhost.clone().unwrap_or_else(|| "-".into()),
        session.opened_at.local(),
        session.ends_at.map_or_else(|| "-".into(), Timestamp::local),
        spoken(session.seconds_left),
    ]
}

fn for_programs(session: &Session) -> Value {
    let processes = session.processes.as_ref();
    json!({
        "id": session.id,
        "person": session.person,
        "login": session.login,
        "host": session.host,
        "action": session.action,
        "from": session.rhost,
        "tty": session.tty,
        "pid": processes.map(|known| known.pid),
        "scope": processes.map(|known| &known.scope),
        "audit_session": processes.map(|known| known.audit_session),
        "opened_at": session.opened_at.rfc3339(),
        "closed_at": session.closed_at.map(Timestamp::rfc3339),
        "ends_at": session.ends_at.map(Timestamp::rfc3339),
        "seconds_left": session.seconds_left,
        "grants": session.grants,
    })
}
