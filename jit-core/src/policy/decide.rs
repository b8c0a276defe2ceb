//! The one decision: pure, without I/O or clock, the same for every path that asks.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Approvals, Member, Needed, Policy, Role};
use crate::grant::{Ask, Permission};
use crate::host::Host;
use crate::name::{Place, RoleName};
use crate::person::Person;
use crate::time::{Span, Timestamp, spoken};

/// What is known when deciding.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The person who asks.
    pub requester: &'a Person,
    /// The hosts that the place asked for covers.
    pub hosts: &'a [Host],
    /// The people who have said yes.
    pub approvers: &'a [Person],
    /// Where this goes on with another grant: how long access lasts by then, in seconds, from the
    /// start of the first grant that was extended. A window is one, however often it is extended.
    pub before: u64,
}

/// A decision and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Decision {
    /// Yes, not yet, or no.
    pub verdict: Verdict,
    /// The role on whose terms, where one matched.
    pub role: Option<RoleName>,
    /// What sshd lets the session do.
    pub permissions: BTreeSet<Permission>,
    /// The longest that a role that fits gives.
    pub longest: Option<Span>,
    /// Every role that names the person, and why it did or didn't decide.
    pub considered: Vec<Considered>,
    /// Which policy decided.
    pub policy: String,
}

/// Yes, not yet, or no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing is missing.
    Allow,
    /// It takes these approvals more.
    Pending {
        /// From whom and how many.
        missing: Vec<Needed>,
    },
    /// No.
    Deny {
        /// Why, as the requester may read it.
        why: String,
    },
}

/// One role, and what it had to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Its name.
    pub role: RoleName,
    /// `allows it`, or what stands against it.
    pub finding: String,
}

/// Decides whether what is asked for may be had. Deny rules win over every role; of the roles that
/// fit, the one that misses the fewest approvals decides; no role, no access.
pub fn decide(ask: &Ask, policy: &Policy, facts: &Facts<'_>, now: Timestamp) -> Decision {
    let mut decision = Decision {
        verdict: Verdict::Deny { why: String::new() },
        role: None,
        permissions: BTreeSet::new(),
        longest: None,
        considered: Vec::new(),
        policy: policy.version.clone(),
    };
    if let Some(why) = forbidden(ask, policy, facts, now) {
        decision.verdict = Verdict::Deny { why };
        return decision;
    }

    let mut best: Option<(u32, &Role, Vec<Needed>)> = None;
    for role in &policy.roles {
        if !role.members.iter().any(|member| member.includes(facts.requester)) {
            continue;
        }
        let finding = match obstacle(ask, role, facts) {
            Some(obstacle) => obstacle,
            None => {
                let left = role.max_duration.secs().saturating_sub(facts.before);
                decision.longest = decision.longest.max(Span::from_secs(left).ok());
                let missing = missing(role, facts);
                let count = missing.iter().map(|needed| needed.count).sum();
                if best.as_ref().is_none_or(|(fewest, ..)| count < *fewest) {
                    best = Some((count, role, missing));
                }
                "allows it".to_owned()
            }
        };
        decision.considered.push(Considered { role: role.name.clone(), finding });
    }

    match best {
        None => decision.verdict = Verdict::Deny { why: no_role(&decision.considered) },
        Some((_, role, missing)) => {
            decision.role = Some(role.name.clone());
            decision.permissions = role.permissions.clone();
            decision.verdict =
                if missing.is_empty() { Verdict::Allow } else { Verdict::Pending { missing } };
        }
    }
    decision
}

/// Whether `person`'s yes can count for what `ask` asks: some role that fits names them.
pub fn may_approve(person: &Person, ask: &Ask, policy: &Policy, facts: &Facts<'_>) -> bool {
    counts(person, facts)
        && policy.roles.iter().any(|role| {
            role.members.iter().any(|member| member.includes(facts.requester))
                && obstacle(ask, role, facts).is_none()
                && matches!(&role.approvals, Approvals::People(needed)
                    if needed.iter().any(|needed| needed.from.includes(person)))
        })
}

/// Those of `people` whose yes would leave fewer approvals missing.
pub fn eligible<'a>(
    ask: &Ask,
    policy: &Policy,
    facts: &Facts<'_>,
    now: Timestamp,
    people: &'a [Person],
) -> Vec<&'a Person> {
    let missing = |approvers: &[Person]| {
        let facts = Facts { approvers, ..*facts };
        match decide(ask, policy, &facts, now).verdict {
            Verdict::Allow => 0,
            Verdict::Pending { missing } => missing.iter().map(|needed| needed.count).sum(),
            Verdict::Deny { .. } => u32::MAX,
        }
    };
    let before = missing(facts.approvers);
    // Tried, not looked up: a yes can also help by letting another take a place it fits better.
    let helps = |person: &Person| {
        let with: Vec<_> = facts.approvers.iter().chain([person]).cloned().collect();
        missing(&with) < before
    };
    people.iter().filter(|person| counts(person, facts) && helps(person)).collect()
}

/// Never the requester, never the suspended.
fn counts(approver: &Person, facts: &Facts<'_>) -> bool {
    approver.name != facts.requester.name && !approver.suspended
}

/// What stands against the request before any role is asked.
fn forbidden(ask: &Ask, policy: &Policy, facts: &Facts<'_>, now: Timestamp) -> Option<String> {
    if ask.person != facts.requester.name {
        return Some("the request is somebody else's".into());
    }
    if facts.requester.suspended {
        return Some(format!("{} is suspended", ask.person));
    }
    if facts.hosts.is_empty() || !facts.hosts.iter().all(|host| host.is_at(&ask.place)) {
        return Some(format!("no enrolled host is {}", ask.place));
    }
    if ask.start.is_some_and(|start| start.after(ask.duration).map_or(true, |end| end <= now)) {
        return Some("the time asked for is over".into());
    }
    let denied = policy.denies.iter().any(|rule| {
        let member = |members: &Vec<Member>| members.iter().any(|m| m.includes(facts.requester));
        let place = |places: &Vec<Place>| {
            places.iter().any(|place| {
                *place == ask.place || facts.hosts.iter().any(|host| host.is_at(place))
            })
        };
        rule.members.as_ref().is_none_or(member)
            && rule.hosts.as_ref().is_none_or(place)
            && rule.logins.as_ref().is_none_or(|logins| {
                logins.iter().any(|login| login.matches(&ask.login, &ask.person))
            })
    });
    denied.then(|| "a deny rule of the policy forbids it".into())
}

/// What keeps a role that names the person from fitting the request.
fn obstacle(ask: &Ask, role: &Role, facts: &Facts<'_>) -> Option<String> {
    let place = role.hosts.iter().any(|place| {
        // A whole label is granted only by a role that names it; one host also through its labels.
        *place == ask.place
            || (matches!(ask.place, Place::Host(_))
                && facts.hosts.iter().all(|host| host.is_at(place)))
    });
    if !place {
        return Some(format!("is not for {}", ask.place));
    }
    if !role.logins.iter().any(|login| login.matches(&ask.login, &ask.person)) {
        return Some(format!("is not for the login {}", ask.login));
    }
    if ask.sudo && !role.sudo {
        return Some("gives no sudo".into());
    }
    if facts.before.saturating_add(ask.duration.secs()) > role.max_duration.secs() {
        let max = role.max_duration;
        return Some(match facts.before {
            0 => format!("gives at most {max}, not {}", ask.duration),
            used => format!("gives at most {max}, and {} of it are given", spoken(used)),
        });
    }
    None
}

fn no_role(considered: &[Considered]) -> String {
    match considered {
        [] => "no role of the policy names this person".into(),
        [one] => format!("role {} {}", one.role, one.finding),
        many => many
            .iter()
            .map(|role| format!("role {} {}", role.role, role.finding))
            .collect::<Vec<_>>()
            .join("; "),
    }
}

/// The approvals a role still misses. Each person fills one place, wherever they fit best: a
/// maximum matching between people and places, found by augmenting paths.
fn missing(role: &Role, facts: &Facts<'_>) -> Vec<Needed> {
    let Approvals::People(needed) = &role.approvals else { return Vec::new() };
    let mut people: Vec<&Person> =
        facts.approvers.iter().filter(|approver| counts(approver, facts)).collect();
    people.sort_by(|a, b| a.name.cmp(&b.name));
    people.dedup_by(|a, b| a.name == b.name);

    // One place per approval needed, saying which entry it belongs to.
    let mut places: Vec<usize> = needed
        .iter()
        .enumerate()
        .flat_map(|(entry, needed)| std::iter::repeat_n(entry, needed.count as usize))
        .collect();
    // Those that only one person fits come first, so that what is said to be missing makes sense.
    places.sort_by_key(|entry| matches!(needed[*entry].from, Member::Group(_)));
    let fits = |person: usize, place: usize| needed[places[place]].from.includes(people[person]);
    let mut taken: Vec<Option<usize>> = vec![None; places.len()];
    for person in 0..people.len() {
        let mut seen = vec![false; places.len()];
        seat(person, &fits, &mut taken, &mut seen);
    }

    let mut missing = needed.clone();
    for (place, person) in taken.iter().enumerate() {
        if person.is_some() {
            missing[places[place]].count -= 1;
        }
    }
    missing.retain(|needed| needed.count > 0);
    missing
}

/// Finds `person` a place, moving others to other places where that helps.
fn seat(
    person: usize,
    fits: &impl Fn(usize, usize) -> bool,
    taken: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    for place in 0..taken.len() {
        if seen[place] || !fits(person, place) {
            continue;
        }
        seen[place] = true;
        if taken[place].is_none_or(|other| seat(other, fits, taken, seen)) {
            taken[place] = Some(person);
            return true;
        }
    }
    false
}
