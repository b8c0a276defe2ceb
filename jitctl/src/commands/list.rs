//! `jitctl list` and `jitctl show`: grants, many or one.

use jit_core::Result;
use jit_core::grant::Phase;
use jit_core::policy::Verdict;
use jit_core::store::GrantFilter;
use serde_json::{Value, json};

use super::{Desk, breakglass, request};
use crate::cli::{List, Show};
use crate::grants;
use crate::output::Exit;

/// Runs `jitctl list`.
pub fn run(desk: &Desk, list: &List) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let living = [Phase::Requested, Phase::Scheduled, Phase::Active];
    let over = list.all || list.state.is_some_and(|state| !living.contains(&state));
    let host = list.host.as_ref().map(|name| authority.host(name)).transpose()?;
    let filter = GrantFilter {
        person: list.user.clone(),
        alive_at: if over { None } else { Some(authority.now()?) },
        limit: None,
    };
    let (mut found, now) = authority.grants(&filter)?;
    found.retain(|grant| {
        let phase = grant.phase(now);
        list.state.map_or(over || living.contains(&phase), |state| phase == state)
            && host.as_ref().is_none_or(|host| host.is_at(&grant.ask().place))
    });
    let text = match (found.as_slice(), over) {
        ([], true) => "There is no such grant.".to_owned(),
        ([], false) => "No such grant is undecided, scheduled or active.\n\
                        Those that are over, too: jitctl list --all"
            .to_owned(),
        (found, _) => grants::rows(found, now),
    };
    output.answer(text, || grants::json_list(&found, now))?;
    breakglass::remark(desk)?;
    Ok(Exit::Done)
}

/// Runs `jitctl show`.
pub fn show(desk: &Desk, show: &Show) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let Show { id, canonical, most } = show;
    let (grant, now) = authority.grant(id)?;
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
            match authority.missing(&grant) {
                Ok((decision, approvers)) => {
                    value["missing"] = json!(null);
                    value["approvers"] = json!(approvers);
                    match &decision.verdict {
                        Verdict::Pending { missing } => {
                            value["missing"] = json!(missing);
                            let missing = request::missing(missing);
                            text.push_str(&format!("Missing: {missing}. "));
                            text.push_str(&request::next(&grant, &approvers));
                        }
                        Verdict::Allow => text.push_str("Nothing is missing by today's policy."),
                        Verdict::Deny { why } => {
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
