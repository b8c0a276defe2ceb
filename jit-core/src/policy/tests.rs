//! Properties of the decision, against a definition that tries every assignment of people.
//! Built with `JIT_PROPERTY_CASES=1000000` they run a million of each.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::grant::Ask;
use crate::grant::testing::at;
use crate::host::Host;
use crate::name::{HostName, Label, Reason};

const PEOPLE: [&str; 6] = ["ann", "ben", "cat", "dan", "eve", "fay"];
const GROUPS: [&str; 3] = ["dev", "leads", "security"];
const LOGINS: [&str; 3] = ["ann", "deploy", "root"];

fn person_with(name: &str, groups: &BTreeSet<usize>, suspended: bool) -> Person {
    Person {
        name: PersonName::parse(name).unwrap(),
        groups: groups.iter().map(|i| GroupName::parse(GROUPS[*i]).unwrap()).collect(),
        suspended,
        created_at: at(0),
    }
}

fn people() -> impl Strategy<Value = Vec<Person>> {
    let one = (proptest::collection::btree_set(0..GROUPS.len(), 0..3), prop::bool::weighted(0.1));
    proptest::collection::vec(one, PEOPLE.len()).prop_map(|all| {
        let made = PEOPLE.iter().zip(&all);
        made.map(|(name, (groups, suspended))| person_with(name, groups, *suspended)).collect()
    })
}

fn member() -> impl Strategy<Value = Member> {
    prop_oneof![
        (0..PEOPLE.len()).prop_map(|i| Member::Person(PersonName::parse(PEOPLE[i]).unwrap())),
        (0..GROUPS.len()).prop_map(|i| Member::Group(GroupName::parse(GROUPS[i]).unwrap())),
    ]
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    proptest::collection::vec(member(), 1..3)
}

fn places() -> impl Strategy<Value = Vec<Place>> {
    let texts = prop::sample::select(vec!["web-1", "web-2", "env=prod", "env=test"]);
    proptest::collection::vec(texts.prop_map(|text| Place::parse(text).unwrap()), 1..3)
}

fn logins() -> impl Strategy<Value = Vec<LoginPattern>> {
    let texts = prop::sample::select(vec!["{person}", "ann", "deploy", "root"]);
    let pattern = texts.prop_map(|text| match text {
        "{person}" => LoginPattern::Own,
        login => LoginPattern::Login(Login::parse(login).unwrap()),
    });
    proptest::collection::vec(pattern, 1..3)
}

fn approvals() -> impl Strategy<Value = Approvals> {
    let needed = (member(), 1_u32..3).prop_map(|(from, count)| Needed { from, count });
    prop_oneof![
        1 => Just(Approvals::Automatic),
        4 => proptest::collection::vec(needed, 1..3).prop_map(Approvals::People),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    let terms = (any::<bool>(), 1_u64..200, approvals());
    (members(), places(), logins(), terms).prop_map(
        |(members, hosts, logins, (sudo, longest, approvals))| Role {
            name: RoleName::parse("r").unwrap(),
            members,
            hosts,
            logins,
            sudo,
            max_duration: Span::from_secs(longest).unwrap(),
            approvals,
            permissions: BTreeSet::from([Permission::Pty]),
        },
    )
}

fn deny() -> impl Strategy<Value = Deny> {
    use prop::option::of;
    (of(members()), of(places()), of(logins())).prop_map(|(members, hosts, logins)| Deny {
        members,
        hosts,
        logins,
    })
}

fn policy(denies: std::ops::Range<usize>) -> impl Strategy<Value = Policy> {
    let roles = proptest::collection::vec(role(), 0..4);
    (roles, proptest::collection::vec(deny(), denies)).prop_map(|(roles, denies)| Policy {
        roles,
        denies,
        version: "v".into(),
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    let place = prop::sample::select(vec!["web-1", "env=prod"]);
    (0..PEOPLE.len(), 0..LOGINS.len(), place, any::<bool>(), 1_u64..250).prop_map(
        |(person, login, place, sudo, seconds)| Ask {
            person: PersonName::parse(PEOPLE[person]).unwrap(),
            login: Login::parse(LOGINS[login]).unwrap(),
            place: Place::parse(place).unwrap(),
            sudo,
            duration: Span::from_secs(seconds).unwrap(),
            start: None,
            extends: None,
            reason: Reason::parse("a reason").unwrap(),
        },
    )
}

fn host() -> Host {
    Host {
        name: HostName::parse("web-1").unwrap(),
        labels: [Label::parse("env=prod").unwrap()].into(),
        created_at: at(0),
    }
}

/// Decides with these indices of `people` as approvers.
fn decided(ask: &Ask, policy: &Policy, people: &[Person], approvers: &[usize]) -> Decision {
    decided_after(0, ask, policy, people, approvers)
}

/// The same, of an extension of access that lasts `before` seconds already.
fn decided_after(
    before: u64,
    ask: &Ask,
    policy: &Policy,
    people: &[Person],
    approvers: &[usize],
) -> Decision {
    let hosts = [host()];
    let requester = people.iter().find(|person| person.name == ask.person).unwrap();
    let approvers: Vec<Person> = approvers.iter().map(|i| people[*i].clone()).collect();
    let facts = Facts { requester, hosts: &hosts, approvers: &approvers, before };
    decide(ask, policy, &facts, at(1000))
}

/// The plain definition: some role fits, and its places can be filled by distinct people other
/// than the requester and not suspended.
fn allowed_by_definition(ask: &Ask, policy: &Policy, people: &[Person], yes: &[usize]) -> bool {
    let requester = people.iter().find(|person| person.name == ask.person).unwrap();
    let here = host();
    let denied = policy.denies.iter().any(|rule| {
        rule.members.as_ref().is_none_or(|m| m.iter().any(|m| m.includes(requester)))
            && rule.hosts.as_ref().is_none_or(|h| h.iter().any(|h| here.is_at(h)))
            && rule
                .logins
                .as_ref()
                .is_none_or(|l| l.iter().any(|l| l.matches(&ask.login, &ask.person)))
    });
    let fits = |role: &Role| {
        role.members.iter().any(|member| member.includes(requester))
            && role.hosts.iter().any(|place| match ask.place {
                Place::Host(_) => here.is_at(place),
                Place::Label(_) => *place == ask.place,
            })
            && role.logins.iter().any(|login| login.matches(&ask.login, &ask.person))
            && (role.sudo || !ask.sudo)
            && ask.duration <= role.max_duration
    };
    let mut others: Vec<&Person> = yes
        .iter()
        .map(|i| &people[*i])
        .filter(|person| person.name != ask.person && !person.suspended)
        .collect();
    others.sort_by_key(|person| person.name.clone());
    others.dedup_by_key(|person| person.name.clone());
    let filled = |role: &Role| match &role.approvals {
        Approvals::Automatic => true,
        Approvals::People(needed) => {
            let places: Vec<&Member> = needed
                .iter()
                .flat_map(|n| std::iter::repeat_n(&n.from, n.count as usize))
                .collect();
            assignable(&places, &others)
        }
    };
    !denied && !requester.suspended && policy.roles.iter().any(|role| fits(role) && filled(role))
}

/// Whether each place gets a person of its own: tries them all.
fn assignable(places: &[&Member], people: &[&Person]) -> bool {
    let Some((first, rest)) = places.split_first() else { return true };
    (0..people.len()).any(|i| {
        let mut others = people.to_vec();
        let person = others.remove(i);
        first.includes(person) && assignable(rest, &others)
    })
}

fn is_denied(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Deny { .. })
}

fn yes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..PEOPLE.len(), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_decision_is_the_plain_definition(
        ask in ask(), policy in policy(0..2), people in people(), yes in yes()
    ) {
        let decision = decided(&ask, &policy, &people, &yes);
        prop_assert_eq!(
            decision.verdict == Verdict::Allow,
            allowed_by_definition(&ask, &policy, &people, &yes)
        );
    }

    #[test]
    fn nobody_approves_their_own_request(
        ask in ask(), policy in policy(0..1), people in people(), yes in yes()
    ) {
        let own = PEOPLE.iter().position(|name| *name == ask.person.as_str()).unwrap();
        let without: Vec<usize> = yes.iter().copied().filter(|i| *i != own).collect();
        let mut with = without.clone();
        with.extend([own, own]);
        prop_assert_eq!(
            decided(&ask, &policy, &people, &with).verdict,
            decided(&ask, &policy, &people, &without).verdict
        );
        let hosts = [host()];
        let facts = Facts { requester: &people[own], hosts: &hosts, approvers: &[], before: 0 };
        prop_assert!(!may_approve(&people[own], &ask, &policy, &facts));
    }

    #[test]
    fn a_quorum_counts_distinct_people(
        ask in ask(), policy in policy(0..1), people in people(), yes in yes()
    ) {
        let twice: Vec<usize> = yes.iter().chain(&yes).copied().collect();
        prop_assert_eq!(
            decided(&ask, &policy, &people, &twice).verdict,
            decided(&ask, &policy, &people, &yes).verdict
        );
    }

    #[test]
    fn deny_wins(ask in ask(), mut policy in policy(0..1), people in people(), yes in yes()) {
        policy.denies.push(Deny {
            members: Some(vec![Member::Person(ask.person.clone())]), hosts: None, logins: None,
        });
        let verdict = decided(&ask, &policy, &people, &yes).verdict;
        prop_assert!(is_denied(&verdict));
    }

    #[test]
    fn an_empty_policy_denies(ask in ask(), people in people(), yes in yes()) {
        let verdict = decided(&ask, &Policy::default(), &people, &yes).verdict;
        prop_assert!(is_denied(&verdict));
    }

    #[test]
    fn never_longer_than_the_maximum(
        ask in ask(), policy in policy(0..1), people in people(), yes in yes(), before in 0_u64..200
    ) {
        let longest = policy.roles.iter().map(|role| role.max_duration.secs()).max().unwrap_or(0);
        let decision = decided_after(before, &ask, &policy, &people, &yes);
        if before + ask.duration.secs() > longest {
            prop_assert!(is_denied(&decision.verdict));
        }
        prop_assert!(decision.longest.is_none_or(|span| before + span.secs() <= longest));
    }

    #[test]
    fn another_yes_never_hurts(
        ask in ask(), policy in policy(0..2), people in people(), yes in yes(), one in 0..PEOPLE.len()
    ) {
        let before = decided(&ask, &policy, &people, &yes).verdict;
        let mut more = yes;
        more.push(one);
        if before == Verdict::Allow {
            prop_assert_eq!(decided(&ask, &policy, &people, &more).verdict, Verdict::Allow);
        }
    }
}

/// Enough to find a mistake within a second; the environment asks for more.
fn cases() -> u32 {
    option_env!("JIT_PROPERTY_CASES").and_then(|text| text.parse().ok()).unwrap_or(5_000)
}

/// Ann takes the place that only she fits, and whoever still helps is told, also where their yes
/// helps only because another takes a place they fit as well.
#[test]
fn whoever_still_helps_is_eligible() {
    let policy = |approvals: &str| {
        let text = format!(
            "[[role]]\nname = 'r'\nmembers = ['fay']\nhosts = ['web-1']\nlogins = ['deploy']\n\
             max_duration = '1h'\napprovals = [{approvals}]\n"
        );
        Policy::parse(std::path::Path::new("/p"), &text).unwrap()
    };
    let ann = person_with("ann", &[1, 2].into(), false);
    let ben = person_with("ben", &[1].into(), false);
    let cat = person_with("cat", &[2].into(), true);
    let fay = person_with("fay", &[1, 2].into(), false);
    let everybody = [ann.clone(), ben.clone(), cat, fay.clone()];
    let host =
        Host { name: HostName::parse("web-1").unwrap(), labels: [].into(), created_at: at(0) };
    let ask = Ask {
        person: fay.name.clone(),
        login: Login::parse("deploy").unwrap(),
        place: Place::Host(host.name.clone()),
        sudo: false,
        duration: Span::from_secs(60).unwrap(),
        start: None,
        extends: None,
        reason: Reason::parse("INC-1").unwrap(),
    };
    let ann_said_yes = Facts { requester: &fay, hosts: &[host], approvers: &[ann], before: 0 };
    let told = |approvals: &str| {
        let policy = policy(approvals);
        let Verdict::Pending { missing } = decide(&ask, &policy, &ann_said_yes, at(9)).verdict
        else {
            panic!("nothing is missing");
        };
        let eligible = eligible(&ask, &policy, &ann_said_yes, at(9), &everybody);
        let names: Vec<_> = eligible.iter().map(|person| person.name.to_string()).collect();
        (missing.iter().map(ToString::to_string).collect::<Vec<_>>(), names)
    };
    let leads = "{ from = '@leads', count = 1 }";
    let (missing, names) = told(&format!("{leads}, {{ from = 'ann', count = 1 }}"));
    assert_eq!((missing, names), (vec!["1 of @leads".into()], vec!["ben".into()]));
    // Ann sits among the leads at first, and moves for Ben.
    let (_, names) = told(&format!("{leads}, {{ from = '@security', count = 1 }}"));
    assert_eq!(names, ["ben"]);
}
