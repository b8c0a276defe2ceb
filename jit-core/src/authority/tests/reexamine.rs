//! Living grants when the policy changes or their person is suspended.

use super::*;
use crate::config::OnChange;
use crate::grant::{Grant, State};

fn phase(desk: &Desk, grant: &Grant) -> Phase {
    let (grant, now) = desk.authority.grant(grant.id()).unwrap();
    grant.phase(now)
}

fn policy(desk: &Desk, text: &str) {
    std::fs::write(desk.dir.path().join("policy.toml"), text).unwrap();
}

/// What jitd does when the policy changed.
fn reexamine(desk: &Desk) -> Vec<crate::id::GrantId> {
    desk.authority.reexamine(&desk.authority.policy().unwrap()).unwrap()
}

/// A grant that was approved by `by`.
fn approved(desk: &Desk, name: &str, by: &str) -> Grant {
    let asked = desk.authority.request(&new(name, 600)).unwrap();
    let (grant, _) = desk.approve(asked.id(), by).unwrap();
    grant
}

#[test]
fn a_grant_that_the_policy_no_longer_gives_ends_and_says_why() {
    let desk = Desk::new();
    let (alices, bobs) = (approved(&desk, "alice", "bob"), approved(&desk, "bob", "carol"));
    let more = Span::from_secs(300).unwrap();
    let extension = desk.authority.extend(alices.id(), more, None, &Actor::Root).unwrap();
    let _ = desk.approve(extension.id(), "carol").unwrap();
    let alone = desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let waiting = desk.authority.request(&new("alice", 600)).unwrap();
    assert!(reexamine(&desk).is_empty(), "nothing was changed");
    // A change that gives it still, by more approvals, takes nothing away.
    policy(&desk, &POLICY.replace("count = 1", "count = 2"));
    assert!(reexamine(&desk).is_empty());
    desk.clock.pass(60);
    policy(&desk, &POLICY.replace("\"alice\", ", ""));
    let ended = reexamine(&desk);
    let ids: BTreeSet<_> = ended.iter().collect();
    assert_eq!(ids, BTreeSet::from([alices.id(), extension.id()]));
    assert_eq!(phase(&desk, &alices), Phase::Revoked);
    assert_eq!(phase(&desk, &bobs), Phase::Active);
    assert_eq!(phase(&desk, &alone), Phase::Active, "no policy gave it");
    assert_eq!(phase(&desk, &waiting), Phase::Requested, "approving it asks the policy");
    let (grant, _) = desk.authority.grant(alices.id()).unwrap();
    let State::Revoked { by, reason, .. } = grant.state() else { panic!("{:?}", grant.state()) };
    assert_eq!(by, &Actor::Program(crate::grant::Program::Jitd));
    assert_eq!(
        reason.as_str(),
        "the policy no longer gives it: no role of the policy names this person"
    );
    let log = records(&desk);
    let record = log.iter().rfind(|r| r.action == "grant.revoke").unwrap();
    assert_eq!((record.actor.as_str(), record.outcome), ("program:jitd", Outcome::Done));
    // The policy as it was brings nothing back.
    policy(&desk, POLICY);
    assert!(reexamine(&desk).is_empty());
    assert_eq!(phase(&desk, &alices), Phase::Revoked);
}

#[test]
fn suspending_ends_grants_and_denies_requests_and_resuming_brings_none_back() {
    let desk = Desk::new();
    let grant = approved(&desk, "alice", "bob");
    let alone = desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let waiting = desk.authority.request(&new("alice", 600)).unwrap();
    for suspended in [true, false] {
        desk.authority.suspend(&Actor::Root, &person("alice"), suspended).unwrap();
        assert_eq!(phase(&desk, &grant), Phase::Revoked);
        assert_eq!(phase(&desk, &alone), Phase::Revoked);
        assert_eq!(phase(&desk, &waiting), Phase::Denied);
    }
}

#[test]
fn where_the_configuration_keeps_them_grants_run_on() {
    let mut desk = Desk::new();
    desk.authority.config.on_change = OnChange::Keep;
    let grant = approved(&desk, "alice", "bob");
    policy(&desk, "");
    assert!(reexamine(&desk).is_empty());
    desk.authority.suspend(&Actor::Root, &person("alice"), true).unwrap();
    assert_eq!(phase(&desk, &grant), Phase::Active);
    let explained = |desk: &Desk| {
        let (login, place) = (&grant.ask().login, &grant.ask().place);
        let found = desk.authority.explain(&person("alice"), login, place, false, None).unwrap();
        found.covered_until
    };
    assert_eq!(explained(&desk), None);
    desk.authority.suspend(&Actor::Root, &person("alice"), false).unwrap();
    assert_eq!(explained(&desk), grant.window().map(|window| window.not_after));
}

/// By group, on hosts with a label.
const BY_GROUP: &str = r#"
[[role]]
name = "debug"
members = ["@dev"]
hosts = ["env=test"]
logins = ["deploy"]
max_duration = "1h"
approvals = [{ from = "@leads", count = 1 }]
"#;

fn group(desk: &Desk, name: &str, add: &str, remove: &str) -> Vec<crate::id::GrantId> {
    let set = |text: &str| {
        let names = text.split_whitespace();
        names.map(|name| crate::name::GroupName::parse(name).unwrap()).collect::<BTreeSet<_>>()
    };
    let name = person(name);
    desk.authority.change_groups(&Actor::Root, &name, &set(add), &set(remove)).unwrap().1
}

fn label(desk: &Desk, labels: &str) -> Vec<crate::id::GrantId> {
    let labels =
        labels.split_whitespace().map(|label| crate::name::Label::parse(label).unwrap()).collect();
    let web1 = HostName::parse("web-1").unwrap();
    desk.authority.put_host(&Actor::Root, &web1, &labels).unwrap().1
}

#[test]
fn who_leaves_a_group_loses_what_it_gave_and_keeps_what_others_give() {
    let desk = Desk::new();
    policy(&desk, BY_GROUP);
    label(&desk, "env=test");
    let given = approved(&desk, "alice", "bob");
    let more = Span::from_secs(300).unwrap();
    let extension = desk.authority.extend(given.id(), more, None, &Actor::Root).unwrap();
    let _ = desk.approve(extension.id(), "carol").unwrap();
    let alone = desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    assert!(group(&desk, "alice", "oncall", "").is_empty(), "that takes nothing");
    assert!(group(&desk, "bob", "", "leads").is_empty(), "his yes was one when he gave it");
    assert_eq!(phase(&desk, &given), Phase::Active);
    let ended: BTreeSet<_> = group(&desk, "alice", "", "dev").into_iter().collect();
    assert_eq!(ended, [given.id().clone(), extension.id().clone()].into());
    assert_eq!((phase(&desk, &given), phase(&desk, &alone)), (Phase::Revoked, Phase::Active));
    let (revoked, _) = desk.authority.grant(given.id()).unwrap();
    let State::Revoked { by, reason, .. } = revoked.state() else { panic!("{revoked:?}") };
    assert_eq!(by, &Actor::Root);
    assert!(reason.as_str().starts_with("the policy no longer gives it: "), "{reason}");
    let log = records(&desk);
    let record = log.iter().rfind(|record| record.action == "person.groups").unwrap();
    assert!(record.detail.contains(given.id().as_str()), "{}", record.detail);
    group(&desk, "alice", "dev", "");
    assert_eq!(phase(&desk, &given), Phase::Revoked, "coming back brings nothing back");
}

#[test]
fn a_host_whose_label_changes_takes_the_grants_that_went_by_it_along() {
    let desk = Desk::new();
    policy(&desk, BY_GROUP);
    label(&desk, "env=test");
    let given = approved(&desk, "alice", "bob");
    assert!(label(&desk, "env=test rack=4").is_empty());
    assert_eq!(label(&desk, "env=prod"), [given.id().clone()]);
    assert_eq!(phase(&desk, &given), Phase::Revoked);
}

#[test]
fn where_the_configuration_keeps_them_no_group_or_label_ends_a_grant() {
    let mut desk = Desk::new();
    policy(&desk, BY_GROUP);
    label(&desk, "env=test");
    let given = approved(&desk, "alice", "bob");
    desk.authority.config.on_change = OnChange::Keep;
    assert!(group(&desk, "alice", "", "dev").is_empty() && label(&desk, "").is_empty());
    assert_eq!(phase(&desk, &given), Phase::Active);
}
