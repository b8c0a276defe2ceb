//! What one person may have of the server, however they come, and that others don't notice.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use jit_api::{Issuer, Office, Turn, Visit};
use jit_core::Error;
use jit_core::authority::Authority;
use jit_core::config::Quota;
use jit_core::factor::ProvedFactor;
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::name::HostName;
use serde_json::Value;
use ssh_key::public::KeyData;

use crate::desk::{Client, Desk, Request, certify, read};

fn get(desk: &Desk, client: &Client, target: &str) -> Request {
    client.prepared(desk, "GET", target, Value::Null)
}

#[test]
fn one_persons_flood_leaves_another_served() {
    let desk = Desk::new();
    let (daemon, bob) = (desk.logged_in("daemon"), desk.logged_in("bob"));
    let host = desk.enrolled_host();
    let Quota { rate, .. } = Quota::default();
    // By token and from the account on the server's machine it is the same person.
    let ways = [daemon, Client::unix(1)];
    for n in 0..10 * rate {
        let request = get(&desk, &ways[n as usize % 2], "/v1/me");
        assert_eq!(desk.answered(&desk.office, &request).status, 200, "{n}");
    }
    for way in &ways {
        let over = desk.answered(&desk.office, &get(&desk, way, "/v1/me"));
        assert_eq!((over.status, over.retry_after), (429, Some(1)));
        assert_eq!(read(&over)["code"], "rate-limited");
    }
    for other in [&bob, &Client::root()] {
        assert_eq!(desk.ask(other, "GET", "/v1/me", Value::Null).0, 200);
    }
    // A host has a quota of its own; what is not for hosts counts, too.
    for n in 0..10 * rate {
        assert_eq!(desk.ask(&host, "GET", "/v1/me", Value::Null).0, 403, "{n}");
    }
    assert_eq!(desk.ask(&host, "GET", "/v1/host/state", Value::Null).0, 429);
    assert_eq!(desk.ask(&bob, "GET", "/v1/me", Value::Null).0, 200);
    desk.clock.pass(2);
    for _ in 0..2 * rate {
        assert_eq!(desk.ask(&ways[0], "GET", "/v1/me", Value::Null).0, 200);
    }
    assert_eq!(desk.ask(&ways[0], "GET", "/v1/me", Value::Null).0, 429);
}

#[test]
fn an_account_that_is_nobody_has_a_quota_and_root_has_none() {
    let desk = Desk::new();
    let Quota { rate, .. } = Quota::default();
    for (uid, last) in [(2, 429), (0, 200)] {
        let ask = || desk.ask(&Client::unix(uid), "GET", "/v1/server", Value::Null).0;
        let statuses: Vec<_> = (0..=10 * rate).map(|_| ask()).collect();
        assert!(statuses[..10 * rate as usize].iter().all(|status| *status == 200));
        assert_eq!(statuses[10 * rate as usize], last, "{uid}");
    }
}

#[test]
fn of_one_persons_requests_so_many_wait_and_others_wait_beside_them() {
    let desk = Desk::new();
    let (alice, bob) = (desk.logged_in("alice"), desk.logged_in("bob"));
    let view = desk.request(&alice);
    let target = format!("/v1/grants/{}?wait=30&version=1", view["grant"]["id"].as_str().unwrap());
    let ask = |client: &Client| {
        let request = get(&desk, client, &target);
        let mut visit = Visit::patient();
        let turn = desk.office.answer(&request.asked(), &mut visit);
        (turn, visit, request)
    };
    let waits = Turn::Wait { at_most: Duration::from_secs(30) };
    let mut waiting: Vec<_> = (0..Quota::default().waiting).map(|_| ask(&alice)).collect();
    assert!(waiting.iter().all(|(turn, ..)| *turn == waits));
    let Turn::Answer(over) = ask(&alice).0 else { panic!("one more waits") };
    assert_eq!((over.status, over.retry_after), (429, Some(1)));
    assert_eq!(ask(&bob).0, waits);
    // Looking again while it waits counts no more, however often something changes.
    let (_, visit, request) = &mut waiting[0];
    for _ in 0..1000 {
        assert_eq!(desk.office.answer(&request.asked(), visit), waits);
    }
    assert_eq!(desk.ask(&alice, "GET", "/v1/me", Value::Null).0, 200);
    waiting.pop();
    assert_eq!(ask(&alice).0, waits, "one has gone");
}

/// Issues nothing before it is told to.
struct Slow(Mutex<Receiver<()>>);

impl Issuer for Slow {
    fn issue(
        &self,
        _: &Authority,
        _: &Actor,
        _: &GrantId,
        _: &KeyData,
        _: Option<ProvedFactor>,
    ) -> jit_core::Result<String> {
        let _ = self.0.lock().unwrap().recv();
        Err(Error::refused("not today"))
    }

    fn issue_host(&self, _: &Authority, _: &HostName, _: &KeyData) -> jit_core::Result<String> {
        Err(Error::refused("not today"))
    }

    fn sign_answer(&self, _: &Authority, _: &str) -> jit_core::Result<String> {
        Err(Error::refused("not today"))
    }
}

#[test]
fn of_one_persons_requests_so_many_are_worked_on_at_a_time() {
    let desk = Desk::new();
    let (alice, bob) = (desk.logged_in("alice"), desk.logged_in("bob"));
    let view = desk.request(&alice);
    let body = certify(view["grant"]["id"].as_str().unwrap(), "alice");
    let (go, wait) = channel();
    let office = Office::new(desk.authority.another().unwrap(), Box::new(Slow(wait.into())));
    let request = || alice.prepared(&desk, "POST", "/v1/certificates", body.clone());
    let at_once = Quota::default().at_once as usize;
    std::thread::scope(|scope| {
        let (answered, answers) = channel();
        for request in (0..=at_once).map(|_| request()) {
            let (office, answered) = (&office, answered.clone());
            scope.spawn(move || match office.answer(&request.asked(), &mut Visit::default()) {
                Turn::Answer(answer) => answered.send(answer.status).unwrap(),
                Turn::Wait { .. } => panic!("it may not wait"),
            });
        }
        // The rest stand still, so this is the one too many.
        assert_eq!(answers.recv_timeout(Duration::from_secs(30)), Ok(429));
        let request = get(&desk, &bob, "/v1/me");
        assert_eq!(desk.answered(&office, &request).status, 200);
        assert_eq!(desk.answered(&office, &get(&desk, &alice, "/v1/me")).status, 429);
        drop(go);
        let rest: Vec<_> = (0..at_once).map(|_| answers.recv().unwrap()).collect();
        assert_eq!(rest, vec![403; at_once]);
    });
    assert_eq!(desk.answered(&office, &get(&desk, &alice, "/v1/me")).status, 200);
}
