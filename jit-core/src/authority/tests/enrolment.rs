//! Enrolling a second factor.

use super::*;
use crate::factor::{PersonOrNobody, totp};
use crate::store::Mode;

/// A code of the secret of `name`'s that waits, as their app shows it now.
fn first_code(desk: &Desk, name: &str) -> String {
    let who = PersonOrNobody::Person(person(name));
    let tx = desk.authority.store.begin(Mode::Read).unwrap();
    let sealed = tx.factors(who.key()).unwrap().unwrap().pending.unwrap().sealed;
    let secret = totp::unseal(&desk.authority.vault, &who, &sealed).unwrap();
    totp::code_at(&secret, desk.clock.now().unwrap()).unwrap()
}

#[test]
fn a_new_secret_bears_five_wrong_codes_and_a_quarter_of_an_hour() {
    let desk = Desk::new();
    let (alice, root) = (person("alice"), Actor::Root);
    let begin = || desk.authority.begin_enrolment(&root, &alice).map(drop).unwrap();
    let confirm = |code: &str| desk.authority.confirm_enrolment(&root, &alice, code);
    let pending = || desk.authority.factor_status(&alice).unwrap().pending;
    begin();
    for tries_left in (0..5).rev() {
        let error = confirm("000").err().unwrap();
        let anew = error.to_string().contains("Begin again: jitctl mfa enroll alice");
        assert_eq!((anew, pending()), (tries_left == 0, tries_left > 0), "{error}");
    }
    let last = records(&desk).pop().unwrap();
    assert_eq!((last.action.as_str(), last.outcome), ("factor.confirm", Outcome::Refused));
    assert!(last.detail.contains(r#""dropped":true"#), "{}", last.detail);
    let error = confirm("000").err().unwrap();
    assert!(error.what().contains("no new secret of alice waits"), "{error}");
    // The one in use stays in use.
    desk.authority.prove(&alice, &desk.code("alice"), "a test").unwrap();

    begin();
    desk.clock.pass(900);
    assert!(!pending());
    let error = confirm(&first_code(&desk, "alice")).err().unwrap();
    assert!(error.to_string().contains("waited for too long"), "{error}");
    assert!(error.to_string().contains("Begin again: jitctl mfa enroll alice"), "{error}");

    begin();
    assert!(confirm("000").is_err());
    desk.clock.pass(840);
    assert_eq!(confirm(&first_code(&desk, "alice")).unwrap().len(), 10);
}
