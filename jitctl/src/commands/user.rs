//! `jitctl user`: people, their groups and keys.

use std::io::Read;
use std::path::Path;

use jit_api::endpoints::people;
use jit_api::wire::{AddKey, AddPerson, ByKey, ByName, ChangeGroups, Key, Person, Regrouped};
use jit_core::name::PersonName;
use jit_core::{Error, Result};
use serde_json::{Value, json};

use super::{invite, no_longer_given};
use crate::cli::{KeyChange, User as Command};
use crate::grants;
use crate::line::{Line, NOTHING, Which};
use crate::output::{Exit, facts, joined, table};

/// The largest public key file that is read.
const LARGEST: u64 = 64 * 1024;

/// Runs `jitctl user`.
pub fn run(line: &Line, command: &Command) -> Result<Exit> {
    let Line { way, output } = line;
    match command {
        Command::Add { name, groups, keys } => {
            let keys = keys.iter().map(|file| key_line(file)).collect::<Result<Vec<_>>>()?;
            let new = AddPerson { name: name.clone(), groups: groups.clone(), keys };
            let person = way.call::<people::Add>(&NOTHING, &NOTHING, &new)?;
            let next = match person.keys.as_slice() {
                [] if !line.invites() => format!("Next: jitctl user key {name} --add FILE.pub\n"),
                _ => String::new(),
            };
            let enrol = line.enrol(name);
            let text = format!(
                "Person {name} is added; groups: {}; keys: {}.\n{next}Next: {enrol}",
                joined(&person.groups, " "),
                person.keys.len(),
            );
            output.answer(text, || for_programs(&person))?;
        }
        Command::Invite { name } => return invite::person(line, name),
        Command::List => list(line)?,
        Command::Show { name } => show(line, name)?,
        Command::Suspend { name } => {
            way.call::<people::Suspend>(&by_name(name), &NOTHING, &NOTHING)?;
            let text = format!(
                "{name} is suspended: sessions end, nothing of theirs counts.\n\
                 Back again: jitctl user resume {name}"
            );
            output.answer(text, || json!({ "name": name, "suspended": true }))?;
        }
        Command::Resume { name } => {
            way.call::<people::Resume>(&by_name(name), &NOTHING, &NOTHING)?;
            let text = format!("{name} can act again; grants that have not ended count again.");
            output.answer(text, || json!({ "name": name, "suspended": false }))?;
        }
        Command::Remove { name } => {
            way.call::<people::Remove>(&by_name(name), &NOTHING, &NOTHING)?;
            let text = format!("{name} is removed, with keys and factors.");
            output.answer(text, || json!({ "removed": name }))?;
        }
        Command::Key { name, change } => keys(line, name, change)?,
        Command::Group { name, add, remove } => {
            let change = ChangeGroups { add: add.clone(), remove: remove.clone() };
            let Regrouped { person, grants_ended: ended } =
                way.call::<people::Groups>(&by_name(name), &NOTHING, &change)?;
            let groups = &person.groups;
            let text = format!("{name} is in: {}.{}", joined(groups, " "), no_longer_given(&ended));
            let json = || json!({ "name": name, "groups": groups, "grants_ended": ended });
            output.answer(text, json)?;
        }
    }
    Ok(Exit::Done)
}

/// The person of this name, in a path.
pub(super) fn by_name(name: &PersonName) -> ByName {
    ByName { name: name.clone() }
}

fn list(line: &Line) -> Result<()> {
    let people = line.way.call::<people::List>(&NOTHING, &NOTHING, &NOTHING)?.people;
    let rows = people.iter().map(|person| {
        vec![
            person.name.to_string(),
            state(person).into(),
            joined(&person.groups, " "),
            person.keys.len().to_string(),
            factor_in_words(person).into(),
        ]
    });
    let text = table(&["NAME", "STATE", "GROUPS", "KEYS", "SECOND FACTOR"], rows);
    line.output.answer(text, || {
        let all = people.iter().map(|person| {
            let mut value = for_programs(person);
            value["factor"] = factor_for_programs(person);
            value
        });
        all.collect()
    })
}

fn show(line: &Line, name: &PersonName) -> Result<()> {
    let person = line.way.call::<people::Show>(&by_name(name), &NOTHING, &NOTHING)?;
    let which = Which { person: Some(name.clone()), ..Which::default() };
    let (alive, now) = line.way.grants(&which)?;
    let text = || {
        let mut lines = vec![
            ("state", state(&person).to_owned()),
            ("groups", joined(&person.groups, " ")),
            ("added", person.created_at.local()),
            ("factor", factor_in_words(&person).to_owned()),
            ("recovery", format!("{} codes left", person.recovery_codes)),
        ];
        let keys = person.keys.iter();
        lines.extend(keys.map(|k| ("key", format!("{} {}", k.fingerprint, k.comment))));
        let mut text = format!("Person {name}\n{}", facts(&lines));
        if !alive.is_empty() {
            text.push('\n');
            text.push_str(&grants::rows(&alive, now));
        }
        if person.keys.is_empty() && !line.invites() {
            text.push_str(&format!("Next: jitctl user key {name} --add FILE.pub\n"));
        }
        if person.locked_out {
            text.push_str(&format!("Next: jitctl mfa reset {name}\n"));
        } else if !person.factor {
            text.push_str(&format!("Next: {}\n", line.enrol(name)));
        }
        text
    };
    line.output.answer(text(), || {
        let mut value = for_programs(&person);
        value["factor"] = factor_for_programs(&person);
        value["grants"] = grants::json_list(&alive, now);
        value
    })
}

fn keys(line: &Line, name: &PersonName, change: &KeyChange) -> Result<()> {
    let Line { way, output } = line;
    if let Some(file) = &change.add {
        let new = AddKey { public_key: key_line(file)? };
        let key = way.call::<people::AddKey>(&by_name(name), &NOTHING, &new)?;
        let text = format!("Key {} is {name}'s now.", key.fingerprint);
        return output.answer(text, || key_for_programs(&key));
    }
    if let Some(fingerprint) = &change.remove {
        let which = ByKey { name: name.clone(), fingerprint: fingerprint.clone() };
        way.call::<people::RemoveKey>(&which, &NOTHING, &NOTHING)?;
        let text = format!("Key {fingerprint} is removed.");
        return output.answer(text, || json!({ "removed": fingerprint }));
    }
    let keys = way.call::<people::Show>(&by_name(name), &NOTHING, &NOTHING)?.keys;
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

fn state(person: &Person) -> &'static str {
    if person.suspended { "suspended" } else { "active" }
}

fn factor_in_words(person: &Person) -> &'static str {
    match person {
        Person { locked_out: true, .. } => "locked out",
        Person { factor: true, .. } => "enrolled",
        Person { factor_pending: true, .. } => "waits for its first code",
        _ => "none",
    }
}

fn factor_for_programs(person: &Person) -> Value {
    json!({
        "enrolled": person.factor, "pending": person.factor_pending,
        "recovery_codes_left": person.recovery_codes, "locked_out": person.locked_out,
    })
}

fn for_programs(person: &Person) -> Value {
    json!({
        "name": person.name, "groups": person.groups, "suspended": person.suspended,
        "added_at": person.created_at.rfc3339(),
        "keys": person.keys.iter().map(key_for_programs).collect::<Vec<_>>(),
    })
}

fn key_for_programs(key: &Key) -> Value {
    json!({
        "fingerprint": key.fingerprint, "public_key": key.public_key, "comment": key.comment,
        "added_at": key.added_at.rfc3339(),
    })
}
