//! Requests that are answered together: each for itself, and all of them on record before any is.

use jit_api::{Issuer, Office, Turn, Visit};
use jit_core::authority::Authority;
use jit_core::factor::ProvedFactor;
use jit_core::grant::{Actor, Grant};
use jit_core::id::GrantId;
use jit_core::name::HostName;
use serde_json::{Value, json};
use ssh_key::public::KeyData;

use crate::desk::{Client, Desk, Request, key, line};

/// Has a bug, and comes upon it in the middle of a change.
struct Bug;

impl Issuer for Bug {
    fn issue(
        &self,
        authority: &Authority,
        actor: &Actor,
        grant: &GrantId,
        key: &KeyData,
        factor: Option<ProvedFactor>,
    ) -> jit_core::Result<String> {
        let sign = |_: &_| -> jit_core::Result<String> { panic!("a bug, on purpose") };
        authority.issue(actor, grant, key, factor, "SHA256:ca", sign).map(|(_, text)| text)
    }

    fn issue_host(&self, _: &Authority, _: &HostName, _: &KeyData) -> jit_core::Result<String> {
        panic!("a bug, on purpose")
    }

    fn sign_answer(&self, _: &Authority, _: &str) -> jit_core::Result<String> {
        panic!("a bug, on purpose")
    }
}

fn granted(desk: &Desk) -> Grant {
    let ask = serde_json::from_value(json!({
        "person": "alice", "login": "deploy", "place": "web-1", "sudo": false, "duration": 600,
        "start": null, "reason": "INC-1 look at it",
    }));
    desk.authority.grant_alone(&Actor::Root, &ask.unwrap()).unwrap()
}

fn certify(desk: &Desk, by: &Client, grant: &Grant) -> Request {
    let body = json!({ "grant": grant.id(), "public_key": line(&key("alice")) });
    by.prepared(desk, "POST", "/v1/certificates", body)
}

fn statuses(office: &Office, requests: &[&Request]) -> Vec<u16> {
    let asked = requests.iter().map(|request| (request.asked(), Visit::patient()));
    let mut asked: Vec<_> = asked.collect();
    let status = |turn| match turn {
        Turn::Answer(answered) => answered.status,
        Turn::Wait { .. } => 0,
    };
    office.answer_all(&mut asked).into_iter().map(status).collect()
}

fn records(desk: &Desk, action: &str, outcome: &str) -> usize {
    let records = desk.authority.last_records(100).unwrap().into_iter();
    records.filter(|r| r.action == action && r.outcome.to_string() == outcome).count()
}

#[test]
fn each_is_answered_for_itself() {
    let desk = Desk::new();
    let (alice, bob) = (desk.logged_in("alice"), desk.logged_in("bob"));
    let grant = granted(&desk);
    let certificate = certify(&desk, &alice, &grant);
    let nobody = certify(&desk, &Client::nobody(), &grant);
    let others = certify(&desk, &bob, &grant);
    let mut nowhere = certificate.clone();
    nowhere.path = "/v1/nowhere".into();
    let target = format!("/v1/grants/{}?wait=9&version={}", grant.id(), grant.version());
    let waits = alice.prepared(&desk, "GET", &target, Value::Null);
    let again = certify(&desk, &alice, &grant);
    let all = [&certificate, &nobody, &certificate, &others, &nowhere, &waits, &again];
    assert_eq!(statuses(&desk.office, &all), [200, 401, 401, 403, 404, 0, 200]);
    assert_eq!(records(&desk, "certificate.issue", "done"), 2);
    assert_eq!(records(&desk, "access.refuse", "refused"), 1, "what was used before");
    desk.authority.verify_log().unwrap();
    assert_eq!(statuses(&desk.office, &[]), [0; 0]);
}

#[test]
fn a_bug_in_one_takes_nothing_from_the_others() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let grant = granted(&desk);
    let office = Office::new(desk.authority.another().unwrap(), Box::new(Bug));
    let ask = json!({
        "login": "deploy", "place": "web-1", "duration": 600, "reason": "INC-1 look at it",
    });
    let file = || alice.prepared(&desk, "POST", "/v1/requests", ask.clone());
    let (first, bug, last) = (file(), certify(&desk, &alice, &grant), file());
    assert_eq!(statuses(&office, &[&first, &bug, &last]), [200, 503, 200]);
    assert_eq!(records(&desk, "grant.request", "done"), 2);
    assert_eq!(records(&desk, "certificate.issue", "done"), 0);
    assert_eq!(records(&desk, "certificate.issue", "refused"), 0);
    assert!(desk.authority.issued(1).unwrap().is_none());
    assert_eq!(statuses(&office, &[&file()]), [200], "it goes on");
    desk.authority.verify_log().unwrap();
}
