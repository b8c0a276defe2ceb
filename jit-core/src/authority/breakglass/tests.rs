//! Break-glass on a real store.

use super::*;
use crate::authority::testing::{Desk, attempt, person, public_key, reason};
use crate::breakglass::Rules;
use crate::config::FactorLimits;
use crate::login::{Entry, Evidence, LoginService};
use crate::policy::{login_pattern, member};
use crate::time::Span;

/// alice and bob may break the glass, as themselves and as root; carol may not.
fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.authority.config.break_glass = Rules {
        members: vec![member("alice").unwrap(), member("bob").unwrap()],
        logins: vec![login_pattern("{person}").unwrap(), login_pattern("root").unwrap()],
        window: Span::parse("30m").unwrap(),
    };
    desk
}

fn codes(desk: &Desk, count: u32) -> Vec<String> {
    let (codes, _) = desk.authority.new_break_glass_codes(count, &[]).unwrap();
    codes.iter().map(|code| code.expose().to_owned()).collect()
}

fn root_login() -> Attempt {
    attempt("root", Action::Login)
}

fn who(desk: &Desk, seed: u8) -> Identity {
    let report = Desk::report(seed);
    desk.authority.identify(&Evidence::Ssh(Some(&report)), &root_login()).unwrap()
}

const WHY: &str = "nobody answers";

fn try_code(desk: &Desk, seed: u8, code: &str) -> Verdict {
    desk.authority.break_glass(Ok(&who(desk, seed)), code, Some(WHY), &root_login()).unwrap()
}

#[test]
fn a_break_glass_code_lets_in_once_past_the_policy_for_a_fixed_window() {
    let desk = desk();
    std::fs::write(desk.dir.path().join("policy.toml"), "").unwrap();
    let code = &codes(&desk, 2)[0];
    let alice = who(&desk, 1);
    let enter = |action| desk.authority.may_enter(&alice, &attempt("root", action)).unwrap();
    assert_eq!(enter(Action::Login), Entry::NoCover { offer: None, may_break: true });
    let Verdict::Broken(used) = try_code(&desk, 1, code) else { panic!("not broken") };
    assert_eq!(used.until.since(used.at), 1800);
    for action in [Action::Login, Action::Sudo] {
        let Entry::Granted(cover) = enter(action) else { panic!("no cover") };
        assert_eq!((cover.deadline, &cover.last), (used.until, &used.id));
    }
    let (grant, now) = desk.authority.grant(&used.id).unwrap();
    assert_eq!((grant.phase(now), grant.terms().role.as_ref()), (Phase::Active, None));
    // Burned, also once somebody looked at it.
    desk.authority.review_break_glass(&used.id, &Actor::Person(person("bob")), &reason()).unwrap();
    assert_eq!(try_code(&desk, 1, code), Verdict::Wrong);
    desk.clock.pass(1800);
    assert_eq!(enter(Action::Login), Entry::NoCover { offer: None, may_break: true });
}

#[test]
fn of_parallel_uses_of_break_glass_codes_exactly_one_lets_in() {
    let desk = desk();
    let codes = codes(&desk, 2);
    let start = std::sync::Barrier::new(8);
    let rules = desk.authority.config.break_glass.clone();
    let broken: usize = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|i| {
                let mut authority = desk.again();
                authority.config.break_glass = rules.clone();
                let (start, code, who) = (&start, &codes[i % 2], who(&desk, 1));
                scope.spawn(move || {
                    start.wait();
                    let verdict = authority.break_glass(Ok(&who), code, Some(WHY), &root_login());
                    usize::from(matches!(verdict.unwrap(), Verdict::Broken(_)))
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(broken, 1);
    assert_eq!(desk.authority.break_glass_uses().unwrap().codes_left(), 1);
}

#[test]
fn a_second_break_glass_use_waits_for_the_review_of_the_last() {
    let desk = desk();
    let codes = codes(&desk, 3);
    let Verdict::Broken(used) = try_code(&desk, 1, &codes[0]) else { panic!("not broken") };
    // By anybody, and nothing is burned.
    assert_eq!(try_code(&desk, 2, &codes[1]), Verdict::NotReviewed(used.clone()));
    assert_eq!(desk.authority.break_glass_uses().unwrap().codes_left(), 2);
    let review = |by| desk.authority.review_break_glass(&used.id, &by, &reason());
    let alice = Actor::Person(person("alice"));
    assert_eq!(review(alice.clone()).unwrap_err().kind(), Kind::Refused);
    assert_eq!(desk.authority.could_review(&used.id, &alice).unwrap_err().kind(), Kind::Refused);
    desk.authority.could_review(&used.id, &Actor::Root).unwrap();
    assert!(matches!(try_code(&desk, 2, &codes[1]), Verdict::NotReviewed(_)), "could is not did");
    review(Actor::Root).unwrap();
    assert!(matches!(try_code(&desk, 2, &codes[1]), Verdict::Broken(_)));
    let records = desk.authority.last_records(100).unwrap();
    let last = |action: &str| records.iter().rfind(|r| r.action == action).unwrap();
    assert!(last("break-glass.review").detail.contains("\"by_root_alone\":true"));
    let used = last(BREAK_GLASS);
    assert_eq!((used.actor.as_str(), used.object.as_str()), ("person:bob", "root@web-1"));
    for word in [WHY, "192.0.2.1", "\"grant\"", "\"until\""] {
        assert!(used.detail.contains(word), "{word} in {}", used.detail);
    }
    for code in &codes {
        assert!(records.iter().all(|r| !r.detail.contains(code)), "a code is on the log");
    }
}

#[test]
fn a_break_glass_code_is_no_use_to_others() {
    let desk = desk();
    let code = &codes(&desk, 1)[0];
    let nobody = Error::refused("the key is nobody's");
    let tried = desk.authority.break_glass(Err(&nobody), code, Some(WHY), &root_login()).unwrap();
    assert_eq!(tried, Verdict::Wrong, "without a person's key");
    assert_eq!(try_code(&desk, 3, code), Verdict::Wrong, "carol is no member");
    let deploy = attempt("deploy", Action::Login);
    let tried = desk.authority.break_glass(Ok(&who(&desk, 1)), code, Some(WHY), &deploy).unwrap();
    assert_eq!(tried, Verdict::Wrong, "deploy is not listed");
    let error = desk.authority.break_glass(Ok(&who(&desk, 1)), code, Some(" "), &root_login());
    assert_eq!(error.unwrap_err().kind(), Kind::Invalid, "without a reason");
    // Nor is it any other kind of code.
    assert!(desk.authority.prove(&person("alice"), code, "x").is_err());
    let verdict = desk.authority.verify_factor(Ok(&who(&desk, 1)), code, &root_login()).unwrap();
    assert!(!verdict.accepted());
    assert!(
        matches!(try_code(&desk, 1, code), Verdict::Broken(_)),
        "it is not burned by any of it"
    );
}

#[test]
fn guesses_of_break_glass_codes_are_throttled_like_those_of_others() {
    let mut desk = desk();
    let limits = FactorLimits { attempts: 3, ..desk.authority.config.factor };
    desk.authority.config.factor = limits;
    let code = &codes(&desk, 1)[0];
    for _ in 0..3 {
        assert_eq!(try_code(&desk, 1, "bg-0000-0000-0000-0000"), Verdict::Wrong);
    }
    assert!(matches!(try_code(&desk, 1, code), Verdict::Throttled { .. }));
    assert!(
        desk.authority.prove(&person("alice"), &desk.code("alice"), "x").is_err(),
        "one counter"
    );
    assert!(matches!(try_code(&desk, 2, code), Verdict::Broken(_)), "bob's is another");
}

#[test]
fn who_lost_their_phone_gets_as_far_as_the_prompt_only_where_they_may_break_the_glass() {
    let desk = desk();
    let keys = |login: &str| desk.authority.authorized_keys(&Login::parse(login).unwrap()).unwrap();
    assert!(keys("root").is_empty(), "there is no code yet");
    desk.authority.new_break_glass_codes(1, &[Login::parse("root").unwrap()]).unwrap();
    let pty = |seed| format!("restrict,pty {}", public_key(seed));
    assert_eq!(keys("root"), [pty(1), pty(2)]);
    assert!(keys("games").is_empty());
    // The codes are for root alone, so that carol's own account is as before.
    assert!(keys("carol").is_empty());
    desk.authority.reset_factors(&Actor::Root, &person("alice")).unwrap();
    let (codes, replaced) = desk.authority.new_break_glass_codes(1, &[]).unwrap();
    assert_eq!(replaced, 1);
    assert!(matches!(try_code(&desk, 1, codes[0].expose()), Verdict::Broken(_)));
}

#[test]
fn without_members_there_are_no_break_glass_codes() {
    let desk = Desk::new();
    let error = desk.authority.new_break_glass_codes(1, &[]).err().unwrap();
    assert!(error.to_string().contains("members"), "{error}");
}

#[test]
fn at_sudo_the_code_of_a_window_that_lasts_proves_its_person_again() {
    let desk = desk();
    let codes = codes(&desk, 2);
    let ask = |seed, code: &str, action| {
        let attempt = attempt("root", action);
        desk.authority.break_glass(Ok(&who(&desk, seed)), code, None, &attempt).unwrap()
    };
    assert_eq!(ask(1, &codes[0], Action::Sudo), Verdict::WantsReason);
    assert_eq!(desk.authority.break_glass_uses().unwrap().codes_left(), 2, "nothing is burned");
    let Verdict::Broken(used) = try_code(&desk, 1, &codes[0]) else { panic!("not broken") };
    assert_eq!(ask(1, &codes[0], Action::Sudo), Verdict::Known);
    assert_eq!(ask(1, &codes[0], Action::Login), Verdict::WantsReason, "it logs in once");
    assert_eq!(ask(2, &codes[0], Action::Sudo), Verdict::WantsReason, "it is alice's");
    assert_eq!(ask(1, &codes[1], Action::Sudo), Verdict::WantsReason);
    let which = crate::authority::RevokeWhich::Id(used.id);
    desk.authority.revoke(&which, &Actor::Root, &reason()).unwrap();
    assert_eq!(ask(1, &codes[0], Action::Sudo), Verdict::WantsReason, "its window is over");
}
