//! Whether the authority is in reach, so that a login that can do without it does not wait for it.

use std::sync::Mutex;

use jit_core::clock::Clock;
use jit_core::{Error, Kind, Result};

/// For how long an authority that was out of reach is not asked what can be done without, in
/// milliseconds.
const REST: u64 = 5_000;

/// When the authority was last found out of reach, by the boot clock.
#[derive(Debug, Default)]
pub struct Reach(Mutex<Option<u64>>);

impl Reach {
    /// Asks, and notes whether there was an answer.
    ///
    /// # Errors
    /// Those of `ask`.
    pub fn ask<T>(&self, clock: &dyn Clock, ask: impl FnOnce() -> Result<T>) -> Result<T> {
        let answer = ask();
        let away = matches!(&answer, Err(error) if error.kind() == Kind::Unavailable);
        let now = if away { Some(clock.boot()?.millis) } else { None };
        if let Ok(mut since) = self.0.lock() {
            *since = now;
        }
        answer
    }

    /// As [`Reach::ask`], but not while the authority was out of reach a moment ago.
    ///
    /// # Errors
    /// As there; unavailable at once then.
    pub fn ask_if_there<T>(&self, clock: &dyn Clock, ask: impl FnOnce() -> Result<T>) -> Result<T> {
        let since = self.0.lock().ok().and_then(|since| *since);
        let now = clock.boot()?.millis;
        if since.is_some_and(|since| now.saturating_sub(since) < REST) {
            return Err(Error::unavailable("the authority was out of reach a moment ago"));
        }
        self.ask(clock, ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::clock::ManualClock;

    #[test]
    fn who_can_do_without_does_not_wait_for_what_was_away_a_moment_ago() {
        let (reach, clock) = (Reach::default(), ManualClock::at(1_800_000_000));
        let away = || Err::<(), _>(Error::unavailable("no route"));
        assert!(reach.ask(&clock, away).is_err());
        let error = reach.ask_if_there(&clock, || Ok(())).unwrap_err();
        assert!(error.what().contains("a moment ago"));
        clock.pass(5);
        reach.ask_if_there(&clock, || Ok(())).unwrap();
        // A refusal is an answer.
        let refused = || Err::<(), _>(Error::refused("no"));
        assert!(reach.ask(&clock, refused).is_err());
        reach.ask_if_there(&clock, || Ok(())).unwrap();
        assert!(reach.ask(&clock, away).is_err());
        // What needs it asks all the same, and an answer makes it there again.
        reach.ask(&clock, || Ok(())).unwrap();
        reach.ask_if_there(&clock, || Ok(())).unwrap();
    }
}
