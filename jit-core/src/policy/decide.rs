//! The one decision: pure, without I/O or clock, the same for every path that asks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Approvals, Condition, FactorRule, LoginPattern, Member, Needed, Places, Policy, Role};
use crate::grant::{Ask, Permission, Terms};
use crate::host::Host;
use crate::name::{Login, PersonName, Place, RoleName};
use crate::person::Person;
use crate::restriction::Restrictions;
use crate::time::{Span, Timestamp, spoken};

/// How many grants somebody has by each role, what goes on with another counted as one with it.
pub type Held = BTreeMap<RoleName, u32>;

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
    /// The grants the person has already, scheduled ones too, without the one this goes on with.
    pub held: &'a Held,
    /// The reason is not written yet: what could be had is asked, and whatever a role wants of the
    /// reason counts as met.
    pub draft: bool,
}

impl Facts<'_> {
    /// All of it, for the log: with the policy of that version, the decision can be made again.
    pub fn on_record(&self, now: Timestamp) -> Value {
        let person = |person: &Person| {
            json!({
                "name": person.name, "groups": person.groups, "suspended": person.suspended,
            })
        };
        json!({
            "now": now.rfc3339(),
            "requester": person(self.requester),
            "hosts": self.hosts.iter().map(|host| json!({
                "name": host.name, "labels": host.labels,
            })).collect::<Vec<_>>(),
            "approvers": self.approvers.iter().map(person).collect::<Vec<_>>(),
            "before": self.before,
            "held": self.held,
        })
    }
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
    /// What sshd holds the session to.
    #[serde(skip_serializing_if = "Restrictions::is_empty")]
    pub restrictions: Restrictions,
    /// Which second factors it takes.
    #[serde(skip_serializing_if = "FactorRule::is_default")]
    pub factors: FactorRule,
    /// Whether approvers may shorten it.
    pub shorten: bool,
    /// The longest that a role that fits gives.
    pub longest: Option<Span>,
    /// The ticket in the reason, where the role asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What the role wants of the reason, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_wanted: Option<String>,
    /// Which entry of the role's `auto_approve` made approvals needless, from 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_approved_by: Option<usize>,
    /// Which deny rule said no, from 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied_by_rule: Option<usize>,
    /// Every role that names the person, and why it did or didn't decide.
    pub considered: Vec<Considered>,
    /// Which policy decided.
    pub policy: String,
}

impl Decision {
    /// The terms on which a grant comes of it.
    pub fn terms(&self) -> Terms {
        Terms {
            role: self.role.clone(),
            permissions: self.permissions.clone(),
            restrictions: self.restrictions.clone(),
            factors: self.factors.clone(),
            shorten: self.shorten,
            policy: self.policy.clone(),
        }
    }
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
        restrictions: Restrictions::default(),
        factors: FactorRule::default(),
        shorten: false,
        longest: None,
        ticket: None,
        reason_wanted: None,
        auto_approved_by: None,
        denied_by_rule: None,
        considered: Vec::new(),
        policy: policy.version.clone(),
    };
    if let Some(why) = impossible(ask, facts, now) {
        decision.verdict = Verdict::Deny { why };
        return decision;
    }
    if let Some(rule) = denying(ask, policy, facts) {
        decision.denied_by_rule = Some(rule + 1);
        decision.verdict = Verdict::Deny { why: "a deny rule of the policy forbids it".into() };
        return decision;
    }

    let mut best: Option<(u32, Fit<'_>, Vec<Needed>)> = None;
    for role in policy.roles.iter().filter(|role| named(&role.members, facts.requester)) {
        let finding = match fit(ask, role, facts, now) {
            Err(obstacle) => obstacle,
            Ok(fit) => {
                decision.longest = decision.longest.max(fit.longest);
                let missing = missing(&fit, facts);
                let count = missing.iter().map(|needed| needed.count).sum();
                if best.as_ref().is_none_or(|(fewest, ..)| count < *fewest) {
                    best = Some((count, fit, missing));
                }
                "allows it".to_owned()
            }
        };
        decision.considered.push(Considered { role: role.name.clone(), finding });
    }

    match best {
        None => decision.verdict = Verdict::Deny { why: no_role(&decision.considered) },
        Some((_, fit, missing)) => {
            decision.role = Some(fit.role.name.clone());
            decision.permissions = fit.role.permissions.clone();
            decision.restrictions = fit.role.restrictions.clone();
            decision.factors = fit.role.factors.clone();
            decision.shorten = fit.role.shorten;
            decision.reason_wanted = fit.role.reason.wanted();
            decision.ticket = fit.ticket;
            decision.auto_approved_by = fit.condition.map(|condition| condition + 1);
            decision.verdict =
                if missing.is_empty() { Verdict::Allow } else { Verdict::Pending { missing } };
        }
    }
    decision
}

/// The roles that fit; none where a deny rule or the request itself stands against it.
fn fitting<'a>(ask: &Ask, policy: &'a Policy, facts: &Facts<'_>, now: Timestamp) -> Vec<Fit<'a>> {
    if impossible(ask, facts, now).is_some() || denying(ask, policy, facts).is_some() {
        return Vec::new();
    }
    let named = policy.roles.iter().filter(|role| named(&role.members, facts.requester));
    named.filter_map(|role| fit(ask, role, facts, now).ok()).collect()
}

/// Whether what `ask` asks is `person`'s to decide: a role that gives such access names them. That
/// nothing comes of their yes now, as of hours or a deny rule, does not take their no from them.
pub fn may_approve(person: &Person, ask: &Ask, policy: &Policy, facts: &Facts<'_>) -> bool {
    counts(person, facts)
        && policy.roles.iter().any(|role| {
            named(&role.members, facts.requester)
                && gives(ask, role, facts).is_ok()
                && role.approvals.names(person)
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
    let fitting = fitting(ask, policy, facts, now);
    let fewest = |approvers: &[Person]| {
        let facts = Facts { approvers, ..*facts };
        let count = |fit| missing(fit, &facts).iter().map(|needed| needed.count).sum::<u32>();
        fitting.iter().map(count).min().unwrap_or(0)
    };
    let before = fewest(facts.approvers);
    // Tried, not looked up: a yes can also help by letting another take a place it fits better.
    let helps = |person: &Person| {
        let with: Vec<_> = facts.approvers.iter().chain([person]).cloned().collect();
        fewest(&with) < before
    };
    let named = |person: &Person| fitting.iter().any(|fit| fit.role.approvals.names(person));
    people.iter().filter(|person| counts(person, facts) && named(person) && helps(person)).collect()
}

/// What sshd must hold somebody to who has nothing yet and may ask for this: whichever of the roles
/// that fit it will be, the session is open by then. None where they contradict each other.
pub fn strictest(
    ask: &Ask,
    policy: &Policy,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Option<Restrictions> {
    fitting(ask, policy, facts, now)
        .iter()
        .try_fold(Restrictions::default(), |held, fit| held.both(&fit.role.restrictions))
}

/// Never the requester, never the suspended.
fn counts(approver: &Person, facts: &Facts<'_>) -> bool {
    approver.name != facts.requester.name && !approver.suspended
}

/// What stands against the request before the policy is asked.
fn impossible(ask: &Ask, facts: &Facts<'_>, now: Timestamp) -> Option<String> {
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
    None
}

/// The first deny rule that forbids it.
fn denying(ask: &Ask, policy: &Policy, facts: &Facts<'_>) -> Option<usize> {
    policy.denies.iter().position(|rule| {
        // Of a label's hosts one is enough.
        let here = |places: &Vec<Places>| {
            places.iter().any(|places| facts.hosts.iter().any(|host| places.includes(host)))
        };
        rule.members.as_ref().is_none_or(|members| named(members, facts.requester))
            && rule.hosts.as_ref().is_none_or(here)
            && rule.logins.as_ref().is_none_or(|l| as_one_of(l, &ask.login, &ask.person))
    })
}

fn named(members: &[Member], person: &Person) -> bool {
    members.iter().any(|member| member.includes(person))
}

fn as_one_of(logins: &[LoginPattern], login: &Login, person: &PersonName) -> bool {
    logins.iter().any(|pattern| pattern.matches(login, person))
}

/// Whether all of what is asked for lies within `hosts`.
fn within(hosts: &[Places], ask: &Ask, facts: &Facts<'_>) -> bool {
    hosts.iter().any(|places| {
        // A whole label is granted only by a rule that names it; one host also through its labels.
        places.is_exactly(&ask.place)
            || (matches!(ask.place, Place::Host(_))
                && facts.hosts.iter().all(|host| places.includes(host)))
    })
}

/// A role that fits the request.
struct Fit<'a> {
    role: &'a Role,
    /// The longest it could give instead.
    longest: Option<Span>,
    ticket: Option<String>,
    /// The condition that makes approvals needless.
    condition: Option<usize>,
}

/// For how many seconds at most a role gives what is asked for, or what keeps it from that at any
/// time.
fn gives(ask: &Ask, role: &Role, facts: &Facts<'_>) -> Result<u64, String> {
    if !within(&role.hosts, ask, facts) {
        return Err(format!("is not for {}", ask.place));
    }
    if !as_one_of(&role.logins, &ask.login, &ask.person) {
        return Err(format!("is not for the login {}", ask.login));
    }
    if ask.sudo && !role.sudo {
        return Err("gives no sudo".into());
    }
    let left = role.max_duration.secs().saturating_sub(facts.before);
    if ask.duration.secs() > left {
        let max = role.max_duration;
        return Err(match facts.before {
            0 => format!("gives at most {max}, not {}", ask.duration),
            used => format!("gives at most {max}, and {} of it are given", spoken(used)),
        });
    }
    Ok(left)
}

/// How a role that names the person fits the request, or what keeps it from that.
fn fit<'a>(
    ask: &Ask,
    role: &'a Role,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Result<Fit<'a>, String> {
    let left = gives(ask, role, facts)?;
    // What goes on with another grant starts where that ends, and is no plan for some other day.
    let lead = ask.start.filter(|_| ask.extends.is_none()).map_or(0, |start| start.since(now));
    if lead > role.max_lead.secs() {
        return Err(format!("starts at most {} ahead", role.max_lead));
    }
    let (start, asked) = window(ask, now);
    let mut longest = left;
    if let Some(hours) = &role.hours {
        longest = hours.open_for(start, left);
        if longest == 0 {
            return Err(format!("is open {hours}, where it is {} then", hours.wall(start)));
        }
        if asked > longest {
            return Err(format!("is open {hours}, which ends in {}", spoken(longest)));
        }
    }
    if let Some(most) = role.max_active
        && facts.held.get(&role.name).copied().unwrap_or(0) >= most
    {
        return Err(format!("gives one person at most {most} at a time"));
    }
    let ticket = if facts.draft { Ok(None) } else { role.reason.ticket(&ask.reason) };
    Ok(Fit {
        role,
        longest: Span::from_secs(longest).ok(),
        ticket: ticket.map_err(|wanted| format!("wants {wanted}"))?,
        condition: role.auto_approve.iter().position(|rule| met(rule, ask, facts, now)),
    })
}

/// When access would start, and how many seconds of it there would be.
fn window(ask: &Ask, now: Timestamp) -> (Timestamp, u64) {
    let asked = ask.start.unwrap_or(now);
    let start = asked.max(now);
    (start, ask.duration.secs().saturating_sub(start.since(asked)))
}

/// Whether a role says yes by itself.
fn met(rule: &Condition, ask: &Ask, facts: &Facts<'_>, now: Timestamp) -> bool {
    let (start, asked) = window(ask, now);
    let total = facts.before.saturating_add(ask.duration.secs());
    rule.members.as_ref().is_none_or(|members| named(members, facts.requester))
        && rule.hosts.as_ref().is_none_or(|hosts| within(hosts, ask, facts))
        && rule.logins.as_ref().is_none_or(|l| as_one_of(l, &ask.login, &ask.person))
        && rule.hours.as_ref().is_none_or(|hours| hours.open_for(start, asked) == asked)
        && rule.max_duration.is_none_or(|most| total <= most.secs())
        && (rule.sudo || !ask.sudo)
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
fn missing(fit: &Fit<'_>, facts: &Facts<'_>) -> Vec<Needed> {
    let Approvals::People(needed) = &fit.role.approvals else { return Vec::new() };
    if fit.condition.is_some() {
        return Vec::new();
    }
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
