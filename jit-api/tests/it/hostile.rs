//! No input makes the server fail: whatever is sent, it is refused for what it is.

use jit_api::ENDPOINTS;
use jit_core::secret::random_bytes;
use serde_json::{Value, json};

use crate::desk::{Client, Desk};
use crate::shape::Choices;
use crate::world::{Description, Kept};

/// Requests made of each endpoint; `JIT_PROPERTY_CASES` says how many in all.
fn rounds() -> usize {
    let cases = option_env!("JIT_PROPERTY_CASES").and_then(|text| text.parse().ok());
    cases.unwrap_or(1_000_usize).div_ceil(ENDPOINTS.len())
}

/// So many are sent to a server before the next one is made.
const EACH: usize = 20;

/// What is done only after more than can be had here: the use of a break-glass code, and a yes that did
/// not take effect at once.
const NOT_DONE: [&str; 2] = ["break-glass-review", "withdraw"];

/// Valid bodies with something wrong in them, by whoever could send them and by others: each answer is
/// of the form that is described, and none says that the server failed.
#[test]
fn whatever_is_made_of_valid_requests_is_answered_as_described() {
    let (first, described) = (Kept::new(), Description::new());
    for entry in ENDPOINTS {
        let mut world = first.world();
        // It gets beyond parsing.
        let valid = world.ask(entry, &described, &mut Choices(&[]));
        assert_eq!(valid == 200, !NOT_DONE.contains(&entry.name), "{}: {valid}", entry.name);
        for round in 0..rounds() {
            if round % EACH == 0 {
                world = first.world();
            }
            let bytes = random_bytes::<200>().unwrap();
            world.ask(entry, &described, &mut Choices(&bytes));
        }
    }
}

/// Bodies that are JSON, and some that are none.
fn bodies() -> Vec<Vec<u8>> {
    let nested = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let mut bodies: Vec<Vec<u8>> =
        [&b"\xff\xfe"[..], b"{", b"{\"a\":", b"\0", b"{}{}"].map(<[u8]>::to_vec).into();
    bodies.push(nested);
    for value in [
        Value::Null,
        json!([]),
        json!("x"),
        json!(-1),
        json!({ "person": null, "reason": "\u{0}\n" }),
        json!({ "id": "'; --", "login": "../x", "duration": u64::MAX, "left": 0 }),
        json!({ "code": "x".repeat(100_000), "confirmation": "alice/é" }),
        json!({ "nonce": "AAAA", "person": "alice", "public_key": "ssh-ed25519 AAAA",
            "proof_key": "x", "signature": "-----BEGIN SSH SIGNATURE-----\n", "code": "1" }),
    ] {
        bodies.push(serde_json::to_vec(&value).unwrap());
    }
    bodies
}

#[test]
fn no_body_query_or_path_reaches_an_error_of_the_servers_own() {
    let desk = Desk::new();
    let clients = [Client::nobody(), Client::root()];
    for entry in ENDPOINTS {
        for segment in ["x", "%00", "%FF%FE", "%", "..", "aaaa-aaaa", "alice&name=bob", "é"] {
            let path = entry.path.replace("{id}", segment).replace("{name}", segment);
            let path = path.replace("{fingerprint}", segment);
            for query in ["", "?", "?a=%FF", "?wait=-1", "?limit=4294967296", "?version=x&&=="] {
                let target = format!("{path}{query}");
                let (status, answer) =
                    desk.ask(&clients[1], entry.method.as_str(), &target, json!({}));
                assert!(status < 500, "{target}: {answer}");
            }
        }
        let path = entry.path.replace("{id}", "aaaa-aaaa").replace("{name}", "alice");
        let path = path.replace("{fingerprint}", "x");
        for body in bodies() {
            for client in &clients {
                let mut request = client.prepared(&desk, entry.method.as_str(), &path, Value::Null);
                request.body.clone_from(&body);
                let answered = desk.answered(&desk.office, &request);
                assert!(answered.status < 500, "{} {body:.80?}", entry.name);
            }
        }
    }
}

#[test]
fn numbers_at_their_ends_are_refused_or_harmless() {
    let desk = Desk::new();
    let root = Client::root();
    for (from, status) in
        [(0, 200), (1, 200), ((1 << 63) - 1, 200), (1 << 63, 400), (u64::MAX, 400)]
    {
        let target = format!("/v1/audit?from={from}&limit=1000");
        assert_eq!(desk.ask(&root, "GET", &target, Value::Null).0, status, "{target}");
    }
    for (duration, start, status) in [
        (0, 0, 400),
        (u64::MAX, 0, 400),
        (60, u64::MAX, 400),
        (60, 253_402_300_800, 400),
        (366 * 86_400, 253_402_300_799, 403),
    ] {
        let ask = json!({ "person": "alice", "login": "deploy", "place": "web-1",
            "duration": duration, "start": start, "reason": "INC-1 long" });
        let (got, answer) = desk.ask(&root, "POST", "/v1/requests", ask);
        assert_eq!(got, status, "{duration} {start}: {answer}");
    }
}
