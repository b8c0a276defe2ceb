//! `jitctl user`: people, their groups and keys.

use std::io::Read;
use std::path::Path;

use jit_core::authority::FactorStatus;
use jit_core::grant::{Actor, Phase};
use jit_core::name::PersonName;
use jit_core::person::{IdentityKey, Person};
use jit_core::store::GrantFilter;
use jit_core::{Error, Result};
use serde_json::{Value, json};

use super::{Desk, no_longer_given};
use crate::cli::{KeyChange, User as Command};
use crate::grants;
use crate::output::{Exit, facts, joined, table};

/// The largest public key file that is read.
const LARGEST: u64 = 64 * 1024;

/// Runs `jitctl user`.
pub fn run(desk: &Desk, command: &Command) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let root = &Actor::Root;
    match command {
        Command::Add { name, groups, keys } => {
            let keys = keys.iter().map(|file| key_line(file)).collect::<Result<Vec<_>>>()?;
            let groups = groups.iter().cloned().collect();
            let keys = authority.add_person(root, name, &groups, &keys)?;
            let person = authority.person(name)?;
            let next = match keys.as_slice() {
                [] => format!("Next: jitctl user key {name} --add FILE.pub\n"),
                _ => String::new(),
            };
            let text = format!(
                "Person {name} is added; groups: {}; keys: {}.\n{next}Next: jitctl mfa enroll {name}",
                joined(&person.groups, " "),
                keys.len(),
            );
            output.answer(text, || for_programs(&person, &keys))?;
        }
        // Works on every line to an authority.
        Command::Invite { .. } => {}
        Command::List => list(desk)?,
        Command::Show { name } => show(desk, name)?,
        Command::Suspend { name } => {
            authority.suspend(root, name, true)?;
            let text = format!(
                "{name} is suspended: sessions end, nothing of theirs counts.\n\
                 Back again: jitctl user resume {name}"
            );
            output.answer(text, || json!({ "name": name, "suspended": true }))?;
        }
        Command::Resume { name } => {
            authority.suspend(root, name, false)?;
            let text = format!("{name} can act again; grants that have not ended count again.");
            output.answer(text, || json!({ "name": name, "suspended": false }))?;
        }
        Command::Remove { name } => {
            authority.remove_person(root, name)?;
            let text = format!("{name} is removed, with keys and factors.");
            output.answer(text, || json!({ "removed": name }))?;
        }
        Command::Key { name, change } => keys(desk, name, change)?,
        Command::Group { name, add, remove } => {
            let add = add.iter().cloned().collect();
            let remove = remove.iter().cloned().collect();
            let (person, ended) = authority.change_groups(root, name, &add, &remove)?;
            let groups = &person.groups;
            let text = format!("{name} is in: {}.{}", joined(groups, " "), no_longer_given(&ended));
            let json = || json!({ "name": name, "groups": groups, "grants_ended": ended });
            output.answer(text, json)?;
        }
    }
    Ok(Exit::Done)
}

fn list(desk: &Desk) -> Result<()> {
    let Desk { authority, output } = desk;
    let mut people = Vec::new();
    for person in authority.people()? {
        let keys = authority.keys(&person.name)?;
        let factor = authority.factor_status(&person.name)?;
        people.push((person, keys, factor));
    }
    let rows = people.iter().map(|(person, keys, factor)| {
        vec![
            person.name.to_string(),
            if person.suspended { "suspended" } else { "active" }.into(),
            joined(&person.groups, " "),
            keys.len().to_string(),
            factor_in_words(factor).into(),
        ]
    });
    let text = table(&["NAME", "STATE", "GROUPS", "KEYS", "SECOND FACTOR"], rows);
    output.answer(text, || {
        let all = people.iter().map(|(person, keys, factor)| {
            let mut value = for_programs(person, keys);
            value["factor"] = factor_for_programs(factor);
            value
        });
        all.collect()
    })
}

fn show(desk: &Desk, name: &PersonName) -> Result<()> {
    let Desk { authority, output } = desk;
    let person = authority.person(name)?;
    let keys = authority.keys(name)?;
    let factor = authority.factor_status(name)?;
    let filter = GrantFilter {
        person: Some(name.clone()),
        alive_at: Some(authority.now()?),
        ..GrantFilter::default()
    };
    let (mut alive, now) = authority.grants(&filter)?;
    alive.retain(|g| matches!(g.phase(now), Phase::Requested | Phase::Scheduled | Phase::Active));
    let text = || {
        let mut lines = vec![
            ("state", if person.suspended { "suspended" } else { "active" }.to_owned()),
            ("groups", joined(&person.groups, " ")),
            ("added", person.created_at.local()),
            ("factor", factor_in_words(&factor).to_owned()),
            ("recovery", format!("{} codes left", factor.recovery_codes)),
        ];
        lines.extend(keys.iter().map(|k| ("key", format!("{} {}", k.fingerprint, k.comment))));
        let mut text = format!("Person {name}\n{}", facts(&lines));
        if !alive.is_empty() {
            text.push('\n');
            text.push_str(&grants::rows(&alive, now));
        }
        if keys.is_empty() {
            text.push_str(&format!("Next: jitctl user key {name} --add FILE.pub\n"));
        }
        if factor.locked_out {
            text.push_str(&format!("Next: jitctl mfa reset {name}\n"));
        } else if !factor.enrolled {
            text.push_str(&format!("Next: jitctl mfa enroll {name}\n"));
        }
        text
    };
    output.answer(text(), || {
        let mut value = for_programs(&person, &keys);
        value["factor"] = factor_for_programs(&factor);
        value["grants"] = grants::json_list(&alive, now);
        value
    })
}

fn keys(desk: &Desk, name: &PersonName, change: &KeyChange) -> Result<()> {
    let Desk { authority, output } = desk;
    if let Some(file) = &change.add {
        let key = authority.add_key(&Actor::Root, name, &key_line(file)?)?;
        let text = format!("Key {} is {name}'s now.", key.fingerprint);
        return output.answer(text, || key_for_programs(&key));
    }
    if let Some(fingerprint) = &change.remove {
        authority.remove_key(&Actor::Root, name, fingerprint)?;
        let text = format!("Key {fingerprint} is removed.");
        return output.answer(text, || json!({ "removed": fingerprint }));
    }
    let keys = authority.keys(name)?;
    let rows =
        keys.iter().map(|k| vec![k.fingerprint.clone(), k.comment.clone(), k.added_at.local()]);
    let text = table(&["FINGERPRINT", "COMMENT", "ADDED"], rows);
    output.answer(text, || keys.iter().map(key_for_programs).collect())
}

/// The one key in a public key file.
pub(super) fn key_line(file: &Path) -> Result<String> {
    let name = file.display();
    let failed = |e: std::io::Error| {
        let told = format!("{name} can't be read: {e}");
        match e.kind() {
            std::io::ErrorKind::NotFound => Error::not_found(told),
            _ => Error::invalid(told),
        }
    };
    let mut text = String::new();
    let open = std::fs::File::open(file).map_err(failed)?;
    open.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
    let mut lines = text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#'));
    match (lines.next(), lines.next()) {
        // Told by what it is, not by its having many lines.
        (Some(line), _) if line.contains("PRIVATE KEY") => Ok(line.to_owned()),
        (Some(line), None) => Ok(line.to_owned()),
        (Some(_), Some(_)) => Err(Error::invalid(format!("{name} has more than one line"))
            .next("Give a file with one public key for each --key or --add.")),
        (None, _) => Err(Error::invalid(format!("{name} is empty"))),
    }
}

fn factor_in_words(factor: &FactorStatus) -> &'static str {
    match factor {
        FactorStatus { locked_out: true, .. } => "locked out",
        FactorStatus { enrolled: true, .. } => "enrolled",
        FactorStatus { pending: true, .. } => "waits for its first code",
        _ => "none",
    }
}

fn factor_for_programs(factor: &FactorStatus) -> Value {
    json!({
        "enrolled": factor.enrolled, "pending": factor.pending,
        "recovery_codes_left": factor.recovery_codes, "locked_out": factor.locked_out,
    })
}

fn for_programs(person: &Person, keys: &[IdentityKey]) -> Value {
    json!({
        "name": person.name, "groups": person.groups, "suspended": person.suspended,
        "added_at": person.created_at.rfc3339(),
        "keys": keys.iter().map(key_for_programs).collect::<Vec<_>>(),
    })
}

fn key_for_programs(key: &IdentityKey) -> Value {
    json!({
        "fingerprint": key.fingerprint, "public_key": key.public_key, "comment": key.comment,
        "added_at": key.added_at.rfc3339(),
    })
}
