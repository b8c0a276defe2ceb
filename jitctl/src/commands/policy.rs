//! `jitctl policy`: the policy file, checked and shown.

mod cases;

use std::io::Read;
use std::path::Path;

use jit_api::endpoints::policy;
use jit_core::config::Config;
use jit_core::person::Person;
use jit_core::policy::{Approvals, Member, Policy, Role, doubts};
use jit_core::{Error, Result};
use serde_json::{Value, json};

use crate::cli::Policy as Command;
use crate::line::{Line, NOTHING, World};
use crate::output::{Exit, Output, count, joined, table};

/// The largest policy that is read, as the authority has it.
const LARGEST: u64 = 1024 * 1024;

/// Runs `jitctl policy`. `config` is that of this machine, where its own policy is meant; a policy can
/// be looked at while the authority is out of reach, as far as it goes.
pub fn run(
    open: &dyn Fn() -> Result<Line>,
    config: Option<&Path>,
    command: &Command,
    output: Output,
) -> Result<Exit> {
    match command {
        Command::Check { file } => check(open, config, file.as_deref(), output),
        Command::Test { file, policy } => test(open, file, policy.as_deref(), output),
        Command::Show { person } => {
            let line = open()?;
            let (policy, _) = in_force(&line)?;
            let people = World::enrolled(&line.way)?.people;
            let person = person.as_ref().map(|name| {
                people.iter().find(|person| person.name == *name).ok_or_else(|| {
                    Error::not_found(format!("there is no person {name}")).next("jitctl user list")
                })
            });
            show(&policy, person.transpose()?, &people, output)
        }
    }
}

/// The policy in force, and what is wrong with the file where it is an older one.
fn in_force(line: &Line) -> Result<(Policy, Option<String>)> {
    let told = line.way.call::<policy::Show>(&NOTHING, &NOTHING, &NOTHING)?;
    Ok((Policy::parse(Path::new("policy.toml"), &told.text)?, told.trouble))
}

fn test(
    open: &dyn Fn() -> Result<Line>,
    file: &Path,
    policy: Option<&Path>,
    output: Output,
) -> Result<Exit> {
    let policy = match policy {
        Some(path) => Policy::parse(path, &draft(path)?)?,
        None => in_force(&open()?)?.0,
    };
    let outcomes = cases::run(file, &draft(file)?, &policy, || World::enrolled(&open()?.way))?;
    let mut text = String::new();
    for outcome in &outcomes {
        let verdict = if outcome.differs.is_empty() { "ok  " } else { "FAIL" };
        text.push_str(&format!("{verdict}  {}\n", outcome.name));
        for line in &outcome.differs {
            text.push_str(&format!("        {line}\n"));
        }
    }
    let result = cases::all_as_expected(&outcomes);
    if result.is_ok() {
        text.push_str(&format!("All {} are as expected.\n", count(outcomes.len() as u64, "case")));
    }
    output.answer(text, || {
        json!({
            "version": policy.version,
            "cases": outcomes.iter().map(|outcome| json!({
                "name": outcome.name, "differs": outcome.differs,
            })).collect::<Vec<_>>(),
        })
    })?;
    result.map(|()| Exit::Done)
}

fn check(
    open: &dyn Fn() -> Result<Line>,
    config: Option<&Path>,
    file: Option<&Path>,
    output: Output,
) -> Result<Exit> {
    let (checked, name) = match (file, config) {
        // A draft may lie anywhere and belong to anybody.
        (Some(file), _) => (Policy::parse(file, &draft(file)?)?, file.display().to_string()),
        (None, Some(config)) => {
            let file = Config::load(config)?.policy_file;
            (Policy::load(&file)?, file.display().to_string())
        }
        (None, None) => {
            let (policy, trouble) = in_force(&open()?)?;
            if let Some(trouble) = trouble {
                return Err(Error::misconfigured(trouble));
            }
            (policy, "the authority's policy".to_owned())
        }
    };
    // What it says can be judged only where people and hosts are known.
    let doubts = match open().and_then(|line| World::enrolled(&line.way)) {
        Ok(world) => doubts(&checked, &world.people, &world.hosts),
        Err(_) => Vec::new(),
    };
    let mut text = format!(
        "{name} is sound: {}, {}; version {}.\n",
        count(checked.roles.len() as u64, "role"),
        count(checked.denies.len() as u64, "deny rule"),
        checked.version
    );
    for doubt in &doubts {
        text.push_str(&format!("warn  {doubt}\n"));
    }
    output.answer(text, || {
        json!({
            "file": name, "version": checked.version, "roles": checked.roles.len(),
            "denies": checked.denies.len(), "warnings": doubts,
        })
    })?;
    Ok(Exit::Done)
}

fn draft(file: &Path) -> Result<String> {
    let name = file.display();
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Error::not_found(format!("{name} can't be read: {e}")),
        _ => Error::misconfigured(format!("{name} can't be read: {e}")),
    };
    let mut text = String::new();
    let open = std::fs::File::open(file).map_err(failed)?;
    open.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(Error::misconfigured(format!("{name} is larger than {LARGEST} bytes")));
    }
    Ok(text)
}

fn show(
    policy: &Policy,
    person: Option<&Person>,
    people: &[Person],
    output: Output,
) -> Result<Exit> {
    // Never oneself, never the suspended; what a deny rule or the hours take away is for `explain`.
    let could_approve = |role: &Role| -> Vec<String> {
        let others = people.iter().filter(|other| Some(*other) != person && !other.suspended);
        let named = others.filter(|other| role.approvals.names(other));
        named.map(|other| other.name.to_string()).collect()
    };
    let concerns = |members: &[Member]| {
        person.is_none_or(|person| members.iter().any(|member| member.includes(person)))
    };
    let roles: Vec<_> = policy.roles.iter().filter(|role| concerns(&role.members)).collect();
    let denies: Vec<_> = policy
        .denies
        .iter()
        .filter(|rule| rule.members.as_ref().is_none_or(|members| concerns(members)))
        .collect();
    let anything = |items: Option<String>| items.unwrap_or_else(|| "any".into());
    let mut text = if roles.is_empty() {
        "No role gives anything.\n".to_owned()
    } else {
        let mut heads = vec!["ROLE", "MEMBERS", "HOSTS", "LOGINS", "SUDO", "AT MOST", "APPROVALS"];
        heads.extend(person.map(|_| "WHO COULD APPROVE"));
        table(
            &heads,
            roles.iter().map(|role| {
                let mut row = vec![
                    role.name.to_string(),
                    joined(&role.members, " "),
                    joined(&role.hosts, ", "),
                    joined(&role.logins, " "),
                    if role.sudo { "yes" } else { "no" }.into(),
                    role.max_duration.to_string(),
                    match &role.approvals {
                        Approvals::Automatic => "none needed".into(),
                        Approvals::People(needed) => joined(needed, ", "),
                    },
                ];
                row.extend(person.map(|_| joined(could_approve(role), " ")));
                row
            }),
        ) + &roles.iter().flat_map(|role| besides(role)).collect::<String>()
    };
    if !denies.is_empty() {
        let rows = denies.iter().map(|rule| {
            vec![
                anything(rule.members.as_ref().map(|members| joined(members, " "))),
                anything(rule.hosts.as_ref().map(|hosts| joined(hosts, " "))),
                anything(rule.logins.as_ref().map(|logins| joined(logins, " "))),
            ]
        });
        text.push('\n');
        text.push_str(&table(&["DENIED", "HOSTS", "LOGINS"], rows));
    }
    output.answer(text, || {
        json!({
            "version": policy.version,
            "roles": roles.iter().map(|role| role_for_programs(role)).collect::<Vec<_>>(),
            "denies": denies.iter().map(|rule| json!({
                "members": rule.members,
                "hosts": rule.hosts,
                "logins": rule.logins.as_ref().map(|l| texts(l)),
            })).collect::<Vec<_>>(),
        })
    })?;
    Ok(Exit::Done)
}

/// What a role asks for and gives beside what the table shows, a line each.
fn besides(role: &Role) -> Vec<String> {
    let restrictions = role.restrictions.key_options();
    [
        role.hours.as_ref().map(|hours| format!("is open {hours}")),
        role.reason.wanted().map(|wanted| format!("wants {wanted}")),
        role.max_active.map(|most| format!("gives one person at most {most} at a time")),
        (!role.auto_approve.is_empty())
            .then(|| "takes no approval where a condition of its auto_approve is met".to_owned()),
        (!restrictions.is_empty())
            .then(|| format!("holds ssh to {}", restrictions.trim_start_matches(','))),
    ]
    .into_iter()
    .flatten()
    .map(|line| format!("{} {line}\n", role.name))
    .collect()
}

fn role_for_programs(role: &Role) -> Value {
    json!({
        "name": role.name, "members": role.members, "hosts": role.hosts,
        "logins": texts(&role.logins), "sudo": role.sudo,
        "max_duration_seconds": role.max_duration.secs(),
        "approvals": match &role.approvals {
            Approvals::Automatic => Value::Null,
            Approvals::People(needed) => json!(needed),
        },
        "permissions": role.permissions,
        "max_lead_seconds": role.max_lead.secs(), "max_active": role.max_active,
        "hours": role.hours.as_ref().map(ToString::to_string),
        "reason_wanted": role.reason.wanted(), "shorten": role.shorten,
        "auto_approve_conditions": role.auto_approve.len(), "restrictions": role.restrictions,
    })
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}
