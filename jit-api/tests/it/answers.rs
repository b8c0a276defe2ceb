//! What hosts are told is signed, and what anybody else is told is not.

use jit_api::proof::{Answer, Proof};
use jit_api::{Answered, Turn, Visit};
use serde_json::{Value, json};
use ssh_key::HashAlg;

use crate::desk::{Client, Desk, Request, SERVER, key};

/// Whether the host CA signed `answered` as what web-1 is told on `request`.
fn is_signed(request: &Request, answered: &Answered) -> bool {
    let proof = Proof::parse(request.proof.as_deref().unwrap()).unwrap();
    let target = request.asked().target();
    let answer = Answer {
        server: SERVER,
        host: "web-1",
        method: &request.method,
        target: &target,
        nonce: &proof.nonce,
        status: answered.status,
        body: &answered.body,
    };
    let ca = key("ca").fingerprint(HashAlg::Sha256);
    answer.check(answered.signature.as_deref(), ca).is_ok()
}

#[test]
fn what_a_host_is_told_is_signed_for_that_request_refusals_too() {
    let desk = Desk::new();
    let host = desk.enrolled_host();
    let asks = [
        ("GET", "/v1/host/state?wait=0", Value::Null, 200),
        ("POST", "/v1/host/askers", json!({ "login": "deploy" }), 200),
        ("POST", "/v1/host/askers", json!({ "login": 7 }), 400),
        ("GET", "/v1/host/requests/aaaa-aaaa", Value::Null, 404),
        ("GET", "/v1/people", Value::Null, 403),
    ];
    let requests = asks
        .map(|(method, target, body, status)| (host.prepared(&desk, method, target, body), status));
    for (request, status) in &requests {
        let answered = desk.answered(&desk.office, request);
        assert_eq!(answered.status, *status, "{}", request.path);
        assert!(is_signed(request, &answered), "{}", request.path);
        // Of the same again nothing is signed: it proves nobody.
        let again = desk.answered(&desk.office, request);
        assert_eq!((again.status, again.signature), (401, None));
    }
    let other = host.prepared(&desk, "GET", "/v1/host/state?wait=0", Value::Null);
    let answered = desk.answered(&desk.office, &other);
    assert!(!is_signed(&requests[0].0, &answered), "it is another's nonce");
}

#[test]
fn what_is_answered_together_is_signed_one_by_one() {
    let desk = Desk::new();
    let host = desk.enrolled_host();
    let ask =
        |login: &str| host.prepared(&desk, "POST", "/v1/host/askers", json!({ "login": login }));
    let requests = [ask("deploy"), ask("alice"), ask("Not A Login")];
    let mut all: Vec<_> =
        requests.iter().map(|request| (request.asked(), Visit::default())).collect();
    let turns = desk.office.answer_all(&mut all);
    assert_eq!(turns.len(), requests.len());
    for (request, turn) in requests.iter().zip(turns) {
        let Turn::Answer(answered) = turn else { panic!("nothing to wait for") };
        assert!(is_signed(request, &answered), "{}", answered.status);
    }
}

#[test]
fn nobody_else_is_told_anything_signed() {
    let desk = Desk::new();
    desk.enrolled_host();
    let alice = desk.logged_in("alice");
    let thief = Client { key: key("mallory"), ..Client::host("web-1") };
    for (client, target, status) in [
        (&alice, "/v1/me", 200),
        (&Client::root(), "/v1/hosts", 200),
        (&Client::nobody(), "/v1/server", 200),
        (&thief, "/v1/host/state", 401),
        // It is not looked at there who asks.
        (&Client::host("web-1"), "/v1/server", 200),
    ] {
        let request = client.prepared(&desk, "GET", target, Value::Null);
        let answered = desk.answered(&desk.office, &request);
        assert_eq!((answered.status, answered.signature), (status, None), "{target}");
    }
}
