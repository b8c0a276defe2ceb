//! What the command line says, what the prompt offers and what the library decides is one answer.

use proptest::prelude::*;

use super::*;
use crate::host::Host;
use crate::login::{Attempt, Identity};
use crate::name::Place;
use crate::policy::{Facts, Held, Verdict as Decided, decide};

const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// A role, or a deny rule, of which every key may be this or that.
fn rule() -> impl Strategy<Value = String> {
    let one_of = |texts: &'static [&'static str]| prop::sample::select(texts);
    let members = one_of(&["alice", "@leads", "@dev", "bob", "@nobody"]);
    let hosts = one_of(&["web-1", "web-2", "env=prod", "env=prod and not tier=db", "tier=db"]);
    let logins = one_of(&["{person}", "deploy", "root"]);
    let approvals = one_of(&[
        "auto_approve = 'always'",
        "approvals = [{ from = '@leads', count = 1 }]",
        "approvals = [{ from = 'carol', count = 1 }, { from = '@leads', count = 2 }]",
        "approvals = [{ from = '@dev', count = 1 }]\nauto_approve = [{ members = ['bob'] }]",
    ]);
    let more = one_of(&[
        "",
        "reason = { pattern = '^INC-[0-9]+ ' }",
        "hours = 'Mon 00:00-24:00 UTC'",
        "hours = '00:00-24:00 UTC'",
        "max_active = 1",
        "max_lead = '1m'",
    ]);
    let longest = one_of(&["10m", "1h", "30s"]);
    (members, hosts, logins, approvals, more, longest, any::<bool>(), 0..6_u8).prop_map(
        |(members, hosts, logins, approvals, more, longest, sudo, kind)| match kind {
            0 => format!("[[deny]]\nmembers = ['{members}']\nlogins = ['{logins}']\n"),
            _ => format!(
                "[[role]]\nname = 'NAME'\nmembers = ['{members}']\nhosts = ['{hosts}']\n\
                 logins = ['{logins}']\nsudo = {sudo}\nmax_duration = '{longest}'\n{approvals}\n\
                 {more}\n"
            ),
        },
    )
}

fn policy() -> impl Strategy<Value = String> {
    let numbered = |rules: Vec<String>| {
        let named = |(n, rule): (usize, String)| rule.replace("NAME", &format!("r{n}"));
        rules.into_iter().enumerate().map(named).collect()
    };
    proptest::collection::vec(rule(), 0..5).prop_map(numbered)
}

/// A yes, a not yet or a no.
fn kind(verdict: &Decided) -> u8 {
    match verdict {
        Decided::Allow => 0,
        Decided::Pending { .. } => 1,
        Decided::Deny { .. } => 2,
    }
}

#[test]
fn command_line_prompt_and_library_give_the_same_answer() {
    let desk = Desk::new();
    let labels = [crate::name::Label::parse("env=prod").unwrap()].into();
    let web = HostName::parse("web-1").unwrap();
    desk.authority.put_host(&Actor::Root, &web, &labels).unwrap();
    let hosts = [Host { name: web, labels, created_at: desk.authority.now().unwrap(), key: None }];
    // Each case writes to a store: fewer of them than of those that only compute.
    let cases = crate::policy::cases().min(40_000) / 20;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let logins = prop::sample::select(&["alice", "deploy", "root"][..]);
    let input = (policy(), prop::sample::select(&PEOPLE[..]), logins, any::<bool>(), 1_u64..4000);
    let same = |(text, name, login, sudo, seconds): (String, &str, &str, bool, u64)| {
        let policy_file = desk.dir.path().join("policy.toml");
        std::fs::write(policy_file, &text).unwrap();
        let authority = &desk.authority;
        let policy = authority.policy().unwrap();
        let now = authority.now().unwrap();
        let requester = authority.person(&person(name)).unwrap();
        let action = if sudo { Action::Sudo } else { Action::Login };
        let attempt = Attempt { action, ..attempt(login, action) };
        let mut ask = ask(name, seconds);
        (ask.login, ask.sudo) = (attempt.login.clone(), sudo);
        let held = Held::new();
        let facts = |draft| Facts {
            requester: &requester,
            hosts: &hosts,
            approvers: &[],
            before: 0,
            held: &held,
            draft,
        };
        // What could be had, for the shortest time: explain, and the offer at the prompt.
        let mut shortest = ask.clone();
        shortest.duration = Span::from_secs(1).unwrap();
        let could = decide(&shortest, &policy, &facts(true), now);
        let place = Place::parse("web-1").unwrap();
        let told = authority.explain(&requester.name, &ask.login, &place, sudo, None).unwrap();
        prop_assert_eq!(&told.decision, &could);
        let who = Identity { person: requester.name.clone(), by: "a test".into(), session: None };
        let entry = authority.may_enter(&who, &attempt).unwrap();
        let Entry::NoCover { offer, .. } = entry else { panic!("{entry:?}") };
        prop_assert_eq!(offer.is_some(), kind(&could.verdict) < 2);
        prop_assert_eq!(
            offer.map(|offer| offer.longest),
            could.longest.filter(|_| offer.is_some())
        );
        // What is asked for: the library, the command line, the prompt.
        let decision = decide(&ask, &policy, &facts(false), now);
        let by = Actor::Person(requester.name.clone());
        let filed =
            authority.request(&NewRequest { ask: ask.clone(), by: by.clone(), origin: None });
        let end = |id: &crate::id::GrantId| {
            let which = RevokeWhich::Id(id.clone());
            authority.revoke(&which, &Actor::Root, &reason()).unwrap();
        };
        let by_command = filed.as_ref().map_or(2, |grant| {
            end(grant.id());
            u8::from(grant.phase(now) == Phase::Requested)
        });
        prop_assert_eq!(by_command, kind(&decision.verdict), "{:?}", filed);
        let standing = authority.file_request(&who, &attempt, ask.reason.as_str(), ask.duration);
        let at_prompt = standing.as_ref().map_or(2, |standing| {
            end(&standing.id);
            u8::from(standing.phase == Phase::Requested)
        });
        prop_assert_eq!(at_prompt, by_command, "{:?}", standing);
        if let (Ok(standing), Decided::Pending { missing }) = (&standing, &decision.verdict) {
            prop_assert_eq!(&standing.missing, missing);
        }
        Ok(())
    };
    runner.run(&input, same).unwrap();
}
