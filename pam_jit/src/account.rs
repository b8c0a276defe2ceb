//! `acct_mgmt`: may they come in now? If not, and the policy lets them ask, the request is filed
//! right here.
//!
//! It runs at every login and at every sudo, also where a cached ticket or NOPASSWD spared the code,
//! and asks the live grants each time.

use jit_core::config::SecondFactor;
use jit_core::grant::Action;
use jit_core::login::{Entry, Identity};

use crate::caller::Caller;
use crate::conversation::Pam;
use crate::hook::Desk;
use crate::refusal::Refusal;
use crate::{authenticate, breakglass, request};

/// Lets in who holds cover, or gets it while they wait.
///
/// # Errors
/// They may not come in.
pub fn account(desk: Desk<'_>, pam: &mut dyn Pam, caller: &Caller) -> Result<(), Refusal> {
    if comes_before_the_report(desk, caller) {
        return anyone_may_enter(desk, caller);
    }
    let who = caller
        .identify(desk.service)
        .map_err(|error| Refusal::from_error(&error, Some(unidentified(caller))))?;
    let entry = match may_enter(desk, &who, caller)? {
        Entry::NoCover { offer: None, may_break: false } => {
            return Err(Refusal::saying(format!(
                "{} An administrator can see why: jitctl explain {} {}{}",
                no_grant(desk, caller),
                who.person,
                target(desk, caller),
                sudo_option(caller)
            )));
        }
        Entry::NoCover { offer, may_break } => {
            pam.complain(&no_grant(desk, caller));
            match offer {
                Some(offer) => request::make(desk, pam, &who, caller, offer, may_break)?,
                None => breakglass::ask(desk, pam, &who, caller)?,
            }
            may_enter(desk, &who, caller)?
        }
        entry => entry,
    };
    match entry {
        Entry::Granted(_) => Ok(()),
        Entry::NoCover { .. } => Err(Refusal::saying(no_grant(desk, caller))),
        Entry::WantsFactor { wanted } => {
            let takes = format!("Access to {} takes {wanted}.", target(desk, caller));
            pam.complain(&takes);
            authenticate::prove(desk, pam, Ok(&who), caller)?;
            match may_enter(desk, &who, caller)? {
                Entry::Granted(_) => Ok(()),
                _ => Err(Refusal::saying(takes)),
            }
        }
    }
}

/// Asks the grants as they are now.
///
/// # Errors
/// It can't be told.
pub fn may_enter(desk: Desk<'_>, who: &Identity, caller: &Caller) -> Result<Entry, Refusal> {
    desk.service
        .may_enter(who, &caller.attempt)
        .map_err(|error| Refusal::from_error(&error, Some(unidentified(caller))))
}

/// Where no second factor is needed, sshd may run this hook after `publickey` alone, and then says
/// whose key it was only at open_session.
fn comes_before_the_report(desk: Desk<'_>, caller: &Caller) -> bool {
    caller.attempt.action == Action::Login
        && desk.config.second_factor == SecondFactor::None
        && caller.auth_info.as_deref().unwrap_or_default().trim().is_empty()
}

/// All that can be asked then. It is enough: with no second factor, sshd is given the keys and
/// principals of those alone who hold cover, and open_session asks again, whose key it was.
fn anyone_may_enter(desk: Desk<'_>, caller: &Caller) -> Result<(), Refusal> {
    if let Some(error) = &caller.invalid {
        return Err(Refusal::from_error(error, Some(unidentified(caller))));
    }
    match desk.service.anyone_may_enter(&caller.attempt) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::saying(no_grant(desk, caller))),
        Err(error) => Err(Refusal::from_error(&error, Some(unidentified(caller)))),
    }
}

/// What somebody unknown is told, whatever the reason.
pub fn unidentified(caller: &Caller) -> &'static str {
    match caller.attempt.action {
        Action::Login => {
            "Access could not be confirmed. Log in with your own key and code, or ask an administrator."
        }
        Action::Sudo => {
            "Access could not be confirmed. Log in anew with your own key, or ask an administrator."
        }
    }
}

/// `No active grant for alice@web-1.`
pub fn no_grant(desk: Desk<'_>, caller: &Caller) -> String {
    let grant = match caller.attempt.action {
        Action::Login => "grant",
        Action::Sudo => "sudo grant",
    };
    format!("No active {grant} for {}.", target(desk, caller))
}

/// `alice@web-1`
pub fn target(desk: Desk<'_>, caller: &Caller) -> String {
    format!("{}@{}", caller.attempt.login, desk.config.host)
}

/// What a command needs to be about sudo.
pub fn sudo_option(caller: &Caller) -> &'static str {
    match caller.attempt.action {
        Action::Login => "",
        Action::Sudo => " --sudo",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Echo, NoAnswer};
    use crate::hook::Hook::Account;
    use crate::refusal::OUT_OF_ORDER;
    use crate::testing::{Scripted, Stage, Told, granted};
    use jit_core::error::Error;
    use jit_core::factor::Verdict;

    fn play(told: Told, mut script: Scripted) -> (Result<(), Refusal>, Vec<String>) {
        Stage::new().play(Account, told, &mut script)
    }

    fn no_cover() -> Told {
        Told {
            entries: [Ok(Entry::NoCover { offer: None, may_break: false })].into(),
            ..Told::good()
        }
    }

    #[test]
    fn a_grant_is_a_yes_at_ssh_and_at_sudo() {
        let (outcome, calls) = play(Told::good(), Scripted::ssh());
        assert_eq!((outcome, calls[1].as_str()), (Ok(()), "enter alice login alice"));
        let (outcome, calls) = play(Told::good(), Scripted::sudo());
        assert_eq!((outcome, calls[1].as_str()), (Ok(()), "enter alice sudo alice"));
    }

    const TAKES: &str = "Access to alice@web-1 takes a code of the authenticator app.";

    fn wanting(then: Entry) -> Told {
        let wanted = || Entry::WantsFactor { wanted: "a code of the authenticator app".into() };
        Told { entries: [Ok(wanted()), Ok(then)].into(), ..Told::good() }
    }

    #[test]
    fn another_factor_is_asked_for_where_the_role_wants_it() {
        for script in [Scripted::ssh(), Scripted::sudo()] {
            let script = script.complains(TAKES).secret(authenticate::PROMPT, "123456");
            let (outcome, calls) = play(wanting(granted()), script);
            assert_eq!(outcome, Ok(()));
            assert_eq!(calls[2], "verify alice \"123456\" alice");
            assert!(calls[3].starts_with("enter alice"), "{calls:?}");
        }
    }

    #[test]
    fn a_factor_that_will_not_do_lets_nobody_in() {
        let script = || Scripted::sudo().complains(TAKES);
        // It is right, but of the wrong kind again.
        let again = Entry::WantsFactor { wanted: "a code of the authenticator app".into() };
        let (outcome, _) = play(wanting(again), script().secret(authenticate::PROMPT, "abcd"));
        assert_eq!(outcome, Err(Refusal::saying(TAKES.to_owned())));
        // It is wrong: the grants are not asked again.
        let told = Told { verdict: Ok(Verdict::Wrong), ..wanting(granted()) };
        let (outcome, calls) = play(told, script().secret(authenticate::PROMPT, "000000"));
        assert_eq!((outcome, calls.len()), (Err(Refusal::silent()), 3));
        // Nobody can be asked, as by sudo -n.
        let script = script().no_answer(authenticate::PROMPT, Echo::Off, NoAnswer::CannotAsk);
        assert!(play(wanting(granted()), script).0.is_err());
    }

    #[test]
    fn without_a_grant_and_without_leave_to_ask_one_is_told_what_helps() {
        let say = |script| play(no_cover(), script).0.unwrap_err().say.unwrap();
        assert_eq!(
            say(Scripted::ssh()),
            "No active grant for alice@web-1. An administrator can see why: \
             jitctl explain alice alice@web-1"
        );
        assert_eq!(
            say(Scripted::sudo()),
            "No active sudo grant for alice@web-1. An administrator can see why: \
             jitctl explain alice alice@web-1 --sudo"
        );
    }

    #[test]
    fn who_is_nobody_learns_nothing_and_the_log_why() {
        let unknown =
            || Told { identity: Err(Error::refused("the key is nobody's")), ..Told::good() };
        let refusal = play(unknown(), Scripted::ssh()).0.unwrap_err();
        assert_eq!(refusal.log.as_deref(), Some("the key is nobody's"));
        let said = refusal.say.unwrap();
        let suspended = Told { identity: Err(Error::refused("suspended")), ..Told::good() };
        assert_eq!(play(suspended, Scripted::ssh()).0.unwrap_err().say.unwrap(), said);
        let invalid = Scripted::ssh().with(|items| items.user = Some("No Login".into()));
        assert_eq!(play(Told::good(), invalid).0.unwrap_err().say.unwrap(), said);
        // With a factor required, no report is no identity.
        let empty = Scripted::ssh().with(|items| items.auth_info = None);
        let (outcome, calls) = play(unknown(), empty);
        assert!(outcome.is_err());
        assert_eq!(calls, ["identify alice Ssh(None)"]);
        assert!(play(unknown(), Scripted::sudo()).0.is_err());
    }

    #[test]
    fn a_key_alone_is_asked_for_again_later_only_where_no_factor_is_needed() {
        let stage = Stage::without_second_factor();
        for empty in [None, Some(String::new()), Some("\n".to_owned())] {
            let script = || {
                let empty = empty.clone();
                Scripted::ssh().with(move |items| items.auth_info = empty.clone())
            };
            let (outcome, calls) = stage.play(Account, Told::good(), &mut script());
            assert_eq!((outcome, calls), (Ok(()), vec!["anyone".to_owned()]));
            let nobody = Told { anyone: Ok(false), ..Told::good() };
            let (outcome, _) = stage.play(Account, nobody, &mut script());
            assert_eq!(outcome, Err(Refusal::saying("No active grant for alice@web-1.")));
            let (outcome, calls) = stage.play(
                Account,
                Told::good(),
                &mut script().with(|items| items.user = Some("No Login".into())),
            );
            assert!(outcome.is_err() && calls.is_empty());
        }
        // A report is looked at, whatever it says.
        let unknown = Told { identity: Err(Error::refused("nobody's")), ..Told::good() };
        let (outcome, _) = stage.play(Account, unknown, &mut Scripted::ssh());
        assert!(outcome.is_err());
        // At sudo nothing is reported later, so nothing is taken on trust.
        let unknown = Told { identity: Err(Error::refused("nobody's")), ..Told::good() };
        let (outcome, calls) = stage.play(Account, unknown, &mut Scripted::sudo());
        assert!(outcome.is_err() && calls.len() == 1);
    }

    #[test]
    fn a_store_that_fails_is_said() {
        let told = Told {
            entries: [Err(Error::unavailable("the store is locked"))].into(),
            ..Told::good()
        };
        let refusal = play(told, Scripted::ssh()).0.unwrap_err();
        assert_eq!(refusal.say.as_deref(), Some(OUT_OF_ORDER));
        assert_eq!(refusal.log.as_deref(), Some("the store is locked"));
    }
}
