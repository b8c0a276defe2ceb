//! `jitctl explain`: whether somebody has access, by which role they could get it, whose yes that
//! takes and what else keeps them out.

use jit_core::Result;
use jit_core::name::Login;
use jit_core::time::Timestamp;
use serde_json::{Value, json};

use crate::cli::Explain;
use crate::line::standing::Said;
use crate::line::{Explained, Line};
use crate::output::{Exit, joined, listed};

/// Runs `jitctl explain`.
pub fn run(line: &Line, question: &Explain) -> Result<Exit> {
    let Line { way, output } = line;
    let login = question.target.login(&question.person)?;
    let explanation = way.explain(
        &question.person,
        &login,
        &question.target.place,
        question.sudo,
        question.duration,
    )?;
    let text = in_words(line, question, &login, &explanation);
    output.answer(text, || for_programs(&explanation))?;
    Ok(Exit::Done)
}

fn in_words(line: &Line, question: &Explain, login: &Login, explanation: &Explained) -> String {
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
    let role = explanation.role.as_deref().unwrap_or_default();
    match &explanation.standing.said {
        Said::Yes | Said::Open => {
            text.push_str(&format!("The role {role} gives it without anybody's approval.\n"));
        }
        Said::Missing(missing) => {
            text.push_str(&format!(
                "The role {role} gives it with approval by {missing}: {} can approve.\n",
                listed(&explanation.standing.approvers, "or")
            ));
        }
        Said::No(why) => text.push_str(&format!("A request would be denied: {why}.\n")),
    }
    // A denial names the findings itself.
    for (other, finding) in explanation.others.iter().filter(|_| explanation.role.is_some()) {
        text.push_str(&format!("  role {other} {finding}\n"));
    }
    if !explanation.obstacles.is_empty() {
        text.push_str("Whatever the grant, this keeps them out:\n");
        for obstacle in &explanation.obstacles {
            text.push_str(&format!("  {obstacle}\n"));
        }
    }
    if explanation.covered_until.is_none() && !matches!(explanation.standing.said, Said::No(_)) {
        let sudo = if question.sudo { " --sudo" } else { "" };
        let duration =
            question.duration.map_or_else(|| "DURATION".to_owned(), |span| span.to_string());
        text.push_str(&format!(
            "Next: jitctl request {login}@{}{} --for {duration} --reason TEXT{sudo}\n",
            target.place,
            line.by(person)
        ));
    }
    text
}

fn for_programs(explanation: &Explained) -> Value {
    json!({
        "covered_until": explanation.covered_until.map(Timestamp::rfc3339),
        "grants": explanation.grants,
        "decision": explanation.decision,
        "approvers": explanation.standing.approvers,
        "obstacles": explanation.obstacles,
    })
}
