//! Everything a person types: what parses is in its strict form and reads back as itself.
#![no_main]

use jit_core::factor::Code;
use jit_core::id::GrantId;
use jit_core::name::{HostName, Label, Login, PersonName, Place, Reason};
use jit_core::person::IdentityKey;
use jit_core::time::{Span, Timestamp};
use libfuzzer_sys::fuzz_target;

fn strict(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.=".contains(&b))
}

fuzz_target!(|text: &str| {
    if let Ok(name) = PersonName::parse(text) {
        assert!(strict(name.as_str()) && PersonName::parse(name.as_str()).as_ref() == Ok(&name));
    }
    if let Ok(name) = Login::parse(text) {
        assert!(strict(name.as_str()) && name.as_str() == text);
    }
    if let Ok(name) = HostName::parse(text) {
        assert!(strict(name.as_str()));
    }
    if let Ok(label) = Label::parse(text) {
        assert!(strict(label.as_str()));
    }
    if let Ok(place) = Place::parse(text) {
        assert_eq!(Place::parse(&place.to_string()).as_ref(), Ok(&place));
    }
    if let Ok(reason) = Reason::parse(text) {
        assert!(!reason.as_str().chars().any(char::is_control));
    }
    if let Ok(id) = GrantId::parse(text) {
        assert_eq!(GrantId::parse(id.as_str()).as_ref(), Ok(&id));
    }
    if let Ok(span) = Span::parse(text) {
        assert_eq!(Span::parse(&span.to_string()).as_ref(), Ok(&span));
    }
    let _ = Timestamp::parse(text);
    if let Code::Totp(code) = Code::parse(text) {
        assert!(code.expose().len() == 6 && code.expose().bytes().all(|b| b.is_ascii_digit()));
    }
    if let (Ok(person), Ok(now)) = (PersonName::parse("alice"), Timestamp::from_unix(1)) {
        let _ = IdentityKey::parse(person, text, now);
    }
});
