//! Which second factors a role takes, and how fresh one must be at sudo.

use super::*;
use crate::config::SecondFactor;
use crate::factor::Verdict as Code;
use crate::login::{Attempt, Identity};

const AUDIT_SESSION: u32 = 11;

/// A desk whose role asks for these factors, where alice holds a grant by it.
fn desk(factors: &str) -> Desk {
    let desk = Desk::new();
    let policy = format!("{POLICY}factors = {factors}\n");
    std::fs::write(desk.dir.path().join("policy.toml"), policy).unwrap();
    let mut wanted = new("alice", 3600);
    wanted.ask.sudo = true;
    let grant = desk.authority.request(&wanted).unwrap();
    let _ = desk.approve(grant.id(), "bob").unwrap();
    desk
}

/// An attempt of process `pid`.
fn from(pid: u32, action: Action) -> Attempt {
    Attempt { pid, ..attempt("deploy", action) }
}

fn who(desk: &Desk, attempt: &Attempt) -> Identity {
    let report = Desk::report(1);
    let evidence = match attempt.action {
        Action::Login => Evidence::Ssh(Some(&report)),
        Action::Sudo => Evidence::Local { audit_session: Some(AUDIT_SESSION) },
    };
    desk.authority.identify(&evidence, attempt).unwrap()
}

fn gives(desk: &Desk, code: &str, attempt: &Attempt) -> Code {
    desk.authority.verify_factor(Ok(&who(desk, attempt)), code, attempt).unwrap()
}

fn enters(desk: &Desk, attempt: &Attempt) -> bool {
    match desk.authority.may_enter(&who(desk, attempt), attempt).unwrap() {
        Entry::Granted(_) => true,
        Entry::WantsFactor { .. } => false,
        entry @ Entry::NoCover { .. } => panic!("{entry:?}"),
    }
}

fn recovery_code(desk: &Desk) -> String {
    let codes = desk.authority.new_recovery_codes(&Actor::Root, &person("alice")).unwrap();
    codes[0].expose().to_owned()
}

/// alice's session, opened with a code of her app.
fn session(desk: &Desk) -> crate::process::AuditSession {
    let login = from(1, Action::Login);
    assert!(gives(desk, &desk.code("alice"), &login).accepted());
    assert!(enters(desk, &login));
    let anchor = Anchor { audit_session: Some(AUDIT_SESSION), ..anchor() };
    let _keeper = keeper(desk);
    // Another process opens it than the one that was given the code.
    let opens = from(2, Action::Login);
    desk.authority.session_opened(&who(desk, &opens), &opens, 1000, anchor, None).unwrap();
    AUDIT_SESSION
}

#[test]
fn a_role_that_takes_the_app_takes_no_recovery_code() {
    let desk = desk("{ login = ['totp'] }");
    let login = from(1, Action::Login);
    let code = recovery_code(&desk);
    assert!(matches!(gives(&desk, &code, &login), Code::Recovery { .. }), "it proves the person");
    let entry = desk.authority.may_enter(&who(&desk, &login), &login).unwrap();
    let wanted = "a code of the authenticator app".to_owned();
    assert_eq!(entry, Entry::WantsFactor { wanted });
    assert_eq!(records(&desk).pop().unwrap().outcome, Outcome::Refused);
    // What was proved to another process is not this one's.
    assert!(gives(&desk, &desk.code("alice"), &from(2, Action::Login)).accepted());
    assert!(!enters(&desk, &login));
    assert!(enters(&desk, &from(2, Action::Login)));
    // Nor is it a proof for long.
    desk.clock.pass(600);
    assert!(!enters(&desk, &from(2, Action::Login)));
}

#[test]
fn one_grant_that_takes_what_was_given_is_enough() {
    let desk = desk("{ login = ['totp'] }");
    let login = from(1, Action::Login);
    assert!(gives(&desk, &recovery_code(&desk), &login).accepted());
    assert!(!enters(&desk, &login));
    desk.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    assert!(enters(&desk, &login));
}

#[test]
fn sudo_asks_anew_when_the_factor_of_the_session_is_old() {
    let desk = desk("{ sudo_within = '5m' }");
    session(&desk);
    let sudo = from(3, Action::Sudo);
    assert!(enters(&desk, &sudo), "the code of the login is fresh");
    desk.clock.pass(301);
    assert!(!enters(&desk, &sudo));
    assert!(gives(&desk, &desk.code("alice"), &sudo).accepted());
    assert!(enters(&desk, &sudo));
    assert!(enters(&desk, &from(4, Action::Sudo)), "the next one in the session needs none");
    desk.clock.pass(301);
    assert!(!enters(&desk, &from(4, Action::Sudo)));
}

#[test]
fn sudo_takes_the_kinds_that_the_role_names() {
    let desk = desk("{ sudo = ['totp'] }");
    session(&desk);
    desk.clock.pass(3000);
    assert!(enters(&desk, &from(3, Action::Sudo)), "however old, where nothing is said of that");
    assert!(gives(&desk, &recovery_code(&desk), &from(3, Action::Sudo)).accepted());
    assert!(!enters(&desk, &from(4, Action::Sudo)), "the last of the session is a recovery code");
}

#[test]
fn a_host_that_asks_for_no_factor_lets_nobody_in_by_a_role_that_wants_a_certain_one() {
    let mut desk = desk("{ login = ['totp'] }");
    let deploy = Login::parse("deploy").unwrap();
    let keys = |desk: &Desk| desk.authority.authorized_keys(&deploy).unwrap().len();
    assert!(keys(&desk) > 0);
    desk.authority.config.second_factor = SecondFactor::None;
    assert_eq!(keys(&desk), 0);
    let login = from(1, Action::Login);
    let entry = desk.authority.may_enter(&who(&desk, &login), &login).unwrap();
    assert!(matches!(entry, Entry::NoCover { .. }));
}
