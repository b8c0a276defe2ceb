//! Requests and what becomes of them, with the codes that deciding takes.

use std::time::Duration;

use crate::desk::{Desk, code};
use crate::enrolment::enrol;

#[test]
fn an_approval_takes_a_fresh_code_of_the_approvers() {
    let desk = Desk::new();
    let (uri, _) = enrol(&desk, "bob");
    let (carols, _) = enrol(&desk, "carol");
    let first = desk.request("deploy@web-1");
    let approve = ["approve", &first, "--as", "bob"];
    let before = desk.state();
    desk.type_in(&approve, "").code(1).says("no code was given");
    desk.type_in(&approve, "abcdef\n").code(1).says("no code of bob's");
    desk.type_in(&approve, &format!("{}\n", code(&carols, 1))).code(1).says("no code of bob's");
    assert_eq!(desk.state(), before);
    // One step ahead is accepted and stays the present one for as long as this test takes.
    let right = format!("{}\n", code(&uri, 1));
    desk.type_in(&approve, &right)
        .code(0)
        .says("deploy@web-1, 30m")
        .says("INC-7")
        .says("alice had no grant before")
        .says(&format!("{first} is active"));
    let second = desk.request("deploy@web-1");
    desk.type_in(&["approve", &second, "--as", "bob"], &right)
        .code(1)
        .says("used before")
        .says(&first);
    let shown = desk.run(&["show", &first, "--json"]).code(0).json();
    assert_eq!(shown["state"], "active");
    assert_eq!(shown["approvals"][0]["by"], "bob");
    assert_eq!(shown["way"], "people");
}

#[test]
fn what_is_refused_anyway_burns_no_code_and_is_on_the_log() {
    let desk = Desk::new();
    let (_, codes) = enrol(&desk, "bob");
    let (_, alices) = enrol(&desk, "alice");
    let left = |name: &str| {
        let shown = desk.run(&["user", "show", name, "--json"]).code(0).json();
        shown["factor"]["recovery_codes_left"].as_u64().unwrap()
    };
    let id = desk.request("web-1");
    desk.type_in(&["approve", "zzzz-zzzz", "--as", "bob"], &codes[0]).code(4);
    desk.type_in(&["approve", &id, "--as", "nobody"], &codes[0]).code(4);
    desk.type_in(&["approve", &id, "--as", "alice"], &alices[0]).code(1).says("own request");
    desk.type_in(&["deny", &id, "--as", "alice"], &alices[0]).code(1).says("not among");
    desk.type_in(&["cancel", &id, "--as", "bob"], &codes[0]).code(1).says("not bob's request");
    desk.run(&["cancel", &id]).code(0);
    desk.type_in(&["approve", &id, "--as", "bob"], &codes[0]).code(1).says("is cancelled");
    assert_eq!((left("bob"), left("alice")), (10, 10));
    let log = desk.run(&["audit", "show", "--json"]).code(0).json();
    let refused = |action: &str| {
        let records = log.as_array().unwrap().iter();
        records.filter(|r| r["action"] == action && r["outcome"] == "refused").count()
    };
    assert_eq!(refused("grant.approve"), 2);
    assert_eq!((refused("grant.deny"), refused("grant.cancel")), (1, 1));
}

#[test]
fn approvals_that_are_missing_end_with_3_and_the_last_one_with_0() {
    let desk = Desk::new();
    let (_, bobs) = enrol(&desk, "bob");
    let (_, carols) = enrol(&desk, "carol");
    let id = desk.request("release@web-1");
    desk.type_in(&["approve", &id, "--as", "bob"], &bobs[0])
        .code(3)
        .says("still missing: 1 of @leads")
        .says("jitctl approve")
        .says("--as carol");
    desk.type_in(&["approve", &id, "--as", "bob"], &bobs[1]).code(1).says("already");
    desk.type_in(&["approve", &id, "--as", "carol"], &carols[0]).code(0).says("is active");
}

#[test]
fn denying_and_cancelling_in_the_name_of_a_person_takes_their_code() {
    let desk = Desk::new();
    let (_, bobs) = enrol(&desk, "bob");
    let (_, alices) = enrol(&desk, "alice");
    let id = desk.request("web-1");
    desk.type_in(&["deny", &id, "--as", "bob"], "000000x").code(1);
    desk.type_in(&["deny", &id, "--as", "bob", "--reason", "not today"], &bobs[0]).code(0);
    let shown = desk.run(&["show", &id, "--json"]).code(0).json();
    assert_eq!(shown["state"], "denied");
    assert_eq!(shown["closed"]["by"], "person:bob");
    assert_eq!(shown["closed"]["reason"], "not today");
    let id = desk.request("web-1");
    desk.type_in(&["cancel", &id, "--as", "alice"], &alices[0]).code(0).says("is cancelled");
}

#[test]
fn waiting_ends_with_the_decision_or_with_3() {
    let desk = Desk::new();
    let wait = |more| {
        let line = ["request", "web-1", "--as", "alice", "--for", "5m", "--reason", "INC-7", more];
        desk.run(&line)
    };
    wait("--wait=1s").code(3).says("bob or carol can approve");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait("--wait=30s"));
        let newest = loop {
            let list = desk.run(&["list", "--state", "requested", "--json"]).code(0).json();
            if let [newest, _] = list.as_array().unwrap().as_slice() {
                break newest["id"].as_str().unwrap().to_owned();
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        desk.run(&["deny", &newest, "--reason", "not today"]).code(0);
        waiting.join().unwrap().code(1).says("denied by root: not today");
    });
}

#[test]
fn a_grant_for_programs_has_what_was_promised() {
    let desk = Desk::new();
    let line = ["grant", "alice", "deploy@web-1", "--for", "1h", "--reason", "INC-7 x", "--sudo"];
    let shown = desk.run(&[&line[..], &["--json"]].concat()).code(0).json();
    let keys = [
        "id",
        "state",
        "person",
        "login",
        "host",
        "sudo",
        "duration_seconds",
        "reason",
        "role",
        "requested_by",
        "requested_at",
        "lapses_at",
        "not_before",
        "not_after",
        "approvals",
        "way",
    ];
    for key in keys {
        assert!(shown.get(key).is_some(), "{key} in {shown}");
    }
    assert_eq!(shown["requested_by"], "root");
    assert_eq!(shown["way"], "root");
    let log = desk.run(&["audit", "show", "--limit", "1", "--json"]).code(0).json();
    assert_eq!(log[0]["action"], "grant.alone");
    assert_eq!(log[0]["detail"]["past_policy"], true);
    assert!(log[0]["time"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn the_log_is_looked_through_by_person_action_grant_and_time() {
    let desk = Desk::new();
    let (_, codes) = enrol(&desk, "bob");
    let (first, second) = (desk.request("web-1"), desk.request("deploy@web-1"));
    desk.type_in(&["approve", &first, "--as", "bob"], &codes[0]).code(0);
    let show = |more: &[&str]| {
        let said = desk.run(&[&["audit", "show", "--json"], more].concat()).code(0).json();
        let records = said.as_array().unwrap().clone();
        let actions = records.iter().map(|one| one["action"].as_str().unwrap().to_owned());
        actions.collect::<Vec<_>>()
    };
    assert_eq!(show(&["--grant", &second]), ["grant.request"]);
    let firsts = show(&["--grant", &first]);
    assert_eq!(
        (firsts.first().unwrap().as_str(), firsts.last().unwrap().as_str()),
        ("grant.request", "grant.approve")
    );
    assert_eq!(show(&["--action", "grant.request"]).len(), 2);
    assert_eq!(show(&["--action", "grant.*", "--limit", "1"]), ["grant.approve"]);
    assert!(show(&["--person", "bob"]).iter().any(|action| action == "person.add"));
    assert!(show(&["--person", "carol", "--action", "grant.*"]).is_empty());
    assert!(show(&["--until", "2020-01-01T00:00:00Z"]).is_empty());
    assert_eq!(show(&["--since", "2020-01-01T00:00:00Z"]), show(&[]));
    desk.run(&["audit", "show", "--action", "grants"]).code(2).says("names no events");
    // A pipe gets all of it.
    let said = desk.run(&["audit", "show", "--grant", &first]).code(0);
    assert!(!said.out.contains('…') && said.out.lines().any(|line| line.len() > 250), "{said:#?}");
}
