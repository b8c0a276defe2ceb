//! `jitctl explain`: whether somebody has access, by which role they could get it, whose yes that
//! takes and what else keeps them out.

use jit_core::Result;
use jit_core::authority::Explanation;
use jit_core::name::Login;
use jit_core::policy::Verdict;
use jit_core::time::Timestamp;
use serde_json::{Value, json};

use super::{Desk, request};
use crate::cli::Explain;
use crate::output::{Exit, joined, listed};

/// Runs `jitctl explain`.
pub fn run(desk: &Desk, question: &Explain) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let login = question.target.login(&question.person)?;
    let explanation = authority.explain(
        &question.person,
        &login,
        &question.target.place,
        question.sudo,
        question.duration,
    )?;
    let text = in_words(question, &login, &explanation);
    output.answer(text, || for_programs(&explanation))?;
    Ok(Exit::Done)
}

fn in_words(question: &Explain, login: &Login, explanation: &Explanation) -> String {
    let Explain { person, target, .. } = question;
    let sudo = if question.sudo { " with sudo" } else { "" };
    let what = format!("{login}@{}{sudo}", target.place);
    let mut text = match explanation.covered_until {
        Some(until) => format!(
            "{person} has {what} until {}, by {}.\n",
            until.local(),
            joined(&explanation.grants, ", ")
        ),
        None => format!("{person} does not have {what} now.\n"),
    };
    let decision = &explanation.decision;
    let role = decision.role.as_ref().map(ToString::to_string).unwrap_or_default();
    match &decision.verdict {
        Verdict::Allow => {
            text.push_str(&format!("The role {role} gives it without anybody's approval.\n"));
        }
        Verdict::Pending { missing } => {
            text.push_str(&format!(
                "The role {role} gives it with approval by {}: {} can approve.\n",
                request::missing(missing),
                listed(&explanation.approvers, "or")
            ));
        }
        Verdict::Deny { why } => text.push_str(&format!("A request would be denied: {why}.\n")),
    }
    // A denial names the findings itself.
    let others = decision.considered.iter().filter(|c| Some(&c.role) != decision.role.as_ref());
    for considered in others.filter(|_| decision.role.is_some()) {
        text.push_str(&format!("  role {} {}\n", considered.role, considered.finding));
    }
    if !explanation.obstacles.is_empty() {
        text.push_str("Whatever the grant, this keeps them out:\n");
        for obstacle in &explanation.obstacles {
            text.push_str(&format!("  {obstacle}\n"));
        }
    }
    if explanation.covered_until.is_none() && !matches!(decision.verdict, Verdict::Deny { .. }) {
        let sudo = if question.sudo { " --sudo" } else { "" };
        let duration =
            question.duration.map_or_else(|| "DURATION".to_owned(), |span| span.to_string());
        text.push_str(&format!(
            "Next: jitctl request {login}@{} --as {person} --for {duration} --reason TEXT{sudo}\n",
            target.place
        ));
    }
    text
}

fn for_programs(explanation: &Explanation) -> Value {
    json!({
        "covered_until": explanation.covered_until.map(Timestamp::rfc3339),
        "grants": explanation.grants,
        "decision": explanation.decision,
        "approvers": explanation.approvers,
        "obstacles": explanation.obstacles,
    })
}
