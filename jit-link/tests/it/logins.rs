//! What a login gets through the socket, from its key to its session.

use std::sync::atomic::Ordering;

use jit_core::Kind;
use jit_core::factor::Verdict;
use jit_core::grant::Phase;
use jit_core::link::{Linked, authorized_keys};
use jit_core::login::{Attempt, Entry, Evidence, LoginService};
use jit_core::time::Span;
use jit_link::{Door, Reach, Step};

use crate::ground::*;

/// Runs `act` while the host's socket is answered.
fn with_door(ground: &Ground, act: impl FnOnce(&Linked)) {
    let open = || Ok(ground.here());
    let reach = Reach::default();
    Step::new(ground.here(), &ground.office, &reach).once(std::time::Duration::ZERO).unwrap();
    let socket = ground.here().config().link_socket();
    let listener = Door::listen(&socket).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&socket.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "root's alone");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let door = Door::new(&open, &ground.office, &reach);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                door.serve_one(&listener);
            }
        });
        // The door is closed also where the test fails.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            act(&Linked::new(ground.here()));
        }));
        stop.store(true, Ordering::SeqCst);
        drop(std::os::unix::net::UnixStream::connect(&socket));
        if let Err(why) = outcome {
            std::panic::resume_unwind(why);
        }
    });
}

fn report() -> String {
    format!("publickey {KEY}\n")
}

#[test]
fn a_login_asks_proves_its_factor_and_comes_in_by_the_authoritys_word() {
    let ground = Ground::new();
    with_door(&ground, |linked| {
        let report = report();
        let keys = authorized_keys(ground.here(), &login()).unwrap();
        assert_eq!(keys.len(), 1, "she may ask");
        let who = linked.identify(&Evidence::Ssh(Some(&report)), &attempt()).unwrap();
        let code = ground.code();
        let verdict = linked.verify_factor(Ok(&who), &code, &attempt()).unwrap();
        assert!(verdict.accepted());
        assert_eq!(linked.verify_factor(Ok(&who), &code, &attempt()).unwrap(), Verdict::Wrong);
        let nobody = jit_core::Error::refused("nobody's key");
        let verdict = linked.verify_factor(Err(&nobody), &ground.code(), &attempt()).unwrap();
        assert_eq!(verdict, Verdict::NotEnrolled);
        let Entry::NoCover { offer: Some(offer), .. } = linked.may_enter(&who, &attempt()).unwrap()
        else {
            panic!("she may ask");
        };
        assert_eq!(offer.longest.secs(), 3600);
        let span = Span::from_secs(600).unwrap();
        let filed = linked.file_request(&who, &attempt(), "the disk is full", span).unwrap();
        assert_eq!(filed.phase, Phase::Active);
        // Known here before she is told.
        assert!(matches!(linked.may_enter(&who, &attempt()).unwrap(), Entry::Granted(_)));
        assert_eq!(linked.standing(&filed.id).unwrap().phase, Phase::Active);
        let error = linked.file_request(&who, &attempt(), "", span).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "its kind comes through: {error}");
    });
    let log = ground.there(|office| office.last_records(20).unwrap());
    assert!(log.iter().any(|r| r.actor == "host:web-2" && r.action == "grant.request"));
}

#[test]
fn a_role_that_takes_certain_factors_takes_them_on_a_host_too() {
    for (takes, enters) in [("recovery", true), ("totp", false)] {
        let ground = Ground::new();
        ground.set_policy(&format!("factors = {{ login = ['{takes}'] }}\n"));
        with_door(&ground, |linked| {
            let report = report();
            let who = linked.identify(&Evidence::Ssh(Some(&report)), &attempt()).unwrap();
            let span = Span::from_secs(600).unwrap();
            let filed = linked.file_request(&who, &attempt(), "the disk is full", span).unwrap();
            assert_eq!(filed.phase, Phase::Active);
            let entry = linked.may_enter(&who, &attempt()).unwrap();
            assert!(matches!(entry, Entry::WantsFactor { .. }), "{entry:?}");
            // A recovery code.
            assert!(linked.verify_factor(Ok(&who), "wrong", &attempt()).is_ok());
            assert!(!matches!(linked.may_enter(&who, &attempt()).unwrap(), Entry::Granted(_)));
            let verdict = linked.verify_factor(Ok(&who), &ground.code(), &attempt()).unwrap();
            assert!(verdict.accepted());
            let entry = linked.may_enter(&who, &attempt()).unwrap();
            assert_eq!(matches!(entry, Entry::Granted(_)), enters, "{takes}: {entry:?}");
            // In another process it was not given.
            let other = Attempt { pid: 1, ..attempt() };
            assert!(!matches!(linked.may_enter(&who, &other).unwrap(), Entry::Granted(_)));
        });
    }
}

#[test]
fn while_the_authority_is_away_who_holds_access_comes_in_as_far_as_no_code_is_needed() {
    let ground = Ground::new();
    ground.grant();
    with_door(&ground, |linked| {
        ground.office.away.store(true, Ordering::SeqCst);
        let report = report();
        assert_eq!(authorized_keys(ground.here(), &login()).unwrap().len(), 1);
        let who = linked.identify(&Evidence::Ssh(Some(&report)), &attempt()).unwrap();
        assert!(matches!(linked.may_enter(&who, &attempt()).unwrap(), Entry::Granted(_)));
        let error = linked.verify_factor(Ok(&who), &ground.code(), &attempt()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        // What can be done without is not asked for again and again meanwhile.
        let asked = ground.office.asked.load(Ordering::SeqCst);
        let backstop = linked.backstop(&who, &attempt()).unwrap().unwrap();
        assert!(backstop.is_deadline, "no jitd runs");
        authorized_keys(ground.here(), &login()).unwrap();
        assert_eq!(ground.office.asked.load(Ordering::SeqCst), asked);
    });
}

#[test]
fn without_jit_link_a_code_proves_nothing() {
    let ground = Ground::new();
    ground.grant();
    Step::new(ground.here(), &ground.office, &Reach::default())
        .once(std::time::Duration::ZERO)
        .unwrap();
    let linked = Linked::new(ground.here());
    let report = report();
    let who = linked.identify(&Evidence::Ssh(Some(&report)), &attempt()).unwrap();
    let error = linked.verify_factor(Ok(&who), &ground.code(), &attempt()).unwrap_err();
    assert!(error.to_string().contains("jit-link"), "{error}");
    assert!(jit_core::link::out_of_reach(ground.here().config(), &error));
    assert_eq!(authorized_keys(ground.here(), &login()).unwrap().len(), 1, "she holds access");
}
