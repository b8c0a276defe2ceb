//! `jitctl status`: how things stand, on one screen.

use jit_api::endpoints::status;
use jit_core::Result;
use serde_json::json;

use super::breakglass;
use crate::grants;
use crate::line::{Line, NOTHING};
use crate::output::{Exit, count, facts, joined};

/// Runs `jitctl status`.
pub fn run(line: &Line) -> Result<Exit> {
    let Line { way, output } = line;
    let status = way.call::<status::Show>(&NOTHING, &NOTHING, &NOTHING)?;
    let (waiting, now) = (&status.requests, status.now);
    let text = || {
        let people = match status.suspended {
            0 => status.people.to_string(),
            suspended => format!("{}, {suspended} of them suspended", status.people),
        };
        let log = status.log.as_ref().map_or_else(
            || "empty".to_owned(),
            |end| {
                let head: String = end.head.chars().take(16).collect();
                format!("{}, the last {} ({head}…)", end.records, end.time.local())
            },
        );
        let mut text = facts(&[
            ("host", status.host.to_string()),
            ("labels", joined(&status.labels, " ")),
            ("people", people),
            ("grants", format!("{} active, {} scheduled", status.active, status.scheduled)),
            ("requests", format!("{} waiting", waiting.len())),
            ("sessions", status.sessions.to_string()),
            ("jitd", if status.keeper_runs { "runs" } else { "does not run" }.to_owned()),
            ("records", log),
        ]);
        if !waiting.is_empty() {
            text.push_str(&format!("\n{}:\n", count(waiting.len() as u64, "waiting request")));
            text.push_str(&grants::rows(waiting, now));
            text.push_str("Next: jitctl show ID\n");
        }
        if !status.keeper_runs {
            text.push_str("Without jitd no session is opened and none is ended.\n");
            text.push_str("Next: systemctl start jitd\n");
        }
        text
    };
    output.answer(text(), || {
        json!({
            "host": status.host, "labels": status.labels,
            "people": status.people, "suspended": status.suspended,
            "active": status.active, "scheduled": status.scheduled,
            "requests": grants::json_list(waiting, now),
            "sessions": status.sessions, "jitd_runs": status.keeper_runs,
            "break_glass_to_review":
                status.break_glass_to_review.as_ref().map(breakglass::for_programs),
            "log": status.log.as_ref().map(|end| json!({
                "records": end.records, "time": end.time.rfc3339(), "head": end.head,
            })),
        })
    })?;
    breakglass::remark(line)?;
    Ok(Exit::Done)
}
