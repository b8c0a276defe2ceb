//! `inspect`: certificates of ours through their life, and those of others.

use jit_core::grant::Actor;
use serde_json::Value;

use crate::desk::{Desk, alice};
use crate::programs::{Said, keygen};

fn ready() -> Desk {
    let desk = Desk::new();
    desk.ssh_ca(&["init"]).ok();
    desk.key("id", &[]);
    desk
}

fn inspect(desk: &Desk, name: &str) -> Value {
    let file = desk.path(name);
    desk.ssh_ca(&["inspect", "--json", file.to_str().unwrap()]).ok().json()
}

fn sign(desk: &Desk, grant: &str) -> Said {
    desk.ssh_ca(&["sign", "--grant", grant, "--key", "id.pub"]).ok()
}

#[test]
fn a_certificate_of_ours_is_explained_through_its_life() {
    let desk = ready();
    let grant = desk.grant("env=prod", 600, true);
    sign(&desk, grant.id().as_str());
    let said = inspect(&desk, "id-cert.pub");
    let meaning = &said["meaning"];
    assert_eq!(meaning["grant"], grant.id().as_str());
    assert_eq!(meaning["person"], "alice");
    assert_eq!(meaning["may"][1], "sudo");
    assert_eq!(meaning["signed_by"], "user");
    assert_eq!(meaning["state"], "active");
    assert_eq!(meaning["accepted"], true);
    let left = meaning["remaining_seconds"].as_u64().unwrap();
    assert!((580..=600).contains(&left), "{left}");
    assert_eq!(said["valid_before"], grant.window().unwrap().not_after.rfc3339());
    assert_eq!(said["principals"][0], "deploy@env=prod");

    let text = desk.ssh_ca(&["inspect", "id-cert.pub"]).ok().out;
    for part in ["deploy@env=prod", "permit-pty", "our user CA", "alice", "login, sudo", "yes, for"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }

    desk.authority.suspend(&Actor::Root, &alice(), true).unwrap();
    assert_eq!(inspect(&desk, "id-cert.pub")["meaning"]["why_not"], "alice is suspended");
    desk.authority.suspend(&Actor::Root, &alice(), false).unwrap();

    // Suspending ended the grant, and resuming brings none back.
    let meaning = inspect(&desk, "id-cert.pub")["meaning"].clone();
    assert_eq!(meaning["state"], "revoked");
    assert_eq!(meaning["accepted"], false);
    assert_eq!(meaning["remaining_seconds"], 0);
    let text = desk.ssh_ca(&["inspect", "id-cert.pub"]).ok().out;
    assert!(text.contains("no: its grant") && text.contains("is revoked"), "{text}");
}

#[test]
fn a_certificate_of_another_ca_is_not_ours_whatever_it_says() {
    let desk = ready();
    let grant = desk.grant("web-1", 600, false);
    desk.key("ca", &[]);
    let key_id = format!("jit/1 grant={} user=alice may=login", grant.id());
    let ca = desk.path("ca").display().to_string();
    let key = desk.path("id.pub").display().to_string();
    let options = ["-O", "force-command=echo hi", "-O", "source-address=192.0.2.0/24"];
    let line = ["-q", "-s", &ca, "-I", &key_id, "-n", "deploy@web-1", "-V", "+1h", "-z", "1"];
    keygen(&[&line[..], &options, &[&key]].concat());
    let said = inspect(&desk, "id-cert.pub");
    assert_eq!(said["meaning"]["signed_by"], Value::Null);
    assert_eq!(said["meaning"]["accepted"], false);
    assert_eq!(said["critical_options"]["force-command"], "echo hi");
    let text = desk.ssh_ca(&["inspect", "id-cert.pub"]).ok().out;
    assert!(text.contains("no: it is signed by no CA of ours"), "{text}");
    assert!(text.contains("source-address 192.0.2.0/24"), "{text}");
}

#[test]
fn what_a_foreign_certificate_says_moves_no_cursor() {
    let desk = ready();
    desk.key("ca", &[]);
    let ca = desk.path("ca").display().to_string();
    let key = desk.path("id.pub").display().to_string();
    keygen(&["-q", "-s", &ca, "-I", "\x1b[2Jx\ny", "-n", "a\x07b", "-V", "+1h", &key]);
    let text = desk.ssh_ca(&["inspect", "id-cert.pub"]).ok().out;
    assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
}

#[test]
fn what_is_no_certificate_is_an_error() {
    let desk = ready();
    desk.ssh_ca(&["inspect", "id.pub"]).refused(2, "holds no SSH certificate");
    desk.ssh_ca(&["inspect", "none"]).refused(4, "there is no none");
    desk.key("ca", &[]);
    let ca = desk.path("ca").display().to_string();
    let key = desk.path("id.pub").display().to_string();
    keygen(&["-q", "-s", &ca, "-I", "x", "-n", "a", &key]);
    desk.ssh_ca(&["inspect", "id-cert.pub"]).refused(2, "is valid forever");
}

#[test]
fn without_the_authority_it_says_what_stands_there_and_that_the_rest_is_unknown() {
    let desk = ready();
    sign(&desk, desk.grant("web-1", 600, false).id().as_str());
    std::fs::remove_file(desk.path("master.key")).unwrap();
    let said = desk.ssh_ca(&["inspect", "id-cert.pub"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("deploy@web-1") && !said.out.contains("Accepted"), "{said:?}");
    assert!(said.err.contains("what it means can't be told"), "{said:?}");
}
