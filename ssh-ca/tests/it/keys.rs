//! `init` and `public-key`.

use jit_core::store::CaKind;
use ssh_ca::key::CaKeyPair;

use crate::desk::Desk;
use crate::programs::keygen;

#[test]
fn init_makes_both_cas_once() {
    let desk = Desk::new();
    let said = desk.ssh_ca(&["init"]).ok();
    assert!(said.out.contains("User CA made: SHA256:"), "{}", said.out);
    assert!(said.out.contains("TrustedUserCAKeys"), "{}", said.out);
    let before = desk.ssh_ca(&["public-key"]).ok().out;
    let said = desk.ssh_ca(&["init", "--json"]).ok().json();
    assert_eq!(said["user_ca"]["new"], false);
    assert_eq!(said["host_ca"]["new"], false);
    assert_eq!(desk.ssh_ca(&["public-key"]).ok().out, before);
    assert_ne!(said["user_ca"]["fingerprint"], said["host_ca"]["fingerprint"]);
    for kind in [CaKind::User, CaKind::Host] {
        assert_eq!(desk.authority.ca_keys(kind).unwrap().len(), 1);
    }
}

#[test]
fn a_rotation_has_another_key_sign_and_keeps_the_last_one_unless_it_leaked() {
    let desk = Desk::new();
    desk.ssh_ca(&["rotate"]).refused(1, "no user CA key");
    desk.ssh_ca(&["init"]).ok();
    let keys = || -> Vec<String> {
        desk.ssh_ca(&["public-key"]).ok().out.lines().map(str::to_owned).collect()
    };
    let first = keys();
    assert!(!desk.path("user_ca.pub").exists());
    std::fs::write(desk.path("user_ca.pub"), &first[0]).unwrap();
    let said = desk.ssh_ca(&["rotate", "--json"]).ok().json();
    assert_eq!(said["gone"], serde_json::json!([]));
    let second = keys();
    assert_eq!((second.len(), &second[1]), (2, &first[0]), "the one that signs is first");
    // What sshd of this machine trusts.
    let trusted = || std::fs::read_to_string(desk.path("user_ca.pub")).unwrap();
    assert_eq!(trusted().lines().collect::<Vec<_>>(), second);
    desk.ssh_ca(&["rotate"]).ok();
    let third = keys();
    assert_eq!((third.len(), &third[1]), (2, &second[0]), "the oldest is gone");
    let said = desk.ssh_ca(&["rotate", "--at-once"]).ok();
    assert_eq!(said.out.matches("Trusted no longer: SHA256:").count(), 2, "{}", said.out);
    assert_eq!(keys().len(), 1);
    assert_eq!(trusted().lines().collect::<Vec<_>>(), keys());
    // Each is sealed, so that it signs.
    let grant = desk.grant("web-1", 600, false);
    let key = desk.key("id", &["-t", "ed25519"]);
    let (id, key) = (grant.id().to_string(), key.to_str().unwrap());
    desk.ssh_ca(&["sign", "--grant", &id, "--key", key, "--out", "-"]).ok();
}

#[test]
fn the_public_keys_are_such_to_ssh_keygen() {
    let desk = Desk::new();
    let made = desk.ssh_ca(&["init", "--json"]).ok().json();
    for (option, ca) in [(None, "user_ca"), (Some("--host"), "host_ca")] {
        let mut line = vec!["public-key"];
        line.extend(option);
        let file = desk.path(ca);
        std::fs::write(&file, desk.ssh_ca(&line).ok().out).unwrap();
        let shown = keygen(&["-l", "-f", file.to_str().unwrap()]);
        let fingerprint = made[ca]["fingerprint"].as_str().unwrap();
        assert!(shown.contains(&format!("256 {fingerprint} ")), "{shown}");
    }
}

#[test]
fn known_hosts_finds_the_authority_for_the_hosts_named() {
    let desk = Desk::new();
    desk.ssh_ca(&["init"]).ok();
    let file = desk.path("known_hosts");
    std::fs::write(&file, desk.ssh_ca(&["public-key", "--known-hosts=*.example.org"]).ok().out)
        .unwrap();
    let found = keygen(&["-F", "web-1.example.org", "-f", file.to_str().unwrap()]);
    assert!(found.contains("CA") && found.contains("@cert-authority"), "{found}");
    let all = desk.ssh_ca(&["public-key", "--known-hosts"]).ok().out;
    assert!(all.starts_with("@cert-authority * ssh-ed25519 "), "{all}");
    desk.ssh_ca(&["public-key", "--known-hosts=a b"]).refused(2, "no pattern");
}

#[test]
fn without_a_ca_the_next_step_is_said() {
    let desk = Desk::new();
    let said = desk.ssh_ca(&["public-key"]).refused(4, "ssh-ca: there is no user CA\n");
    assert!(said.err.contains("\n  Make it: ssh-ca init"), "{}", said.err);
}

#[test]
fn a_sealed_key_does_not_open_with_another_master_key() {
    let desk = Desk::new();
    desk.ssh_ca(&["init"]).ok();
    let stored = desk.authority.ca_keys(CaKind::User).unwrap().remove(0);
    assert!(CaKeyPair::open(desk.authority.vault(), &stored).is_ok());
    // The rows themselves are tagged with the old key, so the store does not even say what they are.
    std::fs::write(desk.path("master.key"), "7".repeat(64)).unwrap();
    for line in [&["init"][..], &["public-key"]] {
        desk.ssh_ca(line).refused(5, "");
    }
}

#[test]
fn a_configuration_that_is_missing_or_writable_by_others_is_an_error() {
    let desk = Desk::new();
    let config = desk.path("jit.toml");
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(&config, mode(0o666)).unwrap();
    desk.ssh_ca(&["init"]).refused(1, "others can write");
    std::fs::remove_file(&config).unwrap();
    desk.ssh_ca(&["init"]).refused(1, "can't be read");
}
