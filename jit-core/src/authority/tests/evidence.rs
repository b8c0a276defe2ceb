//! What proves an approval, and what somebody who writes the database with the right tags gets of it:
//! nothing.

use serde_json::{Value, json};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::*;
use crate::grant::{Evidence as Proof, NAMESPACE, Yes};
use crate::store::Mode;

/// The private half of [`public_key`].
fn private_key(seed: u8) -> PrivateKey {
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32]));
    PrivateKey::new(pair, "").unwrap()
}

fn signed(grant: &Grant, most: Option<Span>, seed: u8, namespace: &str) -> Yes {
    let text = grant.canonical(most).unwrap();
    let signature = private_key(seed).sign(namespace, HashAlg::Sha512, text.as_bytes()).unwrap();
    let sshsig = signature.to_pem(LineEnding::LF).unwrap();
    let to = grant.digest(most).unwrap();
    Yes { to, most, evidence: Proof::Signature { sshsig } }
}

/// Writes a grant as somebody would who could make the tags, too.
fn forge(desk: &Desk, grant: &Grant, edit: impl FnOnce(&mut Value)) {
    let mut value = serde_json::to_value(grant).unwrap();
    edit(&mut value);
    value["version"] = json!(grant.version() + 1);
    let forged: Grant = serde_json::from_value(value).unwrap();
    let tx = desk.authority.store.begin(Mode::Write).unwrap();
    tx.replace_grant(&forged).unwrap();
    tx.commit().unwrap();
}

fn issue(desk: &Desk, grant: &Grant) -> Result<()> {
    let key = ssh_key::PublicKey::from_openssh(&public_key(1)).unwrap();
    let (id, key) = (grant.id(), key.key_data());
    if desk.authority.ca_keys(crate::store::CaKind::User).unwrap().is_empty() {
        desk.add_ca("SHA256:ca");
    }
    desk.authority.issue(&Actor::Root, id, key, None, "SHA256:ca", |_| Ok(())).map(drop)
}

/// Whether alice may log in.
fn enters(desk: &Desk) -> Result<bool> {
    let attempt = attempt("deploy", Action::Login);
    let who = desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt)?;
    Ok(matches!(desk.authority.may_enter(&who, &attempt)?, Entry::Granted(_)))
}

#[test]
fn a_signature_of_the_approvers_own_key_over_this_very_request_is_a_yes() {
    let desk = Desk::new();
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let other = desk.authority.request(&new("alice", 600)).unwrap();
    let approve = |yes: &Yes| desk.authority.approve(asked.id(), &person("bob"), yes);
    // bob's key is the second of the desk.
    for (bad, why) in [
        (signed(&asked, None, 3, NAMESPACE), "not by an enrolled key"),
        (signed(&asked, None, 2, "file"), "made for something else"),
        (
            Yes { to: asked.digest(None).unwrap(), ..signed(&other, None, 2, NAMESPACE) },
            "not over this",
        ),
        (
            Yes {
                most: Some(Span::from_secs(60).unwrap()),
                to: asked.digest(Some(Span::from_secs(60).unwrap())).unwrap(),
                ..signed(&asked, None, 2, NAMESPACE)
            },
            "not over this",
        ),
        (
            Yes {
                evidence: Proof::Signature { sshsig: "x".repeat(5000) },
                ..signed(&asked, None, 2, NAMESPACE)
            },
            "larger than 4 KiB",
        ),
        (
            Yes {
                evidence: Proof::Signature { sshsig: "nonsense".into() },
                ..signed(&asked, None, 2, NAMESPACE)
            },
            "no signature of ssh-keygen",
        ),
    ] {
        let error = approve(&bad).unwrap_err();
        assert!(error.what().contains(why), "{why}: {error}");
        assert_eq!(error.kind(), Kind::Refused);
    }
    let _ = approve(&signed(&asked, None, 2, NAMESPACE)).unwrap();
    issue(&desk, &asked).unwrap();
    assert!(enters(&desk).unwrap());
}

#[test]
fn a_signature_whose_key_is_gone_issues_no_certificate() {
    let desk = Desk::new();
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let yes = signed(&asked, None, 2, NAMESPACE);
    let _ = desk.authority.approve(asked.id(), &person("bob"), &yes).unwrap();
    let key = desk.authority.keys(&person("bob")).unwrap().remove(0);
    desk.authority.remove_key(&Actor::Root, &person("bob"), &key.fingerprint).unwrap();
    let error = issue(&desk, &asked).unwrap_err();
    assert!(error.what().contains("not by an enrolled key"), "{error}");
    assert!(desk.authority.check_grants().is_err());
}

#[test]
fn a_yes_of_somebody_who_was_removed_since_issues_no_certificate() {
    let desk = Desk::new();
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let _ = desk.approve(asked.id(), "bob").unwrap();
    issue(&desk, &asked).unwrap();
    desk.authority.remove_person(&Actor::Root, &person("bob")).unwrap();
    let error = issue(&desk, &asked).unwrap_err();
    assert!(error.what().contains("is nobody any more"), "{error}");
}

#[test]
fn a_code_proves_a_yes_to_one_request_by_one_person() {
    let desk = Desk::new();
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let other = desk.authority.request(&new("alice", 600)).unwrap();
    let approve = |by: &str, evidence: Proof| {
        let to = asked.digest(None).unwrap();
        let yes = Yes { to, most: None, evidence };
        desk.authority.approve(asked.id(), &person(by), &yes)
    };
    let bob = person("bob");
    desk.authority.prove(&bob, &desk.code("bob"), "something else").unwrap();
    let something_else = records(&desk).last().unwrap().sequence;
    desk.clock.pass(60);
    let digest = other.digest(None).unwrap();
    let for_other =
        desk.authority.prove_approval(&bob, &desk.code("bob"), other.id(), &digest).unwrap();
    let digest = asked.digest(None).unwrap();
    desk.authority.prove_approval(&bob, "000000x", asked.id(), &digest).unwrap_err();
    let failed = records(&desk).last().unwrap().sequence;
    for evidence in [
        Proof::Factor { record: something_else },
        Proof::Factor { record: failed },
        Proof::Factor { record: 0 },
        Proof::Factor { record: 1_000_000 },
        for_other,
    ] {
        assert_eq!(approve("bob", evidence).unwrap_err().kind(), Kind::Tampered);
    }
    desk.clock.pass(60);
    let proof =
        desk.authority.prove_approval(&bob, &desk.code("bob"), asked.id(), &digest).unwrap();
    assert_eq!(approve("carol", proof.clone()).unwrap_err().kind(), Kind::Tampered);
    let _ = approve("bob", proof).unwrap();
    issue(&desk, &asked).unwrap();
}

#[test]
fn a_grant_written_into_the_database_gives_no_access_and_is_reported() {
    type Forgery<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let window = |secs: u64| {
        let start = NOW.unsigned_abs() + 180;
        json!({ "is": "approved", "way": "people",
                "window": { "not_before": start, "not_after": start + secs } })
    };
    let forgeries: &[Forgery<'_>] = &[
        ("approved by nobody", &|grant| {
            grant["state"] = window(600);
            grant["approvals"] = json!([]);
        }),
        ("an approval without a digest", &|grant| {
            grant["state"] = window(600);
            grant["approvals"] = json!([{ "by": "bob", "at": NOW }]);
        }),
        ("approved by the requester", &|grant| {
            grant["state"] = window(600);
            grant["approvals"][0]["by"] = json!("alice");
        }),
        ("one approval twice", &|grant| {
            grant["state"] = window(600);
            grant["approvals"] = json!([grant["approvals"][0], grant["approvals"][0]]);
        }),
        ("a longer window", &|grant| grant["state"] = window(601)),
        ("a longer time asked for", &|grant| {
            grant["state"] = window(1200);
            grant["ask"]["duration"] = json!(1200);
        }),
        ("sudo added", &|grant| {
            grant["state"] = window(600);
            grant["ask"]["sudo"] = json!(true);
        }),
        ("a policy's yes to longer than was asked for", &|grant| {
            grant["state"] = window(601);
            grant["state"]["way"] = json!("policy");
        }),
    ];
    for (what, edit) in forgeries {
        let desk = Desk::new();
        std::fs::write(
            desk.dir.path().join("policy.toml"),
            POLICY.replace("count = 1", "count = 2"),
        )
        .unwrap();
        let asked = desk.authority.request(&new("alice", 600)).unwrap();
        let (waiting, _) = desk.approve(asked.id(), "bob").unwrap();
        desk.authority.check_grants().unwrap();
        forge(&desk, &waiting, |grant| edit(grant));
        assert_eq!(enters(&desk).unwrap_err().kind(), Kind::Tampered, "{what}");
        assert_eq!(issue(&desk, &waiting).unwrap_err().kind(), Kind::Tampered, "{what}");
        let error = desk.authority.check_grants().unwrap_err();
        assert!(error.what().contains(asked.id().as_str()), "{what}: {error}");
    }
}

#[test]
fn an_approver_written_into_the_database_proves_nothing() {
    let desk = Desk::new();
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let digest = asked.digest(None).unwrap();
    let start = NOW.unsigned_abs() + 180;
    for record in [0, 1, 5] {
        let (grant, _) = desk.authority.grant(asked.id()).unwrap();
        forge(&desk, &grant, |grant| {
            grant["state"] = json!({ "is": "approved", "way": "people",
                "window": { "not_before": start, "not_after": start + 600 } });
            grant["approvals"] = json!([{ "by": "carol", "at": start, "digest": digest,
                "evidence": { "factor": { "record": record } } }]);
        });
        let error = issue(&desk, &asked).unwrap_err();
        assert!(error.what().contains("nothing proves the approval"), "{error}");
        assert_eq!(desk.authority.check_grants().unwrap_err().kind(), Kind::Tampered);
    }
    let (grant, _) = desk.authority.grant(asked.id()).unwrap();
    let forged = signed(&asked, None, 77, NAMESPACE);
    forge(&desk, &grant, |grant| {
        grant["approvals"][0]["evidence"] = serde_json::to_value(&forged.evidence).unwrap();
    });
    let error = issue(&desk, &asked).unwrap_err();
    assert!(error.what().contains("not by an enrolled key"), "{error}");
    assert!(desk.authority.check_grants().is_err());
}

#[test]
fn the_canonical_request_is_the_same_wherever_it_is_made() {
    let desk = Desk::new();
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let text = asked.canonical(None).unwrap();
    let expected = format!(
        "jit-request@v1\nid: {}\nrevision: 1\nfiled: {}\nperson: alice\nlogin: deploy\n\
         place: web-1\nsudo: no\nseconds: 600\nstart: -\nextends: -\nreason: INC-1 look at it\n",
        asked.id(),
        asked.requested_at().rfc3339()
    );
    assert_eq!(text, expected);
    let less = asked.canonical(Some(Span::from_secs(60).unwrap())).unwrap();
    assert_eq!(less, format!("{expected}for at most: 60\n"));
    let (stored, _) = desk.again().grant(asked.id()).unwrap();
    assert_eq!(stored.digest(None).unwrap(), asked.digest(None).unwrap());
}
