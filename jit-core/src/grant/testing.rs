//! Grants for the tests of other modules, built through the real transitions.

use super::*;

pub(crate) fn ask(person: &str, secs: u64) -> Ask {
    Ask {
        person: PersonName::parse(person).unwrap(),
        login: Login::parse("deploy").unwrap(),
        place: Place::parse("web-1").unwrap(),
        sudo: false,
        duration: Span::from_secs(secs).unwrap(),
        start: None,
        extends: None,
        reason: Reason::parse("a good reason").unwrap(),
    }
}

pub(crate) fn requested(ask: Ask, now: u64) -> Grant {
    Grant::request(
        GrantId::random().unwrap(),
        ask.clone(),
        Terms::of_root(),
        Actor::Person(ask.person),
        at(now),
        Span::from_secs(3600).unwrap(),
    )
    .unwrap()
}

pub(crate) fn active(ask: Ask, now: u64) -> Grant {
    requested(ask, now).approve(Way::People, at(now)).unwrap()
}

pub(crate) fn at(unix: u64) -> Timestamp {
    Timestamp::from_unix(unix).unwrap()
}

/// A yes to what is asked for now, proved by a record that these tests never look for.
pub(crate) fn yes(grant: &Grant, most: Option<u64>) -> Yes {
    let most = most.map(|secs| Span::from_secs(secs).unwrap());
    Yes { to: grant.digest(most).unwrap(), most, evidence: Evidence::Factor { record: 1 } }
}
