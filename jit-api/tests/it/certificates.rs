//! Certificates: for one's own live grant, over a key that one holds.

use jit_api::proof;
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use serde_json::{Value, json};

use crate::desk::{Client, Desk, SERVER, key, line, sign};

fn body(id: &str, over: &str, by: &str, server: &str) -> Value {
    let print = key(over).fingerprint(ssh_key::HashAlg::Sha256).to_string();
    let text = proof::certify(server, &GrantId::parse(id).unwrap(), &print).unwrap();
    json!({
        "grant": id, "public_key": line(&key(over)),
        "signature": sign(&key(by), proof::CERTIFY, &text),
    })
}

#[test]
fn a_certificate_names_the_factor_of_the_login() {
    let desk = Desk::new();
    let (alice, bob) = (desk.logged_in("alice"), desk.logged_in("bob"));
    let view = desk.request(&alice);
    let id = view["grant"]["id"].as_str().unwrap();
    let certify = |client: &Client, body: Value| desk.ask(client, "POST", "/v1/certificates", body);
    let good = || body(id, "laptop", "laptop", SERVER);
    assert_eq!(certify(&alice, good()).0, 403, "nobody approved it yet");
    let (status, _) =
        desk.ask(&bob, "POST", &format!("/v1/grants/{id}/approve"), desk.yes(&view, "bob"));
    assert_eq!(status, 200);
    let (status, answer) = certify(&alice, good());
    assert_eq!(status, 200, "{answer}");
    let key_id = answer["certificate"].as_str().unwrap();
    assert!(key_id.contains("user=alice may=login mfa=totp@"), "{key_id}");
    assert_eq!(certify(&bob, good()).0, 404, "who approved it does not connect with it");
    assert_eq!(certify(&alice, body(id, "laptop", "mallory", SERVER)).0, 403);
    assert_eq!(certify(&alice, body(id, "laptop", "laptop", "other.example.com")).0, 403);
}

#[test]
fn a_key_that_nobody_proved_to_hold_is_not_certified() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let ask = serde_json::from_value(json!({
        "person": "alice", "login": "deploy", "place": "web-1", "sudo": false, "duration": 600,
        "start": null, "reason": "INC-1 look at it",
    }));
    let grant = desk.authority.grant_alone(&Actor::Root, &ask.unwrap()).unwrap();
    let id = grant.id().as_str();
    let certify =
        |client: &Client, body: &Value| desk.ask(client, "POST", "/v1/certificates", body.clone());
    let unsigned = |over: &str| json!({ "grant": id, "public_key": line(&key(over)) });
    let (status, answer) = certify(&alice, &unsigned("alice"));
    assert_eq!(status, 200, "the key signed the request, which names it: {answer}");
    for over in ["laptop", "bob", "ca"] {
        let (status, answer) = certify(&alice, &unsigned(over));
        assert_eq!(status, 403, "{over}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains("nothing proves"), "{answer}");
    }
    // Whoever is known without a signature has signed nothing.
    assert_eq!(certify(&Client::root(), &unsigned("alice")).0, 403);
    // A signature that is there is looked at.
    assert_eq!(certify(&alice, &body(id, "alice", "mallory", SERVER)).0, 403);
    // The proof of one request is none of another, which names another key.
    let mut swapped = alice.prepared(&desk, "POST", "/v1/certificates", unsigned("alice"));
    swapped.body = serde_json::to_vec(&unsigned("laptop")).unwrap();
    assert_eq!(desk.answered(&desk.office, &swapped).status, 401);
}
