//! Keeping in step, and telling the log.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jit_core::Kind;
use jit_core::authority::RevokeWhich;
use jit_core::grant::Actor;
use jit_core::login::LoginService;
use jit_core::name::Reason;
use jit_link::{Reach, Step, Teller};
use serde_json::{Value, json};

use crate::ground::*;

#[test]
fn a_host_is_told_what_is_granted_and_what_is_taken_away() {
    let ground = Ground::new();
    let reach = Reach::default();
    let mut step = Step::new(ground.here(), &ground.office, &reach);
    assert!(step.once(Duration::ZERO).unwrap());
    assert!(!step.once(Duration::ZERO).unwrap(), "no news");
    let grant = ground.grant();
    assert!(step.once(Duration::ZERO).unwrap());
    assert_eq!(ground.here().grant(grant.id()).unwrap().0, grant);
    let reason = Reason::parse("over").unwrap();
    ground.there(|office| office.revoke(&RevokeWhich::All, &Actor::Root, &reason)).unwrap();
    assert!(step.once(Duration::ZERO).unwrap());
    assert_eq!(ground.here().grant(grant.id()).unwrap().0.window(), None);

    ground.office.away.store(true, Ordering::SeqCst);
    assert!(step.once(Duration::ZERO).is_err());
    ground.office.away.store(false, Ordering::SeqCst);
    step.once(Duration::ZERO).unwrap();
    let link = ground.here().link().unwrap();
    assert!(link.contact_at.is_some() && link.ahead.abs() <= 1 && link.trouble.is_none());
}

#[test]
fn the_log_of_a_host_reaches_its_authority_in_order_and_once() {
    let ground = Ground::new();
    let told = || {
        let all = ground.there(|office| office.last_records(100).unwrap());
        all.into_iter().filter(|record| record.actor == "host:web-2").collect::<Vec<_>>()
    };
    let host = ground.here();
    let teller = Teller { here: ground.here(), office: &ground.office };
    assert!(!teller.once().unwrap(), "there is nothing to tell");
    for phase in ["authenticate", "acct_mgmt"] {
        host.exempt_used(&attempt(), phase).unwrap();
    }
    ground.office.away.store(true, Ordering::SeqCst);
    assert!(teller.once().is_err());
    ground.office.away.store(false, Ordering::SeqCst);
    assert!(teller.once().unwrap());
    assert!(!teller.once().unwrap());
    // Another jit-link, which did not hear that it was told.
    host.note_link(&web_2(), |link| link.told = 0).unwrap();
    assert!(teller.once().unwrap());
    let told = told();
    assert_eq!(told.len(), 2);
    assert!(told[0].detail.contains("authenticate") && told[1].detail.contains("acct_mgmt"));
}

#[test]
fn what_is_more_than_a_host_may_tell_is_told_later() {
    let ground = Ground::new();
    let host = ground.here();
    let teller = Teller { here: ground.here(), office: &ground.office };
    for _ in 0..120 {
        host.exempt_used(&attempt(), "authenticate").unwrap();
    }
    assert!(teller.once().unwrap(), "the first page");
    // As if the host had told as much as it may in this hour.
    let now = host.now().unwrap();
    let spent = json!({ "since": now, "records": 5000, "bytes": 0, "exceeded": false });
    let set = |budget| {
        ground.there(|office| office.note_link(&web_2(), |link| link.budget = budget).unwrap());
    };
    set(Some(serde_json::from_value(spent).unwrap()));
    let before = host.link().unwrap().told;
    for _ in 0..2 {
        assert_eq!(teller.once().unwrap_err().kind(), Kind::Refused);
    }
    assert_eq!(host.link().unwrap().told, before);
    // An hour later.
    set(None);
    assert!(teller.once().unwrap());
    assert!(!teller.once().unwrap());
    let all = ground.there(|office| office.last_records(1000).unwrap());
    let told: Vec<u64> = all
        .iter()
        .filter(|record| record.action == "login.exempt")
        .map(|record| serde_json::from_str::<Value>(&record.detail).unwrap())
        .map(|detail| detail["record"].as_u64().unwrap())
        .collect();
    assert_eq!(told.len(), 120, "nothing is lost");
    assert!(told.is_sorted());
    assert_eq!(all.iter().filter(|record| record.action == "host.log").count(), 1);
}
