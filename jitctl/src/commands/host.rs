//! `jitctl host`: hosts and their labels.

use jit_core::Result;
use jit_core::grant::Actor;
use jit_core::host::Host;
use serde_json::{Value, json};

use super::{Desk, no_longer_given};
use crate::cli::Host as Command;
use crate::output::{Exit, facts, joined, table};

/// Runs `jitctl host`.
pub fn run(desk: &Desk, command: &Command) -> Result<Exit> {
    let Desk { authority, output } = desk;
    match command {
        Command::Add { name, labels } => {
            let labels = labels.iter().cloned().collect();
            let (host, ended) = authority.put_host(&Actor::Root, name, &labels)?;
            let text = format!(
                "Host {name} is enrolled; labels: {}.{}",
                joined(&host.labels, " "),
                no_longer_given(&ended)
            );
            output.answer(text, || {
                let mut value = for_programs(&host);
                value["grants_ended"] = json!(ended);
                value
            })?;
        }
        // Works on every line to an authority.
        Command::Invite { .. } => {}
        Command::List => {
            let hosts = authority.hosts()?;
            let here = &authority.config().host;
            let rows = hosts.iter().map(|host| {
                let this = if host.name == *here { "this machine" } else { "" };
                vec![host.name.to_string(), joined(&host.labels, " "), this.into()]
            });
            let json = || hosts.iter().map(for_programs).collect();
            output.answer(table(&["NAME", "LABELS", ""], rows), json)?;
        }
        Command::Show { name } => {
            let host = authority.host(name)?;
            let lines =
                [("labels", joined(&host.labels, " ")), ("enrolled", host.created_at.local())];
            let text = format!("Host {name}\n{}", facts(&lines));
            output.answer(text, || for_programs(&host))?;
        }
        Command::Remove { name } => {
            authority.remove_host(&Actor::Root, name)?;
            output.answer(format!("Host {name} is removed."), || json!({ "removed": name }))?;
        }
    }
    Ok(Exit::Done)
}

fn for_programs(host: &Host) -> Value {
    json!({
        "name": host.name, "labels": host.labels, "enrolled_at": host.created_at.rfc3339(),
    })
}
