//! `jitctl status`: this machine's access on one screen.

use jit_core::Result;
use jit_core::audit::hex;
use jit_core::grant::Phase;
use jit_core::store::GrantFilter;
use serde_json::json;

use super::{Desk, breakglass};
use crate::grants;
use crate::output::{Exit, count, facts, joined};

/// Runs `jitctl status`.
pub fn run(desk: &Desk) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let host = authority.host(&authority.config().host)?;
    let people = authority.people()?;
    let suspended = people.iter().filter(|person| person.suspended).count();
    let filter = GrantFilter { alive_at: Some(authority.now()?), ..GrantFilter::default() };
    let (alive, now) = authority.grants(&filter)?;
    let of = |phase| alive.iter().filter(move |grant| grant.phase(now) == phase).cloned();
    let waiting: Vec<_> = of(Phase::Requested).collect();
    let (active, scheduled) = (of(Phase::Active).count(), of(Phase::Scheduled).count());
    let sessions = authority.watched()?.len();
    let keeper = authority.keeper_runs();
    let last = authority.last_records(1)?.pop();

    let text = || {
        let people = match suspended {
            0 => people.len().to_string(),
            _ => format!("{}, {suspended} of them suspended", people.len()),
        };
        let log = last.as_ref().map_or_else(
            || "empty".to_owned(),
            |record| {
                let head = &hex(&record.hash)[..16];
                format!("{}, the last {} ({head}…)", record.sequence, record.time.local())
            },
        );
        let mut text = facts(&[
            ("host", host.name.to_string()),
            ("labels", joined(&host.labels, " ")),
            ("people", people),
            ("grants", format!("{active} active, {scheduled} scheduled")),
            ("requests", format!("{} waiting", waiting.len())),
            ("sessions", sessions.to_string()),
            ("jitd", if keeper { "runs" } else { "does not run" }.to_owned()),
            ("records", log),
        ]);
        if !waiting.is_empty() {
            text.push_str(&format!("\n{}:\n", count(waiting.len() as u64, "waiting request")));
            text.push_str(&grants::rows(&waiting, now));
            text.push_str("Next: jitctl show ID\n");
        }
        if !keeper {
            text.push_str("Without jitd no session is opened and none is ended.\n");
            text.push_str("Next: systemctl start jitd\n");
        }
        text
    };
    let glass = authority.break_glass_uses()?;
    output.answer(text(), || {
        json!({
            "host": host.name, "labels": host.labels,
            "people": people.len(), "suspended": suspended,
            "active": active, "scheduled": scheduled,
            "requests": grants::json_list(&waiting, now),
            "sessions": sessions, "jitd_runs": keeper,
            "break_glass_to_review": glass.unreviewed().map(breakglass::for_programs),
            "log": last.as_ref().map(|record| json!({
                "records": record.sequence, "time": record.time.rfc3339(),
                "head": hex(&record.hash),
            })),
        })
    })?;
    breakglass::remark(&desk.authority, desk.output)?;
    Ok(Exit::Done)
}
