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
