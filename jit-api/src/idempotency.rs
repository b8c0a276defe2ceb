//! `Idempotency-Key`: the same request under the same key, by the same caller, is done once and
//! answered the same for a day, whatever was lost on the way and whoever was restarted.

use jit_core::{Error, Kind};

use crate::asked::Asked;
use crate::caller::Caller;
use crate::endpoint::{Desk, Method, Ran};
use crate::problem::Failure;
use crate::proof::sha256;

/// The longest key.
const LONGEST: usize = 128;

/// Runs `act`, unless it was run under this key before.
pub(crate) fn once(
    desk: &Desk<'_>,
    caller: &Caller,
    method: Method,
    asked: &Asked<'_>,
    act: impl FnOnce() -> Result<Ran, Failure>,
) -> Result<Ran, Failure> {
    let key = match asked.headers.idempotency_key {
        // Of nobody it could not be told whose it is. What a host sends is good once anyway, as it is a
        // code, or has a number; strangers at its sshd could have it use up what is kept for it.
        Some(key)
            if method == Method::Post && !matches!(caller, Caller::Nobody | Caller::Host(_)) =>
        {
            key
        }
        _ => return act(),
    };
    let plain = |b: u8| b.is_ascii_graphic();
    if key.is_empty() || key.len() > LONGEST || !key.bytes().all(plain) {
        return Err(
            Error::invalid("Idempotency-Key is not 1 to 128 visible ASCII characters").into()
        );
    }
    let whose = whose(caller);
    // No name has a line end in it, and neither has a key.
    let key = sha256(format!("{whose}\n{key}").as_bytes());
    let query = asked.query.unwrap_or_default();
    let body = sha256(asked.body);
    let request = sha256(format!("{} {}?{query}\n{body}", asked.method, asked.path).as_bytes());
    if let Some(answer) = desk.authority.take_key(&whose, &key, &request)? {
        return Ok(Ran { answer, waits: None });
    }
    let ran = act();
    match &ran {
        Ok(done) => desk.authority.keep_answer(&key, &done.answer)?,
        Err(failure) => match failure.error.kind() {
            // Nothing was done, so it may be asked again.
            Kind::Invalid | Kind::Refused | Kind::NotFound | Kind::Conflict => {
                desk.authority.give_key_back(&key)?;
            }
            // Perhaps it was, so the key stays taken.
            Kind::Misconfigured | Kind::Unavailable | Kind::Tampered => {}
        },
    }
    ran
}

/// A person is the same however they come.
fn whose(caller: &Caller) -> String {
    match caller.person() {
        Some(person) => format!("person:{person}"),
        None => caller.to_string(),
    }
}
