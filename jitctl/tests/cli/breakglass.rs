//! Break-glass codes at the command line.

use crate::desk::Desk;
use crate::enrolment::enrol;

/// An instance whose leads may break the glass.
fn desk() -> Desk {
    let desk = Desk::new();
    let config = std::fs::read_to_string(desk.file("jit.toml")).unwrap();
    let config = config.replace("#members = []", "members = [\"@leads\"]");
    std::fs::write(desk.file("jit.toml"), config).unwrap();
    desk
}

#[test]
fn codes_are_shown_once_and_the_log_has_none() {
    let desk = desk();
    let made = desk.run(&["break-glass", "create"]).code(0);
    let lines = made.out.clone();
    let codes: Vec<_> = lines.lines().filter(|line| line.starts_with("  bg-")).collect();
    assert_eq!(codes.len(), 5);
    let made = made.says("envelope").says("@leads").says("{person}").says("30m");
    assert!(!made.out.contains("are void"), "{}", made.out);
    let again = desk.run(&["break-glass", "create", "--count", "2", "--for-login", "root"]).code(0);
    again.says("the 5 left of the old ones are void").says("as root");
    desk.run(&["break-glass", "list"])
        .code(0)
        .says("web-1: 2, for root alone")
        .says("None was ever used");
    let log = desk.run(&["audit", "show"]).code(0).says("break-glass.create");
    assert!(codes.iter().all(|code| !log.out.contains(code.trim())));
    desk.run(&["doctor"]).says("break-glass codes left: 2");
}

#[test]
fn what_makes_no_sense_is_refused_with_what_helps() {
    let desk = Desk::new();
    desk.run(&["break-glass", "create"]).code(1).says("nobody may").says("members");
    desk.run(&["break-glass", "list"]).code(0).says("left on web-1: 0").says("members");
    desk.run(&["break-glass", "create", "--count", "0"]).code(2);
    desk.run(&["break-glass", "create", "--count", "21"]).code(2);
    desk.run(&["break-glass", "create", "--for-login", "a b"]).code(2);
    // A review takes a use, a reviewer or the mark that there is none, and a note.
    let (_, codes) = enrol(&desk, "bob");
    let review = ["break-glass", "review", "k7q2-m9xd", "--note", "looked at it"];
    desk.run(&review).code(2);
    desk.type_in(&[&review[..], &["--as", "bob"]].concat(), &codes[0]).code(4).says("list");
    desk.run(&[&review[..], &["--alone"]].concat()).code(4);
    desk.run(&[&review[..], &["--alone", "--as", "bob"]].concat()).code(2);
    desk.run(&["break-glass", "review", "k7q2-m9xd", "--alone"]).code(2);
}
