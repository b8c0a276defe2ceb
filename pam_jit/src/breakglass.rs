//! Breaking the glass at a prompt: a one-time code from the sealed envelope, and a reason. It is for
//! the day when a phone is lost, and then typed in place of its code, or when nobody answers.

use jit_core::breakglass::Verdict;
use jit_core::error::{Error, Kind};
use jit_core::grant::Action;
use jit_core::login::Identity;

use crate::caller::Caller;
use crate::conversation::{Echo, NoAnswer, Pam};
use crate::hook::Desk;
use crate::refusal::{OUT_OF_ORDER, Refusal, out_of_order};

/// What is typed at a prompt for something else.
pub const WORD: &str = "b";
const CODE: &str = "Break-glass code (empty to leave): ";
const REASON: &str = "Reason for breaking the glass (empty to leave): ";

/// How often a reason that is none may be given.
const TRIES: u32 = 3;

/// Asks for a code, and breaks the glass with it.
///
/// # Errors
/// They left, can't be asked, or the code is none that they may use now.
pub fn ask(
    desk: Desk<'_>,
    pam: &mut dyn Pam,
    who: &Identity,
    caller: &Caller,
) -> Result<(), Refusal> {
    let typed = match pam.ask(CODE, Echo::Off) {
        Ok(typed) => typed,
        Err(NoAnswer::Unreadable) => return Err(Refusal::saying("That is no break-glass code.")),
        Err(NoAnswer::CannotAsk) => return Err(Refusal::saying(by_terminal())),
    };
    if typed.expose().trim().is_empty() {
        return Err(Refusal::silent());
    }
    let refusal = match with(desk, pam, Ok(who), typed.expose(), caller) {
        Err(refusal) => refusal,
        Ok(()) => return Ok(()),
    };
    let told = refusal.say.is_some() || refusal.log.is_some();
    Err(if told { refusal } else { refusal.and_saying("That is no break-glass code of yours.") })
}

/// Breaks the glass with a code that was typed, once there is a reason. Somebody unknown sees the
/// same prompt, causes the same work and gets no more of an answer than for a wrong code.
///
/// # Errors
/// As [`ask`].
pub fn with(
    desk: Desk<'_>,
    pam: &mut dyn Pam,
    who: Result<&Identity, &Error>,
    typed: &str,
    caller: &Caller,
) -> Result<(), Refusal> {
    // At sudo it may be the code of the window that they are in: then all of this is said.
    if caller.attempt.action == Action::Sudo {
        let verdict = desk
            .service
            .break_glass(who, typed, None, &caller.attempt)
            .map_err(|error| Refusal::from_error(&error, None))?;
        if verdict != Verdict::WantsReason {
            return answer(desk, pam, who, verdict);
        }
    }
    for _ in 0..TRIES {
        let reason = match pam.ask(REASON, Echo::On) {
            Ok(reason) => reason,
            Err(NoAnswer::Unreadable) => {
                pam.complain("Not used: a reason is plain text of at most 300 characters.");
                continue;
            }
            Err(NoAnswer::CannotAsk) => return Err(Refusal::saying(by_terminal())),
        };
        if reason.expose().trim().is_empty() {
            return Err(Refusal::saying("Nothing was broken, and the code is as good as before."));
        }
        match desk.service.break_glass(who, typed, Some(reason.expose()), &caller.attempt) {
            Ok(verdict) => return answer(desk, pam, who, verdict),
            Err(error) if error.kind() == Kind::Invalid => {
                pam.complain(&format!("Not used: {error}"));
            }
            Err(error) => return Err(Refusal::from_error(&error, None)),
        }
    }
    Err(Refusal::saying("Nothing was broken: no reason was given. The code is as good as before."))
}

fn answer(
    desk: Desk<'_>,
    pam: &mut dyn Pam,
    who: Result<&Identity, &Error>,
    verdict: Verdict,
) -> Result<(), Refusal> {
    match (who, verdict) {
        (Ok(_), Verdict::Known) => Ok(()),
        (Ok(_), Verdict::Broken(used)) => {
            pam.say(&format!(
                "You broke the glass: access to {} as {} with sudo until {}. Everybody on the host \
                 is told, and somebody else has to review it: jitctl break-glass review {}",
                desk.config.host,
                used.login,
                used.until.local_hour(),
                used.id
            ));
            Ok(())
        }
        (Ok(_), Verdict::NotReviewed(last)) => Err(Refusal::saying(format!(
            "Not used: {}. Somebody else has to, and the code is as good as before: \
             jitctl break-glass review {} --as REVIEWER --note TEXT",
            last.blocks(),
            last.id
        ))),
        // These two have shown their own key, so that telling them helps nobody else.
        (Ok(_), Verdict::Throttled { until }) => Err(Refusal::saying(format!(
            "Too many wrong codes; try again after {}.",
            until.local_hour()
        ))),
        (Ok(who), Verdict::LockedOut) => Err(Refusal::saying(format!(
            "Too many wrong codes in a row. An administrator can help: jitctl mfa reset {}",
            who.person
        ))),
        (Err(error), _) if out_of_order(error) => Err(Refusal::saying(OUT_OF_ORDER)),
        _ => Err(Refusal::silent()),
    }
}

fn by_terminal() -> &'static str {
    "Breaking the glass takes a terminal: log in by ssh without a command, or use sudo without -n."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Hook::{Account, Authenticate};
    use crate::testing::{NOW, Scripted, Stage, Told, at, granted, used};
    use jit_core::login::Entry;

    const TYPED: &str = "bg-0000-0000-0000-0000";
    const PROMPT: &str = "Verification code: ";
    const NO_GRANT: &str = "No active grant for alice@web-1.";

    fn play(hook: crate::hook::Hook, told: Told, mut script: Scripted) -> Outcome {
        Stage::new().play(hook, told, &mut script)
    }

    type Outcome = (Result<(), Refusal>, Vec<String>);

    fn broken() -> String {
        format!(
            "You broke the glass: access to web-1 as alice with sudo until {}. Everybody on the \
             host is told, and somebody else has to review it: jitctl break-glass review k7q2-m9xd",
            at(NOW + 1800).local_hour()
        )
    }

    fn told(verdict: Verdict) -> Told {
        Told { broken: [Ok(verdict)].into(), ..Told::good() }
    }

    fn typed() -> Scripted {
        Scripted::ssh().secret(PROMPT, TYPED)
    }

    #[test]
    fn who_lost_their_phone_types_a_break_glass_code_in_its_place() {
        let script = || typed().shown(REASON, "the phone is lost").says(broken());
        let (outcome, calls) = play(Authenticate, told(Verdict::Broken(used())), script());
        assert_eq!(outcome, Ok(()));
        assert_eq!(
            calls[1..],
            [format!("break alice \"{TYPED}\" Some(\"the phone is lost\") alice")]
        );
        let script = Scripted::sudo()
            .secret(PROMPT, TYPED)
            .shown(REASON, "the phone is lost")
            .says(broken());
        let twice = || Told {
            broken: [Ok(Verdict::WantsReason), Ok(Verdict::Broken(used()))].into(),
            ..Told::good()
        };
        let (outcome, calls) = play(Authenticate, twice(), script);
        assert_eq!(outcome, Ok(()));
        assert_eq!(calls[1], format!("break alice \"{TYPED}\" None alice"));
        // In the window of that code, it is the code for sudo.
        let script = Scripted::sudo().secret(PROMPT, TYPED);
        assert_eq!(play(Authenticate, told(Verdict::Known), script).0, Ok(()));
        let unknown = Told { identity: Err(Error::refused("nobody's")), ..told(Verdict::Known) };
        let script = Scripted::sudo().secret(PROMPT, TYPED);
        assert_eq!(play(Authenticate, unknown, script).0, Err(Refusal::silent()));
    }

    #[test]
    fn a_break_glass_code_takes_a_reason_and_a_persons_key() {
        // Leaving burns nothing: nobody was asked.
        for empty in ["", "  "] {
            let (outcome, calls) =
                play(Authenticate, told(Verdict::Wrong), typed().shown(REASON, empty));
            assert!(outcome.unwrap_err().say.unwrap().contains("as good as before"));
            assert_eq!(calls.len(), 1);
        }
        let bad = || Err(Error::invalid("a reason is needed"));
        let thrice = Told { broken: [bad(), bad(), bad()].into(), ..Told::good() };
        let mut script = typed();
        for _ in 0..3 {
            script = script.shown(REASON, "x").complains("Not used: a reason is needed");
        }
        assert!(play(Authenticate, thrice, script).0.is_err());
        // A right code that nobody's key came with.
        let unknown = Told {
            identity: Err(Error::refused("the key is nobody's")),
            ..told(Verdict::Broken(used()))
        };
        let (outcome, calls) = play(Authenticate, unknown, typed().shown(REASON, "let me in"));
        assert_eq!(outcome, Err(Refusal::silent()));
        assert_eq!(calls[1], format!("break nobody \"{TYPED}\" Some(\"let me in\") alice"));
        // Theirs, but wrong: as any wrong code.
        let (outcome, _) = play(Authenticate, told(Verdict::Wrong), typed().shown(REASON, "why"));
        assert_eq!(outcome, Err(Refusal::silent()));
    }

    #[test]
    fn who_may_not_ask_but_break_the_glass_is_asked_for_a_code() {
        let entry = || Ok(Entry::NoCover { offer: None, may_break: true });
        let script = || Scripted::ssh().complains(NO_GRANT);
        let good =
            Told { entries: [entry(), Ok(granted())].into(), ..told(Verdict::Broken(used())) };
        let all = script().secret(CODE, TYPED).shown(REASON, "it burns").says(broken());
        assert_eq!(play(Account, good, all).0, Ok(()));
        let once = |verdict| Told { entries: [entry()].into(), ..told(verdict) };
        let leaving = script().secret(CODE, "");
        assert_eq!(play(Account, once(Verdict::Wrong), leaving).0, Err(Refusal::silent()));
        let say = |verdict| {
            let script = script().secret(CODE, TYPED).shown(REASON, "it burns");
            play(Account, once(verdict), script).0.unwrap_err().say.unwrap()
        };
        assert_eq!(say(Verdict::Wrong), "That is no break-glass code of yours.");
        let blocked = say(Verdict::NotReviewed(used()));
        for word in ["alice", "was not reviewed", "jitctl break-glass review k7q2-m9xd"] {
            assert!(blocked.contains(word), "{word} in {blocked}");
        }
        assert!(say(Verdict::Throttled { until: at(NOW) }).starts_with("Too many wrong codes;"));
        assert!(say(Verdict::LockedOut).ends_with("jitctl mfa reset alice"));
    }

    #[test]
    fn where_nobody_can_be_asked_no_glass_is_broken() {
        let script = typed().no_answer(REASON, Echo::On, NoAnswer::CannotAsk);
        let (outcome, calls) = play(Authenticate, told(Verdict::Broken(used())), script);
        assert!(outcome.unwrap_err().say.unwrap().contains("takes a terminal"));
        assert_eq!(calls.len(), 1);
        let entry = Ok(Entry::NoCover { offer: None, may_break: true });
        let told = Told { entries: [entry].into(), ..told(Verdict::Broken(used())) };
        let script =
            Scripted::ssh().complains(NO_GRANT).no_answer(CODE, Echo::Off, NoAnswer::CannotAsk);
        assert!(
            play(Account, told, script).0.unwrap_err().say.unwrap().contains("sudo without -n")
        );
    }

    #[test]
    fn a_store_that_fails_breaks_no_glass() {
        let told = Told { broken: [Err(Error::unavailable("locked"))].into(), ..Told::good() };
        let refusal = play(Authenticate, told, typed().shown(REASON, "it burns")).0.unwrap_err();
        assert_eq!(refusal.say.as_deref(), Some(OUT_OF_ORDER));
    }
}
