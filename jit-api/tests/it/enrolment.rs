//! Enrolling by invitation, a person and a host.

use jit_api::proof;
use serde_json::{Value, json};

use crate::desk::{App, Client, Desk, SERVER, host, key, line, person, sign};

fn print(name: &str) -> String {
    key(name).fingerprint(ssh_key::HashAlg::Sha256).to_string()
}

#[test]
fn a_person_enrols_logs_in_and_nobody_saw_their_secret() {
    let desk = Desk::new();
    let (ada, anybody) = (desk.logged_in("ada"), Client::nobody());
    let (status, _) = desk.ask(&ada, "POST", "/v1/people", json!({ "name": "erin" }));
    assert_eq!(status, 200);
    let (_, invitation) = desk.ask(&ada, "POST", "/v1/people/erin/invitation", Value::Null);
    let code = invitation["code"].as_str().unwrap();
    let join = format!("jit://{SERVER}:8443/person/erin?code={code}&ca=SHA256:host-ca");
    assert_eq!(invitation["join"], json!(join));
    let record = desk.authority.last_records(1).unwrap().remove(0);
    assert_eq!((record.actor.as_str(), record.action.as_str()), ("person:ada", "person.invite"));

    let text = proof::enrol_person(SERVER, &person("erin"), code, &print("erin")).unwrap();
    let body = |by: &str| {
        json!({
            "code": code, "person": "erin", "public_key": line(&key("erin")),
            "signature": sign(&key(by), proof::ENROL, &text),
        })
    };
    assert_eq!(desk.ask(&anybody, "POST", "/v1/enrolment", body("mallory")).0, 403);
    let (status, begun) = desk.ask(&anybody, "POST", "/v1/enrolment", body("erin"));
    assert_eq!(status, 200, "{begun}");
    let app = App::of(begun["otpauth_uri"].as_str().unwrap());
    let confirm = json!({ "confirmation": begun["confirmation"], "code": app.code(&desk) });
    let (status, done) = desk.ask(&anybody, "POST", "/v1/enrolment/confirm", confirm);
    assert_eq!((status, done["recovery_codes"].as_array().unwrap().len()), (200, 10));
    desk.clock.pass(60);
    assert_eq!(desk.login("erin", &key("erin"), &app.code(&desk)).0, 200);
    assert_eq!(desk.ask(&anybody, "POST", "/v1/enrolment", body("erin")).0, 403, "once");
}

#[test]
fn a_host_enrols_and_is_known_by_its_key_alone() {
    let desk = Desk::new();
    let anybody = Client::nobody();
    let (_, invitation) =
        desk.ask(&Client::root(), "POST", "/v1/hosts/web-1/invitation", Value::Null);
    let code = invitation["code"].as_str().unwrap();
    let text = proof::enrol_host(SERVER, &host("web-1"), code, &print("web-1")).unwrap();
    let mut body = json!({
        "code": code, "host": "web-1", "public_key": line(&key("web-1")),
        "signature": sign(&key("mallory"), proof::ENROL, &text),
    });
    assert_eq!(desk.ask(&anybody, "POST", "/v1/host/enrolment", body.clone()).0, 403, "not held");
    body["signature"] = json!(sign(&key("web-1"), proof::ENROL, &text));
    let (status, answer) = desk.ask(&anybody, "POST", "/v1/host/enrolment", body.clone());
    assert_eq!(status, 200, "{answer}");
    assert_eq!(desk.ask(&anybody, "POST", "/v1/host/enrolment", body).0, 403, "once");
    let asked = |client: &Client| {
        let request = client.prepared(&desk, "GET", "/v1/x", Value::Null);
        desk.office.admit(&request.asked(), jit_api::Access::Host)
    };
    assert_eq!(asked(&Client::host("web-1")).unwrap().to_string(), "host:web-1");
    let thief = Client { key: key("mallory"), ..Client::host("web-1") };
    assert_eq!(asked(&thief).unwrap_err().problem().status, 401);
    assert_eq!(desk.last_record().1, "access.refuse");
}

#[test]
fn guessing_at_invitations_is_throttled_per_address() {
    let desk = Desk::new();
    let ask = |path: &str, name: &str| {
        let mut body = json!({ "code": "0", "public_key": "x", "signature": "x" });
        body[name] = json!("web-1");
        let body = if name.is_empty() { json!({ "code": "0", "confirmation": "x" }) } else { body };
        desk.ask(&Client::nobody(), "POST", path, body).1["code"].clone()
    };
    let ways = [
        ("/v1/enrolment", "person"),
        ("/v1/enrolment/confirm", ""),
        ("/v1/host/enrolment", "host"),
    ];
    // Each counts: thirty a minute in all.
    for n in 0..30 {
        let (path, name) = ways[n % 3];
        assert_ne!(ask(path, name), "rate-limited", "{n}");
    }
    for (path, name) in ways {
        assert_eq!(ask(path, name), "rate-limited", "{path}");
    }
    desk.clock.pass(60);
    assert_ne!(ask(ways[0].0, ways[0].1), "rate-limited");
}
