//! `jitctl policy`: the policy file, checked and shown.

mod cases;

use std::io::Read;
use std::path::Path;

use jit_core::config::Config;
use jit_core::host::Host;
use jit_core::name::Place;
use jit_core::person::Person;
use jit_core::policy::{Approvals, Member, Places, Policy, Role};
use jit_core::{Error, Result};
use serde_json::{Value, json};

use super::open;
use crate::cli::Policy as Command;
use crate::output::{Exit, Output, count, joined, table};

/// The largest policy that is read, as the authority has it.
const LARGEST: u64 = 1024 * 1024;

/// Runs `jitctl policy`.
pub fn run(config: &Path, command: &Command, output: Output) -> Result<Exit> {
    match command {
        Command::Check { file } => check(config, file.as_deref(), output),
        Command::Test { file, policy } => test(config, file, policy.as_deref(), output),
        Command::Show { person } => {
            let authority = open(config)?;
            let policy = authority.policy()?;
            let person = person.as_ref().map(|name| authority.person(name)).transpose()?;
            show(&policy, person.as_ref(), &authority.people()?, output)
        }
    }
}

fn test(config: &Path, file: &Path, policy: Option<&Path>, output: Output) -> Result<Exit> {
    let policy = match policy {
        Some(path) => Policy::parse(path, &draft(path)?)?.into(),
        None => open(config)?.policy()?,
    };
    let enrolled = || {
        let authority = open(config)?;
        Ok(cases::World { people: authority.people()?, hosts: authority.hosts()? })
    };
    let outcomes = cases::run(file, &draft(file)?, &policy, enrolled)?;
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

fn check(config: &Path, file: Option<&Path>, output: Output) -> Result<Exit> {
    let (policy, name) = match file {
        // A draft may lie anywhere and belong to anybody.
        Some(file) => (Policy::parse(file, &draft(file)?)?, file.to_owned()),
        None => {
            let file = Config::load(config)?.policy_file;
            (Policy::load(&file)?, file)
        }
    };
    // What it says can be judged only where people and hosts are known.
    let doubts = match open(config) {
        Ok(authority) => doubts(&policy, &authority.people()?, &authority.hosts()?),
        Err(_) => Vec::new(),
    };
    let mut text = format!(
        "{} is sound: {}, {}; version {}.\n",
        name.display(),
        count(policy.roles.len() as u64, "role"),
        count(policy.denies.len() as u64, "deny rule"),
        policy.version
    );
    for doubt in &doubts {
        text.push_str(&format!("warn  {doubt}\n"));
    }
    output.answer(text, || {
        json!({
            "file": name, "version": policy.version, "roles": policy.roles.len(),
            "denies": policy.denies.len(), "warnings": doubts,
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

/// What a policy says that can hardly be meant: people, groups and hosts that there are none of,
/// approvals that nobody can give.
pub fn doubts(policy: &Policy, people: &[Person], hosts: &[Host]) -> Vec<String> {
    let mut doubts = Vec::new();
    if policy.roles.is_empty() {
        doubts.push("the policy has no role, so every request is denied".to_owned());
    }
    let members = |member: &Member| people.iter().filter(|p| member.includes(p)).count();
    let nobody = |member: &Member| match member {
        Member::Person(name) => format!("there is no person {name}"),
        Member::Group(group) => format!("the group {group} has no members"),
    };
    for Role { name, members: allowed, hosts: places, approvals, .. } in &policy.roles {
        for member in allowed.iter().filter(|member| members(member) == 0) {
            doubts.push(format!("role {name}: {}", nobody(member)));
        }
        let named = places.iter().flat_map(Places::named);
        for place in named.filter(|place| !hosts.iter().any(|host| host.is_at(place))) {
            doubts.push(match place {
                Place::Host(host) => format!("role {name}: there is no host {host}"),
                Place::Label(label) => format!("role {name}: no host has the label {label}"),
            });
        }
        let Approvals::People(needed) = approvals else { continue };
        for needed in needed {
            let able = people.iter().filter(|p| !p.suspended && needed.from.includes(p)).count();
            if able < needed.count as usize {
                doubts.push(format!(
                    "role {name} needs approval by {needed}, and there {} {able}",
                    if able == 1 { "is only" } else { "are only" },
                ));
            }
        }
    }
    for rule in &policy.denies {
        for member in rule.members.iter().flatten().filter(|member| members(member) == 0) {
            doubts.push(format!("a deny rule: {}", nobody(member)));
        }
    }
    doubts
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

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::name::{HostName, Label, PersonName};
    use jit_core::time::Timestamp;

    const POLICY: &str = r#"
[[role]]
name = "debug"
members = ["@dev", "mallory"]
hosts = ["web-1", "env=prod", "env=test"]
logins = ["{person}"]
max_duration = "1h"
approvals = [{ from = "@leads", count = 2 }]
"#;

    fn person(name: &str, group: &str, suspended: bool) -> Person {
        Person {
            name: PersonName::parse(name).unwrap(),
            groups: [jit_core::name::GroupName::parse(group).unwrap()].into(),
            suspended,
            created_at: Timestamp::from_unix(0).unwrap(),
        }
    }

    #[test]
    fn what_can_hardly_be_meant_is_doubted() {
        let policy = Policy::parse(Path::new("/p"), POLICY).unwrap();
        let host = Host {
            name: HostName::parse("web-1").unwrap(),
            labels: [Label::parse("env=prod").unwrap()].into(),
            created_at: Timestamp::from_unix(0).unwrap(),
            key: None,
        };
        let mut people = vec![
            person("alice", "dev", false),
            person("bob", "leads", false),
            person("carol", "leads", true),
        ];
        assert_eq!(
            doubts(&policy, &people, std::slice::from_ref(&host)),
            [
                "role debug: there is no person mallory",
                "role debug: no host has the label env=test",
                "role debug needs approval by 2 of @leads, and there is only 1",
            ]
        );
        people[2].suspended = false;
        people.push(person("mallory", "dev", false));
        assert_eq!(
            doubts(&policy, &people, &[host]),
            ["role debug: no host has the label env=test"]
        );
        assert!(doubts(&Policy::default(), &people, &[])[0].contains("every request is denied"));
    }
}
