//! Asking for access at the prompt: why, for how long, and whether the policy takes it.

use jit_core::error::Kind;
use jit_core::grant::Phase;
use jit_core::login::{Identity, Offer, Standing};
use jit_core::time::Span;

use crate::account::{sudo_option, target};
use crate::caller::Caller;
use crate::conversation::{Echo, NoAnswer, Pam};
use crate::hook::Desk;
use crate::refusal::Refusal;
use crate::{breakglass, waiting};

const REASON: &str = "Reason for access (empty to leave): ";
const REASON_OR_BREAK: &str = "Reason for access (empty to leave, b to break the glass): ";

/// How often an answer that is none may be given.
const TRIES: u32 = 3;

/// What came of asking.
enum Asked {
    Filed(Standing),
    /// They would rather break the glass.
    Break,
}

/// Files a request, and waits for its approval.
///
/// # Errors
/// They left, can't be asked, or the request is not approved in time.
pub fn make(
    desk: Desk<'_>,
    pam: &mut dyn Pam,
    who: &Identity,
    caller: &Caller,
    offer: Offer,
    may_break: bool,
) -> Result<(), Refusal> {
    let filed = match file(desk, pam, who, caller, offer, may_break)? {
        Asked::Break => return breakglass::ask(desk, pam, who, caller),
        Asked::Filed(filed) => filed,
    };
    if filed.phase == Phase::Requested {
        pam.say(&waiting::announcement(&filed, &target(desk, caller)));
    }
    if waiting::wait(desk, pam, caller, filed, may_break)? {
        return Ok(());
    }
    breakglass::ask(desk, pam, who, caller)
}

/// Asks for reason and duration, and files the request. What the policy has against it is shown, and
/// asked for again: it may be a matter of the words.
fn file(
    desk: Desk<'_>,
    pam: &mut dyn Pam,
    who: &Identity,
    caller: &Caller,
    offer: Offer,
    may_break: bool,
) -> Result<Asked, Refusal> {
    let prompt = if may_break { REASON_OR_BREAK } else { REASON };
    let mut duration = None;
    for _ in 0..TRIES {
        let reason = match pam.ask(prompt, Echo::On) {
            Ok(reason) => reason,
            Err(NoAnswer::Unreadable) => {
                pam.complain("Not filed: a reason is plain text of at most 300 characters.");
                continue;
            }
            Err(NoAnswer::CannotAsk) => break,
        };
        match reason.expose().trim() {
            "" => return Err(Refusal::silent()),
            breakglass::WORD if may_break => return Ok(Asked::Break),
            _ => {}
        }
        let span = match duration {
            Some(span) => span,
            None => match for_how_long(pam, offer) {
                Some(span) => span,
                None => break,
            },
        };
        duration = Some(span);
        match desk.service.file_request(who, &caller.attempt, reason.expose(), span) {
            Ok(standing) => return Ok(Asked::Filed(standing)),
            Err(error) if matches!(error.kind(), Kind::Invalid | Kind::Refused) => {
                pam.complain(&format!("Not filed: {error}"));
            }
            Err(error) => {
                return Err(Refusal::from_error(&error, Some(&format!("Not filed: {error}"))));
            }
        }
    }
    Err(Refusal::saying(format!(
        "Ask for it: jitctl request {} --as {} --for {}{} --reason TEXT",
        target(desk, caller),
        who.person,
        duration.unwrap_or(offer.usual),
        sudo_option(caller)
    )))
}

/// Asks for how long; none where there is no answer that will do.
fn for_how_long(pam: &mut dyn Pam, offer: Offer) -> Option<Span> {
    let Offer { usual, longest } = offer;
    let prompt = format!("For how long? [{usual}, at most {longest}]: ");
    for _ in 0..TRIES {
        let typed = match pam.ask(&prompt, Echo::On) {
            Ok(typed) => typed,
            Err(NoAnswer::Unreadable) => {
                pam.complain("Write it as 30m or 1h30m.");
                continue;
            }
            Err(NoAnswer::CannotAsk) => return None,
        };
        match typed.expose().trim() {
            "" => return Some(usual),
            text => match Span::parse(text) {
                Ok(span) if span <= longest => return Some(span),
                Ok(span) => {
                    pam.complain(&format!("The policy gives at most {longest}, not {span}."));
                }
                Err(error) => pam.complain(&format!("Not filed: {error}")),
            },
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Hook::Account;
    use crate::testing::{Scripted, Stage, Told, granted, no_cover, standing};
    use jit_core::breakglass::Verdict;
    use jit_core::error::Error;
    use jit_core::login::Entry;

    const NO_GRANT: &str = "No active grant for alice@web-1.";
    const HOW_LONG: &str = "For how long? [30m, at most 1h]: ";

    fn play(told: Told, mut script: Scripted) -> (Result<(), Refusal>, Vec<String>) {
        Stage::new().play(Account, told, &mut script)
    }

    fn said(outcome: Result<(), Refusal>) -> String {
        outcome.unwrap_err().say.unwrap()
    }

    fn script() -> Scripted {
        Scripted::ssh().complains(NO_GRANT).shown(REASON, "INC-9 disk full").shown(HOW_LONG, "")
    }

    #[test]
    fn a_request_that_needs_nobody_lets_in_at_once() {
        let told = Told::asking(Some(granted())).filed(Ok(standing(Phase::Active)));
        let (outcome, calls) = play(told, script());
        assert_eq!(outcome, Ok(()));
        assert_eq!(calls[2], "file \"INC-9 disk full\" 30m");
    }

    #[test]
    fn an_approval_that_is_gone_again_lets_nobody_in() {
        let none = Entry::NoCover { offer: None, may_break: false };
        let told = Told::asking(Some(none)).filed(Ok(standing(Phase::Active)));
        assert_eq!(said(play(told, script()).0), NO_GRANT);
    }

    #[test]
    fn the_duration_is_offered_from_the_policy_and_explained_thrice() {
        let told = || Told::asking(Some(granted())).filed(Ok(standing(Phase::Active)));
        let script = || Scripted::ssh().complains(NO_GRANT).shown(REASON, "INC-9 disk full");
        let (outcome, calls) = play(
            told(),
            script()
                .shown(HOW_LONG, "2h")
                .complains("The policy gives at most 1h, not 2h.")
                .no_answer(HOW_LONG, Echo::On, NoAnswer::Unreadable)
                .complains("Write it as 30m or 1h30m.")
                .shown(HOW_LONG, " 1h "),
        );
        assert_eq!(outcome, Ok(()));
        assert_eq!(calls[2], "file \"INC-9 disk full\" 1h");
        let mut bad = script();
        for _ in 0..3 {
            let complaint = format!("Not filed: {}", Span::parse("soon").unwrap_err());
            assert!(complaint.contains("30m"), "{complaint}");
            bad = bad.shown(HOW_LONG, "soon").complains(complaint);
        }
        let (outcome, calls) = play(Told::asking(None), bad);
        assert!(said(outcome).starts_with("Ask for it: jitctl request alice@web-1"));
        assert_eq!(calls.len(), 2, "nothing was filed");
    }

    #[test]
    fn no_reason_is_leaving() {
        for empty in ["", "   "] {
            let script = Scripted::ssh().complains(NO_GRANT).shown(REASON, empty);
            let (outcome, calls) = play(Told::asking(None), script);
            assert_eq!(outcome, Err(Refusal::silent()));
            assert_eq!(calls.len(), 2, "nothing was filed");
        }
    }

    #[test]
    fn a_reason_that_will_not_do_is_explained_and_asked_for_again_thrice_in_all() {
        let bad = || Err(Error::invalid("a reason is needed").next("Say in a few words what for."));
        let complaint = "Not filed: a reason is needed. Say in a few words what for.";
        let told = Told::asking(Some(granted())).filed(bad()).filed(Ok(standing(Phase::Active)));
        let asked = Scripted::ssh()
            .complains(NO_GRANT)
            .no_answer(REASON, Echo::On, NoAnswer::Unreadable)
            .complains("Not filed: a reason is plain text of at most 300 characters.")
            .shown(REASON, "x")
            .shown(HOW_LONG, "10m")
            .complains(complaint)
            .shown(REASON, "INC-9 disk full");
        let (outcome, calls) = play(told, asked);
        assert_eq!(outcome, Ok(()));
        assert_eq!(calls[3], "file \"INC-9 disk full\" 10m", "for how long is asked once");
        // So is one that the policy has words against.
        let policy = || Err(Error::refused("denied: the reason must look like INC-1 …"));
        let told = Told::asking(Some(granted())).filed(policy()).filed(Ok(standing(Phase::Active)));
        let asked = Scripted::ssh()
            .complains(NO_GRANT)
            .shown(REASON, "disk full")
            .shown(HOW_LONG, "")
            .complains("Not filed: denied: the reason must look like INC-1 …")
            .shown(REASON, "INC-9 disk full");
        assert_eq!(play(told, asked).0, Ok(()));
        let told = Told::asking(None).filed(bad()).filed(policy()).filed(bad());
        let asked = Scripted::ssh()
            .complains(NO_GRANT)
            .shown(REASON, "x")
            .shown(HOW_LONG, "")
            .complains(complaint)
            .shown(REASON, "disk full")
            .complains("Not filed: denied: the reason must look like INC-1 …")
            .shown(REASON, "x")
            .complains(complaint);
        assert!(said(play(told, asked).0).contains("jitctl request alice@web-1"));
    }

    #[test]
    fn where_nobody_can_be_asked_one_learns_what_to_type() {
        let script =
            || Scripted::ssh().complains(NO_GRANT).no_answer(REASON, Echo::On, NoAnswer::CannotAsk);
        assert_eq!(
            said(play(Told::asking(None), script()).0),
            "Ask for it: jitctl request alice@web-1 --as alice --for 30m --reason TEXT"
        );
        let script = Scripted::sudo().complains("No active sudo grant for alice@web-1.").no_answer(
            REASON,
            Echo::On,
            NoAnswer::CannotAsk,
        );
        assert_eq!(
            said(play(Told::asking(None), script).0),
            "Ask for it: jitctl request alice@web-1 --as alice --for 30m --sudo --reason TEXT"
        );
        let script = Scripted::ssh()
            .complains(NO_GRANT)
            .shown(REASON, "INC-9 disk full")
            .no_answer(HOW_LONG, Echo::On, NoAnswer::CannotAsk);
        assert!(said(play(Told::asking(None), script).0).starts_with("Ask for it: jitctl request"));
    }

    #[test]
    fn who_may_can_break_the_glass_instead() {
        let told = Told {
            entries: [Ok(no_cover(true))].into(),
            broken: [Ok(Verdict::Wrong)].into(),
            ..Told::good()
        };
        let script = Scripted::ssh()
            .complains(NO_GRANT)
            .shown(REASON_OR_BREAK, " b ")
            .secret("Break-glass code (empty to leave): ", "bg-1")
            .shown("Reason for breaking the glass (empty to leave): ", "it burns");
        let (outcome, calls) = play(told, script);
        assert_eq!(said(outcome), "That is no break-glass code of yours.");
        assert_eq!(calls[2], "break alice \"bg-1\" Some(\"it burns\") alice");
        // To everybody else it is no word of ours.
        let told = Told::asking(Some(granted())).filed(Ok(standing(Phase::Active)));
        let script = Scripted::ssh().complains(NO_GRANT).shown(REASON, "b").shown(HOW_LONG, "");
        assert_eq!(play(told, script).0, Ok(()));
    }

    #[test]
    fn a_store_that_fails_is_a_no() {
        let told = Told::asking(None).filed(Err(Error::unavailable("the disk is full")));
        let refusal = play(told, script()).0.unwrap_err();
        assert_eq!(refusal.say.as_deref(), Some(crate::refusal::OUT_OF_ORDER));
        assert_eq!(refusal.log.as_deref(), Some("the disk is full"));
    }
}
