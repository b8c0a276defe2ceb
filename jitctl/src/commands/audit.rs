//! `jitctl audit` and `jitctl clock`: the log, and the clock it goes by.

use std::collections::VecDeque;
use std::io::{IsTerminal, stdout};

use jit_api::endpoints::audit;
use jit_api::wire::{ByDecision, ListRecords, Record};
use jit_core::authority::Which;
use jit_core::policy::Retold;
use jit_core::{Kind, Result};
use serde_json::{Value, json};

use super::Desk;
use crate::cli::{Audit, AuditShow, Clock};
use crate::line::{Line, NOTHING};
use crate::output::{Exit, count, cut, facts, joined, table};

/// Records that the authority gives at a time.
const MOST: u32 = 1000;
/// Characters of a record's detail that a line on a terminal shows.
const DETAIL: usize = 100;

/// Runs `jitctl audit`.
pub fn run(line: &Line, command: &Audit) -> Result<Exit> {
    match command {
        Audit::Show(wanted) => show(line, wanted),
        Audit::Verify => verify(line),
        Audit::Explain { what } => explain(line, what),
    }
}

/// Runs `jitctl clock`.
pub fn clock(desk: &Desk, command: &Clock) -> Result<Exit> {
    let Clock::Accept { reason } = command;
    let now = desk.authority.accept_clock(reason)?;
    let text = format!("The clock is accepted as it stands: {}.", now.local());
    desk.output.answer(text, || json!({ "time": now.rfc3339() }))?;
    Ok(Exit::Done)
}

fn show(line: &Line, show: &AuditShow) -> Result<Exit> {
    let Line { way, output } = line;
    let AuditShow { limit, person, action, grant, since, until, wide } = show.clone();
    let action = action.map(|action| action.to_string());
    let mut wanted = ListRecords { person, action, grant, since, until, ..ListRecords::default() };
    // A page at a time, from the end: who wants many gets all of them.
    let mut records: VecDeque<Record> = VecDeque::new();
    while records.len() < limit as usize {
        let left = u32::try_from(limit as usize - records.len()).unwrap_or(MOST).min(MOST);
        wanted.limit = Some(left);
        wanted.before = records.front().map(|first| first.sequence);
        let page = way.call::<audit::List>(&NOTHING, &wanted, &NOTHING)?.records;
        let last = page.len() < left as usize;
        page.into_iter().rev().for_each(|record| records.push_front(record));
        if last {
            break;
        }
    }
    let most = if wide || !stdout().is_terminal() { usize::MAX } else { DETAIL };
    let rows = records.iter().map(|record| {
        vec![
            record.sequence.to_string(),
            record.time.local(),
            record.actor.clone(),
            record.action.clone(),
            record.object.clone(),
            record.outcome.to_string(),
            cut(&in_words(&detail(record)), most),
        ]
    });
    let heads = ["NO", "TIME", "ACTOR", "ACTION", "OBJECT", "OUTCOME", "DETAIL"];
    output.answer(table(&heads, rows), || records.iter().map(for_programs).collect())?;
    Ok(Exit::Done)
}

fn verify(line: &Line) -> Result<Exit> {
    let Line { way, output } = line;
    let state = match way.call::<audit::Verify>(&NOTHING, &NOTHING, &NOTHING) {
        // That the log is broken is the answer to the question, not a failure to answer it.
        Err(error) if error.kind() == Kind::Tampered => {
            output.error(&error);
            return Ok(Exit::Failed);
        }
        state => state?,
    };
    let text = format!(
        "The log is whole: {}, the last with the hash\n  {}\n\
         Keep number and hash on another machine: they show later whether the end was cut off.",
        count(state.records, "record"),
        state.head.as_deref().unwrap_or("-")
    );
    output.answer(text, || json!({ "records": state.records, "head": state.head }))?;
    Ok(Exit::Done)
}

fn explain(line: &Line, which: &Which) -> Result<Exit> {
    let which = ByDecision { id: which.to_string() };
    let told = line.way.call::<audit::Explain>(&which, &NOTHING, &NOTHING)?.decisions;
    let text: Vec<_> = told.iter().map(retold).collect();
    line.output.answer(text.join("\n"), || json!(told))?;
    let all_agree = told.iter().all(|one| one.agrees);
    Ok(if all_agree { Exit::Done } else { Exit::Failed })
}

/// One decision: what was asked for, by which rule, facts and policy it was decided.
fn retold(one: &Retold) -> String {
    let (decision, known) = (&one.decision, &one.facts);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let people = |list: &Value| {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        joined(list.iter().map(person), ", ")
    };
    let mut lines = vec![("record", one.record.to_string())];
    let ask = &one.ask;
    let sudo = if ask.sudo { " with sudo" } else { "" };
    lines.push(("asked", format!("{}@{}{sudo}, {}", ask.login, ask.place, ask.duration)));
    lines.push(("reason", ask.reason.to_string()));
    lines.push(("person", person(&known["requester"])));
    lines.push(("decided at", text(&known["now"])));
    lines.push(("approved by", people(&known["approvers"])));
    let held = known["held"].as_object();
    let held = held.into_iter().flatten().map(|(role, count)| format!("{count} by {role}"));
    lines.push(("held then", joined(held, ", ")));
    lines.push(("verdict", verdict(&decision["verdict"])));
    lines.push(("by the role", decision["role"].as_str().unwrap_or("none").to_owned()));
    for rule in decision["considered"].as_array().into_iter().flatten() {
        lines.push(("considered", format!("{} {}", text(&rule["role"]), text(&rule["finding"]))));
    }
    let since = one.in_force_since;
    lines.push(("policy", format!("{}, in force since record {since}", one.policy)));
    let again = if one.agrees { "the same comes out" } else { "ANOTHER DECISION COMES OUT" };
    lines.push(("decided again", again.to_owned()));
    facts(&lines)
}

/// Yes, not yet or no, and why.
fn verdict(value: &Value) -> String {
    if let Some(why) = value["deny"]["why"].as_str() {
        return format!("no: {why}");
    }
    match value["pending"]["missing"].as_array() {
        Some(missing) => {
            let needed = |one: &Value| {
                format!("{} of {}", one["count"], one["from"].as_str().unwrap_or_default())
            };
            format!("not yet, missing: {}", joined(missing.iter().map(needed), ", "))
        }
        None => "yes".to_owned(),
    }
}

/// `alice (dev, oncall)`.
fn person(value: &Value) -> String {
    let groups = value["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    let groups = joined(groups.iter().filter_map(Value::as_str), ", ");
    let suspended = if value["suspended"] == true { ", suspended" } else { "" };
    format!("{} ({groups}{suspended})", value["name"].as_str().unwrap_or_default())
}

/// The detail as the object it is; what is none is shown as it stands.
fn detail(record: &Record) -> Value {
    serde_json::from_str(&record.detail).unwrap_or_else(|_| Value::String(record.detail.clone()))
}

/// `key=value key=value`: what is not empty; what stands within an object, by its own key.
fn in_words(detail: &Value) -> String {
    let Value::Object(fields) = detail else { return detail.to_string() };
    let told = fields.iter().filter_map(|(key, value)| match value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Object(inner) if inner.is_empty() => None,
        Value::Object(_) => Some(in_words(value)),
        Value::String(text) => Some(format!("{key}={}", quoted(text))),
        other => Some(format!("{key}={other}")),
    });
    told.collect::<Vec<_>>().join(" ")
}

/// A value in quotes where it could pass for more than one: somebody chose the text of a reason.
fn quoted(text: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '=' | '"' | '\\');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    Value::from(text).to_string()
}

fn for_programs(record: &Record) -> Value {
    json!({
        "sequence": record.sequence,
        "time": record.time.rfc3339(),
        "actor": record.actor,
        "action": record.action,
        "object": record.object,
        "outcome": record.outcome,
        "detail": detail(record),
        "previous": record.previous,
        "hash": record.hash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_reads_as_words() {
        let detail = json!({ "why": "wrong code", "until": null, "grants": [], "for": { "n": 3, "of": {} } });
        assert_eq!(in_words(&detail), "n=3 why=\"wrong code\"");
        let forged =
            json!({ "reason": "INC-1 outcome=done\n9 root", "service": "sshd", "tty": "" });
        assert_eq!(in_words(&forged), r#"reason="INC-1 outcome=done\n9 root" service=sshd tty="""#);
        assert_eq!(in_words(&json!("torn")), "\"torn\"");
    }
}
