//! The OpenAPI document: every endpoint is in it, and what handlers answer is what it says.

use jit_api::{ENDPOINTS, Office};
use serde_json::{Value, json};

use crate::desk::{Client, Desk};

fn operation<'a>(document: &'a Value, name: &str) -> &'a Value {
    let entry = ENDPOINTS.iter().find(|entry| entry.name == name).expect("an endpoint");
    &document["paths"][entry.path][entry.method.as_str().to_lowercase()]
}

/// Checks an answer against what the document says of it.
fn check(document: &Value, name: &str, status: u16, answer: &Value) {
    let content = &operation(document, name)["responses"][status.to_string()]["content"];
    let (_, content) = content.as_object().unwrap().iter().next().unwrap();
    let mut schema = content["schema"].clone();
    if schema == json!(true) {
        return;
    }
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(answer).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name} {status}: {errors:?}\n{answer:#}");
}

#[test]
fn every_endpoint_is_described_with_its_parameters_and_who_may() {
    let document = Office::openapi();
    for entry in ENDPOINTS {
        let operation = operation(&document, entry.name);
        assert_eq!(operation["operationId"], entry.name);
        assert_eq!(operation["x-access"], serde_json::to_value(entry.access).unwrap());
        let parameters = operation["parameters"].as_array().unwrap();
        for part in entry.path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let name = part.trim_end_matches('}');
            let found = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
            assert_eq!((&found["in"], &found["required"]), (&json!("path"), &json!(true)));
        }
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn what_is_answered_is_what_is_described() {
    let document = Office::openapi();
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let (bob, ada) = (desk.logged_in("bob"), desk.logged_in("ada"));
    let anybody = Client::nobody();
    let view = desk.request(&alice);
    let id = view["grant"]["id"].as_str().unwrap();
    check(&document, "request", 200, &view);
    let grant = format!("/v1/grants/{id}");
    let explain = "/v1/explain?login=deploy&place=web-1&sudo=true&duration=600";
    let print = "SHA256%3Anothing";
    let no_key = format!("/v1/people/dave/keys/{print}");
    let reason = json!({ "reason": "INC-1 end it" });
    let all = json!({ "reason": "INC-1 end it", "all": true });
    let bad_policy = json!({ "text": "[[role]]\n" });
    let labels = json!({ "labels": ["env=prod"] });
    let add = json!({ "name": "erin", "groups": ["dev"] });
    let cases: Vec<(&Client, &str, &str, &str, Value, u16)> = vec![
        (&anybody, "healthz", "GET", "/healthz", Value::Null, 200),
        (&anybody, "openapi", "GET", "/v1/openapi.json", Value::Null, 200),
        (&anybody, "server", "GET", "/v1/server", Value::Null, 200),
        (&anybody, "login-challenge", "POST", "/v1/login/challenge", json!({}), 200),
        (&anybody, "login", "POST", "/v1/login", json!({}), 400),
        (&anybody, "enrol", "POST", "/v1/enrolment", json!([]), 400),
        (&anybody, "me", "GET", "/v1/me", Value::Null, 401),
        (&alice, "me", "GET", "/v1/me", Value::Null, 200),
        (&alice, "people", "GET", "/v1/people", Value::Null, 403),
        (&bob, "inbox", "GET", "/v1/inbox", Value::Null, 200),
        (&alice, "explain", "GET", explain, Value::Null, 200),
        (&alice, "grants", "GET", "/v1/grants?limit=5", Value::Null, 200),
        (&alice, "grant", "GET", &grant, Value::Null, 200),
        (&alice, "grant", "GET", "/v1/grants/aaaa-aaaa", Value::Null, 404),
        (&alice, "grant", "GET", "/v1/grants/x", Value::Null, 400),
        (&ada, "people", "GET", "/v1/people", Value::Null, 200),
        (&ada, "person-add", "POST", "/v1/people", add, 200),
        (&ada, "person", "GET", "/v1/people/erin", Value::Null, 200),
        (&ada, "person-suspend", "POST", "/v1/people/erin/suspend", Value::Null, 200),
        (&ada, "person-resume", "POST", "/v1/people/erin/resume", Value::Null, 200),
        (&ada, "person-groups", "POST", "/v1/people/erin/groups", json!({}), 200),
        (&ada, "person-invite", "POST", "/v1/people/erin/invitation", Value::Null, 200),
        (&ada, "mfa-reset", "POST", "/v1/people/erin/mfa-reset", Value::Null, 200),
        (&ada, "person-remove", "DELETE", "/v1/people/erin", Value::Null, 200),
        (&ada, "key-remove", "DELETE", &no_key, Value::Null, 404),
        (&ada, "hosts", "GET", "/v1/hosts", Value::Null, 200),
        (&ada, "host-put", "PUT", "/v1/hosts/web-2", labels, 200),
        (&ada, "host", "GET", "/v1/hosts/web-2", Value::Null, 200),
        (&ada, "host-invite", "POST", "/v1/hosts/web-2/invitation", Value::Null, 200),
        (&ada, "host-remove", "DELETE", "/v1/hosts/web-2", Value::Null, 200),
        (&ada, "policy", "GET", "/v1/policy", Value::Null, 200),
        (&ada, "policy-check", "POST", "/v1/policy/check", bad_policy, 200),
        (&ada, "sessions", "GET", "/v1/sessions", Value::Null, 200),
        (&ada, "audit", "GET", "/v1/audit?limit=3", Value::Null, 200),
        (&ada, "audit-verify", "GET", "/v1/audit/verify", Value::Null, 200),
        (&ada, "break-glass", "GET", "/v1/break-glass", Value::Null, 200),
        (&ada, "revocations", "POST", "/v1/revocations", reason, 400),
        (&ada, "revocations", "POST", "/v1/revocations", all, 200),
    ];
    for (client, name, method, target, body, status) in cases {
        let (got, answer) = desk.ask(client, method, target, body);
        assert_eq!(got, status, "{method} {target}: {answer}");
        check(&document, name, status, &answer);
    }
}
