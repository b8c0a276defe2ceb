//! Input that makes no sense is a clear error, and changes nothing.

use crate::desk::Desk;

const NAMES: &[&str] = &[
    "",
    " ",
    "al ice",
    "ali@ce",
    "alice,root",
    "alice\"",
    "ali'ce",
    "alice\nroot",
    "alice\t",
    "alice\x1b[31m",
    "alice\u{202e}",
    "älice",
    "alicе",
    "../alice",
    "-alice",
    "$(id)",
    "*",
    "@dev",
];

#[test]
fn names_that_are_none_are_refused_wherever_they_enter() {
    let desk = Desk::new();
    let before = desk.state();
    let long = "a".repeat(5000);
    for bad in NAMES.iter().copied().chain([&*long]) {
        let label = format!("env={bad}");
        let at = format!("{bad}@web-1");
        for line in [
            vec!["user", "add", bad],
            vec!["user", "add", "mallory", "--group", bad],
            vec!["user", "show", bad],
            vec!["user", "group", "alice", "--add", bad],
            vec!["host", "add", bad],
            vec!["host", "add", "web-9", "--label", &label],
            vec!["mfa", "reset", bad],
            vec!["request", bad, "--as", "alice", "--for", "5m", "--reason", "INC-7"],
            vec!["request", &at, "--as", "alice", "--for", "5m", "--reason", "INC-7"],
            vec!["request", "web-1", "--as", bad, "--for", "5m", "--reason", "INC-7"],
            vec!["grant", bad, "web-1", "--for", "5m", "--reason", "INC-7"],
            vec!["approve", bad, "--as", "bob"],
            vec!["show", bad],
            vec!["revoke", "--user", bad, "--reason", "over"],
            vec!["list", "--host", bad],
            vec!["explain", bad, "web-1"],
        ] {
            // As a target it names the account `ali` on the host `ce`.
            if bad == "ali@ce" && line[..2] == ["request", bad] {
                continue;
            }
            let said = desk.run(&line).code(2);
            assert!(said.err.starts_with("jitctl: "), "{line:?} {said:?}");
            let plain = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
            assert!(said.err.chars().all(plain), "{line:?} {said:?}");
        }
    }
    assert_eq!(desk.state(), before);
}

#[test]
fn durations_times_and_reasons_that_make_no_sense_are_refused() {
    let desk = Desk::new();
    let before = desk.state();
    let request =
        |more: &[&str]| desk.run(&[&["request", "web-1", "--as", "alice"], more].concat());
    for bad in
        ["0", "0s", "-5m", "5", "m", "", "367d", "99999999999999999999h", "1e9h", "5 m", "٥m"]
    {
        request(&["--for", bad, "--reason", "INC-7"]).code(2);
    }
    for bad in ["", "  ", "ab", "one\ntwo", "bell \x07", "\u{202e}gnol", &"x".repeat(301)] {
        request(&["--for", "5m", "--reason", bad]).code(2);
    }
    for bad in ["", "yesterday", "1960-01-01T00:00:00Z", "99999-01-01T00:00:00Z"] {
        request(&["--for", "5m", "--reason", "INC-7", "--at", bad]).code(2);
    }
    // Well formed, and still not to be had.
    request(&["--for", "61m", "--reason", "INC-7"]).code(1).says("at most 1h");
    request(&["--for", "5m", "--reason", "INC-7", "--at", "2020-01-01T00:00:00Z"]).code(1);
    assert_eq!(desk.state(), before);
}

#[test]
fn a_file_that_is_no_public_key_is_refused() {
    let desk = Desk::new();
    let before = desk.state();
    let good = std::fs::read_to_string(desk.file("alice.pub")).unwrap();
    let private = std::fs::read_to_string(desk.file("alice")).unwrap();
    for (bad, word) in [
        ("", "is empty"),
        ("no key\n", "no SSH public key"),
        (&*format!("command=\"id\" {good}"), "no SSH public key"),
        (&*format!("{good}{good}"), "more than one line"),
        (&*private, "private key"),
        (&*format!("ssh-ed25519 {}", "A".repeat(100_000)), "8 KiB"),
    ] {
        std::fs::write(desk.file("bad.pub"), bad).unwrap();
        desk.run(&["user", "add", "mallory", "--key", &desk.text("bad.pub")]).code(2).says(word);
    }
    desk.run(&["user", "add", "mallory", "--key", &desk.text("missing.pub")]).code(4);
    desk.run(&["user", "add", "mallory", "--key", &desk.text("alice.pub")]).code(1);
    assert_eq!(desk.state(), before);
}

#[test]
fn errors_for_programs_are_json() {
    let desk = Desk::new();
    for (line, code, kind) in [
        (vec!["--json", "show", "zzzz-zzzz"], 4, "not-found"),
        (vec!["--json", "show", "zzzz zzzz"], 2, "invalid"),
        (vec!["--json", "frobnicate"], 2, "invalid"),
        (vec!["--json", "host", "remove", "web-1"], 1, "refused"),
    ] {
        let said = desk.run(&line).code(code);
        let error: serde_json::Value = serde_json::from_str(&said.err).unwrap();
        assert_eq!(error["error"]["kind"], kind);
        assert!(error["error"]["what"].is_string() && error["error"]["next"].is_string());
        assert_eq!(said.out, "");
    }
}
