//! Certificates: for one's own live grant, over a key that one holds.

use jit_api::proof;
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
