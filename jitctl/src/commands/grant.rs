//! `jitctl grant` and `jitctl revoke`: what root does alone.

use jit_core::Result;
use jit_core::authority::RevokeWhich;
use jit_core::grant::Phase;

use super::request;
use crate::cli::{Grant, Revoke};
use crate::grants;
use crate::line::{Line, Way};
use crate::output::{Exit, count};

/// Runs `jitctl grant`.
pub fn run(line: &Line, grant: &Grant) -> Result<Exit> {
    let Line { way, output } = line;
    let ask = request::ask(&grant.person, &grant.target, &grant.terms)?;
    let given = way.grant_alone(&ask)?;
    let now = way.now()?;
    let text = format!(
        "{}\nThis went past the policy; the log says that {} granted it alone.\n\
         To take it back: jitctl revoke {} --reason TEXT",
        grants::outcome(&given, now),
        given.requested_by(),
        given.id()
    );
    output.answer(text, || grants::json(&given, now))?;
    Ok(Exit::Done)
}

/// Runs `jitctl revoke`.
pub fn revoke(line: &Line, revoke: &Revoke) -> Result<Exit> {
    let Line { way, output } = line;
    let which = match (&revoke.id, &revoke.user, &revoke.host) {
        (Some(id), ..) => RevokeWhich::Id(id.clone()),
        (_, Some(user), _) => RevokeWhich::Person(user.clone()),
        (_, _, Some(host)) => RevokeWhich::Host(host.clone()),
        // The command line takes one of the four.
        (None, None, None) => RevokeWhich::All,
    };
    let ended = way.revoke(&which, &revoke.reason)?;
    let now = way.now()?;
    let revoked = ended.iter().filter(|grant| grant.phase(now) == Phase::Revoked).count();
    let denied = ended.len() - revoked;
    let mut text = format!("{} revoked", count(revoked as u64, "grant"));
    if denied > 0 {
        text.push_str(&format!(", {} denied", count(denied as u64, "request")));
    }
    text.push_str(".\n");
    if !ended.is_empty() {
        text.push_str(&grants::rows(&ended, now));
    }
    if let Way::Here(here) = way
        && revoked > 0
        && !here.authority.keeper_runs()
    {
        output.remark(
            "jitctl: jitd does not run, so sessions that are open go on\n  systemctl start jitd",
        );
    }
    output.answer(text, || grants::json_list(&ended, now))?;
    Ok(Exit::Done)
}
