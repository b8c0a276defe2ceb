//! Approving by a signature that the real ssh-keygen made, and what changes a request on the way.

use std::process::{Command, Stdio};

use crate::desk::{Desk, code};
use crate::enrolment::enrol;

/// Signs what `jitctl show --canonical` prints, as an approver does on their own machine.
fn sign(desk: &Desk, key: &str, namespace: &str, id: &str, more: &[&str]) -> String {
    let canonical = desk.run(&[&["show", id, "--canonical"], more].concat()).code(0).out;
    assert!(canonical.starts_with("jit-request@v1\nid: "), "{canonical}");
    let request = desk.file(&format!("{id}.{key}"));
    std::fs::write(&request, canonical).unwrap();
    let signature = format!("{}.sig", request.display());
    let _ = std::fs::remove_file(&signature);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(desk.file(key)).arg(&request);
    assert!(keygen.stderr(Stdio::null()).status().unwrap().success());
    signature
}

#[test]
fn a_signature_of_ssh_keygen_approves_and_no_code_is_asked() {
    let desk = Desk::new();
    let id = desk.request("deploy@web-1");
    let approve = |file: &str, more: &[&str]| {
        desk.run(&[&["approve", &id, "--as", "bob", "--signature", file], more].concat())
    };
    approve("/nowhere", &[]).code(2).says("can't be read");
    let foreign = sign(&desk, "carol", "jit-approval@v1", &id, &[]);
    approve(&foreign, &[]).code(1).says("not by an enrolled key");
    let for_files = sign(&desk, "bob", "file", &id, &[]);
    approve(&for_files, &[]).code(1).says("made for something else");
    let right = sign(&desk, "bob", "jit-approval@v1", &id, &[]);
    approve(&right, &["--for", "10m"]).code(1).says("not over this text");
    desk.run(&["edit", &id, "--for", "20m"]).code(0).says("is for deploy@web-1, 20m now");
    approve(&right, &[]).code(1).says("not over this text");
    let less = sign(&desk, "bob", "jit-approval@v1", &id, &["--for", "10m"]);
    let said = approve(&less, &["--for", "10m", "--json"]).code(0).json();
    assert_eq!((&said["state"], &said["revision"]), (&"active".into(), &2.into()));
    assert_eq!(said["approvals"][0]["proved_by"], "signature");
    assert_eq!(said["approvals"][0]["for_at_most_seconds"], 600);
    desk.run(&["show", &id]).code(0).says("by bob, with a signature, for at most 10m");
    // An approval is looked at again for each certificate.
    desk.run(&["doctor"]).says("every grant in force is what was approved");
    let keys = desk.run(&["user", "key", "bob", "--list", "--json"]).code(0).json();
    let fingerprint = keys[0]["fingerprint"].as_str().unwrap().to_owned();
    desk.run(&["user", "key", "bob", "--remove", &fingerprint]).code(0);
    desk.run(&["doctor"]).code(1).says("the approval of").says(&id);
}

#[test]
fn an_approver_sees_who_asks_where_for_how_long_why_and_what_they_had_before() {
    let desk = Desk::new();
    let (_, codes) = enrol(&desk, "bob");
    let before = desk.request("web-1");
    desk.run(&["deny", &before]).code(0);
    let id = desk.request("deploy@web-1");
    let said = desk.type_in(&["approve", &id, "--as", "bob", "--for", "10m"], &codes[0]).code(0);
    let said = said.says("deploy@web-1, 30m").says("INC-7").says("the authority, by root");
    let said = said.says("alice is in these groups: dev.").says("The last of alice:").says(&before);
    said.says(&format!("{id} is active"));
    let too_long = desk.request("web-1");
    desk.type_in(&["approve", &too_long, "--as", "bob", "--for", "1h"], &codes[1])
        .code(1)
        .says("asks for 30m only");
    let shown = desk.run(&["user", "show", "bob", "--json"]).code(0).json();
    assert_eq!(shown["factor"]["recovery_codes_left"], 9, "no code was spent on it");
}

#[test]
fn an_inbox_lists_what_waits_and_a_withdrawn_approval_waits_again() {
    let desk = Desk::new();
    let (uri, bobs) = enrol(&desk, "bob");
    desk.run(&["inbox", "--as", "bob"]).code(0).says("Nothing waits for bob.");
    let id = desk.request("release@web-1");
    let inbox = || desk.run(&["inbox", "--as", "bob", "--json"]).code(0).json();
    assert_eq!(inbox()[0]["id"], id.as_str());
    let next = format!("Next: jitctl approve {id} --as bob");
    desk.run(&["inbox", "--as", "bob"]).code(0).says(&next);
    desk.run(&["inbox", "--as", "nobody"]).code(4);
    desk.type_in(&["approve", &id, "--as", "bob"], &bobs[0]).code(3);
    assert_eq!(inbox().as_array().unwrap().len(), 0);
    desk.type_in(&["withdraw", &id, "--as", "carol"], "").code(1).says("carol has not approved");
    desk.type_in(&["withdraw", &id, "--as", "bob"], "abcdef").code(1).says("no code of bob's");
    desk.type_in(&["withdraw", &id, "--as", "bob"], &code(&uri, 1)).code(0).says("is requested");
    assert_eq!(inbox()[0]["id"], id.as_str());
    desk.run(&["show", &id]).code(0).says("taken back").says("2 of @leads");
}

#[test]
fn a_request_is_edited_and_a_grant_shortened_by_whose_it_is_to_do() {
    let desk = Desk::new();
    let (_, bobs) = enrol(&desk, "bob");
    let (_, alices) = enrol(&desk, "alice");
    let id = desk.request("web-1");
    desk.run(&["edit", &id]).code(2).says("--for");
    desk.type_in(&["edit", &id, "--as", "bob", "--for", "5m"], &bobs[0])
        .code(1)
        .says("not bob's request");
    desk.type_in(&["edit", &id, "--as", "alice", "--for", "2h"], &alices[0])
        .code(1)
        .says("at most 1h")
        .says("It stands as it was");
    desk.type_in(&["edit", &id, "--as", "alice", "--reason", "INC-8 more"], &alices[1])
        .code(0)
        .says("bob or carol can approve");
    desk.type_in(&["approve", &id, "--as", "bob"], &bobs[0]).code(0).says("INC-8 more");
    desk.run(&["shorten", &id, "--for", "30m"]).code(1).says("no later").says("jitctl extend");
    desk.type_in(&["shorten", &id, "--for", "5m", "--as", "alice"], &alices[2])
        .code(1)
        .says("not among those");
    desk.type_in(&["shorten", &id, "--for", "5m", "--as", "bob"], &bobs[1])
        .code(0)
        .says("is active");
    desk.run(&["show", &id]).code(0).says("shortened");
    desk.run(&["edit", &id, "--for", "5m"]).code(1).says("is active and can't be edited");
}

#[test]
fn each_type_of_key_that_ssh_keygen_makes_approves_and_weak_ones_do_not() {
    let desk = Desk::new();
    let types = [
        ("ecdsa", "256"),
        ("ecdsa", "384"),
        ("ecdsa", "521"),
        ("rsa", "2048"),
        ("rsa", "3072"),
        ("rsa", "4096"),
    ];
    let make = |name: &str, kind: &str, bits: &str| {
        let file = desk.text(name);
        let arguments = ["-q", "-t", kind, "-b", bits, "-N", "", "-C", name, "-f", &file];
        assert!(Command::new("ssh-keygen").args(arguments).status().unwrap().success());
        desk.run(&["user", "key", "bob", "--add", &format!("{file}.pub")])
    };
    for (kind, bits) in types {
        let name = format!("{kind}{bits}");
        make(&name, kind, bits).code(0);
        let id = desk.request("deploy@web-1");
        let approve =
            |file: &str| desk.run(&["approve", &id, "--as", "bob", "--signature", file, "--json"]);
        let first = sign(&desk, &name, "jit-approval@v1", &id, &[]);
        desk.run(&["edit", &id, "--for", "20m"]).code(0);
        approve(&first).code(1).says("not over this");
        let second = sign(&desk, &name, "jit-approval@v1", &id, &[]);
        let said = approve(&second).code(0).json();
        assert_eq!(said["approvals"][0]["proved_by"], "signature", "{name}");
        // Over the same text by a key that is nobody's any more.
        desk.run(&["doctor"]).says("every grant in force is what was approved");
    }
    make("weak", "rsa", "1024").code(2).says("too weak");
}
