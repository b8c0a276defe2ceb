//! How a grant is shown: to people in a table, in facts or in a sentence, to programs as JSON.

use jit_core::grant::{Approval, Evidence, Grant, Origin, Phase, State, Way, Window};
use jit_core::name::Place;
use jit_core::time::{Span, Timestamp};
use serde_json::{Value, json};

use crate::output::{cut, facts, joined, table};

/// The grant for programs, as it stands at `now`.
pub fn json(grant: &Grant, now: Timestamp) -> Value {
    let ask = grant.ask();
    let window = had_window(grant);
    let approvals: Vec<_> = grant
        .approvals()
        .iter()
        .map(|approval| {
            json!({
                "by": approval.by,
                "at": approval.at.rfc3339(),
                "counts": grant.counts(approval),
                "for_at_most_seconds": approval.most.map(Span::secs),
                "proved_by": approval.evidence.as_ref().map(proved_by),
                "withdrawn_at": approval.withdrawn_at.map(Timestamp::rfc3339),
            })
        })
        .collect();
    json!({
        "id": grant.id(),
        "state": grant.phase(now),
        "person": ask.person,
        "login": ask.login,
        "host": ask.place,
        "sudo": ask.sudo,
        "duration_seconds": ask.duration.secs(),
        "start": ask.start.map(Timestamp::rfc3339),
        "extends": ask.extends,
        "reason": ask.reason,
        "role": grant.terms().role,
        "permissions": grant.terms().permissions,
        "source_addresses": grant.terms().restrictions.source_addresses,
        "force_command": grant.terms().restrictions.force_command,
        "requested_by": grant.requested_by(),
        "requested_at": grant.requested_at().rfc3339(),
        "revision": grant.revision(),
        "asked_from": grant.origin(),
        "lapses_at": grant.lapses_at().rfc3339(),
        "not_before": window.map(|window| window.not_before.rfc3339()),
        "not_after": window.map(|window| window.not_after.rfc3339()),
        "shortened": grant.shortened().map(|shortened| {
            json!({ "by": shortened.by, "at": shortened.at.rfc3339(),
                "from": shortened.from.rfc3339() })
        }),
        "approvals": approvals,
        "way": match grant.state() {
            State::Approved { way, .. } => Some(way),
            _ => None,
        },
        "closed": match grant.state() {
            State::Denied { by, at, reason } => {
                json!({ "by": by, "at": at.rfc3339(), "reason": reason })
            }
            State::Cancelled { by, at } => json!({ "by": by, "at": at.rfc3339() }),
            State::Lapsed { at } => json!({ "at": at.rfc3339() }),
            State::Revoked { by, at, reason, .. } => {
                json!({ "by": by, "at": at.rfc3339(), "reason": reason })
            }
            State::Requested | State::Approved { .. } => Value::Null,
        },
    })
}

/// Many grants for programs.
pub fn json_list(grants: &[Grant], now: Timestamp) -> Value {
    grants.iter().map(|grant| json(grant, now)).collect()
}

/// `deploy@web-1 with sudo`.
fn what(grant: &Grant) -> String {
    let ask = grant.ask();
    let sudo = if ask.sudo { " with sudo" } else { "" };
    format!("{}@{}{sudo}", ask.login, ask.place)
}

/// `deploy@web-1 with sudo, 30m`.
pub fn access(grant: &Grant) -> String {
    format!("{}, {}", what(grant), grant.ask().duration)
}

/// Many grants as a table.
pub fn rows(grants: &[Grant], now: Timestamp) -> String {
    let heads = ["ID", "STATE", "PERSON", "ACCESS", "SUDO", "FOR", "UNTIL", "REASON"];
    table(
        &heads,
        grants.iter().map(|grant| {
            let ask = grant.ask();
            vec![
                grant.id().to_string(),
                grant.phase(now).to_string(),
                ask.person.to_string(),
                format!("{}@{}", ask.login, ask.place),
                if ask.sudo { "yes" } else { "no" }.into(),
                ask.duration.to_string(),
                until(grant).local(),
                cut(ask.reason.as_str(), 40),
            ]
        }),
    )
}

/// Everything about a grant, a line each.
pub fn details(grant: &Grant, now: Timestamp) -> String {
    let ask = grant.ask();
    let mut lines = vec![
        ("person", ask.person.to_string()),
        ("access", access(grant)),
        ("reason", ask.reason.to_string()),
        ("filed", format!("{} by {}", grant.requested_at().local(), grant.requested_by())),
        ("asked from", asked_from(grant)),
    ];
    if grant.revision() > 1 {
        lines.push(("edited", format!("revision {}", grant.revision())));
    }
    if let Some(start) = ask.start {
        lines.push(("from", start.local()));
    }
    if let Some(id) = &ask.extends {
        lines.push(("extends", id.to_string()));
    }
    match &grant.terms().role {
        Some(role) => lines.push(("role", role.to_string())),
        None => lines.push(("role", "none: root granted it past the policy".into())),
    }
    let permissions = grant.terms().permissions.iter().map(|permission| permission.key_option());
    lines.push(("ssh allows", joined(permissions, " ")));
    let held = &grant.terms().restrictions;
    lines.extend(held.addresses().map(|list| ("only from", list)));
    lines.extend(held.force_command.iter().map(|command| ("only runs", command.to_string())));
    if !grant.terms().factors.is_default() {
        lines.push(("second factor", grant.terms().factors.to_string()));
    }
    for approval in grant.approvals() {
        lines.push(("approved", yes(grant, approval)));
    }
    if let State::Approved { way: Way::Policy, .. } = grant.state() {
        lines.push(("approved", "by the policy".into()));
    }
    if let Some(window) = had_window(grant) {
        let window = format!("{} to {}", window.not_before.local(), window.not_after.local());
        lines.push(("window", window));
    }
    if let Some(shortened) = grant.shortened() {
        let from = shortened.from.local();
        let text = format!("{} by {}, from {from}", shortened.at.local(), shortened.by);
        lines.push(("shortened", text));
    }
    match grant.state() {
        State::Requested => lines.push(("lapses", grant.lapses_at().local())),
        State::Approved { .. } => {}
        State::Denied { by, at, reason } => {
            let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            lines.push(("denied", format!("{} by {by}{why}", at.local())));
        }
        State::Cancelled { by, at } => {
            lines.push(("cancelled", format!("{} by {by}", at.local())));
        }
        State::Lapsed { at } => lines.push(("lapsed", at.local())),
        State::Revoked { by, at, reason, .. } => {
            lines.push(("revoked", format!("{} by {by}: {reason}", at.local())));
        }
    }
    format!("Grant {} is {}.\n{}", grant.id(), grant.phase(now), facts(&lines))
}

/// Where it was asked for.
fn asked_from(grant: &Grant) -> String {
    match grant.origin() {
        Some(Origin { rhost, tty }) => {
            let rhost = rhost.as_deref().filter(|rhost| !rhost.is_empty());
            let tty = tty.as_deref().filter(|tty| !tty.is_empty());
            let on = tty.map(|tty| format!(", on {tty}")).unwrap_or_default();
            format!("{}{on}", rhost.unwrap_or("this machine"))
        }
        None => "the authority, by root".to_owned(),
    }
}

/// One person's yes, and why it does not count where it doesn't.
fn yes(grant: &Grant, approval: &Approval) -> String {
    let Approval { by, at, most, evidence, withdrawn_at, .. } = approval;
    let mut text = format!("{} by {by}", at.local());
    if let Some(evidence) = evidence {
        text.push_str(&format!(", with a {}", proved_by(evidence)));
    }
    if let Some(most) = most {
        text.push_str(&format!(", for at most {most}"));
    }
    if let Some(at) = withdrawn_at {
        text.push_str(&format!("; taken back {}", at.local()));
    } else if !grant.counts(approval) {
        text.push_str("; does not count, as the request was edited since");
    }
    text
}

fn proved_by(evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::Factor { .. } => "code",
        Evidence::Signature { .. } => "signature",
    }
}

/// What an approved grant gives, as a sentence, and what its holder types.
pub fn outcome(grant: &Grant, now: Timestamp) -> String {
    let ask = grant.ask();
    let (Some(window), phase) = (grant.window(), grant.phase(now)) else {
        return format!("{} is {}.", grant.id(), grant.phase(now));
    };
    let from = match phase {
        Phase::Scheduled => format!(" from {}", window.not_before.local()),
        _ => String::new(),
    };
    let next = match (&ask.place, phase) {
        (Place::Host(host), Phase::Active) => {
            format!("\n{} logs in with: ssh {}@{host}", ask.person, ask.login)
        }
        _ => String::new(),
    };
    format!(
        "{} is {phase}: {} has {}{from} until {}.{next}",
        grant.id(),
        ask.person,
        what(grant),
        window.not_after.local()
    )
}

/// The window a grant has, or had until it was revoked.
fn had_window(grant: &Grant) -> Option<Window> {
    match grant.state() {
        State::Approved { window, .. } | State::Revoked { window, .. } => Some(*window),
        _ => None,
    }
}

/// When the grant's present state ends, or began where it is the last.
fn until(grant: &Grant) -> Timestamp {
    match grant.state() {
        State::Requested => grant.lapses_at(),
        State::Approved { window, .. } => window.not_after,
        State::Denied { at, .. }
        | State::Cancelled { at, .. }
        | State::Lapsed { at }
        | State::Revoked { at, .. } => *at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::grant::{Actor, Ask, Terms};
    use jit_core::id::GrantId;
    use jit_core::name::{Login, PersonName, Reason};

    fn at(unix: u64) -> Timestamp {
        Timestamp::from_unix(unix).unwrap()
    }

    fn request() -> Grant {
        let ask = Ask {
            person: PersonName::parse("alice").unwrap(),
            login: Login::parse("deploy").unwrap(),
            place: Place::parse("web-1").unwrap(),
            sudo: true,
            duration: Span::parse("30m").unwrap(),
            start: None,
            extends: None,
            reason: Reason::parse("INC-7 disk full").unwrap(),
        };
        let terms = Terms { permissions: [].into(), ..Terms::of_root() };
        let id = GrantId::parse("k7q2-m9xd").unwrap();
        let patience = Span::parse("1h").unwrap();
        Grant::request(id, ask, terms, Actor::Root, at(10_000), patience).unwrap()
    }

    #[test]
    fn a_request_has_no_window_and_an_approved_grant_has() {
        let now = at(10_060);
        let asked = json(&request(), now);
        assert_eq!(asked["state"], "requested");
        assert_eq!(asked["not_after"], Value::Null);
        assert_eq!(asked["lapses_at"], "1970-01-01T03:46:40Z");
        let approved = json(&request().approve(Way::Root, now).unwrap(), now);
        assert_eq!(approved["state"], "active");
        assert_eq!(approved["way"], "root");
        assert_eq!(approved["not_before"], "1970-01-01T02:47:40Z");
        assert_eq!(approved["not_after"], "1970-01-01T03:17:40Z");
        assert_eq!(approved["host"], "web-1");
        assert_eq!(approved["duration_seconds"], 1800);
    }

    #[test]
    fn a_revoked_grant_shows_the_window_it_had_and_why_it_lost_it() {
        let reason = Reason::parse("laptop lost").unwrap();
        let grant = request().approve(Way::Root, at(10_060)).unwrap();
        let grant = grant.revoke(Actor::Root, reason, at(10_120)).unwrap();
        let shown = json(&grant, at(10_130));
        assert_eq!(shown["not_after"], "1970-01-01T03:17:40Z");
        assert_eq!(shown["closed"]["reason"], "laptop lost");
        let text = details(&grant, at(10_130));
        assert!(text.starts_with("Grant k7q2-m9xd is revoked.\n"), "{text}");
        assert!(text.contains("by root: laptop lost"), "{text}");
        assert!(text.contains("deploy@web-1 with sudo, 30m"), "{text}");
    }
}
