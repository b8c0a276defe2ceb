//! A grant's life, transition by transition.

use proptest::prelude::*;

use super::testing::*;
use super::*;
use crate::policy::cases;

fn reason() -> Reason {
    Reason::parse("because").unwrap()
}

#[test]
fn the_window_ends_when_it_ends() {
    let grant = active(ask("alice", 60), 1000);
    assert_eq!(grant.phase(at(1000)), Phase::Active);
    assert_eq!(grant.phase(at(1059)), Phase::Active);
    assert_eq!(grant.phase(at(1060)), Phase::Ended);
}

#[test]
fn a_late_approval_of_a_scheduled_window_does_not_move_its_end() {
    let mut wanted = ask("alice", 600);
    wanted.start = Some(at(1100));
    let early = requested(wanted.clone(), 1000).approve(Way::People, at(1050)).unwrap();
    assert_eq!(early.window().unwrap(), Window::new(at(1100), at(1700)).unwrap());
    assert_eq!(early.phase(at(1099)), Phase::Scheduled);
    let late = requested(wanted.clone(), 1000).approve(Way::People, at(1400)).unwrap();
    assert_eq!(late.window().unwrap(), Window::new(at(1400), at(1700)).unwrap());
    assert!(requested(wanted, 1000).approve(Way::People, at(1700)).is_err());
}

#[test]
fn what_is_decided_stays_decided() {
    let now = at(1010);
    let decided = [
        active(ask("alice", 60), 1000),
        requested(ask("alice", 60), 1000).deny(Actor::Root, None, now).unwrap(),
        requested(ask("alice", 60), 1000).cancel(Actor::Root, now).unwrap(),
        active(ask("alice", 60), 1000).revoke(Actor::Root, reason(), now).unwrap(),
    ];
    for grant in decided {
        let bob = PersonName::parse("bob").unwrap();
        assert!(grant.clone().approve(Way::Root, now).is_err());
        assert!(grant.clone().approved_by(bob, yes(&grant, None), now).is_err());
        assert!(grant.clone().deny(Actor::Root, None, now).is_err());
        assert!(grant.clone().cancel(Actor::Root, now).is_err());
        assert!(grant.clone().lapse(at(9999)).is_err());
        let revocable = matches!(grant.state(), State::Approved { .. });
        assert_eq!(grant.clone().revoke(Actor::Root, reason(), now).is_ok(), revocable);
    }
}

#[test]
fn an_undecided_request_lapses_and_then_nobody_can_approve_it() {
    let grant = requested(ask("alice", 60), 1000);
    assert!(grant.clone().lapse(at(4599)).is_err());
    assert_eq!(grant.phase(at(4600)), Phase::Lapsed);
    assert!(grant.clone().approve(Way::People, at(4600)).is_err());
    assert!(grant.lapse(at(4600)).is_ok());
}

#[test]
fn nobody_approves_their_own_request_or_twice() {
    let grant = requested(ask("alice", 60), 1000);
    let alice = PersonName::parse("ALICE").unwrap();
    assert!(grant.clone().approved_by(alice, yes(&grant, None), at(1001)).is_err());
    let bob = PersonName::parse("bob").unwrap();
    let given = yes(&grant, None);
    let once = grant.approved_by(bob.clone(), given.clone(), at(1001)).unwrap();
    assert_eq!(once.version(), 2);
    assert!(once.approved_by(bob, given, at(1002)).is_err());
}

#[test]
fn a_revoked_grant_has_no_window() {
    let grant = active(ask("alice", 60), 1000).revoke(Actor::Root, reason(), at(1001)).unwrap();
    assert!(grant.window().is_none());
    assert_eq!(grant.phase(at(1001)), Phase::Revoked);
    assert!(active(ask("alice", 60), 1000).revoke(Actor::Root, reason(), at(1060)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Whatever approvers and root make of it, in whatever order, it never ends later than asked
    /// for, nor than before; what is refused changes nothing.
    #[test]
    fn shortening_never_lengthens(
        secs in 1_u64..200,
        mosts in proptest::collection::vec(prop::option::of(1_u64..250), 1..4),
        lefts in proptest::collection::vec((1_u64..250, 0_u64..80), 0..5),
    ) {
        let mut grant = requested(ask("alice", secs), 1000);
        let mut least = secs;
        for (most, by) in mosts.into_iter().zip(["bob", "carol", "dave"]) {
            let by = PersonName::parse(by).unwrap();
            let longer = most.is_some_and(|most| most > secs);
            let given = grant.clone().approved_by(by, yes(&grant, most), at(1000));
            prop_assert_eq!(given.is_err(), longer);
            if let Ok(given) = given {
                grant = given;
                least = least.min(most.unwrap_or(secs));
            }
        }
        if grant.counting().next().is_none() {
            return Ok(());
        }
        let mut grant = grant.approve(Way::People, at(1000)).unwrap();
        let mut now = 1000;
        let mut end = grant.window().unwrap().not_after.unix();
        prop_assert_eq!(end, 1000 + least);
        for (left, later) in lefts {
            now += later;
            let left_over = Span::from_secs(left).unwrap();
            if let Ok(shorter) = grant.clone().shorten(left_over, Actor::Root, at(now)) {
                let sooner = shorter.window().unwrap().not_after.unix();
                prop_assert!(sooner < end && sooner > now && sooner <= now + left);
                prop_assert!(shorter.check_window().is_ok());
                (grant, end) = (shorter, sooner);
            }
            prop_assert_eq!(grant.window().unwrap().not_after.unix(), end);
        }
    }
}
