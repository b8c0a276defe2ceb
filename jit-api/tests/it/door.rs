//! What is refused before any handler is reached, and that it is on the log.

use std::time::Duration;

use jit_api::{Turn, Visit};
use jit_core::grant::Actor;
use serde_json::{Value, json};

use crate::desk::{Client, Desk, key, line, person, read};

/// Asks for something that takes a login, is refused, and finds that on the log as alice's.
fn refused(desk: &Desk, client: &Client, why: &str) {
    let before = desk.authority.verify_log().unwrap().records;
    let (status, answer) = desk.ask(client, "GET", "/v1/me", Value::Null);
    assert_eq!((status, &answer["code"]), (401, &json!("unauthenticated")), "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains(why), "{answer}");
    let records = desk.authority.last_records(1).unwrap();
    assert_eq!(records[0].sequence, before + 1, "{why}");
    let expected = ["person:alice", "access.refuse", "me"];
    assert_eq!([&records[0].actor, &records[0].action, &records[0].object], expected);
}

#[test]
fn a_stolen_token_without_its_key_is_worth_nothing() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let thief = Client { key: key("mallory"), ..alice.clone() };
    refused(&desk, &thief, "not by an enrolled key");
    let unsigned = {
        let mut request = alice.prepared(&desk, "GET", "/v1/me", Value::Null);
        request.proof = None;
        request
    };
    assert_eq!(desk.answered(&desk.office, &unsigned).status, 401);
    assert_eq!(desk.ask(&alice, "GET", "/v1/me", Value::Null).0, 200);
}

#[test]
fn a_proof_is_good_once_for_its_request_and_its_minute() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let request = alice.prepared(&desk, "GET", "/v1/grants?all=true", Value::Null);
    assert_eq!(desk.answered(&desk.office, &request).status, 200);
    let again = desk.answered(&desk.office, &request);
    assert_eq!(again.status, 401);
    assert!(read(&again)["detail"].as_str().unwrap().contains("used before"));
    assert_eq!(desk.last_record().1, "access.refuse");

    let fresh = || alice.prepared(&desk, "GET", "/v1/grants?all=true", Value::Null);
    let mut other_query = fresh();
    other_query.query = Some("all=false".into());
    let mut other_path = fresh();
    other_path.path = "/v1/inbox".into();
    other_path.query = None;
    let mut other_body = alice.prepared(&desk, "POST", "/v1/requests", json!({}));
    other_body.body = b"{ }".to_vec();
    for forged in [other_query, other_path, other_body] {
        assert_eq!(desk.answered(&desk.office, &forged).status, 401, "{}", forged.path);
    }
    let late = fresh();
    desk.clock.pass(61);
    let answered = desk.answered(&desk.office, &late);
    assert_eq!(answered.status, 401);
    assert!(read(&answered)["detail"].as_str().unwrap().contains("another time"));
}

#[test]
fn a_restarted_server_takes_no_proof_of_before() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let request = alice.prepared(&desk, "GET", "/v1/me", Value::Null);
    assert_eq!(desk.answered(&desk.office, &request).status, 200);
    desk.clock.pass(1);
    let restarted = desk.restarted();
    assert_eq!(desk.answered(&restarted, &request).status, 503);
    let new = alice.prepared(&desk, "GET", "/v1/me", Value::Null);
    assert_eq!(desk.answered(&restarted, &new).status, 200, "the token itself goes on");
}

#[test]
fn what_was_signed_for_another_server_is_none() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let elsewhere = Client { server: "other.example.com".into(), ..alice.clone() };
    refused(&desk, &elsewhere, "not over this text");
    // Even one with the same master key.
    let other = desk.of_name("other.example.com");
    let request = elsewhere.prepared(&desk, "GET", "/v1/me", Value::Null);
    let answered = desk.answered(&other, &request);
    assert_eq!(answered.status, 401);
    assert!(read(&answered)["detail"].as_str().unwrap().contains("another server's"));
}

#[test]
fn an_old_token_a_removed_key_and_a_suspended_person_are_out_at_once() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let name = person("alice");
    desk.authority.suspend(&Actor::Root, &name, true).unwrap();
    refused(&desk, &alice, "does not count any more");
    desk.authority.suspend(&Actor::Root, &name, false).unwrap();
    assert_eq!(desk.ask(&alice, "GET", "/v1/me", Value::Null).0, 200);
    let print = desk.authority.keys(&name).unwrap().remove(0).fingerprint;
    desk.authority.remove_key(&Actor::Root, &name, &print).unwrap();
    refused(&desk, &alice, "does not count any more");
    desk.authority.add_key(&Actor::Root, &name, &line(&key("alice"))).unwrap();
    assert_eq!(desk.ask(&alice, "GET", "/v1/me", Value::Null).0, 200);
    desk.clock.pass(3600);
    refused(&desk, &alice, "expired");
}

#[test]
fn a_login_ends_with_the_second_factor_that_it_was_made_with() {
    let desk = Desk::new();
    let name = person("alice");
    let before = desk.logged_in("alice");
    let me = |client: &Client| desk.ask(client, "GET", "/v1/me", Value::Null).0;
    assert_eq!(me(&before), 200);
    // Another one that nobody has shown a code of yet changes nothing.
    desk.authority.begin_enrolment(&Actor::Root, &name).unwrap();
    assert_eq!(me(&before), 200);
    let replaced = desk.logged_in("alice");
    refused(&desk, &before, "second factor of this login does not count any more");
    assert_eq!(me(&replaced), 200);
    desk.authority.reset_factors(&Actor::Root, &name).unwrap();
    refused(&desk, &replaced, "does not count any more");
    let again = desk.logged_in("alice");
    refused(&desk, &replaced, "does not count any more");
    assert_eq!(me(&again), 200);
}

#[test]
fn noise_is_refused_and_fills_no_log() {
    let desk = Desk::new();
    let before = desk.authority.verify_log().unwrap().records;
    let alice = desk.logged_in("alice");
    let logged = desk.authority.verify_log().unwrap().records;
    assert!(logged > before);
    for authorization in
        ["", "JIT", "JIT x", "JIT ????", "Basic x", "JIT-Host web-1", "JIT-Host ../x"]
    {
        let mut request = alice.prepared(&desk, "GET", "/v1/me", Value::Null);
        request.authorization = Some(authorization.into());
        assert_eq!(desk.answered(&desk.office, &request).status, 401, "{authorization}");
    }
    assert_eq!(desk.authority.verify_log().unwrap().records, logged);
    // A copy of a real token is no means to fill it, either.
    let thief = Client { key: key("mallory"), ..alice };
    for _ in 0..30 {
        assert_eq!(desk.ask(&thief, "GET", "/v1/me", Value::Null).0, 401);
    }
    assert_eq!(desk.authority.verify_log().unwrap().records, logged + 10);
}

#[test]
fn a_request_that_waits_is_asked_again_with_the_same_proof_and_then_never_more() {
    let desk = Desk::new();
    let (alice, bob) = (desk.logged_in("alice"), desk.logged_in("bob"));
    let view = desk.request(&alice);
    let id = view["grant"]["id"].as_str().unwrap();
    let target = format!("/v1/grants/{id}?wait=30&version=1");
    let request = alice.prepared(&desk, "GET", &target, Value::Null);
    let marker = desk.office.change_marker().unwrap();
    let waits = Turn::Wait { at_most: Duration::from_secs(30) };
    let mut visit = Visit::patient();
    assert_eq!(desk.office.answer(&request.asked(), &mut visit), waits);
    assert_eq!(desk.office.answer(&request.asked(), &mut visit), waits);
    assert_eq!(desk.answered(&desk.office, &request).status, 401, "a copy while it waits");
    let (status, _) =
        desk.ask(&bob, "POST", &format!("/v1/grants/{id}/approve"), desk.yes(&view, "bob"));
    assert_eq!(status, 200);
    assert_ne!(desk.office.change_marker().unwrap(), marker, "the waiting are told");
    let Turn::Answer(answered) = desk.office.answer(&request.asked(), &mut visit) else {
        panic!("it changed, and still waits")
    };
    assert_eq!((answered.status, &read(&answered)["state"]), (200, &json!("active")));
    assert_eq!(desk.answered(&desk.office, &request).status, 401);
}

#[test]
fn too_large_too_long_unknown_and_wrong_methods_are_told_apart() {
    let desk = Desk::new();
    let anybody = Client::nobody();
    let mut large = anybody.prepared(&desk, "POST", "/v1/login", Value::Null);
    large.body = vec![b' '; jit_api::LARGEST_BODY + 1];
    assert_eq!(desk.answered(&desk.office, &large).status, 413);
    let long = format!("/{}", "a".repeat(9000));
    for (method, target, status) in [
        ("GET", "/nowhere", 404),
        ("GET", long.as_str(), 400),
        ("DELETE", "/v1/me", 405),
        ("GET", "/v1/me", 401),
        ("GET", "/healthz?x=1", 400),
        ("GET", "/healthz", 200),
    ] {
        assert_eq!(desk.ask(&anybody, method, target, Value::Null).0, status, "{target:.20}");
    }
}
