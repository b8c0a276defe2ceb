//! `jitctl approve`: a person's yes, which they prove with a code here or with a signature that they
//! made on their own machine.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

use jit_core::authority::Deed;
use jit_core::grant::Grant;
use jit_core::{Error, Kind, Result};

use super::request;
use crate::cli::Approve;
use crate::grants;
use crate::line::standing::Said;
use crate::line::{Line, Proof, Which};
use crate::output::{Exit, joined};

/// How many of the requester's latest grants are shown to whoever approves.
const RECENT: u32 = 5;
/// The largest file that is read as a signature.
const LARGEST: u64 = 8192;

/// Runs `jitctl approve`.
pub fn run(line: &Line, approve: &Approve) -> Result<Exit> {
    let Line { way, output } = line;
    let Approve { id, person, most, signature } = approve;
    let asked = way.could(Deed::Approve, id, person)?;
    if let Some(most) = most.filter(|most| *most > asked.ask().duration) {
        return Err(Error::refused(format!(
            "{id} asks for {} only, not {most}",
            asked.ask().duration
        ))
        .next("Approve it for as long as is asked for, or shorter."));
    }
    show(line, &asked)?;
    let proof = match signature {
        Some(file) => Proof::Signature(read(file)?),
        None => Proof::Wanted,
    };
    let (grant, standing) = way.approve(&asked, person, *most, proof)?;
    let now = way.now()?;
    if let Said::Missing(missing) = &standing.said {
        let text = format!(
            "{person} approves {id}; still missing: {missing}.\n{}",
            request::next(line, &grant, &standing.approvers)
        );
        output.answer(text, || grants::json(&grant, now))?;
        return Ok(Exit::Pending);
    }
    output.answer(grants::outcome(&grant, now), || grants::json(&grant, now))?;
    Ok(Exit::Done)
}

/// A signature, from a file or from standard input.
fn read(file: &Path) -> Result<String> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        stdin().take(LARGEST).read_to_string(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(LARGEST).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text.trim().to_owned()),
        Err(e) => Err(Error::invalid(format!("{} can't be read: {e}", file.display()))),
    }
}

/// What an approver should know before saying yes.
fn show(line: &Line, asked: &Grant) -> Result<()> {
    let Line { way, output } = line;
    if output.is_json() {
        return Ok(());
    }
    let name = &asked.ask().person;
    let which = Which {
        person: Some(name.clone()),
        over: true,
        limit: Some(RECENT + 1),
        ..Which::default()
    };
    let recent = match way.grants(&which) {
        Ok((recent, _)) => Some(recent),
        // There, approvers who are no admins see what is to be approved, and no more.
        Err(error) if error.kind() == Kind::Refused && !way.is_here() => None,
        Err(error) => return Err(error),
    };
    let now = way.now()?;
    let mut text = grants::details(asked, now);
    text.push('\n');
    if let Some(groups) = way.groups(name)? {
        text.push_str(&format!("{name} is in these groups: {}.\n", joined(&groups, ", ")));
    }
    if let Some(mut recent) = recent {
        recent.retain(|grant| grant.id() != asked.id());
        recent.truncate(RECENT as usize);
        if recent.is_empty() {
            text.push_str(&format!("{name} had no grant before.\n"));
        } else {
            text.push_str(&format!("The last of {name}:\n"));
            text.push_str(&grants::rows(&recent, now));
        }
    }
    output.say(text)
}
