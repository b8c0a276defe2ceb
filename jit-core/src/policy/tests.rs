//! Properties of the decision, against a definition that tries every assignment of people.
//! Built with `JIT_PROPERTY_CASES=1000000` they run a million of each.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::grant::Ask;
use crate::grant::testing::at;
use crate::host::Host;
use crate::name::{HostName, Label, Place, Reason};

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

fn places() -> impl Strategy<Value = Vec<Places>> {
    let texts = prop::sample::select(vec![
        "web-1",
        "web-2",
        "env=prod",
        "env=test",
        "env=prod and not tier=db",
        "env=prod and tier=db",
        "not web-1 and env=prod",
    ]);
    proptest::collection::vec(texts.prop_map(|text| Places::parse(text).unwrap()), 1..3)
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

/// The clock stands at 00:16:40 on a Thursday. The second set of hours ends 200 seconds later.
fn hours() -> impl Strategy<Value = Option<Hours>> {
    let texts = ["00:00-24:00 UTC", "Thu 00:10-00:20 UTC", "Fri 00:10-00:20 UTC"];
    prop::option::of(prop::sample::select(texts.map(|text| Hours::parse(text).unwrap()).to_vec()))
}

fn condition() -> impl Strategy<Value = Condition> {
    use prop::option::of;
    let longest = of((1_u64..200).prop_map(|secs| Span::from_secs(secs).unwrap()));
    (of(members()), of(places()), of(logins()), hours(), longest, any::<bool>()).prop_map(
        |(members, hosts, logins, hours, max_duration, sudo)| Condition {
            members,
            hosts,
            logins,
            hours,
            max_duration,
            sudo,
        },
    )
}

fn reason_rule() -> impl Strategy<Value = ReasonRule> {
    let pattern = Some(Pattern::parse("^INC-[0-9]+ ").unwrap());
    prop_oneof![
        3 => Just(ReasonRule::default()),
        1 => Just(ReasonRule { ticket: pattern.clone(), pattern, hint: None }),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    let terms = (any::<bool>(), 1_u64..200, 1_u64..400, reason_rule(), hours());
    let auto = proptest::collection::vec(condition(), 0..2);
    let more = (approvals(), auto, prop::option::of(1_u32..3));
    (members(), places(), logins(), terms, more).prop_map(
        |(members, hosts, logins, terms, (approvals, auto_approve, max_active))| {
            let (sudo, longest, lead, reason, hours) = terms;
            Role {
                factors: FactorRule::default(),
                name: RoleName::parse("r").unwrap(),
                members,
                hosts,
                logins,
                sudo,
                max_duration: Span::from_secs(longest).unwrap(),
                max_lead: Span::from_secs(lead).unwrap(),
                reason,
                hours,
                max_active,
                approvals,
                auto_approve,
                shorten: true,
                permissions: BTreeSet::from([Permission::Pty]),
                restrictions: Restrictions::default(),
            }
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
    let reason = prop::sample::select(vec!["a reason", "INC-7 the disk", "see INC-7 "]);
    let start = prop::option::weighted(0.3, 900_u64..1600);
    let who = (0..PEOPLE.len(), 0..LOGINS.len());
    (who, place, any::<bool>(), 1_u64..250, start, reason).prop_map(
        |((person, login), place, sudo, seconds, start, reason)| Ask {
            person: PersonName::parse(PEOPLE[person]).unwrap(),
            login: Login::parse(LOGINS[login]).unwrap(),
            place: Place::parse(place).unwrap(),
            sudo,
            duration: Span::from_secs(seconds).unwrap(),
            start: start.map(at),
            extends: None,
            reason: Reason::parse(reason).unwrap(),
        },
    )
}

fn host() -> Host {
    Host {
        name: HostName::parse("web-1").unwrap(),
        labels: [Label::parse("env=prod").unwrap()].into(),
        created_at: at(0),
        key: None,
    }
}

fn holding(grants: u32) -> Held {
    [(RoleName::parse("r").unwrap(), grants)].into()
}

/// Decides with these indices of `people` as approvers.
fn decided(ask: &Ask, policy: &Policy, people: &[Person], approvers: &[usize]) -> Decision {
    decided_after(0, 0, ask, policy, people, approvers)
}

/// The same, of an extension of access that lasts `before` seconds already, of somebody who holds
/// that many grants by the role.
fn decided_after(
    before: u64,
    held: u32,
    ask: &Ask,
    policy: &Policy,
    people: &[Person],
    approvers: &[usize],
) -> Decision {
    let hosts = [host()];
    let requester = people.iter().find(|person| person.name == ask.person).unwrap();
    let approvers: Vec<Person> = approvers.iter().map(|i| people[*i].clone()).collect();
    let held = holding(held);
    let facts = Facts {
        requester,
        hosts: &hosts,
        approvers: &approvers,
        before,
        held: &held,
        draft: false,
    };
    decide(ask, policy, &facts, at(1000))
}

/// The plain definition: some role fits, and its places can be filled by distinct people other
/// than the requester and not suspended.
fn allowed_by_definition(
    held: u32,
    ask: &Ask,
    policy: &Policy,
    people: &[Person],
    yes: &[usize],
) -> bool {
    let requester = people.iter().find(|person| person.name == ask.person).unwrap();
    let here = host();
    let includes = |members: &[Member]| members.iter().any(|member| member.includes(requester));
    let as_login = |l: &[LoginPattern]| l.iter().any(|l| l.matches(&ask.login, &ask.person));
    let denied = policy.denies.iter().any(|rule| {
        rule.members.as_ref().is_none_or(|m| includes(m))
            && rule.hosts.as_ref().is_none_or(|h| h.iter().any(|h| h.includes(&here)))
            && rule.logins.as_ref().is_none_or(|l| as_login(l))
    });
    let at_hosts = |hosts: &[Places]| {
        hosts.iter().any(|places| match ask.place {
            Place::Host(_) => places.includes(&here),
            Place::Label(_) => places.to_string() == ask.place.to_string(),
        })
    };
    let start = ask.start.map_or(1000, |start| start.unix());
    let (first, end) = (start.max(1000), start + ask.duration.secs());
    let always_open = |hours: &Option<Hours>| match hours.as_ref().map(ToString::to_string) {
        None => true,
        Some(all) if all.starts_with("00:00") => true,
        Some(thursday) if thursday.starts_with("Thu") => 600 <= first && end <= 1200,
        Some(_) => false,
    };
    let fits = |role: &Role| {
        includes(&role.members)
            && at_hosts(&role.hosts)
            && as_login(&role.logins)
            && (role.sudo || !ask.sudo)
            && ask.duration <= role.max_duration
            && start <= 1000 + role.max_lead.secs()
            && always_open(&role.hours)
            && role.max_active.is_none_or(|most| held < most)
            && (role.reason.pattern.is_none() || ask.reason.as_str().starts_with("INC-7 "))
    };
    let by_itself = |rule: &Condition| {
        rule.members.as_ref().is_none_or(|m| includes(m))
            && rule.hosts.as_ref().is_none_or(|h| at_hosts(h))
            && rule.logins.as_ref().is_none_or(|l| as_login(l))
            && always_open(&rule.hours)
            && rule.max_duration.is_none_or(|most| ask.duration <= most)
            && (rule.sudo || !ask.sudo)
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
            role.auto_approve.iter().any(by_itself) || assignable(&places, &others)
        }
    };
    let allowed = || policy.roles.iter().any(|role| fits(role) && filled(role));
    !denied && !requester.suspended && end > 1000 && allowed()
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
        ask in ask(), policy in policy(0..2), people in people(), yes in yes(), held in 0_u32..3
    ) {
        let decision = decided_after(0, held, &ask, &policy, &people, &yes);
        prop_assert_eq!(
            decision.verdict == Verdict::Allow,
            allowed_by_definition(held, &ask, &policy, &people, &yes)
        );
    }

    /// Whose yes may count, and whose is looked for, is one and the same question.
    #[test]
    fn only_those_who_may_approve_are_looked_for(
        ask in ask(), policy in policy(0..2), people in people()
    ) {
        let hosts = [host()];
        let requester = people.iter().find(|person| person.name == ask.person).unwrap();
        let held = Held::new();
        let facts = Facts {
            requester, hosts: &hosts, approvers: &[], before: 0, held: &held, draft: false,
        };
        let now = at(1000);
        for person in eligible(&ask, &policy, &facts, now, &people) {
            prop_assert!(may_approve(person, &ask, &policy, &facts));
            prop_assert!(person.name != ask.person && !person.suspended);
        }
        if matches!(decide(&ask, &policy, &facts, now).verdict, Verdict::Allow | Verdict::Deny { .. }) {
            prop_assert_eq!(eligible(&ask, &policy, &facts, now, &people), Vec::<&Person>::new());
        }
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
        let held = Held::new();
        let facts = Facts {
            requester: &people[own], hosts: &hosts, approvers: &[], before: 0, held: &held,
            draft: false,
        };
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
        let decision = decided(&ask, &policy, &people, &yes);
        prop_assert!(is_denied(&decision.verdict));
        prop_assert_eq!(decision.role, None);
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
        let decision = decided_after(before, 0, &ask, &policy, &people, &yes);
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
pub(crate) fn cases() -> u32 {
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
    let host = Host {
        name: HostName::parse("web-1").unwrap(),
        labels: [].into(),
        created_at: at(0),
        key: None,
    };
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
    let held = Held::new();
    let ann_said_yes = Facts {
        requester: &fay,
        hosts: &[host],
        approvers: &[ann],
        before: 0,
        held: &held,
        draft: false,
    };
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
