//! What sshd goes by: its files follow the authority.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jit_core::grant::Actor;
use jit_core::name::HostName;
use jit_core::store::CaKind;
use jit_link::{Reach, Sshd, Step};

use crate::ground::*;

const ROOT: Actor = Actor::Root;

#[test]
fn the_file_that_sshd_trusts_holds_the_cas_keys_and_no_others() {
    let ground = Ground::new();
    let reach = Reach::default();
    let mut step = Step::new(ground.here(), &ground.office, &reach);
    let here = ground.here();
    let file = here.config().trusted_ca_file();
    let mut trusted = || {
        step.once(Duration::ZERO).unwrap();
        let written = Sshd::of(&here, &ground.office).trust().unwrap();
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        (written, text.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(trusted(), (false, vec![]), "there is no user CA yet");
    let (first, second, third) = (public(1), public(2), public(3));
    let add = |a: &jit_core::authority::Authority| {
        a.add_ca_key(&ROOT, CaKind::User, &fingerprint(1), &first, "sealed")
    };
    ground.there(add).unwrap();
    assert_eq!(trusted(), (true, vec![first.clone()]));
    assert_eq!(trusted(), (false, vec![first.clone()]));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);

    // What signed so far stays until the next one; what leaked goes at once.
    let rotate = |seed: u8, at_once: bool| {
        let (print, line) = (fingerprint(seed), public(seed));
        ground.there(|a| a.rotate_user_ca(&ROOT, &print, &line, "sealed", at_once)).unwrap()
    };
    assert_eq!(rotate(2, false), Vec::<String>::new());
    assert_eq!(trusted(), (true, vec![second.clone(), first.clone()]));
    assert_eq!(rotate(3, false), [fingerprint(1)]);
    assert_eq!(trusted(), (true, vec![third.clone(), second.clone()]));
    assert_eq!(rotate(4, true), [fingerprint(3), fingerprint(2)]);
    assert_eq!(trusted(), (true, vec![public(4)]));
    let log = here.last_records(1).unwrap();
    assert!(log[0].detail.contains(&fingerprint(4)), "{:?}", log[0]);
    // What somebody else wrote there is gone, too.
    std::fs::write(&file, format!("{}\n{first}\n", public(4))).unwrap();
    assert_eq!(trusted(), (true, vec![public(4)]));
    // Neither CA takes the other's key.
    let taken = |a: &jit_core::authority::Authority| {
        a.rotate_user_ca(&ROOT, &fingerprint(9), &public(9), "sealed", false)
    };
    let error = ground.there(taken).unwrap_err();
    assert!(error.what().contains("must not share"), "{error}");
}

#[test]
fn sshds_key_is_certified_for_this_host_alone() {
    let ground = Ground::new();
    let here = ground.here();
    let reach = Reach::default();
    Step::new(ground.here(), &ground.office, &reach).once(Duration::ZERO).unwrap();
    let key = ground.dir.path().join("key.pub");
    let sshd = Sshd { here: &here, office: &ground.office, key: key.clone() };
    assert!(!sshd.certify().unwrap(), "without a key there is nothing to ask");
    std::fs::write(&key, format!("{} root@web-2\n", public(5))).unwrap();
    assert!(sshd.certify().unwrap());
    let file = here.config().host_certificate_file();
    let first = std::fs::read_to_string(&file).unwrap();
    assert!(first.starts_with("ssh-ed25519-cert-v01@openssh.com "), "{first}");
    let asked = ground.office.asked.load(Ordering::SeqCst);
    assert!(!sshd.certify().unwrap(), "it lasts");
    assert_eq!(ground.office.asked.load(Ordering::SeqCst), asked);
    let record = ground.there(|a| a.last_records(1)).unwrap().remove(0);
    assert_eq!(
        (record.actor.as_str(), record.action.as_str()),
        ("host:web-2", "certificate.issue-host")
    );

    // Another key needs another; one for another host takes no place.
    std::fs::write(&key, public(6)).unwrap();
    *ground.office.called.lock().unwrap() = HostName::parse("web-1").unwrap();
    let error = sshd.certify().unwrap_err();
    assert!(error.what().contains("is for another host"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    *ground.office.called.lock().unwrap() = web_2();
    assert!(sshd.certify().unwrap());
    assert_ne!(std::fs::read_to_string(&file).unwrap(), first);
    // The CA's own key is none of a host's.
    std::fs::write(&key, "ssh-rsa AAAA").unwrap();
    assert!(sshd.certify().is_err());
}
