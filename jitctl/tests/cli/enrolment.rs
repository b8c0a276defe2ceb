//! Enrolling a second factor, and that nothing of it shows up elsewhere.

use std::io::{BufRead, BufReader, Read, Write};

use serde_json::Value;

use crate::desk::{Desk, code};

/// Enrols `name`; the otpauth URI and the recovery codes.
pub fn enrol(desk: &Desk, name: &str) -> (String, Vec<String>) {
    let mut child = desk.command(&["mfa", "enroll", name, "--json"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let first: Value = serde_json::from_str(&line).unwrap();
    let uri = first["otpauth_uri"].as_str().unwrap().to_owned();
    writeln!(child.stdin.take().unwrap(), "{}", code(&uri, 0)).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    let second: Value = serde_json::from_str(&rest).unwrap();
    let codes = second["recovery_codes"].as_array().unwrap();
    (uri, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

#[test]
fn a_factor_counts_once_a_code_of_it_was_given_back() {
    let desk = Desk::new();
    for wrong in ["", "12345x\n", "abcdef\nabcdef\nabcdef\n", "1\n2\n3\n4\n"] {
        desk.type_in(&["mfa", "enroll", "alice"], wrong).code(1).says("otpauth://totp/web-1:alice");
        let shown = desk.run(&["user", "show", "alice", "--json"]).code(0).json();
        assert_eq!(shown["factor"]["enrolled"], false);
    }
    let (_, codes) = enrol(&desk, "alice");
    assert_eq!(codes.len(), 10);
    let shown = desk.run(&["user", "show", "alice", "--json"]).code(0).json();
    assert_eq!(shown["factor"]["enrolled"], true);
    assert_eq!(shown["factor"]["recovery_codes_left"], 10);
}

#[test]
fn people_get_a_qr_code_and_a_second_try_and_see_the_recovery_codes_once() {
    let desk = Desk::new();
    let mut child = desk.command(&["mfa", "enroll", "alice"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (mut seen, mut uri) = (String::new(), None);
    while uri.is_none() {
        let mut line = String::new();
        assert!(out.read_line(&mut line).unwrap() > 0, "{seen}");
        uri = line.starts_with("otpauth://").then(|| line.trim().to_owned());
        seen.push_str(&line);
    }
    assert!(seen.contains("████ ▄▄▄▄▄ "), "no finder pattern in {seen}");
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "12345x\n{}", code(&uri.unwrap(), 0)).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(rest.lines().filter(|line| line.starts_with("  ")).count(), 10, "{rest}");
    assert!(rest.contains("shown this once"), "{rest}");
}

#[test]
fn new_recovery_codes_void_the_old_and_reset_takes_all_away() {
    let desk = Desk::new();
    desk.run(&["mfa", "codes", "bob"]).code(1).says("jitctl mfa enroll bob");
    let (_, old) = enrol(&desk, "bob");
    let new = desk.run(&["mfa", "codes", "bob", "--json"]).code(0).json();
    let new = new["recovery_codes"][0].as_str().unwrap().to_owned();
    let id = desk.request("web-1");
    desk.type_in(&["approve", &id, "--as", "bob"], &old[0]).code(1);
    desk.type_in(&["approve", &id, "--as", "bob"], &new).code(0);
    desk.run(&["mfa", "reset", "bob"]).code(0);
    let id = desk.request("web-1");
    desk.type_in(&["approve", &id, "--as", "bob"], &new).code(1).says("no second factor");
}

#[test]
fn secrets_are_shown_where_they_are_asked_for_and_nowhere_else() {
    let desk = Desk::new();
    let (uri, codes) = enrol(&desk, "bob");
    let id = desk.request("web-1");
    desk.type_in(&["approve", &id, "--as", "bob"], "CANARY-4711").code(1);
    desk.type_in(&["approve", &id, "--as", "bob"], &codes[0]).code(0);
    let secret = uri.split_once("secret=").unwrap().1.split('&').next().unwrap();
    let mut all = desk.state();
    for arguments in [
        vec!["audit", "show", "--json"],
        vec!["audit", "show"],
        vec!["user", "show", "bob", "--json"],
        vec!["show", &id, "--json"],
        vec!["status"],
    ] {
        all.push_str(&desk.run(&arguments).code(0).out);
    }
    all.push_str(&desk.run(&["doctor"]).out);
    for secret in [secret, "CANARY", &codes[0], &codes[1], &codes[0].replace('-', "")] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}
