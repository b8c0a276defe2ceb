//! Backup and restore: onto a fresh host, over a broken store, and what is refused.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use crate::desk::{Desk, Said};
use crate::enrolment::enrol;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Names in a directory of the desk.
fn names(desk: &Desk, directory: &str) -> Vec<String> {
    let entries = std::fs::read_dir(desk.file(directory)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Backs the desk up, into a place of its own; the file and the head it says.
fn backed_up(desk: &Desk, more: &[&str]) -> (tempfile::TempDir, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup.tar").display().to_string();
    let said = desk.run(&[&["backup", &file, "--json"], more].concat()).code(0).json();
    (dir, file, said["head"].as_str().unwrap().to_owned())
}

fn last(desk: &Desk) -> serde_json::Value {
    desk.run(&["audit", "show", "--limit", "1", "--json"]).code(0).json()[0].clone()
}

/// Takes all away that a fresh host has not.
fn wiped(desk: &Desk) {
    for name in ["jit.toml", "policy.toml", "master.key"] {
        std::fs::remove_file(desk.file(name)).unwrap();
    }
    for name in ["state", "run"] {
        std::fs::remove_dir_all(desk.file(name)).unwrap();
    }
}

fn grant(desk: &Desk) -> String {
    let line = ["grant", "alice", "deploy@web-1", "--for", "1h", "--reason", "INC-1 x", "--json"];
    desk.run(&line).code(0).json()["id"].as_str().unwrap().to_owned()
}

pub fn state(desk: &Desk, id: &str) -> String {
    desk.run(&["show", id, "--json"]).code(0).json()["state"].as_str().unwrap().to_owned()
}

/// New recovery codes of `name`.
pub fn codes(desk: &Desk, name: &str) -> Vec<String> {
    let said = desk.run(&["mfa", "codes", name, "--json"]).code(0).json();
    let codes = said["recovery_codes"].as_array().unwrap();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_fresh_host_becomes_what_the_backup_was_but_for_its_grants() {
    let desk = Desk::new();
    std::fs::write(desk.file("user_ca.pub"), "ssh-ed25519 AAAA jit-user-ca\n").unwrap();
    let (_, bobs) = enrol(&desk, "bob");
    let held = grant(&desk);
    let waiting = desk.request("web-1");
    let (_dir, file, head) = backed_up(&desk, &[]);
    assert_eq!(mode(Path::new(&file)), 0o600);
    assert_eq!(last(&desk)["action"], "store.backup");
    assert_eq!(last(&desk)["detail"]["head"], head.as_str());
    assert_eq!(names(&desk, "state").iter().filter(|n| n.starts_with('.')).count(), 0);
    let listed = std::process::Command::new("tar").args(["-tf", &file]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let members = "about.json\njit.db\njit.toml\npolicy.toml\nuser_ca.pub\nmaster.key\nseal\n";
    assert_eq!(listed, members);
    let before = [vec!["user", "list"], vec!["host", "list"]].map(|l| desk.run(&l).out);

    wiped(&desk);
    std::fs::remove_file(desk.file("user_ca.pub")).unwrap();
    desk.run(&["restore", &file])
        .code(0)
        .says(&head)
        .says(&held)
        .says("restored  store")
        .says("restored  master key")
        .says("mfa codes bob");
    for (name, wanted) in [
        ("master.key", 0o600),
        ("state/jit.db", 0o600),
        ("state", 0o700),
        ("run", 0o700),
        ("jit.toml", 0o644),
        ("policy.toml", 0o644),
        ("user_ca.pub", 0o644),
    ] {
        assert_eq!(mode(&desk.file(name)), wanted, "{name}");
    }
    assert_eq!(names(&desk, "state"), ["jit.db"]);
    assert_eq!([vec!["user", "list"], vec!["host", "list"]].map(|l| desk.run(&l).out), before);
    assert_eq!((state(&desk, &held), state(&desk, &waiting)), ("revoked".into(), "denied".into()));
    let restored = last(&desk);
    assert_eq!(restored["action"], "store.restore");
    assert_eq!(restored["previous"], head.as_str());
    assert_eq!(restored["detail"]["head"], head.as_str());
    desk.run(&["audit", "verify"]).code(0);

    // The factor of before counts, its recovery codes do not.
    let id = desk.request("web-1");
    desk.type_in(&["approve", &id, "--as", "bob"], &bobs[0]).code(1).says("no code of bob's");
    desk.type_in(&["approve", &id, "--as", "bob"], &codes(&desk, "bob")[0]).code(0);
    assert_eq!(state(&desk, &id), "active");
    desk.run(&["audit", "verify"]).code(0);
}

#[test]
fn a_broken_store_is_moved_aside_and_what_is_newer_stays() {
    let desk = Desk::new();
    let held = grant(&desk);
    let (_dir, file, _) = backed_up(&desk, &[]);
    let policy = std::fs::read_to_string(desk.file("policy.toml")).unwrap() + "\n# stricter\n";
    std::fs::write(desk.file("policy.toml"), &policy).unwrap();
    let junk = "this is no database, and never was one".repeat(200);
    std::fs::write(desk.file("state/jit.db"), &junk).unwrap();
    desk.run(&["list"]).code(5).says("jitctl restore FILE --replace");
    desk.run(&["doctor"]).code(1).says("jitctl restore FILE --replace");

    std::fs::write(desk.file("state/jit.db-wal"), "left over").unwrap();
    desk.run(&["restore", &file]).code(1).says("With --replace it is moved aside");
    assert_eq!(std::fs::read_to_string(desk.file("state/jit.db")).unwrap(), junk);
    desk.run(&["restore", &file, "--replace"])
        .code(0)
        .says("aside ")
        .says("policy.toml.from-backup-");
    desk.run(&["audit", "verify"]).code(0);
    assert_eq!(state(&desk, &held), "revoked");
    assert_eq!(std::fs::read_to_string(desk.file("policy.toml")).unwrap(), policy);
    let names = names(&desk, "state");
    assert_eq!(names.len(), 3, "{names:?}");
    let aside = names.iter().find(|n| n.contains("replaced") && n.ends_with('Z')).unwrap();
    assert_eq!(std::fs::read_to_string(desk.file(&format!("state/{aside}"))).unwrap(), junk);
    assert!(names.contains(&format!("{aside}-wal")));
}

#[test]
fn a_set_up_host_takes_a_backup_over_with_its_key_and_policy() {
    let (desk, other) = (Desk::new(), Desk::empty());
    other.run(&["setup", "--host", "web-1"]).code(0);
    std::fs::write(other.file("user_ca.pub"), "another\n").unwrap();
    std::fs::write(desk.file("user_ca.pub"), "ssh-ed25519 AAAA jit-user-ca\n").unwrap();
    let id = grant(&desk);
    let (_dir, file, _) = backed_up(&desk, &[]);
    let key = std::fs::read_to_string(other.file("master.key")).unwrap();
    other.run(&["restore", &file, "--replace", "--keep-grants"]).code(0).says("lives again");
    // It keeps its own paths, and takes the rest.
    other.run(&["status"]).code(0).says("web-1");
    assert_eq!(state(&other, &id), "active");
    let same = |name: &str| {
        std::fs::read(desk.file(name)).unwrap() == std::fs::read(other.file(name)).unwrap()
    };
    assert!(same("master.key") && same("policy.toml") && same("user_ca.pub"));
    assert!(!same("jit.toml"));
    let aside = names(&other, "");
    let aside = aside.iter().find(|name| name.starts_with("master.key.replaced-")).unwrap();
    assert_eq!(std::fs::read_to_string(other.file(aside)).unwrap(), key);
    assert_eq!(mode(&other.file(aside)), 0o600);
}

#[test]
fn without_the_master_key_it_takes_the_copy_kept_apart() {
    let desk = Desk::new();
    let (_dir, file, _) = backed_up(&desk, &["--without-master-key"]);
    let key = std::fs::read(desk.file("master.key")).unwrap();
    let text = std::fs::read(&file).unwrap();
    assert!(!text.windows(64).any(|window| window == &key[..64]), "the key is in it");
    wiped(&desk);
    let nothing = names(&desk, "");
    desk.run(&["restore", &file]).code(1).says("Put your copy of it there");
    std::fs::write(desk.file("master.key"), "0".repeat(64)).unwrap();
    std::fs::set_permissions(desk.file("master.key"), PermissionsExt::from_mode(0o600)).unwrap();
    desk.run(&["restore", &file]).code(5).says("its seal does not fit");
    assert!(!desk.file("jit.toml").exists() && !desk.file("state/jit.db").exists(), "{nothing:?}");
    std::fs::write(desk.file("master.key"), key).unwrap();
    desk.run(&["restore", &file]).code(0);
    desk.run(&["audit", "verify"]).code(0);
}

/// Says no, and leaves all as it was.
fn refused(desk: &Desk, file: &str, says: &str) -> Said {
    let before = std::fs::read(desk.file("state/jit.db")).unwrap();
    let files = names(desk, "state");
    let said = desk.run(&["restore", file, "--replace"]).says(says);
    assert_ne!(said.code, 0);
    assert_eq!(std::fs::read(desk.file("state/jit.db")).unwrap(), before);
    assert_eq!(names(desk, "state"), files);
    said
}

#[test]
fn what_is_no_sound_backup_is_refused_and_nothing_changes() {
    let desk = Desk::new();
    let (dir, file, _) = backed_up(&desk, &[]);
    let good = std::fs::read(&file).unwrap();
    let bad = dir.path().join("bad").display().to_string();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 0x10;
    std::fs::write(&bad, flipped).unwrap();
    refused(&desk, &bad, "its seal does not fit").code(5);
    std::fs::write(&bad, &good[..good.len() / 2]).unwrap();
    refused(&desk, &bad, "no sound backup").code(5);
    std::fs::write(&bad, "no archive").unwrap();
    refused(&desk, &bad, "no sound backup").code(5);
    refused(&desk, "/nowhere/b.tar", "there is no file").code(4);
    refused(&desk, "/dev/zero", "no plain file").code(2);
}

#[test]
fn nothing_is_restored_while_jitd_runs_or_the_clock_is_behind() {
    let desk = Desk::new();
    let (_dir, file, _) = backed_up(&desk, &[]);
    let lock = std::fs::File::create(desk.file("run/jitd.lock")).unwrap();
    let lock = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
    refused(&desk, &file, "systemctl stop jitd").code(1);
    drop(lock);

    let ahead = Desk::new();
    let store = rusqlite::Connection::open(ahead.file("state/jit.db")).unwrap();
    // A record of a time to come, as a clock that was ahead leaves it.
    store.execute("UPDATE audit SET time = time + 90000 WHERE sequence = 4", []).unwrap();
    drop(store);
    ahead.run(&["backup", &ahead.text("b.tar")]).code(5).says("before the last record");
    assert!(!ahead.file("b.tar").exists());
}

#[test]
fn what_could_not_be_restored_is_not_backed_up() {
    let desk = Desk::new();
    let store = rusqlite::Connection::open(desk.file("state/jit.db")).unwrap();
    store.execute("UPDATE person SET body = replace(body, 'leads', 'other')", []).unwrap();
    drop(store);
    let file = desk.text("b.tar");
    desk.run(&["backup", &file]).code(5).says("edited by hand").says("--replace");
    assert!(!desk.file("b.tar").exists());
    assert_eq!(names(&desk, "state").iter().filter(|name| name.starts_with('.')).count(), 0);

    let desk = Desk::new();
    std::fs::write(desk.file("kept"), "mine").unwrap();
    desk.run(&["backup", &desk.text("kept")]).code(1).says("never overwritten");
    assert_eq!(std::fs::read_to_string(desk.file("kept")).unwrap(), "mine");
}

#[test]
fn hooks_and_their_secrets_come_along_and_are_sealed_where_the_key_is_kept_apart() {
    let desk = Desk::new();
    let secret = "0123456789abcdef0123456789abcdef\n";
    let (pager, chat) = (desk.file("secrets/pager.secret"), desk.file("chat.secret"));
    std::fs::create_dir(desk.file("secrets")).unwrap();
    std::fs::write(&pager, secret).unwrap();
    std::fs::set_permissions(&pager, PermissionsExt::from_mode(0o600)).unwrap();
    let hook = |name: &str, file: &Path| {
        format!(
            "[[webhook]]\nname = '{name}'\nurl = 'https://hooks.example/T0KEN'\n\
             secret_file = '{}'\nevents = ['grant.*']\n",
            file.display()
        )
    };
    // The secret of the other one is not there yet.
    let hooks = hook("pager", &pager) + &hook("chat", &chat);
    let place = desk.file("hooks.toml");
    std::fs::write(&place, &hooks).unwrap();
    let (_dir, file, _) = backed_up(&desk, &["--without-master-key"]);
    let bytes = std::fs::read(&file).unwrap();
    let inside = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(inside("T0KEN") && !inside(secret.trim()), "a secret is in it as it is");

    let key = std::fs::read(desk.file("master.key")).unwrap();
    wiped(&desk);
    std::fs::remove_file(&place).unwrap();
    std::fs::remove_dir_all(desk.file("secrets")).unwrap();
    std::fs::write(desk.file("master.key"), &key).unwrap();
    std::fs::set_permissions(desk.file("master.key"), PermissionsExt::from_mode(0o600)).unwrap();
    desk.run(&["restore", &file]).code(0).says("hooks.toml").says("pager.secret");
    assert_eq!(std::fs::read_to_string(&place).unwrap(), hooks);
    assert_eq!(std::fs::read_to_string(&pager).unwrap(), secret);
    assert_eq!((mode(&place), mode(&pager)), (0o600, 0o600));
    assert!(!chat.exists());

    // Those that are there are newer, and stay.
    std::fs::write(&pager, "fedcba9876543210fedcba9876543210\n").unwrap();
    desk.run(&["restore", &file, "--replace"]).code(0).says("pager.secret.from-backup-");
    assert!(std::fs::read_to_string(&pager).unwrap().starts_with("fedc"));
    let beside = names(&desk, "secrets");
    let beside = beside.iter().find(|name| name.contains("from-backup")).unwrap();
    assert_eq!(mode(&desk.file(&format!("secrets/{beside}"))), 0o600);

    // One that others can read is no secret, and says so.
    std::fs::set_permissions(&pager, PermissionsExt::from_mode(0o644)).unwrap();
    desk.run(&["backup", &desk.text("b.tar")]).code(1).says("pager.secret").says("chmod go-rwx");
}
