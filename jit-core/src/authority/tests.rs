//! The verbs of the authority on a real store.

mod agreement;
mod enrolment;
mod evidence;
mod factor_rules;
mod fleet;
mod hostile_host;
mod life;
mod policies;
mod reexamine;
mod together;

use std::collections::BTreeSet;
use std::sync::Barrier;

use super::testing::*;
use super::*;
use crate::audit::Record;
use crate::error::Kind;
use crate::factor::Verdict;
use crate::grant::{Action, Ask, Grant, Permission, Phase};
use crate::login::{Entry, Evidence, LoginService, Offer};
use crate::name::{HostName, Login, Reason};
use crate::process::Anchor;
use crate::time::Span;

fn new(name: &str, seconds: u64) -> NewRequest {
    NewRequest { ask: ask(name, seconds), by: Actor::Person(person(name)), origin: None }
}

/// What somebody hears without cover whom the policy lets ask, or not.
fn no_cover(may_ask: bool) -> Entry {
    let span = |seconds| Span::from_secs(seconds).unwrap();
    let offer = may_ask.then(|| Offer { usual: span(1800), longest: span(3600) });
    Entry::NoCover { offer, may_break: false }
}

fn records(desk: &Desk) -> Vec<Record> {
    desk.authority.last_records(10_000).unwrap()
}

fn anchor() -> Anchor {
    Anchor { audit_session: Some(7), audit_uid: Some(1000), ..Anchor::here().unwrap() }
}

/// Holds the keeper's lock, as jitd does.
fn keeper(desk: &Desk) -> nix::fcntl::Flock<std::fs::File> {
    let file = std::fs::File::create(desk.authority.config.keeper_lock()).unwrap();
    nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap()
}

#[test]
fn a_request_is_approved_by_another_and_covers_until_its_end() {
    let desk = Desk::new();
    let grant = desk.authority.request(&new("alice", 600)).unwrap();
    assert_eq!(desk.authority.standing(grant.id()).unwrap().phase, Phase::Requested);
    let (approved, _) = desk.approve(grant.id(), "bob").unwrap();
    let who = desk
        .authority
        .identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt("deploy", Action::Login))
        .unwrap();
    let entry = desk.authority.may_enter(&who, &attempt("deploy", Action::Login)).unwrap();
    let Entry::Granted(cover) = entry else { panic!("no cover") };
    assert_eq!(cover.deadline, approved.window().unwrap().not_after);
    desk.clock.pass(600);
    let entry = desk.authority.may_enter(&who, &attempt("deploy", Action::Login)).unwrap();
    assert_eq!(entry, no_cover(true));
    let log = desk.authority.verify_log().unwrap();
    assert_eq!(log.records, records(&desk).len() as u64);
}

#[test]
fn no_path_lets_somebody_approve_their_own_request() {
    let desk = Desk::new();
    // bob is a lead, so the policy's `from` names him; his own request is still not his to approve.
    let own = desk.authority.request(&new("bob", 60)).unwrap();
    for name in ["bob", "BOB", "Bob"] {
        let error = desk.approve(own.id(), name).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
    }
    let alices = desk.authority.request(&new("alice", 60)).unwrap();
    assert!(desk.approve(alices.id(), "alice").is_err(), "no lead at all");
    let refusals = records(&desk)
        .into_iter()
        .filter(|r| r.action == "grant.approve" && r.outcome == Outcome::Refused);
    assert_eq!(refusals.count(), 4, "each refusal is on the log");
    assert_eq!(desk.authority.grant(own.id()).unwrap().0.version(), 1, "nothing was changed");
}

#[test]
fn an_empty_or_missing_policy_denies() {
    let desk = Desk::new();
    let policy = desk.dir.path().join("policy.toml");
    std::fs::write(&policy, "").unwrap();
    assert_eq!(desk.authority.request(&new("alice", 60)).unwrap_err().kind(), Kind::Refused);
    std::fs::remove_file(&policy).unwrap();
    assert_eq!(desk.authority.request(&new("alice", 60)).unwrap_err().kind(), Kind::Misconfigured);
    let who = desk
        .authority
        .identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt("deploy", Action::Login))
        .unwrap();
    let entry = desk.authority.may_enter(&who, &attempt("deploy", Action::Login)).unwrap();
    assert_eq!(entry, no_cover(false));
    assert!(desk.authority.authorized_keys(&Login::parse("deploy").unwrap()).unwrap().is_empty());
}

#[test]
fn a_duration_beyond_the_maximum_is_refused() {
    let desk = Desk::new();
    let error = desk.authority.request(&new("alice", 3601)).unwrap_err();
    assert!(error.what().contains("at most 1h"), "{error}");
    assert!(desk.authority.request(&new("alice", 3600)).is_ok());
}

#[test]
fn racing_decisions_have_one_winner_and_the_losers_are_told() {
    let desk = Desk::new();
    for _ in 0..20 {
        let grant = desk.authority.request(&new("alice", 600)).unwrap();
        let start = Barrier::new(4);
        let run = |verb: fn(&Authority, &crate::id::GrantId) -> Result<()>| {
            let authority = desk.again();
            let (start, id) = (&start, grant.id().clone());
            move || {
                start.wait();
                verb(&authority, &id)
            }
        };
        let results: Vec<Result<()>> = std::thread::scope(|scope| {
            let racers = [
                scope.spawn(run(|a, id| approve(a, id, "bob").map(drop))),
                scope.spawn(run(|a, id| approve(a, id, "carol").map(drop))),
                scope.spawn(run(|a, id| a.deny(id, &Actor::Root, None).map(drop))),
                scope.spawn(run(|a, id| a.cancel(id, &Actor::Person(person("alice"))).map(drop))),
            ];
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for lost in results.into_iter().filter_map(Result::err) {
            assert_eq!(lost.kind(), Kind::Conflict, "{lost}");
        }
    }
    desk.authority.verify_log().unwrap();
}

#[test]
fn of_100_parallel_attempts_with_one_code_exactly_one_is_accepted() {
    let desk = Desk::new();
    for _ in 0..5 {
        desk.clock.pass(600);
        let code = desk.code("alice");
        let start = Barrier::new(100);
        let accepted: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..100)
                .map(|_| {
                    let (authority, start, code) = (desk.again(), &start, &code);
                    scope.spawn(move || {
                        start.wait();
                        usize::from(authority.prove(&person("alice"), code, "race").is_ok())
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!(accepted, 1);
    }
}

#[test]
fn twenty_parallel_guesses_never_exceed_the_limit() {
    let desk = Desk::new();
    let start = Barrier::new(20);
    let looked_at: usize = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..20)
            .map(|i| {
                let (authority, start) = (desk.again(), &start);
                scope.spawn(move || {
                    start.wait();
                    let error = authority.prove(&person("alice"), &format!("x{i}"), "race");
                    usize::from(error.unwrap_err().what().contains("no code of"))
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(looked_at, desk.authority.config.factor.attempts as usize);
}

#[test]
fn an_unknown_or_unenrolled_person_leaves_the_same_traces_and_gets_no_further() {
    let desk = Desk::new();
    let dora = person("dora");
    desk.authority.add_person(&Actor::Root, &dora, &BTreeSet::new(), &[public_key(9)]).unwrap();
    let attempt = attempt("deploy", Action::Login);
    let unenrolled =
        desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(9))), &attempt).unwrap();
    let unknown = desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(77))), &attempt);
    let verdict = desk.authority.verify_factor(Ok(&unenrolled), "123456", &attempt).unwrap();
    assert_eq!(verdict, Verdict::NotEnrolled);
    let error = unknown.unwrap_err();
    let verdict = desk.authority.verify_factor(Err(&error), "123456", &attempt).unwrap();
    assert_eq!(verdict, Verdict::NotEnrolled);
    let log = records(&desk);
    let last = log.last().unwrap();
    assert_eq!((last.action.as_str(), last.object.as_str()), ("factor.verify", "-"));
    assert!(last.detail.contains("is nobody's"), "the log says what happened: {}", last.detail);
}

#[test]
fn a_clock_that_stepped_back_below_the_last_record_denies() {
    let desk = Desk::new();
    let code = desk.code("alice");
    desk.clock.set_wall(NOW - 3600);
    for error in [
        desk.authority.prove(&person("alice"), &code, "x").unwrap_err(),
        desk.authority.request(&new("alice", 60)).unwrap_err(),
        desk.authority.grant_alone(&Actor::Root, &ask("alice", 60)).unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("jitctl clock accept"), "{error}");
    }
    desk.clock.set_wall(-5);
    assert!(desk.authority.now().unwrap_err().what().contains("before 1970"));
    // An administrator can say that it was the log that was ahead.
    desk.clock.set_wall(NOW - 3600);
    desk.authority.accept_clock(&reason()).unwrap();
    desk.authority.request(&new("alice", 60)).unwrap();
    desk.authority.verify_log().unwrap();
    assert!(desk.authority.accept_clock(&reason()).is_err(), "now it is not behind any more");
}

#[test]
fn a_clock_adjusted_by_a_moment_stands_still() {
    let desk = Desk::new();
    desk.authority.request(&new("alice", 60)).unwrap();
    let before = desk.authority.now().unwrap();
    desk.clock.set_wall(i64::try_from(before.unix()).unwrap() - 3);
    assert_eq!(desk.authority.now().unwrap(), before);
}

#[test]
fn a_session_whose_end_nobody_could_enforce_is_not_opened() {
    let desk = Desk::new();
    desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let attempt = attempt("deploy", Action::Login);
    let who = desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt).unwrap();
    let error = desk.authority.session_opened(&who, &attempt, 1000, anchor(), None).unwrap_err();
    assert!(error.what().contains("jitd does not run"), "{error}");
    let _keeper = keeper(&desk);
    let nothing = Anchor { audit_session: None, ..anchor() };
    let error = desk.authority.session_opened(&who, &attempt, 1000, nothing, None).unwrap_err();
    assert!(error.to_string().contains("pam_loginuid"), "{error}");
    desk.authority.session_opened(&who, &attempt, 1000, anchor(), None).unwrap();
    assert_eq!(desk.authority.watched().unwrap().len(), 1);
}

#[test]
fn revoking_one_grant_leaves_the_session_to_the_other_and_revoking_both_ends_it() {
    let desk = Desk::new();
    let _keeper = keeper(&desk);
    let first = desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let second = desk.authority.grant_alone(&Actor::Root, &ask("alice", 900)).unwrap();
    let attempt = attempt("deploy", Action::Login);
    let who = desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt).unwrap();
    desk.authority.session_opened(&who, &attempt, 1000, anchor(), None).unwrap();
    let left = || desk.authority.watched().unwrap()[0].millis_left;
    assert_eq!(left(), 900_000);
    let revoke = |id| desk.authority.revoke(&RevokeWhich::Id(id), &Actor::Root, &reason());
    revoke(second.id().clone()).unwrap();
    assert_eq!(left(), 600_000);
    revoke(first.id().clone()).unwrap();
    assert_eq!(left(), 0);
}

#[test]
fn suspending_or_removing_a_person_ends_their_cover_at_once() {
    let desk = Desk::new();
    let _keeper = keeper(&desk);
    desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let attempt = attempt("deploy", Action::Login);
    let evidence = Desk::report(1);
    let who = desk.authority.identify(&Evidence::Ssh(Some(&evidence)), &attempt).unwrap();
    desk.authority.session_opened(&who, &attempt, 1000, anchor(), None).unwrap();
    desk.authority.suspend(&Actor::Root, &person("alice"), true).unwrap();
    assert!(desk.authority.identify(&Evidence::Ssh(Some(&evidence)), &attempt).is_err());
    assert_eq!(desk.authority.watched().unwrap()[0].millis_left, 0);
    assert!(desk.authority.request(&new("alice", 60)).is_err());
    desk.authority.suspend(&Actor::Root, &person("alice"), false).unwrap();
    assert_eq!(desk.authority.watched().unwrap()[0].millis_left, 0, "resuming gives nothing back");
    desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    assert_eq!(desk.authority.watched().unwrap()[0].millis_left, 600_000);
    desk.authority.remove_person(&Actor::Root, &person("alice")).unwrap();
    assert_eq!(desk.authority.watched().unwrap()[0].millis_left, 0);
}

#[test]
fn whoever_gets_a_removed_name_inherits_nothing() {
    let desk = Desk::new();
    let active = desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let waiting = desk.authority.request(&new("alice", 600)).unwrap();
    desk.authority.remove_person(&Actor::Root, &person("alice")).unwrap();
    let key = [public_key(40)];
    desk.authority.add_person(&Actor::Root, &person("alice"), &BTreeSet::new(), &key).unwrap();
    let phase = |id| desk.authority.standing(id).unwrap().phase;
    assert_eq!((phase(active.id()), phase(waiting.id())), (Phase::Revoked, Phase::Denied));
    assert!(!desk.authority.factor_status(&person("alice")).unwrap().enrolled);
    assert_eq!(desk.authority.keys(&person("alice")).unwrap().len(), 1);

    let web2 = HostName::parse("web-2").unwrap();
    desk.authority.put_host(&Actor::Root, &web2, &BTreeSet::new()).unwrap();
    let mut elsewhere = ask("bob", 600);
    elsewhere.place = crate::name::Place::Host(web2.clone());
    let there = desk.authority.grant_alone(&Actor::Root, &elsewhere).unwrap();
    desk.authority.remove_host(&Actor::Root, &web2).unwrap();
    desk.authority.put_host(&Actor::Root, &web2, &BTreeSet::new()).unwrap();
    assert_eq!(phase(there.id()), Phase::Revoked);
}

#[test]
fn two_people_in_one_account_are_two_people_in_sudo_too() {
    let desk = Desk::new();
    let _keeper = keeper(&desk);
    let mut with_sudo = ask("alice", 600);
    with_sudo.sudo = true;
    desk.authority.grant_alone(&Actor::Root, &with_sudo).unwrap();
    desk.authority.grant_alone(&Actor::Root, &ask("bob", 600)).unwrap();
    let attempt_login = attempt("deploy", Action::Login);
    for (seed, audit_session) in [(1, 11), (2, 12)] {
        let report = Desk::report(seed);
        let who = desk.authority.identify(&Evidence::Ssh(Some(&report)), &attempt_login).unwrap();
        let anchor = Anchor { audit_session: Some(audit_session), ..anchor() };
        desk.authority.session_opened(&who, &attempt_login, 1000, anchor, None).unwrap();
    }
    let sudo = attempt("deploy", Action::Sudo);
    let entry = |audit_session| {
        let who = desk.authority.identify(&Evidence::Local { audit_session }, &sudo)?;
        desk.authority.may_enter(&who, &sudo)
    };
    assert!(matches!(entry(Some(11)).unwrap(), Entry::Granted(_)), "alice");
    assert_eq!(entry(Some(12)).unwrap(), no_cover(true), "bob");
    assert!(entry(Some(13)).is_err(), "nobody's session, and deploy is no person");
    assert!(entry(None).is_err());
}

#[test]
fn the_host_is_the_enrolled_one() {
    let desk = Desk::new();
    let mut elsewhere = ask("alice", 600);
    elsewhere.place = crate::name::Place::parse("web-2").unwrap();
    assert!(desk.authority.grant_alone(&Actor::Root, &elsewhere).is_err(), "web-2 is not enrolled");
    desk.authority
        .put_host(&Actor::Root, &HostName::parse("web-2").unwrap(), &BTreeSet::new())
        .unwrap();
    desk.authority.grant_alone(&Actor::Root, &elsewhere).unwrap();
    let attempt = attempt("deploy", Action::Login);
    let who = desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt).unwrap();
    let entry = desk.authority.may_enter(&who, &attempt).unwrap();
    assert_eq!(entry, no_cover(true));
    assert!(desk.authority.remove_host(&Actor::Root, &HostName::parse("web-1").unwrap()).is_err());
}

#[test]
fn a_grant_by_root_alone_is_marked_in_the_log() {
    let desk = Desk::new();
    let grant = desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let log = records(&desk);
    let record = log.iter().find(|r| r.object == grant.id().as_str()).unwrap();
    assert_eq!((record.action.as_str(), record.actor.as_str()), ("grant.alone", "root"));
    assert!(record.detail.contains("\"past_policy\":true"));
}

#[test]
fn an_undecided_request_lapses_on_the_record() {
    let desk = Desk::new();
    let grant = desk.authority.request(&new("alice", 600)).unwrap();
    let jitd = Actor::Program(crate::grant::Program::Jitd);
    assert!(desk.authority.lapse_undecided(&jitd).unwrap().is_empty());
    desk.clock.pass(3600);
    assert_eq!(desk.approve(grant.id(), "bob").unwrap_err().kind(), Kind::Conflict);
    assert_eq!(desk.authority.lapse_undecided(&jitd).unwrap(), vec![grant.id().clone()]);
    assert!(desk.authority.lapse_undecided(&jitd).unwrap().is_empty());
}

#[test]
fn a_secret_appears_in_no_record() {
    let desk = Desk::new();
    let code = desk.code("alice");
    desk.authority.prove(&person("alice"), &code, "x").unwrap();
    desk.authority.prove(&person("alice"), "canary-in-a-code", "x").unwrap_err();
    let secret = desk.authority.begin_enrolment(&Actor::Root, &person("alice")).unwrap();
    let uri = secret.otpauth_uri.expose();
    let base32 = uri.split("secret=").nth(1).unwrap().split('&').next().unwrap();
    let codes = desk.authority.new_recovery_codes(&Actor::Root, &person("bob")).unwrap();
    let mut all = records(&desk).iter().map(Record::line).collect::<String>();
    for file in ["jit.db", "jit.db-wal"] {
        let bytes = std::fs::read(desk.dir.path().join(file)).unwrap();
        all.push_str(&String::from_utf8_lossy(&bytes));
    }
    for canary in
        [base32, "canary-in-a-code", codes[0].expose(), &codes[0].expose().replace('-', "")]
    {
        assert!(!all.contains(canary), "{canary}");
    }
}

#[test]
fn authorized_keys_are_of_those_who_may_and_restricted() {
    let desk = Desk::new();
    let lines =
        |login: &str| desk.authority.authorized_keys(&Login::parse(login).unwrap()).unwrap();
    // alice and bob may ask for deploy; carol may not.
    assert_eq!(lines("deploy").len(), 2);
    assert!(lines("deploy").iter().all(|line| line.starts_with("restrict,pty ssh-ed25519 ")));
    assert_eq!(lines("carol").len(), 0);
    assert_eq!(lines("alice"), vec![format!("restrict,pty {}", public_key(1))]);
    desk.authority.grant_alone(&Actor::Root, &ask("carol", 60)).unwrap();
    assert_eq!(lines("deploy").len(), 3);
    desk.clock.pass(60);
    assert_eq!(lines("deploy").len(), 2);
}

#[test]
fn whether_anyone_may_enter_follows_the_grants() {
    let desk = Desk::new();
    let anyone = || desk.authority.anyone_may_enter(&attempt("deploy", Action::Login)).unwrap();
    assert!(!anyone());
    let grant = desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    assert!(anyone());
    assert!(!desk.authority.anyone_may_enter(&attempt("alice", Action::Login)).unwrap());
    let id = RevokeWhich::Id(grant.id().clone());
    desk.authority.revoke(&id, &Actor::Root, &reason()).unwrap();
    assert!(!anyone());
}

#[test]
fn a_request_tells_how_long_it_is_for_when_it_lapses_and_who_denied_it() {
    let desk = Desk::new();
    let attempt = attempt("deploy", Action::Login);
    let who = desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt).unwrap();
    let filed = desk
        .authority
        .file_request(&who, &attempt, "INC-1 disk full", Span::from_secs(600).unwrap())
        .unwrap();
    assert_eq!((filed.duration.secs(), filed.phase), (600, crate::grant::Phase::Requested));
    assert_eq!(filed.lapses_at.since(desk.authority.now().unwrap()), 3600);
    assert_eq!(filed.approvers, [person("bob"), person("carol")]);
    desk.authority.deny(&filed.id, &Actor::Person(person("bob")), Some(&reason())).unwrap();
    let answer = desk.authority.standing(&filed.id).unwrap().answer;
    assert_eq!(answer.as_deref(), Some("bob: because of a test"));
}

#[test]
fn what_could_not_be_recorded_is_not_issued() {
    let desk = Desk::new();
    desk.add_ca("SHA256:ca");
    let grant = desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let key = ssh_key::PublicKey::from_openssh(&public_key(1)).unwrap();
    let issue = |authority: &Authority, sign: &dyn Fn() -> Result<()>| {
        authority.issue(&Actor::Root, grant.id(), key.key_data(), None, "SHA256:ca", |_| sign())
    };
    // While somebody else holds the store, nothing is even signed.
    let impatient = desk.impatient();
    let writer = desk.authority.store.begin(crate::store::Mode::Write).unwrap();
    let error = issue(&impatient, &|| panic!("signed although it can't be recorded")).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    drop(writer);
    // What fails after the signature leaves no record of a certificate, and no serial is used up.
    issue(&desk.authority, &|| Err(Error::unavailable("no signature"))).unwrap_err();
    let (specification, ()) = issue(&desk.authority, &|| Ok(())).unwrap();
    assert_eq!(specification.serial, 1);
    assert_eq!(records(&desk).iter().filter(|r| r.action == "certificate.issue").count(), 1);
}

#[test]
fn a_certificate_stands_only_as_long_as_its_grant() {
    let desk = Desk::new();
    desk.add_ca("SHA256:ca");
    let grant = desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let key = ssh_key::PublicKey::from_openssh(&public_key(1)).unwrap();
    let (issued, ()) = desk
        .authority
        .issue(&Actor::Root, grant.id(), key.key_data(), None, "SHA256:ca", |_| Ok(()))
        .unwrap();
    assert_eq!(issued.validity.not_after, grant.window().unwrap().not_after);
    assert_eq!(
        issued.validity.not_before,
        grant.window().unwrap().not_before.before(desk.authority.config.clock_skew)
    );
    let login = Login::parse("deploy").unwrap();
    let key_id = issued.key_id.to_string();
    let principals = |key_id: &str, serial| desk.authority.principals(&login, key_id, serial);
    assert_eq!(principals(&key_id, 1).unwrap(), ["deploy@web-1"]);
    assert!(principals(&key_id, 2).is_err(), "a serial that was never issued");
    assert!(principals(&key_id.replace("alice", "bob"), 1).is_err(), "another person");
    assert!(principals("anything", 1).is_err());
    let which = RevokeWhich::Id(grant.id().clone());
    desk.authority.revoke(&which, &Actor::Root, &reason()).unwrap();
    assert!(principals(&key_id, 1).is_err(), "revoked");
}

#[test]
fn what_escaped_the_end_of_its_session_is_nobody() {
    let desk = Desk::new();
    let _keeper = keeper(&desk);
    desk.authority
        .grant_alone(
            &Actor::Root,
            &Ask { login: Login::parse("alice").unwrap(), ..ask("alice", 600) },
        )
        .unwrap();
    let attempt = attempt("alice", Action::Login);
    let who = desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt).unwrap();
    desk.authority.session_opened(&who, &attempt, 1000, anchor(), None).unwrap();
    let sudo = || {
        let evidence = Evidence::Local { audit_session: anchor().audit_session };
        desk.authority.identify(&evidence, &super::testing::attempt("alice", Action::Sudo))
    };
    assert_eq!(sudo().unwrap().by, "session 1");
    let watched = desk.authority.watched().unwrap().remove(0);
    let why = crate::session::EndReason::CoverEnded;
    desk.authority.session_ended(&watched.session, why, 0).unwrap();
    assert!(desk.authority.watched().unwrap().is_empty());
    // Not even the person that the account is named like.
    assert_eq!(sudo().unwrap_err().what(), "session 1 is over");
}

#[test]
fn an_audit_session_of_somebody_elses_opens_no_session() {
    let desk = Desk::new();
    let _keeper = keeper(&desk);
    desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let attempt = attempt("deploy", Action::Login);
    let who = desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt).unwrap();
    for audit_uid in [None, Some(0), Some(1001)] {
        let foreign = Anchor { audit_uid, ..anchor() };
        let error = desk.authority.session_opened(&who, &attempt, 1000, foreign, None).unwrap_err();
        assert!(error.to_string().contains("pam_loginuid"), "{error}");
    }
    desk.authority.session_opened(&who, &attempt, 1000, anchor(), None).unwrap();
}

#[test]
fn an_edited_grant_covers_nobody_and_keeps_nobody_else_out() {
    let desk = Desk::new();
    let _keeper = keeper(&desk);
    for name in ["alice", "bob"] {
        let reason = Reason::parse(&format!("INC-1 for {name} alone")).unwrap();
        desk.authority.grant_alone(&Actor::Root, &Ask { reason, ..ask(name, 600) }).unwrap();
    }
    let attempt = attempt("deploy", Action::Login);
    for (seed, audit_session) in [(1, 11), (2, 12)] {
        let report = Desk::report(seed);
        let who = desk.authority.identify(&Evidence::Ssh(Some(&report)), &attempt).unwrap();
        let anchor = Anchor { audit_session: Some(audit_session), ..anchor() };
        desk.authority.session_opened(&who, &attempt, 1000, anchor, None).unwrap();
    }
    desk.authority.checkpoint().unwrap();
    let file = desk.authority.config.database();
    let mut bytes = std::fs::read(&file).unwrap();
    // In the grant's row; the log keeps its own copy.
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(b"INC-1 for bob alone") {
            bytes[at + 4] = b'2';
        }
    }
    std::fs::write(&file, bytes).unwrap();
    let after = desk.again();
    let left: Vec<_> = after
        .watched()
        .unwrap()
        .into_iter()
        .map(|watched| (watched.session.person.to_string(), watched.millis_left))
        .collect();
    assert_eq!(left, [("alice".to_owned(), 600_000), ("bob".to_owned(), 0)]);
    let lines = after.authorized_keys(&Login::parse("deploy").unwrap()).unwrap();
    assert_eq!(lines, [format!("restrict,pty {}", public_key(1))]);
}

#[test]
fn an_approval_is_on_the_terms_of_the_policy_that_approves() {
    let desk = Desk::new();
    let grant = desk.authority.request(&new("alice", 600)).unwrap();
    assert_eq!(grant.terms().permissions, BTreeSet::from([Permission::Pty]));
    let narrower = POLICY
        .replace("name = \"debug\"", "name = \"narrow\"\npermissions = [\"port-forwarding\"]");
    std::fs::write(desk.dir.path().join("policy.toml"), narrower).unwrap();
    let (approved, _) = desk.approve(grant.id(), "bob").unwrap();
    assert_eq!(approved.terms().permissions, BTreeSet::from([Permission::PortForwarding]));
    assert_eq!(approved.terms().role.as_ref().map(ToString::to_string).as_deref(), Some("narrow"));
}

#[test]
fn an_extension_goes_on_at_the_end_and_never_beyond_the_maximum() {
    let desk = Desk::new();
    let minutes = |n: u64| Span::from_secs(n * 60).unwrap();
    let approved = |grant: Grant| desk.approve(grant.id(), "bob").unwrap().0;
    let first = approved(desk.authority.request(&new("alice", 1800)).unwrap());
    let who = desk
        .authority
        .identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt("deploy", Action::Login))
        .unwrap();
    let deadline = || match desk.authority.may_enter(&who, &attempt("deploy", Action::Login)) {
        Ok(Entry::Granted(cover)) => cover.deadline,
        other => panic!("no cover: {other:?}"),
    };
    let extend = |id, n| desk.authority.extend(id, minutes(n), None, &Actor::Root);
    let error = extend(first.id(), 31).unwrap_err();
    assert!(error.what().contains("gives at most 1h, and 30m of it are given"), "{error}");
    desk.clock.pass(1795);
    let second = extend(first.id(), 20).unwrap();
    assert_eq!(second.ask().reason, first.ask().reason);
    let end = first.window().unwrap().not_after;
    assert_eq!(deadline(), end, "asking alone extends nothing");
    approved(second.clone());
    assert_eq!(deadline(), end.after(minutes(20)).unwrap());
    assert!(extend(second.id(), 11).is_err());
    // The first may be extended twice: the union is no longer than the maximum either.
    assert!(extend(first.id(), 31).is_err());
    let third = approved(extend(second.id(), 10).unwrap());
    assert_eq!(deadline(), end.after(minutes(30)).unwrap());
    desk.clock.pass(1800);
    assert_eq!(third.phase(desk.authority.now().unwrap()), Phase::Active);
    desk.clock.pass(1800);
    assert!(extend(third.id(), 1).unwrap_err().what().ends_with("is ended and can't be extended"));
}

#[test]
fn taking_away_access_takes_away_its_extensions() {
    let desk = Desk::new();
    let minutes = Span::from_secs(600).unwrap();
    let yes = |grant: Grant| desk.approve(grant.id(), "bob").unwrap().0;
    let first = yes(desk.authority.request(&new("alice", 600)).unwrap());
    let other = yes(desk.authority.request(&new("alice", 1200)).unwrap());
    let second = yes(desk.authority.extend(first.id(), minutes, None, &Actor::Root).unwrap());
    let undecided = desk.authority.extend(second.id(), minutes, None, &Actor::Root).unwrap();
    let which = RevokeWhich::Id(first.id().clone());
    let gone = desk.authority.revoke(&which, &Actor::Root, &reason()).unwrap();
    let ids: BTreeSet<_> = gone.iter().map(Grant::id).collect();
    assert_eq!(ids, BTreeSet::from([first.id(), second.id(), undecided.id()]));
    let (left, now) = desk.authority.grant(other.id()).unwrap();
    assert_eq!(left.phase(now), Phase::Active, "overlapping it is not extending it");
    // What was taken away meanwhile is extended by nobody's yes.
    let late = desk.authority.extend(other.id(), minutes, None, &Actor::Root).unwrap();
    let tx = desk.authority.store.begin(Mode::Write).unwrap();
    tx.replace_grant(&left.revoke(Actor::Root, reason(), now).unwrap()).unwrap();
    tx.commit().unwrap();
    let error = desk.approve(late.id(), "bob").unwrap_err();
    assert!(error.what().contains("was revoked"), "{error}");
}

#[test]
fn nobody_floods_the_approvers() {
    let desk = Desk::new();
    for _ in 0..20 {
        desk.authority.request(&new("alice", 60)).unwrap();
    }
    let error = desk.authority.request(&new("alice", 60)).unwrap_err();
    assert!(error.what().starts_with("20 requests of alice wait"), "{error}");
    desk.authority.request(&new("bob", 60)).unwrap();
    desk.clock.pass(3600);
    desk.authority.request(&new("alice", 60)).unwrap();
}

#[test]
fn every_input_has_a_size_limit() {
    let huge = "a".repeat(1 << 20);
    assert!(crate::name::PersonName::parse(&huge).is_err());
    assert!(Login::parse(&huge).is_err());
    assert!(HostName::parse(&huge).is_err());
    assert!(crate::name::Label::parse(&format!("a={huge}")).is_err());
    assert!(crate::name::Reason::parse(&huge).is_err());
    assert!(crate::id::GrantId::parse(&huge).is_err());
    assert!(crate::time::Span::parse(&format!("{}s", "9".repeat(1 << 20))).is_err());
    assert!(crate::time::Timestamp::parse(&huge).is_err());
    assert!(crate::certificate::KeyId::parse(&huge).is_err());
    assert!(crate::certificate::parse_auth_info(&format!("publickey ssh-ed25519 {huge}")).is_err());
    let key = format!("ssh-ed25519 {huge}");
    assert!(crate::person::IdentityKey::parse(person("alice"), &key, at_now()).is_err());
    assert!(matches!(crate::factor::Code::parse(&huge), crate::factor::Code::Malformed));
    let dir = private_dir();
    let file = dir.path().join("jit.toml");
    std::fs::write(&file, "#".repeat((1 << 20) + 1)).unwrap();
    let error = crate::config::Config::load(&file).unwrap_err();
    assert!(error.what().contains("larger than"), "{error}");
}

fn at_now() -> Timestamp {
    Timestamp::from_unix(NOW.unsigned_abs()).unwrap()
}
