//! No input makes the server fail: whatever is sent, it is refused for what it is.

use jit_api::ENDPOINTS;
use serde_json::{Value, json};

use crate::desk::{Client, Desk};

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
