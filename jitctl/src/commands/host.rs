//! `jitctl host`: hosts and their labels.

use jit_api::endpoints::hosts;
use jit_api::wire::{ByHost, Host, PutHost, Relabelled};
use jit_core::Result;
use jit_core::name::HostName;
use serde_json::{Value, json};

use super::{invite, no_longer_given};
use crate::cli::Host as Command;
use crate::line::{Line, NOTHING};
use crate::output::{Exit, facts, joined, table};

/// Runs `jitctl host`.
pub fn run(line: &Line, command: &Command) -> Result<Exit> {
    let Line { way, output } = line;
    match command {
        Command::Add { name, labels } => {
            let labels = PutHost { labels: labels.clone() };
            let Relabelled { host, grants_ended: ended } =
                way.call::<hosts::Put>(&by_host(name), &NOTHING, &labels)?;
            let text = format!(
                "Host {name} is enrolled; labels: {}.{}{}",
                joined(&host.labels, " "),
                no_longer_given(&ended),
                joins(line, &host)
            );
            output.answer(text, || {
                let mut value = for_programs(&host);
                value["grants_ended"] = json!(ended);
                value
            })?;
        }
        Command::Invite { name } => return invite::host(line, name),
        Command::List => {
            let hosts = way.call::<hosts::List>(&NOTHING, &NOTHING, &NOTHING)?.hosts;
            let rows = hosts.iter().map(|host| {
                vec![host.name.to_string(), joined(&host.labels, " "), what(line, host).into()]
            });
            let json = || hosts.iter().map(for_programs).collect();
            output.answer(table(&["NAME", "LABELS", ""], rows), json)?;
        }
        Command::Show { name } => {
            let host = way.call::<hosts::Show>(&by_host(name), &NOTHING, &NOTHING)?;
            let mut lines = vec![
                ("labels", joined(&host.labels, " ")),
                ("enrolled", host.created_at.local()),
                ("is", what(line, &host).to_owned()),
            ];
            lines.extend(host.told_at.map(|at| ("last told", at.local())));
            lines.retain(|(_, value)| !value.is_empty());
            let text = format!("Host {name}\n{}{}", facts(&lines).trim_end(), joins(line, &host));
            output.answer(text, || for_programs(&host))?;
        }
        Command::Remove { name } => {
            way.call::<hosts::Remove>(&by_host(name), &NOTHING, &NOTHING)?;
            output.answer(format!("Host {name} is removed."), || json!({ "removed": name }))?;
        }
    }
    Ok(Exit::Done)
}

fn by_host(name: &HostName) -> ByHost {
    ByHost { name: name.clone() }
}

/// How a host that has not joined does.
fn joins(line: &Line, host: &Host) -> String {
    if host.own || host.key.is_some() || !line.invites() {
        return String::new();
    }
    format!("\nNext: jitctl host invite {}", host.name)
}

/// What sets a host apart from one that is only known by name.
fn what(line: &Line, host: &Host) -> &'static str {
    match (host.own, line.way.is_here(), &host.key) {
        (true, true, _) => "this machine",
        (true, false, _) => "the authority",
        (false, _, Some(_)) => "joined",
        (false, _, None) => "",
    }
}

fn for_programs(host: &Host) -> Value {
    json!({
        "name": host.name, "labels": host.labels, "enrolled_at": host.created_at.rfc3339(),
        "key": host.key, "own": host.own,
        "told_at": host.told_at.map(jit_core::time::Timestamp::rfc3339),
    })
}
