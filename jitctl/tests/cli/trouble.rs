//! Machines on which something is missing, broken or not for this user.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::desk::{Desk, JITCTL};

fn chmod(desk: &Desk, name: &str, mode: u32) {
    std::fs::set_permissions(desk.file(name), PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn setup_is_done_once_and_changes_nothing_after() {
    let desk = Desk::new();
    let files = ["jit.toml", "policy.toml", "master.key"];
    let read = || files.map(|name| std::fs::read(desk.file(name)).unwrap());
    desk.run(&["host", "add", "web-1", "--label", "env=prod"]).code(0);
    let before = (desk.state(), read());
    desk.run(&["setup", "--host", "web-1"]).code(0).says("Nothing had to be changed");
    desk.run(&["setup"]).code(0).says("Nothing had to be changed");
    desk.run(&["setup", "--host", "web-2"]).code(1).says("this machine is web-1, not web-2");
    assert_eq!((desk.state(), read()), before);
}

#[test]
fn a_place_that_others_can_write_to_is_left_as_it_was() {
    let desk = Desk::empty();
    chmod(&desk, "", 0o777);
    desk.run(&["setup", "--host", "web-1"]).code(1).says("others can write");
    assert_eq!(std::fs::read_dir(desk.path()).unwrap().count(), 0);
}

#[test]
fn a_lost_master_key_or_store_is_not_made_anew() {
    let desk = Desk::new();
    std::fs::rename(desk.file("master.key"), desk.file("kept")).unwrap();
    desk.run(&["setup"]).code(1).says("Restore it from your backup");
    assert!(!desk.file("master.key").exists());
    std::fs::rename(desk.file("kept"), desk.file("master.key")).unwrap();
    std::fs::remove_dir_all(desk.file("state")).unwrap();
    std::fs::create_dir(desk.file("state")).unwrap();
    chmod(&desk, "state", 0o700);
    for line in [vec!["list"], vec!["status"], vec!["user", "list"]] {
        desk.run(&line).code(5).says("there is no store");
    }
    assert!(!desk.file("state/jit.db").exists());
    desk.run(&["doctor"]).code(1).says("there is no store");
}

#[test]
fn the_doctor_finds_what_is_wrong_and_goes_on() {
    type Mishap = (&'static str, fn(&Desk), &'static str);
    let mishaps: [Mishap; 7] = [
        ("jit.toml", |d| chmod(d, "jit.toml", 0o666), "chmod go-w"),
        ("jit.toml", |d| append(d, "jit.toml", "\n[facto]\n"), "facto"),
        ("policy.toml", |d| append(d, "policy.toml", "\n[[roel]]\n"), "roel"),
        ("policy.toml", |d| chmod(d, "policy.toml", 0o664), "chmod go-w"),
        ("master.key", |d| chmod(d, "master.key", 0o644), "chmod go-rwx"),
        ("master.key", |d| std::fs::write(d.file("master.key"), "x").unwrap(), "backup"),
        ("state", |d| chmod(d, "state", 0o755), "chmod go-rwx"),
    ];
    for (name, spoil, mend) in mishaps {
        let desk = Desk::new();
        spoil(&desk);
        let said = desk.run(&["doctor"]).code(1).says(mend);
        let fails: Vec<_> = said.out.lines().filter(|l| l.starts_with("fail  ")).collect();
        assert!(fails.iter().any(|line| line.contains(name)), "{name} in {said:#?}");
        // Where jit.toml still parses, the checks after it are made all the same.
        if mend != "facto" {
            assert!(said.out.contains("no login is exempt"), "{said:#?}");
        }
        let json = desk.run(&["doctor", "--json"]).code(1).json();
        assert_eq!(json["ok"], false);
    }
}

fn append(desk: &Desk, name: &str, text: &str) {
    let all = std::fs::read_to_string(desk.file(name)).unwrap();
    std::fs::write(desk.file(name), all + text).unwrap();
}

#[test]
fn the_doctor_names_people_who_could_not_log_in() {
    let desk = Desk::new();
    desk.run(&["user", "add", "dave"]).code(0);
    desk.run(&["doctor"])
        .code(1)
        .says("fail  jitd does not run")
        .says("warn  dave has no identity key")
        .says("jitctl mfa enroll dave")
        .says("warn  there is no user CA key")
        .says("role debug: no host has the label env=prod");
}

#[test]
fn a_store_that_is_no_database_is_out_of_reach() {
    let desk = Desk::new();
    let store = desk.file("state/jit.db");
    std::fs::write(&store, "this is no database, and never was one".repeat(200)).unwrap();
    desk.run(&["list"]).code(5).says("jit.db");
    desk.run(&["doctor"]).code(1).says("jit.db").says("no login is exempt");
}

#[test]
fn a_damaged_store_is_one_failure_that_says_restore_and_the_rest_is_not_checked() {
    let damages: [fn(&Desk); 3] = [
        |desk| {
            let store = desk.file("state/jit.db");
            let mut bytes = std::fs::read(&store).unwrap();
            // All but the first page, on which the schema stands.
            bytes[4096..].fill(0xa5);
            std::fs::write(&store, bytes).unwrap();
        },
        |desk| std::fs::write(desk.file("state/jit.db"), "no database".repeat(2000)).unwrap(),
        |desk| {
            let store = rusqlite::Connection::open(desk.file("state/jit.db")).unwrap();
            store.execute("UPDATE host SET body = replace(body, 'web-1', 'web-9')", []).unwrap();
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let desk = Desk::new();
        damage(&desk);
        let said = desk.run(&["doctor"]).code(1).says("jitctl restore FILE --replace");
        let said = said.says("skip  not checked: grants, the log, the clock");
        let fails: Vec<_> = said.out.lines().filter(|line| line.starts_with("fail  ")).collect();
        let of_store = fails.iter().filter(|line| !line.contains("jitd does not run")).count();
        assert_eq!(of_store, 1, "{number}: {fails:#?}");
        assert!(!said.out.contains("jitctl host add"), "wrong advice: {said:#?}");
    }
}

#[test]
fn an_edited_log_does_not_verify() {
    let desk = Desk::new();
    let whole = desk.run(&["audit", "verify", "--json"]).code(0).json();
    assert_eq!(whole["records"], 4);
    let store = rusqlite::Connection::open(desk.file("state/jit.db")).unwrap();
    store.execute("UPDATE audit SET object = 'eve' WHERE sequence = 3", []).unwrap();
    drop(store);
    desk.run(&["audit", "verify"]).code(1).says("broken at record 3");
    desk.run(&["doctor"]).code(1).says("broken at record 3");
}

#[test]
fn an_edited_row_is_damage_and_not_an_answer() {
    let desk = Desk::new();
    let store = rusqlite::Connection::open(desk.file("state/jit.db")).unwrap();
    let edit = "UPDATE person SET body = replace(body, 'leads', 'other')";
    store.execute(edit, []).unwrap();
    drop(store);
    desk.run(&["user", "list"]).code(5).says("edited by hand");
}

#[test]
fn others_than_root_are_told_so_at_once() {
    // Copied to where others can reach it.
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = dir.path().join("jitctl");
    // By another process, for the reason that `program` has.
    assert!(Command::new("cp").arg(JITCTL).arg(&program).status().unwrap().success());
    let run = |line: &[&str]| {
        let mut command = Command::new(&program);
        command.args(line).current_dir("/").uid(65534).gid(65534).output().unwrap()
    };
    for line in [&["list"][..], &["doctor"], &["setup"], &["policy", "check"]] {
        let said = run(line);
        assert_eq!(said.status.code(), Some(1));
        let told = String::from_utf8(said.stderr).unwrap();
        let expected = "jitctl: jitctl has to be run by root\n  Put sudo before it.";
        assert!(told.starts_with(expected), "{told}");
    }
    let completions = run(&["completions", "bash"]);
    assert!(completions.status.success());
    assert!(String::from_utf8(completions.stdout).unwrap().contains("_jitctl"));
}

#[test]
fn a_reader_who_has_gone_is_no_crash_and_a_full_disk_is_told() {
    let desk = Desk::new();
    let mut child = desk.command(&["audit", "show"]).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let said = desk.command(&["list"]).stdout(Stdio::from(full)).output().unwrap();
    assert_eq!(said.status.code(), Some(5), "{said:?}");
}

#[test]
fn man_pages_cover_every_command() {
    let desk = Desk::empty();
    desk.run(&["man", &desk.text("man1")]).code(0);
    let page = |name: &str| std::fs::read_to_string(desk.file(&format!("man1/{name}.1"))).unwrap();
    assert!(page("jitctl").contains("Exit codes"));
    assert!(page("jitctl-request").contains("INC\\-7 disk full"));
    assert!(page("jitctl-user-add").contains("oncall"));
}
