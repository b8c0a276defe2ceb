//! `sign`, with every type of key, judged by `ssh-keygen -L`; and what is refused.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use jit_core::authority::{NewRequest, RevokeWhich};
use jit_core::grant::{Actor, Grant};
use jit_core::name::Reason;
use jit_core::store::CaKind;
use jit_core::time::Timestamp;

use crate::desk::{Desk, alice, ask};
use crate::programs::keygen;

fn ready() -> Desk {
    let desk = Desk::new();
    desk.ssh_ca(&["init"]).ok();
    desk
}

fn sign(desk: &Desk, grant: &Grant, key: &Path) -> crate::programs::Said {
    desk.ssh_ca(&["sign", "--grant", grant.id().as_str(), "--key", key.to_str().unwrap()])
}

/// What `ssh-keygen -L` shows, as lines.
fn shown(certificate: &Path) -> Vec<String> {
    let text = keygen(&["-L", "-f", certificate.to_str().unwrap()]);
    text.lines().skip(1).map(|line| line.trim().to_owned()).collect()
}

fn utc(moment: Timestamp) -> String {
    moment.rfc3339().trim_end_matches('Z').to_owned()
}

fn fingerprint(key: &Path) -> String {
    let text = keygen(&["-l", "-f", key.to_str().unwrap()]);
    text.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn ssh_keygen_shows_exactly_what_was_granted_for_every_type_of_key() {
    let desk = ready();
    let ca = desk.ssh_ca(&["public-key", "--json"]).ok().json();
    let ca = ca[0]["fingerprint"].as_str().unwrap();
    let grant = desk.grant("web-1", 1020, true);
    let window = grant.window().unwrap();
    let skew = desk.authority.config().clock_skew;
    let mut keys = vec![
        ("ssh-ed25519", "ED25519", desk.key("ed25519", &["-t", "ed25519"])),
        ("ssh-rsa", "RSA", desk.key("rsa", &["-t", "rsa", "-b", "2048"])),
    ];
    for bits in ["256", "384", "521"] {
        let kind: &str = ["ecdsa-sha2-nistp", bits].concat().leak();
        keys.push((kind, "ECDSA", desk.key(bits, &["-t", "ecdsa", "-b", bits])));
    }
    keys.push(("sk-ssh-ed25519", "ED25519-SK", security_key(&desk, "sk-ssh-ed25519@openssh.com")));
    let kind = "sk-ecdsa-sha2-nistp256";
    keys.push((kind, "ECDSA-SK", security_key(&desk, "sk-ecdsa-sha2-nistp256@openssh.com")));
    for (serial, (kind, short, key)) in keys.iter().enumerate() {
        sign(&desk, &grant, key).ok();
        let certificate = ssh_ca::file::beside(key);
        assert_eq!(
            shown(&certificate),
            [
                format!("Type: {kind}-cert-v01@openssh.com user certificate"),
                format!("Public key: {short}-CERT {}", fingerprint(key)),
                format!("Signing CA: ED25519 {ca} (using ssh-ed25519)"),
                format!("Key ID: \"jit/1 grant={} user=alice may=login,sudo\"", grant.id()),
                format!("Serial: {}", serial + 1),
                format!(
                    "Valid: from {} to {}",
                    utc(window.not_before.before(skew)),
                    utc(window.not_after)
                ),
                "Principals:".into(),
                "deploy@web-1".into(),
                "Critical Options: (none)".into(),
                "Extensions:".into(),
                "permit-pty".into(),
            ]
        );
    }
}

/// A public key as a security key would have, which takes no hardware to certify.
fn security_key(desk: &Desk, kind: &str) -> std::path::PathBuf {
    let string =
        |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let point = match kind.starts_with("sk-ssh") {
        true => string(&[7; 32]),
        false => {
            // The point of a plain key of the same curve.
            let plain = desk.key("plain", &["-t", "ecdsa", "-b", "256"]);
            let text = std::fs::read_to_string(plain).unwrap();
            let blob = text.split(' ').nth(1).unwrap();
            let blob = base64::engine::general_purpose::STANDARD.decode(blob).unwrap();
            [string(b"nistp256"), string(&blob[blob.len() - 65..])].concat()
        }
    };
    let blob = [string(kind.as_bytes()), point, string(b"ssh:")].concat();
    let blob = base64::engine::general_purpose::STANDARD.encode(blob);
    let path = desk.path(&format!("{}.pub", kind.trim_end_matches("@openssh.com")));
    std::fs::write(&path, format!("{kind} {blob} token\n")).unwrap();
    path
}

#[test]
fn a_grant_for_a_label_or_a_later_time_is_signed_as_such() {
    let desk = ready();
    let key = desk.key("id", &[]);
    sign(&desk, &desk.grant("env=prod", 600, false), &key).ok();
    let lines = shown(&desk.path("id-cert.pub"));
    assert!(lines.contains(&"deploy@env=prod".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("may=login\"")), "{lines:?}");

    let start = Timestamp::from_unix(desk.authority.now().unwrap().unix() + 5000).unwrap();
    let mut later = ask("web-1", 600, false);
    later.start = Some(start);
    let grant = desk.authority.grant_alone(&Actor::Root, &later).unwrap();
    sign(&desk, &grant, &key).ok();
    let opens = utc(start.before(desk.authority.config().clock_skew));
    let lines = shown(&desk.path("id-cert.pub"));
    let valid = format!("Valid: from {opens} to {}", utc(grant.window().unwrap().not_after));
    assert!(lines.contains(&valid), "{lines:?}");
}

#[test]
fn nothing_is_signed_or_left_behind_without_a_live_grant() {
    let desk = ready();
    let key = desk.key("id", &[]);
    let new =
        NewRequest { ask: ask("web-1", 600, false), by: Actor::Person(alice()), origin: None };
    let requested = desk.authority.request(&new).unwrap();
    let denied = desk.authority.request(&new).unwrap();
    desk.authority.deny(denied.id(), &Actor::Root, None).unwrap();
    let revoked = desk.grant("web-1", 600, false);
    let why = Reason::parse("over").unwrap();
    let which = RevokeWhich::Id(revoked.id().clone());
    desk.authority.revoke(&which, &Actor::Root, &why).unwrap();
    let ended = desk.grant("web-1", 1, false);
    let good = desk.grant("web-1", 600, false);
    std::thread::sleep(Duration::from_millis(1100));
    let before = desk.names();
    for (grant, phase) in
        [(&requested, "requested"), (&denied, "denied"), (&revoked, "revoked"), (&ended, "ended")]
    {
        sign(&desk, grant, &key).refused(1, &format!("{} is {phase}", grant.id()));
    }
    let key_text = key.to_str().unwrap();
    desk.ssh_ca(&["sign", "--grant", "zzzz-zzzz", "--key", key_text]).refused(4, "no grant");
    desk.ssh_ca(&["sign", "--grant", "zz", "--key", key_text]).refused(2, "no grant id");
    desk.authority.suspend(&Actor::Root, &alice(), true).unwrap();
    sign(&desk, &good, &key).refused(1, "alice is suspended");
    assert_eq!(desk.names(), before);
    assert!(desk.authority.issued(1).unwrap().is_none());
    // Each refusal is on the log.
    let records = desk.authority.last_records(100).unwrap();
    let refused = records.iter().filter(|r| {
        r.action == "certificate.issue" && r.outcome == jit_core::audit::Outcome::Refused
    });
    assert_eq!(refused.count(), 5);
}

#[test]
fn what_could_not_be_recorded_is_not_issued() {
    let desk = ready();
    let grant = desk.grant("web-1", 600, false);
    let key = desk.key("id", &[]);
    let before = desk.names();
    // Another process holds the store for longer than the patience of this one.
    let config = std::fs::read_to_string(desk.path("jit.toml")).unwrap();
    std::fs::write(desk.path("jit.toml"), config + "[store]\nbusy_timeout = '1s'\n").unwrap();
    let (_, certificate) = desk
        .authority
        .issue(
            &Actor::Root,
            grant.id(),
            &ssh_ca::file::read_public_key(&key).unwrap(),
            None,
            &desk.authority.ca_keys(CaKind::User).unwrap()[0].fingerprint,
            |_| Ok(sign(&desk, &grant, &key)),
        )
        .unwrap();
    certificate.refused(5, "");
    assert_eq!(desk.names(), before);
    let id = grant.id().clone();
    assert_eq!(desk.authority.issued(1).unwrap().unwrap().grant, id);
    assert!(desk.authority.issued(2).unwrap().is_none());
}

#[test]
fn the_record_says_what_was_issued() {
    let desk = ready();
    let grant = desk.grant("web-1", 600, false);
    let key = desk.key("id", &[]);
    let said = desk
        .ssh_ca(&["sign", "--json", "--grant", grant.id().as_str(), "--key", key.to_str().unwrap()])
        .ok()
        .json();
    let issued = desk.authority.issued(said["serial"].as_u64().unwrap()).unwrap().unwrap();
    assert_eq!(issued.grant, *grant.id());
    assert_eq!(issued.key, fingerprint(&key));
    let records = desk.authority.last_records(1).unwrap();
    assert!(records[0].detail.contains(&issued.key), "{}", records[0].detail);
    assert!(desk.authority.verify_log().is_ok());
}

#[test]
fn keys_that_are_none_to_certify_are_refused() {
    let desk = ready();
    let grant = desk.grant("web-1", 600, false);
    let key = desk.key("id", &[]);
    sign(&desk, &grant, &key).ok();
    sign(&desk, &grant, &desk.path("id-cert.pub")).refused(2, "a certificate, not a key");
    sign(&desk, &grant, &desk.path("id")).refused(2, "a private key");
    sign(&desk, &grant, &desk.path("none.pub")).refused(4, "there is no ");
    let weak = desk.key("weak", &["-t", "rsa", "-b", "1024"]);
    sign(&desk, &grant, &weak).refused(2, "too weak");
    for (name, option) in [("user", None), ("host", Some("--host"))] {
        let mut line = vec!["public-key"];
        line.extend(option);
        let file = desk.path(&format!("{name}.pub"));
        std::fs::write(&file, desk.ssh_ca(&line).ok().out).unwrap();
        sign(&desk, &grant, &file).refused(1, "the key is a CA's own");
        assert!(!desk.path(&format!("{name}-cert.pub")).exists());
    }
}

#[test]
fn the_certificate_goes_where_it_is_told_and_follows_no_link() {
    let desk = ready();
    let grant = desk.grant("web-1", 600, false);
    let key = desk.key("id", &[]);
    let sign_to = |out: &str| {
        let key = key.to_str().unwrap();
        desk.ssh_ca(&["sign", "--grant", grant.id().as_str(), "--key", key, "--out", out])
    };
    let printed = sign_to("-").ok().out;
    assert!(printed.starts_with("ssh-ed25519-cert-v01@openssh.com "), "{printed}");
    assert_eq!(printed.lines().count(), 1);
    assert!(!desk.path("id-cert.pub").exists());

    sign_to("other-cert.pub").ok();
    let mode = std::fs::metadata(desk.path("other-cert.pub")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o644);

    let before = desk.authority.issued(3).unwrap();
    std::fs::write(desk.path("victim"), "precious").unwrap();
    symlink(desk.path("victim"), desk.path("id-cert.pub")).unwrap();
    sign(&desk, &grant, &key).refused(1, "is a symbolic link");
    sign_to("victim").refused(1, "is no certificate");
    sign_to("nowhere/id-cert.pub").refused(1, "its directory");
    assert_eq!(std::fs::read_to_string(desk.path("victim")).unwrap(), "precious");
    // Refused before anything was issued.
    assert_eq!(desk.authority.issued(3).unwrap(), before);
    assert!(before.is_none());
}

#[test]
fn the_umask_does_not_hide_the_certificate() {
    let desk = ready();
    let grant = desk.grant("web-1", 600, false);
    let key = desk.key("id", &[]);
    let line = format!(
        "umask 077; exec {} --config {} sign --grant {} --key {}",
        env!("CARGO_BIN_EXE_ssh-ca"),
        desk.path("jit.toml").display(),
        grant.id(),
        key.display()
    );
    assert!(
        std::process::Command::new("sh").args(["-c", &line]).output().unwrap().status.success()
    );
    let mode = std::fs::metadata(desk.path("id-cert.pub")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
}
