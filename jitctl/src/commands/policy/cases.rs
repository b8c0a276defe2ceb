//! `jitctl policy test`: requests and the decisions that are expected, in a file that can be reviewed
//! together with the policy. Decided by the same function as every real request.

use std::collections::BTreeSet;
use std::path::Path;

use jit_core::clock::{Clock, SystemClock};
use jit_core::grant::Ask;
use jit_core::host::Host;
use jit_core::name::{GroupName, HostName, Label, Login, PersonName, Place, Reason};
use jit_core::person::Person;
use jit_core::policy::{Decision, Facts, Held, Policy, Verdict, decide};
use jit_core::time::{Span, Timestamp};
use jit_core::tomlfile::{Keys, TomlFile};
use jit_core::{Error, Result};
use serde::Deserialize;
use toml::Spanned;

use crate::line::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    person: Vec<RawPerson>,
    #[serde(default)]
    host: Vec<RawHost>,
    #[serde(default)]
    case: Vec<Spanned<RawCase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPerson {
    name: Spanned<String>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
    #[serde(default)]
    suspended: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHost {
    name: Spanned<String>,
    #[serde(default)]
    labels: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    person: Spanned<String>,
    target: Spanned<String>,
    duration: Spanned<String>,
    #[serde(default)]
    sudo: bool,
    reason: Option<Spanned<String>>,
    at: Option<Spanned<String>>,
    start: Option<Spanned<String>>,
    #[serde(default)]
    approvers: Vec<Spanned<String>>,
    expect: Spanned<String>,
    role: Option<String>,
    missing: Option<Vec<String>>,
    why: Option<String>,
}

const KEYS: &[Keys] = &[
    Keys { table: "", keys: &["person", "host", "case"] },
    Keys { table: "person", keys: &["name", "groups", "suspended"] },
    Keys { table: "host", keys: &["name", "labels"] },
    Keys {
        table: "case",
        keys: &[
            "name",
            "person",
            "target",
            "duration",
            "sudo",
            "reason",
            "at",
            "start",
            "approvers",
            "expect",
            "role",
            "missing",
            "why",
        ],
    },
];

/// What came of one case.
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// What differs, each as a line; nothing where it is as expected.
    pub differs: Vec<String>,
}

/// Decides every case in the file. People and hosts are those it describes; where it describes none,
/// those that `enrolled` knows.
///
/// # Errors
/// Misconfigured, with file and line.
pub fn run(
    path: &Path,
    text: &str,
    policy: &Policy,
    enrolled: impl FnOnce() -> Result<World>,
) -> Result<Vec<Outcome>> {
    let file = TomlFile::from_text(path, text);
    let raw: Raw = file.parse(KEYS)?;
    if raw.case.is_empty() {
        return Err(file.error_at(&(0..0), "there is no case in it").next("Add [[case]] tables."));
    }
    let world = if raw.person.is_empty() && raw.host.is_empty() {
        enrolled()?
    } else {
        World {
            people: raw.person.iter().map(|p| person(&file, p)).collect::<Result<_>>()?,
            hosts: raw.host.iter().map(|h| host(&file, h)).collect::<Result<_>>()?,
        }
    };
    raw.case.iter().map(|case| outcome(&file, case, policy, &world)).collect()
}

fn person(file: &TomlFile, raw: &RawPerson) -> Result<Person> {
    let groups = raw.groups.iter().map(|group| file.checked(group, GroupName::parse));
    Ok(Person {
        name: file.checked(&raw.name, PersonName::parse)?,
        groups: groups.collect::<Result<BTreeSet<_>>>()?,
        suspended: raw.suspended,
        created_at: Timestamp::from_unix(0)?,
    })
}

fn host(file: &TomlFile, raw: &RawHost) -> Result<Host> {
    let labels = raw.labels.iter().map(|label| file.checked(label, Label::parse));
    Ok(Host {
        name: file.checked(&raw.name, HostName::parse)?,
        labels: labels.collect::<Result<BTreeSet<_>>>()?,
        created_at: Timestamp::from_unix(0)?,
        key: None,
    })
}

fn outcome(
    file: &TomlFile,
    raw: &Spanned<RawCase>,
    policy: &Policy,
    world: &World,
) -> Result<Outcome> {
    let case = raw.get_ref();
    let known = |name: &Spanned<String>| {
        let parsed = file.checked(name, PersonName::parse)?;
        world.people.iter().find(|person| person.name == parsed).ok_or_else(|| {
            file.error_at(&name.span(), format!("there is no person {parsed}"))
                .next("Describe them with [[person]], or leave out all people and hosts.")
        })
    };
    let requester = known(&case.person)?;
    let (login, place) = file.checked(&case.target, |text| match text.split_once('@') {
        Some((login, place)) => Ok((Login::parse(login)?, Place::parse(place)?)),
        None => Ok((Login::parse(requester.name.as_str())?, Place::parse(text)?)),
    })?;
    let time = |text: &Option<Spanned<String>>| {
        text.as_ref().map(|text| file.checked(text, Timestamp::parse)).transpose()
    };
    let now = time(&case.at)?.map_or_else(|| SystemClock::default().now(), Ok)?;
    let ask = Ask {
        person: requester.name.clone(),
        login,
        place,
        sudo: case.sudo,
        duration: file.checked(&case.duration, Span::parse)?,
        start: time(&case.start)?,
        extends: None,
        reason: match &case.reason {
            Some(reason) => file.checked(reason, Reason::parse)?,
            None => Reason::parse("no reason given")?,
        },
    };
    let hosts: Vec<_> = world.hosts.iter().filter(|host| host.is_at(&ask.place)).cloned().collect();
    let approvers: Vec<_> =
        case.approvers.iter().map(|name| known(name).cloned()).collect::<Result<_>>()?;
    let facts = Facts {
        requester,
        hosts: &hosts,
        approvers: &approvers,
        before: 0,
        held: &Held::new(),
        draft: case.reason.is_none(),
    };
    let decision = decide(&ask, policy, &facts, now);
    let wanted = case.expect.get_ref();
    if !["allow", "pending", "deny"].contains(&wanted.as_str()) {
        return Err(file.error_at(&case.expect.span(), "expect is allow, pending or deny"));
    }
    Ok(Outcome { name: case.name.clone(), differs: differences(case, &decision) })
}

/// What was expected and what came instead.
fn differences(case: &RawCase, decision: &Decision) -> Vec<String> {
    let mut differs = Vec::new();
    let mut compare = |what: &str, expected: &str, got: String| {
        if got != expected {
            differs.push(format!("{what}: expected {expected}, got {got}"));
        }
    };
    let (verdict, missing, why) = match &decision.verdict {
        Verdict::Allow => ("allow", Vec::new(), String::new()),
        Verdict::Pending { missing } => {
            ("pending", missing.iter().map(ToString::to_string).collect(), String::new())
        }
        Verdict::Deny { why } => ("deny", Vec::new(), why.clone()),
    };
    let because = if why.is_empty() { String::new() } else { format!(" ({why})") };
    if verdict != case.expect.get_ref() {
        compare("decision", case.expect.get_ref(), format!("{verdict}{because}"));
    }
    if let Some(role) = &case.role {
        let got = decision.role.as_ref().map_or_else(|| "none".into(), ToString::to_string);
        compare("role", role, got);
    }
    if let Some(expected) = &case.missing {
        compare("missing", &expected.join(", "), missing.join(", "));
    }
    if let Some(expected) = &case.why
        && !why.contains(expected.as_str())
    {
        compare("why", expected, if why.is_empty() { "nothing".into() } else { why });
    }
    differs
}

/// Whether all came out as expected.
pub fn all_as_expected(outcomes: &[Outcome]) -> Result<()> {
    match outcomes.iter().filter(|outcome| !outcome.differs.is_empty()).count() {
        0 => Ok(()),
        failed => Err(Error::refused(format!("{failed} of {} cases failed", outcomes.len()))
            .next("Change the policy, or what is expected of it.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = include_str!("../../../../packaging/examples/policy.toml");
    const CASES: &str = include_str!("../../../../packaging/examples/policy-cases.toml");

    fn outcomes(policy: &str, cases: &str) -> Result<Vec<Outcome>> {
        let policy = Policy::parse(Path::new("/p"), policy)?;
        run(Path::new("/c"), cases, &policy, || Err(Error::not_found("no store")))
    }

    #[test]
    fn the_shipped_example_is_as_its_cases_say() {
        for outcome in outcomes(POLICY, CASES).unwrap() {
            assert_eq!(outcome.differs, Vec::<String>::new(), "{}", outcome.name);
        }
    }

    #[test]
    fn what_differs_is_told() {
        let weaker = POLICY.replace("{ from = \"@security\", count = 1 }", "");
        let told: Vec<_> =
            outcomes(&weaker, CASES).unwrap().into_iter().flat_map(|o| o.differs).collect();
        assert!(
            told.contains(
                &"missing: expected 1 of @leads, 1 of @security, got 1 of @leads".to_owned()
            ),
            "{told:?}"
        );
        assert!(all_as_expected(&outcomes(&weaker, CASES).unwrap()).is_err());
        assert!(all_as_expected(&outcomes(POLICY, CASES).unwrap()).is_ok());
        let error = |from: &str, to: &str| {
            outcomes(POLICY, &CASES.replacen(from, to, 1)).err().unwrap().to_string()
        };
        assert!(error("expect", "expct").contains("Did you mean `expect`?"));
        assert!(error("person = \"alice\"", "person = \"zoe\"").contains("no person zoe"));
        assert!(error("\"allow\"", "\"yes\"").contains("expect is allow, pending or deny"));
    }
}
