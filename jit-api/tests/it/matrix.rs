//! Who may do what: every endpoint for every caller, and on one's own and others' things. Both tables
//! are written out here, apart from the code's own.

use jit_api::{ENDPOINTS, Endpoint};
use serde_json::{Value, json};

use crate::desk::{Client, Desk, certify};

/// The callers, in the order of the columns.
const CALLERS: [&str; 6] = ["nobody", "local", "person", "admin", "host", "root"];

/// `+` gets as far as the handler, `?` is asked to log in, `-` is told that it is not theirs.
const GATE: &[(&str, &str)] = &[
    ("healthz", "++++++"),
    ("openapi", "++++++"),
    ("server", "++++++"),
    ("login-challenge", "++++++"),
    ("login", "++++++"),
    ("enrol", "++++++"),
    ("enrol-confirm", "++++++"),
    ("host-enrol", "++++++"),
    ("me", "?+++-+"),
    ("inbox", "?+++-+"),
    ("explain", "?+++-+"),
    ("request", "?+++-+"),
    ("cancel", "?+++-+"),
    ("edit", "?+++-+"),
    ("extend", "?+++-+"),
    ("grants", "?+++-+"),
    ("grant", "?+++-+"),
    ("approve", "?+++-+"),
    ("withdraw", "?+++-+"),
    ("deny", "?+++-+"),
    ("shorten", "?+++-+"),
    ("revoke", "?+++-+"),
    ("certificate", "?+++-+"),
    ("grant-alone", "?--+-+"),
    ("revocations", "?--+-+"),
    ("people", "?--+-+"),
    ("person-add", "?--+-+"),
    ("person", "?--+-+"),
    ("person-remove", "?--+-+"),
    ("person-suspend", "?--+-+"),
    ("person-resume", "?--+-+"),
    ("person-groups", "?--+-+"),
    ("key-add", "?--+-+"),
    ("key-remove", "?--+-+"),
    ("person-invite", "?--+-+"),
    ("mfa-enroll", "?-++-+"),
    ("mfa-confirm", "?-++-+"),
    ("recovery-codes", "?-++-+"),
    ("mfa-reset", "?--+-+"),
    ("hosts", "?--+-+"),
    ("host-put", "?--+-+"),
    ("host", "?--+-+"),
    ("host-remove", "?--+-+"),
    ("host-invite", "?--+-+"),
    ("policy", "?--+-+"),
    ("policy-check", "?--+-+"),
    ("status", "?--+-+"),
    ("sessions", "?--+-+"),
    ("audit", "?--+-+"),
    ("audit-verify", "?--+-+"),
    ("audit-explain", "?--+-+"),
    ("break-glass", "?--+-+"),
    ("break-glass-review", "?--+-+"),
];

/// Nothing that any endpoint takes, so that no handler runs whoever asks.
#[test]
fn the_gate_of_every_endpoint_is_as_written_here() {
    let desk = Desk::new();
    let callers = [
        Client::nobody(),
        Client::unix(1),
        desk.logged_in("alice"),
        desk.logged_in("ada"),
        desk.enrolled_host(),
        Client::root(),
    ];
    let names: Vec<_> = ENDPOINTS.iter().map(|entry| entry.name).collect();
    let written: Vec<_> = GATE.iter().map(|(name, _)| *name).collect();
    let gone: Vec<_> = written.iter().filter(|name| !names.contains(name)).collect();
    assert!(gone.is_empty(), "there is no endpoint {gone:?} any more");
    for entry in ENDPOINTS {
        let name = entry.name;
        let written = GATE.iter().find(|(written, _)| *written == name);
        let expected = match written {
            Some((_, expected)) => *expected,
            // What is below this is for hosts alone, but for their enrolment.
            None if entry.path.starts_with("/v1/host/") => "?---+-",
            None => panic!("who may call {name}? Write it down here"),
        };
        let path = entry.path.replace("{id}", "aaaa-aaaa").replace("{name}", "web-1");
        let target = format!("{}?no=thing", path.replace("{fingerprint}", "x"));
        for ((caller, client), expected) in CALLERS.iter().zip(&callers).zip(expected.chars()) {
            let before = desk.authority.verify_log().unwrap().records;
            let (status, answer) = desk.ask(client, entry.method.as_str(), &target, json!({}));
            let got = match (status, answer["code"].as_str()) {
                (400, Some("invalid")) => '+',
                (401, Some("unauthenticated")) => '?',
                (403, Some("forbidden")) => '-',
                other => panic!("{name} for {caller}: {other:?}"),
            };
            assert_eq!(got, expected, "{name} for {caller}");
            assert_eq!(
                desk.authority.verify_log().unwrap().records,
                before,
                "{name}: a handler ran"
            );
        }
    }
}

/// Whose grant of alice's it is to those who pass the gate.
const WHOSE: [&str; 6] = ["alice", "bob, who could approve", "dave", "ada", "local daemon", "root"];

/// What comes of it, in the order of the columns: `ok`, or the problem's code.
const OWN_OR_NOT: &[(&str, [&str; 6])] = &[
    ("grant", ["ok", "ok", "not-found", "ok", "not-found", "ok"]),
    ("approve", ["refused", "ok", "not-found", "refused", "not-found", "invalid"]),
    ("withdraw", ["refused", "refused", "not-found", "refused", "not-found", "invalid"]),
    ("deny", ["refused", "ok", "not-found", "refused", "not-found", "ok"]),
    ("shorten", ["refused", "conflict", "refused", "refused", "refused", "conflict"]),
    ("cancel", ["ok", "refused", "not-found", "refused", "not-found", "ok"]),
    ("edit", ["ok", "refused", "not-found", "refused", "not-found", "ok"]),
    ("extend", ["refused", "forbidden", "not-found", "forbidden", "not-found", "refused"]),
    ("revoke", ["ok", "forbidden", "not-found", "ok", "not-found", "ok"]),
    ("certificate", ["refused", "not-found", "not-found", "not-found", "not-found", "refused"]),
];

#[test]
fn what_is_done_to_ones_own_and_to_others_requests_is_as_written_here() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let callers = [
        alice.clone(),
        desk.logged_in("bob"),
        desk.logged_in("dave"),
        desk.logged_in("ada"),
        Client::unix(1),
        Client::root(),
    ];
    let signers = ["alice", "bob", "dave", "ada", "daemon", "alice"];
    for (name, expected) in OWN_OR_NOT {
        let entry = ENDPOINTS.iter().find(|entry| entry.name == *name).expect("an endpoint");
        for (column, client) in callers.iter().enumerate() {
            let view = desk.request(&alice);
            let id = view["grant"]["id"].as_str().unwrap();
            let signer = signers[column];
            let body = match *name {
                "approve" => desk.yes(&view, signer),
                "shorten" => json!({ "left": 60 }),
                "edit" => json!({ "duration": 60 }),
                "extend" => json!({ "duration": 60 }),
                "revoke" => json!({ "reason": "INC-1 end it" }),
                "certificate" => certify(id, signer),
                "grant" => Value::Null,
                _ => json!({}),
            };
            let target = entry.path.replace("{id}", id);
            let (status, answer) = desk.ask(client, entry.method.as_str(), &target, body);
            let got = if status == 200 { "ok" } else { answer["code"].as_str().unwrap() };
            assert_eq!(got, expected[column], "{name} for {}: {answer}", WHOSE[column]);
            // Room for the next: few requests may wait at a time.
            let all = json!({ "reason": "INC-1 the next", "all": true });
            assert_eq!(desk.ask(&Client::root(), "POST", "/v1/revocations", all).0, 200);
        }
    }
}

/// What others have is not listed, and nobody acts in another's name.
#[test]
fn lists_are_ones_own_and_names_of_others_are_refused() {
    let desk = Desk::new();
    let (alice, dave, ada) =
        (desk.logged_in("alice"), desk.logged_in("dave"), desk.logged_in("ada"));
    desk.request(&alice);
    let listed = |client: &Client, target: &str| {
        let (status, list) = desk.ask(client, "GET", target, Value::Null);
        (status, list["grants"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(listed(&alice, "/v1/grants"), (200, 1));
    assert_eq!(listed(&dave, "/v1/grants?all=true"), (200, 0));
    assert_eq!(listed(&dave, "/v1/grants?person=alice"), (403, 0));
    assert_eq!(listed(&ada, "/v1/grants"), (200, 1));
    assert_eq!(listed(&ada, "/v1/grants?person=alice&state=requested&host=web-1"), (200, 1));
    let explain = "/v1/explain?person=alice&login=deploy&place=web-1";
    assert_eq!(desk.ask(&dave, "GET", explain, Value::Null).0, 403);
    assert_eq!(desk.ask(&ada, "GET", explain, Value::Null).0, 200);
    let for_alice = json!({ "person": "alice", "login": "deploy", "place": "web-1",
        "duration": 60, "reason": "INC-1 as alice" });
    for client in [&dave, &ada, &Client::unix(1)] {
        let (status, answer) = desk.ask(client, "POST", "/v1/requests", for_alice.clone());
        assert_eq!((status, &answer["code"]), (403, &json!("forbidden")));
    }
    assert_eq!(desk.ask(&Client::root(), "POST", "/v1/requests", for_alice).0, 200);
}

#[test]
fn a_client_writes_the_path_that_the_table_reads() {
    use jit_api::endpoints::people::RemoveKey;
    use jit_api::wire::{ByKey, Nothing};
    let path = ByKey { name: crate::desk::person("alice"), fingerprint: "SHA256:a+b/c=&".into() };
    let target = jit_api::target::<RemoveKey>(&path, &Nothing {}).unwrap();
    assert_eq!(target, "/v1/people/alice/keys/SHA256%3Aa%2Bb%2Fc%3D%26");
    assert_eq!(RemoveKey::PATH.matches('{').count(), 2);
    let (status, answer) = Desk::new().ask(&Client::root(), "DELETE", &target, Value::Null);
    assert_eq!(status, 404);
    assert_eq!(answer["detail"], "alice has no key SHA256:a+b/c=&");
}
