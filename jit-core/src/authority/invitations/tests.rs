use super::*;
use crate::authority::testing::{Desk, person, public_key};
use crate::clock::Clock;
use crate::error::Kind;
use crate::store::Mode;

fn invited(name: &str) -> Invited {
    Invited::Person(person(name))
}

/// The code that the app shows which was given this URI.
fn shown(desk: &Desk, name: &str) -> String {
    let tx = desk.authority.store.begin(Mode::Read).unwrap();
    let sealed = tx.invitation(&invited(name)).unwrap().unwrap().begun.unwrap().sealed;
    let who = PersonOrNobody::Person(person(name));
    let secret = totp::unseal(&desk.authority.vault, &who, &sealed).unwrap();
    totp::code_at(&secret, desk.clock.now().unwrap()).unwrap()
}

fn refused<T>(result: Result<T>) {
    assert_eq!(result.err().expect("it must be refused").kind(), Kind::Refused);
}

#[test]
fn a_person_enrols_key_and_factor_themselves_and_nothing_counts_before_the_end() {
    let desk = Desk::new();
    let (authority, dave) = (&desk.authority, person("dave"));
    authority.add_person(&Actor::Root, &dave, &[].into(), &[]).unwrap();
    let (code, _) = authority.invite(&Actor::Root, &invited("dave")).unwrap();
    let began = authority.enrol_person(&dave, code.expose(), &public_key(9)).unwrap();
    assert!(authority.keys(&dave).unwrap().is_empty());
    assert!(!authority.factor_status(&dave).unwrap().enrolled);
    let confirmation = began.confirmation.expose();
    refused(authority.confirm_person(confirmation, "000000"));
    let typed = shown(&desk, "dave");
    let (name, codes) = authority.confirm_person(confirmation, &typed).unwrap();
    assert_eq!((name, codes.len()), (dave.clone(), recovery::COUNT));
    assert_eq!(authority.keys(&dave).unwrap().len(), 1);
    assert!(authority.factor_status(&dave).unwrap().enrolled);
    desk.clock.pass(60);
    refused(authority.confirm_person(confirmation, &typed));
    refused(authority.enrol_person(&dave, code.expose(), &public_key(9)));
}

#[test]
fn a_code_is_bound_to_the_first_key_and_a_lost_answer_is_made_up_for() {
    let desk = Desk::new();
    let (authority, alice) = (&desk.authority, person("alice"));
    let (code, _) = authority.invite(&Actor::Root, &invited("alice")).unwrap();
    let first = authority.enrol_person(&alice, code.expose(), &public_key(9)).unwrap();
    refused(authority.enrol_person(&alice, code.expose(), &public_key(8)));
    let second = authority.enrol_person(&alice, code.expose(), &public_key(9)).unwrap();
    let typed = shown(&desk, "alice");
    refused(authority.confirm_person(first.confirmation.expose(), &typed));
    authority.confirm_person(second.confirmation.expose(), &typed).unwrap();
}

#[test]
fn wrong_codes_an_older_one_and_a_late_one_are_refused_and_on_the_log() {
    let desk = Desk::new();
    let (authority, alice) = (&desk.authority, person("alice"));
    let (old, _) = authority.invite(&Actor::Root, &invited("alice")).unwrap();
    let (new, _) = authority.invite(&Actor::Root, &invited("alice")).unwrap();
    let bob = person("bob");
    refused(authority.enrol_person(&bob, new.expose(), &public_key(9)));
    for _ in 0..5 {
        refused(authority.enrol_person(&alice, old.expose(), &public_key(9)));
    }
    refused(authority.enrol_person(&alice, new.expose(), &public_key(9)));
    let record = authority.last_records(1).unwrap().remove(0);
    assert_eq!((record.action.as_str(), record.actor.as_str()), ("person.enrol", "program:ssh-ca"));
    let (late, _) = authority.invite(&Actor::Root, &invited("alice")).unwrap();
    desk.clock.pass(86_400);
    refused(authority.enrol_person(&alice, late.expose(), &public_key(9)));
    let unknown = Invited::Person(person("nobody"));
    assert_eq!(authority.invite(&Actor::Root, &unknown).err().unwrap().kind(), Kind::NotFound);
}

#[test]
fn a_host_enrols_its_key_once_and_keeps_it_when_its_labels_change() {
    let desk = Desk::new();
    let authority = &desk.authority;
    let web = HostName::parse("web-1").unwrap();
    let (code, _) = authority.invite(&Actor::Root, &Invited::Host(web.clone())).unwrap();
    refused(authority.enrol_host(&web, "0000-0000-0000", &public_key(9)));
    let host = authority.enrol_host(&web, code.expose(), &public_key(9)).unwrap();
    assert_eq!(host.key.as_deref(), Some(public_key(9).as_str()));
    refused(authority.enrol_host(&web, code.expose(), &public_key(8)));
    authority.put_host(&Actor::Root, &web, &[].into()).unwrap();
    assert_eq!(authority.host_key(&web).unwrap().0, host.key);
}
