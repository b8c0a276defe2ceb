//! `jitctl approve`: a person's yes, which they prove with a code here or with a signature that they
//! made on their own machine.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

use jit_core::authority::Deed;
use jit_core::grant::{Evidence, Grant, Yes};
use jit_core::policy::Verdict;
use jit_core::store::GrantFilter;
use jit_core::{Error, Result};

use super::{Desk, request};
use crate::cli::Approve;
use crate::grants;
use crate::output::{Exit, joined};
use crate::prompt;

/// How many of the requester's latest grants are shown to whoever approves.
const RECENT: u32 = 5;
/// The largest file that is read as a signature.
const LARGEST: u64 = 8192;

/// Runs `jitctl approve`.
pub fn run(desk: &Desk, approve: &Approve) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let Approve { id, person, most, signature } = approve;
    let asked = authority.could(Deed::Approve, id, person)?;
    if let Some(most) = most.filter(|most| *most > asked.ask().duration) {
        return Err(Error::refused(format!(
            "{id} asks for {} only, not {most}",
            asked.ask().duration
        ))
        .next("Approve it for as long as is asked for, or shorter."));
    }
    show(desk, &asked)?;
    // Bound to what was shown: edited meanwhile, it is approved by nobody.
    let to = asked.digest(*most)?;
    let evidence = match signature {
        Some(file) => Evidence::Signature { sshsig: read(file)? },
        None => {
            let length = most.map(|most| format!(", {most} of it")).unwrap_or_default();
            let typed = prompt::code(&format!("Verification code for {person}{length}: "))?;
            authority.prove_approval(person, typed.expose(), id, &to)?
        }
    };
    let (grant, decision) = authority.approve(id, person, &Yes { to, most: *most, evidence })?;
    let now = authority.now()?;
    if let Verdict::Pending { missing } = &decision.verdict {
        let (_, approvers) = authority.missing(&grant)?;
        let text = format!(
            "{person} approves {id}; still missing: {}.\n{}",
            request::missing(missing),
            request::next(&grant, &approvers)
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
fn show(desk: &Desk, asked: &Grant) -> Result<()> {
    let Desk { authority, output } = desk;
    if output.is_json() {
        return Ok(());
    }
    let name = &asked.ask().person;
    let filter = GrantFilter {
        person: Some(name.clone()),
        limit: Some(RECENT + 1),
        ..GrantFilter::default()
    };
    let (mut recent, now) = authority.grants(&filter)?;
    recent.retain(|grant| grant.id() != asked.id());
    recent.truncate(RECENT as usize);
    let mut text = grants::details(asked, now);
    let groups = authority.person(name)?.groups;
    text.push_str(&format!("\n{name} is in these groups: {}.\n", joined(&groups, ", ")));
    if recent.is_empty() {
        text.push_str(&format!("{name} had no grant before.\n"));
    } else {
        text.push_str(&format!("The last of {name}:\n"));
        text.push_str(&grants::rows(&recent, now));
    }
    output.say(text)
}
