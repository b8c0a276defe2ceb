//! Logging in.

use serde_json::json;

use crate::desk::{Client, Desk, key, line, person, sign};

#[test]
fn a_key_and_a_code_give_a_token_that_says_who_one_is() {
    let desk = Desk::new();
    let (alice, ada) = (desk.logged_in("alice"), desk.logged_in("ada"));
    let (_, me) = desk.ask(&alice, "GET", "/v1/me", json!(null));
    assert_eq!((&me["person"], &me["admin"]), (&json!("alice"), &json!(false)));
    assert!(me["factor_at"].as_u64().is_some());
    let (_, me) = desk.ask(&ada, "GET", "/v1/me", json!(null));
    assert_eq!((&me["person"], &me["admin"]), (&json!("ada"), &json!(true)));
}

#[test]
fn whatever_is_wrong_the_answer_is_the_same_and_a_record_is_left() {
    let desk = Desk::new();
    let app = desk.app("alice");
    let code = app.code(&desk);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let mut answers = Vec::new();
    for (name, by, code) in [
        ("alice", "alice", wrong),
        ("alice", "bob", code.as_str()),
        ("mallory", "alice", code.as_str()),
        ("bob", "bob", "123456"),
    ] {
        let before = desk.authority.verify_log().unwrap().records;
        let (status, answer) = desk.login(name, &key(by), code);
        assert_eq!(status, 401, "{name} {by} {code}");
        answers.push(answer);
        let record = desk.authority.last_records(1).unwrap().remove(0);
        assert_eq!(record.sequence, before + 1);
        assert_eq!(
            (record.action.as_str(), record.outcome.to_string().as_str()),
            ("factor.verify", "refused")
        );
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    let (status, _) = desk.login("alice", &key("alice"), &code);
    assert_eq!(status, 200, "nobody without alice's key spent her code");
    let (status, _) = desk.login("alice", &key("alice"), &code);
    assert_eq!(status, 401, "a code counts once");
}

#[test]
fn a_nonce_is_good_once_and_for_a_minute() {
    let desk = Desk::new();
    let app = desk.app("alice");
    let anybody = Client::nobody();
    let body = desk.login_body("alice", &key("alice"), &app.code(&desk));
    assert_eq!(desk.ask(&anybody, "POST", "/v1/login", body.clone()).0, 200);
    desk.clock.pass(30);
    let mut again = body;
    again["code"] = json!(app.code(&desk));
    let (status, answer) = desk.ask(&anybody, "POST", "/v1/login", again);
    assert_eq!(status, 401);
    assert!(answer["detail"].as_str().unwrap().contains("nonce"), "{answer}");
    let mut late = desk.login_body("alice", &key("alice"), &app.code(&desk));
    desk.clock.pass(61);
    late["code"] = json!(app.code(&desk));
    let (status, answer) = desk.ask(&anybody, "POST", "/v1/login", late);
    assert_eq!(status, 401);
    assert!(answer["detail"].as_str().unwrap().contains("nonce"), "{answer}");
}

#[test]
fn a_signature_for_another_server_purpose_or_proof_key_is_none() {
    let desk = Desk::new();
    let app = desk.app("alice");
    let anybody = Client::nobody();
    let print = |name: &str| key(name).fingerprint(ssh_key::HashAlg::Sha256).to_string();
    let text = |server: &str, nonce: &str, proof_key: &str| {
        jit_api::proof::login(server, nonce, &person("alice"), &print(proof_key)).unwrap()
    };
    for (server, namespace, signed, sent) in [
        ("other.example.com", "jit-login@v1", "alice", "alice"),
        (crate::desk::SERVER, "jit-proof@v1", "alice", "alice"),
        (crate::desk::SERVER, "jit-login@v1", "alice", "mallory"),
    ] {
        let mut body = desk.login_body("alice", &key("alice"), &app.code(&desk));
        let nonce = body["nonce"].as_str().unwrap().to_owned();
        body["signature"] = json!(sign(&key("alice"), namespace, &text(server, &nonce, signed)));
        body["proof_key"] = json!(line(&key(sent)));
        let (status, answer) = desk.ask(&anybody, "POST", "/v1/login", body);
        assert_eq!(status, 401, "{server} {namespace} {sent}: {answer}");
    }
}

#[test]
fn guessing_is_throttled_per_person_and_per_address() {
    let desk = Desk::new();
    let app = desk.app("alice");
    for _ in 0..5 {
        assert_eq!(desk.login("alice", &key("alice"), "x").0, 401);
    }
    let right = app.code(&desk);
    assert_eq!(desk.login("alice", &key("alice"), &right).0, 429, "per person, as at the prompt");
    for _ in 0..30 {
        let _ = desk.login("mallory", &key("x"), "x");
    }
    let (status, answer) = desk.login("mallory", &key("x"), "x");
    assert_eq!((status, &answer["code"]), (429, &json!("rate-limited")), "per address");
}
