//! What is asked twice under one key is done once.

use jit_api::Answered;
use serde_json::{Value, json};

use crate::desk::{Client, Desk, read};

fn file(desk: &Desk, client: &Client, key: &str, reason: &str) -> Answered {
    let ask = json!({ "login": "deploy", "place": "web-1", "duration": 600, "reason": reason });
    let mut request = client.prepared(desk, "POST", "/v1/requests", ask);
    request.idempotency_key = Some(key.into());
    desk.answered(&desk.office, &request)
}

fn count(desk: &Desk, client: &Client) -> usize {
    let (_, list) = desk.ask(client, "GET", "/v1/grants?all=true", Value::Null);
    list["grants"].as_array().unwrap().len()
}

#[test]
fn the_same_key_and_request_are_answered_the_same_also_after_a_restart() {
    let mut desk = Desk::new();
    let alice = desk.logged_in("alice");
    let first = file(&desk, &alice, "k1", "INC-1 first");
    assert_eq!(first.status, 200);
    assert_eq!(file(&desk, &alice, "k1", "INC-1 first").body, first.body);
    desk.clock.pass(1);
    desk.office = desk.restarted();
    assert_eq!(file(&desk, &alice, "k1", "INC-1 first").body, first.body);
    assert_eq!(count(&desk, &alice), 1);
    let other = file(&desk, &alice, "k1", "INC-2 other");
    assert_eq!((other.status, &read(&other)["code"]), (409, &json!("conflict")));
    assert_eq!(file(&desk, &alice, "k2", "INC-1 first").status, 200);
    let bob = desk.logged_in("bob");
    assert_eq!(file(&desk, &bob, "k1", "INC-1 first").status, 200, "keys are one's own");
    assert_eq!((count(&desk, &alice), count(&desk, &bob)), (2, 1));
}

#[test]
fn a_key_is_free_again_after_a_refusal_and_after_a_day() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let dave = desk.logged_in("dave");
    assert_eq!(file(&desk, &dave, "k", "INC-1 no role").status, 403);
    assert_eq!(file(&desk, &dave, "k", "INC-1 other").status, 403, "not 409");
    for bad in ["", "a b", "ä", &"k".repeat(129)] {
        assert_eq!(file(&desk, &alice, bad, "INC-1 bad key").status, 400, "{bad:.5}");
    }
    assert_eq!(file(&desk, &alice, "k", "INC-1 today").status, 200);
    desk.clock.pass(86_401);
    let alice = desk.logged_in("alice");
    assert_eq!(file(&desk, &alice, "k", "INC-2 tomorrow").status, 200);
}

#[test]
fn a_request_that_was_cut_off_is_not_done_again() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let ask = json!({ "login": "deploy", "place": "web-1", "duration": 600, "reason": "INC-1" });
    let request = alice.prepared(&desk, "POST", "/v1/requests", ask);
    let digest = jit_api::proof::sha256;
    let key = digest(b"person:alice\nk");
    let asked = format!("POST /v1/requests?\n{}", digest(&request.body));
    // As a server leaves it that was killed before it could keep the answer.
    let taken = desk.authority.take_key("person:alice", &key, &digest(asked.as_bytes()));
    assert_eq!(taken.unwrap(), None);
    let mut again = request;
    again.idempotency_key = Some("k".into());
    let answered = desk.answered(&desk.office, &again);
    assert_eq!(answered.status, 409);
    assert!(read(&answered)["detail"].as_str().unwrap().contains("cut off"));
    assert_eq!(count(&desk, &alice), 0);
}

#[test]
fn one_caller_keeps_so_many_and_what_is_kept_is_sealed() {
    let desk = Desk::new();
    for i in 0..jit_core::kept::MOST {
        assert_eq!(desk.authority.take_key("person:x", &i.to_string(), "r").unwrap(), None);
    }
    let full = desk.authority.take_key("person:x", "more", "r").unwrap_err();
    assert_eq!(full.kind(), jit_core::Kind::Unavailable);
    assert_eq!(desk.authority.take_key("person:y", "more", "r").unwrap(), None);
    desk.authority.keep_answer("more", b"a recovery code").unwrap();
    let kept = desk.authority.take_key("person:y", "more", "r").unwrap();
    assert_eq!(kept.as_deref(), Some(&b"a recovery code"[..]));
    let path = desk.authority.config().database();
    for file in [path.clone(), path.with_extension("db-wal")] {
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.windows(15).any(|part| part == b"a recovery code"));
    }
}

#[test]
fn nothing_is_kept_for_a_host() {
    let desk = Desk::new();
    let web_1 = desk.enrolled_host();
    for login in ["deploy", "alice"] {
        let mut request =
            web_1.prepared(&desk, "POST", "/v1/host/askers", json!({ "login": login }));
        request.idempotency_key = Some("k".into());
        // Else the second would be another request under the same key.
        assert_eq!(desk.answered(&desk.office, &request).status, 200, "{login}");
    }
}
