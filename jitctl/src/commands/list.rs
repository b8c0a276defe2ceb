//! `jitctl list` and `jitctl show`: grants, many or one.

use jit_core::Result;
use jit_core::grant::Phase;
use serde_json::{Value, json};

use super::{breakglass, request};
use crate::cli::{List, Show};
use crate::grants;
use crate::line::standing::Said;
use crate::line::{Line, Which};
use crate::output::Exit;

/// Runs `jitctl list`.
pub fn run(line: &Line, list: &List) -> Result<Exit> {
    let Line { way, output } = line;
    let living = [Phase::Requested, Phase::Scheduled, Phase::Active];
    let over = list.all || list.state.is_some_and(|state| !living.contains(&state));
    let which = Which {
        state: list.state,
        person: list.user.clone(),
        host: list.host.clone(),
        over,
        limit: None,
    };
    let (found, now) = way.grants(&which)?;
    let text = match (found.as_slice(), over) {
        ([], true) => "There is no such grant.".to_owned(),
        ([], false) => "No such grant is undecided, scheduled or active.\n\
                        Those that are over, too: jitctl list --all"
            .to_owned(),
        (found, _) => grants::rows(found, now),
    };
    output.answer(text, || grants::json_list(&found, now))?;
    // Elsewhere it is for admins to know.
    if way.is_here() {
        breakglass::remark(line)?;
    }
    Ok(Exit::Done)
}

/// Runs `jitctl show`.
pub fn show(line: &Line, show: &Show) -> Result<Exit> {
    let Line { way, output } = line;
    let Show { id, canonical, most } = show;
    let (grant, now) = way.grant(id)?;
    if *canonical {
        let (text, digest) = (grant.canonical(*most)?, grant.digest(*most)?);
        output.answer(&text, || json!({ "canonical": text, "sha256": digest }))?;
        return Ok(Exit::Done);
    }
    let mut text = grants::details(&grant, now);
    let mut value = grants::json(&grant, now);
    let phase = grant.phase(now);
    match phase {
        Phase::Requested => {
            // Who can approve depends on things that may be broken; the grant itself is shown then.
            match way.standing(&grant) {
                Ok(standing) => {
                    value["missing"] = standing.missing.clone();
                    value["approvers"] = json!(standing.approvers);
                    match &standing.said {
                        Said::Missing(missing) => {
                            text.push_str(&format!("Missing: {missing}. "));
                            text.push_str(&request::next(line, &grant, &standing.approvers));
                        }
                        Said::Open => {
                            text.push_str(&request::next(line, &grant, &standing.approvers));
                        }
                        Said::Yes => text.push_str("Nothing is missing by today's policy."),
                        Said::No(why) => {
                            value["denied_by_policy"] = json!(why);
                            text.push_str(&format!("The policy now says no: {why}."));
                        }
                    }
                }
                Err(error) => output.error(&error),
            }
        }
        Phase::Scheduled | Phase::Active => {
            text.push_str(&format!("To end it: jitctl revoke {id} --reason TEXT"));
        }
        _ => {}
    }
    output.answer(text, || -> Value { value })?;
    Ok(Exit::Done)
}
