//! Hooks as an admin sees them. What `jit-hooks` itself does, its own tests look at.

use crate::desk::Desk;

const HOOKS: &str = "[[webhook]]\nname = 'pager'\nurl = 'https://pager.example.org/s3cret'\n\
    secret_file = '/etc/jit/x'\nevents = ['grant.*', 'hook.*']\n";

#[test]
fn a_file_that_is_wrong_is_told_with_its_line() {
    let desk = Desk::new();
    std::fs::write(desk.file("hooks.toml"), HOOKS.replace("events", "evnts")).unwrap();
    for command in ["check", "list"] {
        let said = desk.run(&["hooks", command]).code(1);
        said.says("hooks.toml:5: `evnts` is no key in [webhook]").says("Did you mean `events`?");
    }
    desk.run(&["doctor"]).code(1).says("`evnts` is no key in [webhook]");
}

#[test]
fn what_waits_is_listed_and_no_secret_is() {
    let desk = Desk::new();
    std::fs::write(desk.file("hooks.toml"), HOOKS).unwrap();
    let said = desk.run(&["hooks", "list"]).code(0);
    assert!(!said.out.contains("s3cret"), "{said:?}");
    let said = said.says("pager").says("https://pager.example.org ").says("grant.* hook.*");
    said.says("jit-hooks does not run: events wait").says("Next: systemctl start jit-hooks");
    let listed = desk.run(&["hooks", "list", "--json"]).code(0).json();
    assert_eq!((&listed[0]["hook"], &listed[0]["waiting"]), (&"pager".into(), &0.into()));
    let said = desk.run(&["hooks", "test", "chat"]);
    assert_ne!(said.code, 0, "there is no such hook");
}
