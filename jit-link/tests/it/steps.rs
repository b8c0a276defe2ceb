//! Keeping in step, and telling the log.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jit_core::authority::RevokeWhich;
use jit_core::grant::Actor;
use jit_core::login::LoginService;
use jit_core::name::Reason;
use jit_link::{Reach, Step, Teller};

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
