//! `authenticate`: who is this, and is the second factor theirs?
//!
//! A first factor comes before: sshd's report of the key, or for sudo the kernel's session. Whoever
//! has none, or one of nobody, sees the same prompt, causes the same work and gets the same answer as
//! somebody with a wrong code.

use jit_core::breakglass::is_code;
use jit_core::config::SecondFactor;
use jit_core::error::Error;
use jit_core::factor::Verdict;
use jit_core::login::Identity;

use crate::breakglass;
use crate::caller::Caller;
use crate::conversation::{Echo, NoAnswer, Pam};
use crate::hook::Desk;
use crate::refusal::{OUT_OF_ORDER, Refusal, out_of_order};

/// The prompt, whoever is asked.
pub const PROMPT: &str = "Verification code: ";

/// Asks for the second factor and checks it.
///
/// # Errors
/// Not proved.
pub fn authenticate(desk: Desk<'_>, pam: &mut dyn Pam, caller: &Caller) -> Result<(), Refusal> {
    let identity = caller.identify(desk.service);
    if desk.config.second_factor == SecondFactor::None {
        return identity.map(drop).map_err(|error| Refusal::from_error(&error, None));
    }
    prove(desk, pam, identity.as_ref(), caller)
}

/// Asks for the second factor of who it is, or of nobody.
///
/// # Errors
/// Not proved.
pub fn prove(
    desk: Desk<'_>,
    pam: &mut dyn Pam,
    identity: Result<&Identity, &Error>,
    caller: &Caller,
) -> Result<(), Refusal> {
    let typed = match pam.ask(PROMPT, Echo::Off) {
        Ok(typed) => Some(typed),
        // It counts as the wrong code that it is.
        Err(NoAnswer::Unreadable) => None,
        Err(NoAnswer::CannotAsk) => return Err(Refusal::logged("no code was typed")),
    };
    let typed = typed.as_ref().map_or("", |typed| typed.expose());
    // Whoever types one, so that this tells nothing of them either.
    if is_code(typed) {
        return breakglass::with(desk, pam, identity, typed, caller);
    }
    let verdict = desk
        .service
        .verify_factor(identity, typed, &caller.attempt)
        .map_err(|error| Refusal::from_error(&error, None))?;
    match (identity, verdict) {
        (Ok(_), verdict) if verdict.accepted() => Ok(()),
        // These two have shown their own key, so that telling them helps nobody else.
        (Ok(_), Verdict::Throttled { until }) => Err(Refusal::saying(format!(
            "Too many wrong codes; try again after {}.",
            until.local_hour()
        ))),
        (Ok(identity), Verdict::LockedOut) => Err(Refusal::saying(format!(
            "Too many wrong codes in a row. An administrator can help: jitctl mfa reset {}",
            identity.person
        ))),
        (Err(error), _) if out_of_order(error) => Err(Refusal::saying(OUT_OF_ORDER)),
        _ => Err(Refusal::silent()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Hook::Authenticate;
    use crate::testing::{NOW, Scripted, Stage, Told, at};

    fn play(told: Told, script: Scripted) -> (Result<(), Refusal>, Vec<String>) {
        let mut script = script;
        Stage::new().play(Authenticate, told, &mut script)
    }

    fn typed(script: Scripted, code: &'static str) -> Scripted {
        script.secret("Verification code: ", code)
    }

    fn told(verdict: Verdict) -> Told {
        Told { verdict: Ok(verdict), ..Told::good() }
    }

    fn unknown() -> Told {
        Told { identity: Err(Error::refused("the key SHA256:x is nobody's")), ..Told::good() }
    }

    #[test]
    fn a_known_key_and_a_right_code_are_a_yes() {
        let (outcome, calls) = play(Told::good(), typed(Scripted::ssh(), "123456"));
        assert_eq!(outcome, Ok(()));
        assert!(calls[0].contains("Ssh(Some(\"publickey"), "{calls:?}");
        assert_eq!(calls[1], "verify alice \"123456\" alice");
        let (outcome, calls) = play(Told::good(), typed(Scripted::sudo(), "123456"));
        assert_eq!(outcome, Ok(()));
        assert_eq!(calls[0], "identify alice Local { audit_session: Some(7) }");
    }

    #[test]
    fn unknown_unenrolled_and_wrong_are_one_conversation_with_one_end() {
        let silent = Err(Refusal::silent());
        for told in [
            unknown(),
            told(Verdict::NotEnrolled),
            told(Verdict::Wrong),
            told(Verdict::Replayed),
            // Throttled or locked out, but with nobody's key.
            Told { identity: unknown().identity, ..told(Verdict::LockedOut) },
        ] {
            assert_eq!(play(told, typed(Scripted::ssh(), "123456")).0, silent);
        }
        for user in ["Alice", "a b", "", "alice\n", "a'; --", "\u{fffd}"] {
            let script = Scripted::ssh().with(|items| items.user = Some(user.into()));
            let (outcome, calls) = play(Told::good(), typed(script, "123456"));
            assert_eq!(outcome, silent, "{user}");
            assert_eq!(calls.len(), 2, "the same work");
            assert_eq!(calls[1], "verify nobody \"123456\" nobody");
        }
        // An account that only sshd knows not to exist is refused at the second look.
        let script = Scripted::ssh().with(|items| items.user = Some("dora".into()));
        let (outcome, calls) = play(Told::good(), typed(script, "123456"));
        assert_eq!((outcome.unwrap_err().say, calls.len()), (None, 2));
    }

    #[test]
    fn who_is_throttled_or_locked_out_and_known_is_told_so() {
        let until = at(NOW + 300);
        let say = |verdict| {
            play(told(verdict), typed(Scripted::ssh(), "123456")).0.unwrap_err().say.unwrap()
        };
        assert_eq!(
            say(Verdict::Throttled { until }),
            format!("Too many wrong codes; try again after {}.", until.local_hour())
        );
        assert!(say(Verdict::LockedOut).ends_with("jitctl mfa reset alice"));
        let stranger = Told { identity: unknown().identity, ..told(Verdict::Throttled { until }) };
        assert_eq!(play(stranger, typed(Scripted::ssh(), "1")).0, Err(Refusal::silent()));
    }

    #[test]
    fn where_nobody_can_be_asked_nobody_gets_in() {
        let script = Scripted::ssh().no_answer(PROMPT, Echo::Off, NoAnswer::CannotAsk);
        let (outcome, calls) = play(Told::good(), script);
        assert_eq!(outcome.unwrap_err().log.unwrap(), "no code was typed");
        assert_eq!(calls.len(), 1, "no code, no attempt");
    }

    #[test]
    fn an_unreadable_answer_counts_as_a_wrong_code() {
        let script = Scripted::ssh().no_answer(PROMPT, Echo::Off, NoAnswer::Unreadable);
        let (outcome, calls) = play(told(Verdict::Wrong), script);
        assert_eq!(outcome, Err(Refusal::silent()));
        assert_eq!(calls[1], "verify alice \"\" alice");
    }

    #[test]
    fn a_store_that_fails_is_said_and_logged() {
        let full = Told { verdict: Err(Error::unavailable("the disk is full")), ..Told::good() };
        let refusal = play(full, typed(Scripted::ssh(), "123456")).0.unwrap_err();
        assert_eq!(refusal.say.as_deref(), Some(OUT_OF_ORDER));
        assert_eq!(refusal.log.as_deref(), Some("the disk is full"));
        let unreadable = Err(Error::tampered("a key was edited"));
        let edited = Told { identity: unreadable, ..told(Verdict::Totp { step: 1 }) };
        let refusal = play(edited, typed(Scripted::ssh(), "123456")).0.unwrap_err();
        assert_eq!(refusal.say.as_deref(), Some(OUT_OF_ORDER));
    }

    #[test]
    fn without_a_second_factor_the_first_one_is_needed_still() {
        let stage = Stage::without_second_factor();
        let (outcome, _) = stage.play(Authenticate, Told::good(), &mut Scripted::ssh());
        assert_eq!(outcome, Ok(()));
        let (outcome, _) = stage.play(Authenticate, unknown(), &mut Scripted::ssh());
        assert_eq!(outcome.unwrap_err().log.unwrap(), "the key SHA256:x is nobody's");
    }
}
