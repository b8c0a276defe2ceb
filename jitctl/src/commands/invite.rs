//! `jitctl user invite` and `jitctl host invite`.

use jit_api::wire::Invitation;
use jit_core::Result;
use jit_core::name::{HostName, PersonName};
use serde_json::json;

use crate::line::Line;
use crate::output::{Exit, Output};

/// Runs `jitctl user invite`.
pub fn person(line: &Line, name: &PersonName) -> Result<Exit> {
    let invitation = line.way.invite_person(name)?;
    let head = format!("Send this to {name}, over a way that nobody else reads:");
    answer(line.output, &head, "", &invitation)
}

/// Runs `jitctl host invite`.
pub fn host(line: &Line, name: &HostName) -> Result<Exit> {
    let invitation = line.way.invite_host(name)?;
    let head = format!("Type this as root on {name}:");
    answer(line.output, &head, "sudo ", &invitation)
}

fn answer(output: Output, head: &str, sudo: &str, invitation: &Invitation) -> Result<Exit> {
    let Invitation { join, expires_at, .. } = invitation;
    // Somebody will type it as root: what is no invitation is not told.
    jit_client::Invitation::parse(join)
        .map_err(|error| error.context("what the authority answered"))?;
    let until = expires_at.local();
    let text = format!("{head}\n  {sudo}jitctl join '{join}'\nIt is good once, until {until}.");
    output.answer(text, || json!({ "join": join, "expires_at": expires_at.rfc3339() }))?;
    Ok(Exit::Done)
}
