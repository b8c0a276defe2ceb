use std::collections::BTreeSet;

use jit_core::certificate::KeyId;
use jit_core::grant::{Permission, Window};
use jit_core::id::GrantId;
use jit_core::name::PersonName;
use jit_core::time::Timestamp;
use proptest::prelude::*;
use ssh_key::HashAlg;
use ssh_key::public::{Ed25519PublicKey, OpaquePublicKey};

use super::*;

fn at(unix: u64) -> Timestamp {
    Timestamp::from_unix(unix).unwrap()
}

fn signer() -> Signer {
    Signer::new(CaKeyPair::generate(CaKind::User).unwrap()).unwrap()
}

fn good() -> Specification {
    Specification {
        serial: 7,
        public_key: KeyData::Ed25519(Ed25519PublicKey([7; 32])),
        key_id: KeyId {
            grant: GrantId::parse("k7q2-m9xd").unwrap(),
            person: PersonName::parse("alice").unwrap(),
            sudo: true,
            factor: None,
            rule: false,
        },
        principals: vec!["deploy@web-1".into()],
        validity: Window::new(at(1000), at(2000)).unwrap(),
        permissions: BTreeSet::from([Permission::Pty, Permission::X11Forwarding]),
        restrictions: jit_core::restriction::Restrictions::default(),
    }
}

fn with(change: impl FnOnce(&mut Specification)) -> Specification {
    let mut specification = good();
    change(&mut specification);
    specification
}

#[test]
fn a_certificate_says_what_was_asked_and_no_more() {
    let signer = signer();
    let made = signer.sign(&good()).unwrap();
    assert_eq!(made.cert_type(), CertType::User);
    assert_eq!((made.serial(), made.valid_after(), made.valid_before()), (7, 1000, 2000));
    assert_eq!(made.key_id(), "jit/1 grant=k7q2-m9xd user=alice may=login,sudo");
    assert_eq!(made.valid_principals(), ["deploy@web-1"]);
    assert!(made.critical_options().is_empty());
    let extensions: Vec<_> = made.extensions().keys().cloned().collect();
    assert_eq!(extensions, ["permit-X11-forwarding", "permit-pty"]);
    assert_eq!(made.signature_key(), signer.key().public());
    assert_eq!(made.nonce().len(), 32);
    assert_ne!(made.nonce(), signer.sign(&good()).unwrap().nonce());
    let ca = signer.key().public().fingerprint(HashAlg::Sha256);
    assert!(made.validate_at(1999, [&ca]).is_ok());
}

#[test]
fn a_certificate_with_no_principal_is_never_signed() {
    let everybody = with(|s| s.principals.clear());
    let error = signer().sign_without_reading_back(&everybody).unwrap_err();
    assert!(error.what().contains("not signed: it names no principal"), "{error}");
}

#[test]
fn what_the_builder_would_take_is_refused() {
    let signer = signer();
    let many = |count: usize| (0..count).map(|i| format!("deploy@web-{i}")).collect::<Vec<_>>();
    let own = signer.key().public().clone();
    let opaque = OpaquePublicKey::new(
        vec![1; 8],
        Algorithm::new("ssh-ed25519-cert-v01@openssh.com").unwrap(),
    );
    let bad = [
        ("is 0", with(|s| s.serial = 0)),
        ("CA's own", with(|s| s.public_key = own)),
        ("no keys of type", with(|s| s.public_key = KeyData::Other(opaque))),
        ("twice", with(|s| s.principals.push("deploy@web-1".into()))),
        ("more than 256", with(|s| s.principals = many(257))),
        ("never be valid", with(|s| s.validity.not_after = s.validity.not_before)),
        ("never be valid", with(|s| s.validity.not_after = at(999))),
    ];
    for (why, specification) in bad {
        let error = signer.sign(&specification).unwrap_err();
        assert_eq!(error.kind(), jit_core::Kind::Refused);
        assert!(error.what().contains(why), "{why}: {error}");
        assert!(signer.sign_without_reading_back(&specification).is_err(), "{why}");
    }
    let most = signer.sign(&with(|s| s.principals = many(256))).unwrap();
    assert_eq!(most.valid_principals().len(), 256);
}

#[test]
fn a_principal_is_one_login_at_one_place() {
    let signer = signer();
    for bad in [
        "",
        "deploy",
        "@web-1",
        "deploy@",
        "deploy@web-1,root@web-1",
        "deploy@web-1 ",
        "deploy@web-1\n",
        "deploy@WEB-1",
        "Deploy@web-1",
        "deploy@web-1@web-2",
        "deploy@env=prod,x=y",
        "deploy@*",
        "\"deploy\"@web-1",
        "depl\u{f6}y@web-1",
        "deploy@web-1\0",
    ] {
        let specification = with(|s| s.principals = vec!["deploy@web-1".into(), bad.into()]);
        assert!(signer.sign(&specification).is_err(), "{bad:?}");
    }
    let label = with(|s| s.principals = vec!["deploy@env=prod".into(), "root@web-1".into()]);
    assert!(signer.sign(&label).is_ok());
}

#[test]
fn a_host_ca_signs_nobody() {
    assert!(Signer::new(CaKeyPair::generate(CaKind::Host).unwrap()).is_err());
}

#[test]
fn a_certificate_that_came_out_wrong_is_not_returned() {
    let signer = signer();
    let made = signer.sign_without_reading_back(&good()).unwrap();
    assert!(signer.read_back(&made, &good()).is_ok());
    for other in [
        with(|s| s.serial = 8),
        with(|s| s.public_key = KeyData::Ed25519(Ed25519PublicKey([8; 32]))),
        with(|s| s.principals.push("deploy@web-2".into())),
        with(|s| s.validity.not_before = at(1001)),
        with(|s| s.validity.not_after = at(2001)),
        with(|s| s.permissions.clear()),
        with(|s| s.key_id.sudo = false),
    ] {
        assert!(signer.read_back(&made, &other).is_err(), "{other:?}");
    }
    // A signature in which one bit fell over.
    let mut bytes = made.to_bytes().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let wrong = Certificate::from_bytes(&bytes).unwrap();
    assert!(signer.read_back(&wrong, &good()).is_err());
    // And another CA's certificate.
    let foreign = self::signer().sign(&good()).unwrap();
    assert!(signer.read_back(&foreign, &good()).is_err());
}

fn principals() -> impl Strategy<Value = Vec<String>> {
    let one = prop_oneof![
        4 => "[a-z]{1,6}@(web-[0-9]|env=prod)",
        1 => "[a-z@,=\\. \n\"-]{0,12}",
        1 => "\\PC{0,8}",
    ];
    proptest::collection::vec(one, 0..4)
}

proptest! {
    #[test]
    fn no_invalid_specification_is_ever_signed(
        serial in prop_oneof![Just(0), Just(1), any::<u64>()],
        principals in principals(),
        opens in 0_u64..50,
        ends in 0_u64..50,
        own_key in proptest::bool::weighted(0.1),
    ) {
        let signer = signer();
        let specification = with(|s| {
            s.serial = serial;
            s.principals.clone_from(&principals);
            s.validity = Window { not_before: at(opens), not_after: at(ends) };
            if own_key {
                s.public_key = signer.key().public().clone();
            }
        });
        // Said again in the simplest words, so that a mistake in the rules shows.
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        let is_principal = |text: &String| {
            let parts: Vec<_> = text.split('@').collect();
            let place = |place: &str| place.bytes().all(|b| plain(b) || b == b'=');
            matches!(parts[..], [login, at] if !login.is_empty() && !at.is_empty()
                && login.bytes().all(plain) && place(at) && at.matches('=').count() < 2)
        };
        let distinct: BTreeSet<_> = principals.iter().collect();
        let allowed = serial != 0
            && !own_key
            && opens < ends
            && !principals.is_empty()
            && distinct.len() == principals.len()
            && principals.iter().all(is_principal);
        match signer.sign(&specification) {
            Err(_) => {}
            Ok(made) => {
                prop_assert!(allowed, "{specification:?}");
                prop_assert_eq!(made.valid_principals(), &principals);
                prop_assert_eq!((made.valid_after(), made.valid_before()), (opens, ends));
            }
        }
    }

    #[test]
    fn every_valid_specification_is_signed(
        serial in 1..u64::MAX,
        logins in proptest::collection::btree_set("[a-z_][a-z0-9._-]{0,8}", 1..8),
        place in "([a-z0-9][a-z0-9.-]{0,8}|[a-z]{1,4}=[a-z0-9]{1,4})",
        opens in 0_u64..1_000_000,
        lasts in 1_u64..1_000_000,
    ) {
        let specification = with(|s| {
            s.serial = serial;
            s.principals = logins.iter().map(|login| format!("{login}@{place}")).collect();
            s.validity = Window::new(at(opens), at(opens + lasts)).unwrap();
        });
        prop_assert!(signer().sign(&specification).is_ok());
    }
}
