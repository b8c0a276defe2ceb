//! What admins do from machines of their own: all of it but what is of one machine.

use crate::served::{Laptop, Served};

/// An admin's machine, logged in.
fn ada(served: &Served) -> Laptop {
    served.desk.run(&["user", "add", "ada", "--group", "admins"]).code(0);
    let ada = served.joined("ada", "");
    ada.type_in(&["login"], &ada.codes[0]).code(0).says("as an admin");
    ada
}

#[test]
fn an_admin_reads_the_same_words_elsewhere_as_root_does_there() {
    let served = Served::new();
    let ada = ada(&served);
    let id = served.desk.request("deploy@web-1");
    served.desk.run(&["host", "add", "db-1", "--label", "env=prod"]).code(0);
    let commands: [&[&str]; 15] = [
        &["user", "list"],
        &["user", "show", "ada"],
        &["user", "key", "alice", "--list"],
        &["host", "show", "db-1"],
        &["policy", "show"],
        &["policy", "show", "alice"],
        &["list"],
        &["show", &id, "--canonical"],
        &["sessions"],
        &["status"],
        &["break-glass", "list"],
        &["audit", "show", "--limit", "7", "--person", "alice", "--action", "grant.*"],
        &["audit", "show", "--limit", "1001"],
        &["audit", "verify"],
        &["audit", "explain", &id],
    ];
    for command in commands {
        for more in [&[][..], &["--json"]] {
            let command = [command, more].concat();
            let (there, here) = (served.desk.run(&command), ada.run(&command));
            assert_eq!((there.code, &there.out), (here.code, &here.out), "{command:?}");
            assert_eq!(there.code, 0, "{command:?}: {there:#?}");
        }
    }
    // Pages of the log join up.
    let all = ada.run(&["audit", "show", "--limit", "5000", "--json"]).code(0).json();
    let numbers = all.as_array().unwrap().iter().map(|record| record["sequence"].as_u64().unwrap());
    assert!(numbers.eq(1..=all.as_array().unwrap().len() as u64));
    ada.run(&["host", "list"]).code(0).says("the authority");
    ada.run(&["policy", "check"]).code(0).says("the authority's policy is sound: 3 roles");
    let cases = ada.file("cases.toml");
    let case = "[[case]]\nname = 'wait'\nperson = 'alice'\ntarget = 'deploy@web-1'\n\
                duration = '5m'\nexpect = 'pending'\n";
    std::fs::write(&cases, case).unwrap();
    ada.run(&["policy", "test", cases.to_str().unwrap()]).code(0).says("1 case are as expected");
    for command in
        [&["user", "show", "eve"][..], &["host", "show", "db-9"], &["audit", "explain", "1"]]
    {
        let (there, here) = (served.desk.run(command), ada.run(command));
        assert_eq!((there.code, &there.err), (here.code, &here.err), "{command:?}");
        assert_eq!(there.code, 4, "{command:?}");
    }
}

#[test]
fn what_an_admin_does_elsewhere_is_done_and_stands_in_their_name() {
    let served = Served::new();
    let ada = ada(&served);
    let key = served.desk.key("dave");
    let deeds: [(&[&str], &str, &str); 11] = [
        (&["user", "add", "dave", "--group", "dev", "--key", &key], "keys: 1", "person.add"),
        (&["user", "group", "dave", "--add", "leads"], "dave is in: dev leads", "person.groups"),
        (&["user", "suspend", "dave"], "dave is suspended", "person.suspend"),
        (&["user", "resume", "dave"], "dave can act again", "person.resume"),
        (&["user", "invite", "dave"], "Send this to dave", "person.invite"),
        (&["mfa", "reset", "dave"], "Next: jitctl user invite dave", "factor.reset"),
        (&["host", "add", "db-1", "--label", "env=prod"], "jitctl host invite db-1", "host.put"),
        (&["host", "invite", "db-1"], "sudo jitctl join 'jit://localhost", "host.invite"),
        (&["host", "remove", "db-1"], "Host db-1 is removed", "host.remove"),
        (&["grant", "alice", "web-1", "--for", "5m", "--reason", "INC-8"], "active", "grant.alone"),
        (&["user", "remove", "dave"], "dave is removed", "person.remove"),
    ];
    let last = ["audit", "show", "--limit", "1", "--json"];
    for (command, words, action) in deeds {
        ada.run(command).code(0).says(words);
        let record = &served.desk.run(&last).code(0).json()[0];
        assert_eq!((&record["actor"], &record["action"]), (&"person:ada".into(), &action.into()));
    }
}

#[test]
fn what_is_of_one_machine_or_one_person_stays_there() {
    let served = Served::new();
    let ada = ada(&served);
    ada.run(&["mfa", "enroll", "alice"]).code(1).says("jitctl user invite alice");
    ada.run(&["mfa", "codes", "alice"]).code(1).says("is shown to alice alone");
    ada.run(&["break-glass", "create"]).code(1).says("There: sudo jitctl break-glass create");
    for command in [&["backup", "/x"][..], &["doctor"], &["hooks", "list"]] {
        ada.run(command).code(1).says("this is for root on the authority's machine");
    }
    // One's own takes a code of the factor in use, not the login alone.
    ada.run(&["mfa", "codes", "ada"]).code(1).says("no code was given");
    ada.type_in(&["mfa", "codes", "ada"], "000000").code(1).says("that is no code of ada's");
    let made = ada.type_in(&["mfa", "codes", "ada", "--json"], &ada.codes[1]).code(0).json();
    let codes = made["recovery_codes"].as_array().unwrap();
    assert_eq!(codes.len(), 10);
    ada.type_in(&["mfa", "codes", "ada"], &ada.codes[2]).code(1);

    let alice = served.joined("alice", "");
    alice.type_in(&["login"], &alice.codes[0]).code(0);
    for command in [&["user", "list"][..], &["audit", "show"], &["policy", "show"], &["sessions"]] {
        alice.run(command).code(1).says("this is for admins");
    }
}
