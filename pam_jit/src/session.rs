//! `setcred`, `open_session` and `close_session`: a session is recorded before it opens, so that its
//! keeper can end it.

use jit_core::config::Config;
use jit_core::grant::Action;
use jit_core::login::{Backstop, Opened};
use jit_core::syslog::Syslog;

use crate::account::unidentified;
use crate::caller::Caller;
use crate::conversation::{Kept, Pam};
use crate::hook::{Desk, Open, is_exempt};
use crate::refusal::Refusal;

/// `setcred` grants nothing. It runs before the session modules, so it does two things for
/// `open_session` that would then be too late. It keeps what sshd reported: one of them may set
/// variables of the PAM environment as a file of the account says (pam_env with user_readenv), and
/// whoever shares an account could plant somebody else's key in there. And it has pam_systemd tell
/// systemd when to end the session's scope.
///
/// # Errors
/// It can't be kept.
pub fn prepare(
    config: &Config,
    open: &Open<'_>,
    syslog: &Syslog,
    pam: &mut dyn Pam,
) -> Result<(), Refusal> {
    let Some(report) = pam.auth_info().filter(|_| pam.kept().is_none()) else { return Ok(()) };
    let caller = Caller::of(pam)?;
    // Whether a session without a backstop may open, open_session decides.
    let backstop = match backstop(config, open, &caller) {
        Ok(backstop) => backstop.filter(|backstop| pam.limit_scope(backstop.seconds).is_ok()),
        Err(error) => {
            syslog.trouble(&format!("setcred: systemd is told no end of the session: {error}"));
            None
        }
    };
    let scope = pam.scope();
    pam.keep(Kept { report, scope, backstop })
        .map_err(|_| Refusal::logged("PAM keeps no data for the session"))
}

fn backstop(
    config: &Config,
    open: &Open<'_>,
    caller: &Caller,
) -> jit_core::Result<Option<Backstop>> {
    if is_exempt(config, caller) {
        return Ok(None);
    }
    let service = open()?;
    service.backstop(&caller.identify(service.as_ref())?, &caller.attempt)
}

/// Records the session, and tells how long it lasts.
///
/// # Errors
/// It must not open.
pub fn open(desk: Desk<'_>, pam: &mut dyn Pam, caller: &Caller) -> Result<(), Refusal> {
    let kept = pam.kept();
    let closed_to = |log: &str| Err(Refusal::logged(log).and_saying(unidentified(caller)));
    if caller.attempt.action == Action::Login && !report_is_the_kept_one(kept.as_ref(), caller) {
        return closed_to(
            "SSH_AUTH_INFO_0 is not what sshd reported. \
             Put pam_jit.so before pam_env.so into the session stack.",
        );
    }
    let who = caller
        .identify(desk.service)
        .map_err(|error| Refusal::from_error(&error, Some(unidentified(caller))))?;
    let Some(uid) = caller.uid() else { return closed_to("the account does not exist") };
    // Where nothing was kept, as at sudo, this is in no other scope than before.
    let here = pam.scope();
    let outside = kept.as_ref().map_or(here.as_deref(), |kept| kept.scope.as_deref());
    let Some(anchor) = pam.settle(outside) else {
        return closed_to("/proc does not tell who this is");
    };
    let backstop = kept.as_ref().and_then(|kept| kept.backstop);
    let opened = desk
        .service
        .session_opened(&who, &caller.attempt, uid, anchor, backstop)
        .map_err(|error| {
            let say = "The session can't be opened. An administrator can see why: jitctl doctor";
            Refusal::from_error(&error, Some(say))
        })?;
    if caller.attempt.action == Action::Login {
        pam.say(&access(&opened, caller));
    }
    Ok(())
}

/// Records that the connection is closed. Nothing depends on it: the keeper finds out by itself.
///
/// # Errors
/// It can't be recorded.
pub fn close(desk: Desk<'_>, pam: &dyn Pam) -> Result<(), Refusal> {
    let anchor = pam.anchor().ok_or_else(|| Refusal::logged("/proc does not tell who this is"))?;
    desk.service.session_closed(&anchor).map_err(|error| Refusal::logged(error.to_string()))
}

/// sshd appends to its report, and changes nothing of it.
fn report_is_the_kept_one(kept: Option<&Kept>, caller: &Caller) -> bool {
    kept.is_none_or(|kept| {
        caller.auth_info.as_ref().is_some_and(|info| info.starts_with(&kept.report))
    })
}

/// `Access to web-1 as alice ends 14:30 (in 29 min). Grant k7q2-m9xd.`
fn access(opened: &Opened, caller: &Caller) -> String {
    const DAY: u64 = 86_400;
    let left = opened.deadline.since(opened.now);
    let ends = if left < DAY { opened.deadline.local_hour() } else { opened.deadline.local() };
    let left = match left {
        0..120 => format!("{left} s"),
        120..7200 => format!("{} min", left / 60),
        7200..DAY => format!("{} h", left / 3600),
        _ => format!("{} days", left / DAY),
    };
    format!(
        "Access to {} as {} ends {ends} (in {left}). Grant {}.",
        opened.host, caller.attempt.login, opened.grant
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Hook::{CloseSession, OpenSession, SetCredentials};
    use crate::testing::{NOW, REPORT, Scripted, Stage, Told, at, opened};
    use jit_core::error::Error;

    fn play(told: Told, mut script: Scripted) -> (Result<(), Refusal>, Vec<String>) {
        Stage::new().play(OpenSession, told, &mut script)
    }

    #[test]
    fn an_ssh_session_is_recorded_and_tells_its_end() {
        for (left, text) in
            [(119, "119 s"), (1799, "29 min"), (7199, "119 min"), (7200, "2 h"), (86_399, "23 h")]
        {
            let ends = at(NOW + left).local_hour();
            let script = Scripted::ssh().says(format!(
                "Access to web-1 as alice ends {ends} (in {text}). Grant k7q2-m9xd."
            ));
            let (outcome, calls) = play(Told { opened: Ok(opened(left)), ..Told::good() }, script);
            assert_eq!(outcome, Ok(()));
            assert_eq!(calls[1], "open alice login alice 1000 pid 42 None");
        }
        let days = at(NOW + 200_000).local();
        let script = Scripted::ssh()
            .says(format!("Access to web-1 as alice ends {days} (in 2 days). Grant k7q2-m9xd."));
        assert!(play(Told { opened: Ok(opened(200_000)), ..Told::good() }, script).0.is_ok());
    }

    #[test]
    fn at_sudo_the_session_is_the_invokers_though_the_user_is_the_target() {
        let script = Scripted::sudo().with(|items| items.user = Some("root".into()));
        let (outcome, calls) = play(Told::good(), script);
        assert_eq!(outcome, Ok(()));
        assert_eq!(calls[0], "identify alice Local { audit_session: Some(7) }");
        assert_eq!(calls[1], "open alice sudo alice 1000 pid 42 None");
    }

    #[test]
    fn a_session_that_can_not_be_recorded_does_not_open() {
        for (error, told_why) in [
            (Error::refused("jitd does not run"), "jitctl doctor"),
            (Error::unavailable("the disk is full"), "can't be checked"),
        ] {
            let told = Told { opened: Err(error.clone()), ..Told::good() };
            let refusal = play(told, Scripted::ssh()).0.unwrap_err();
            assert!(refusal.say.unwrap().contains(told_why));
            assert_eq!(refusal.log, Some(error.to_string()));
        }
        let unknown = Told { identity: Err(Error::refused("nobody's")), ..Told::good() };
        let (outcome, calls) = play(unknown, Scripted::ssh());
        assert!(outcome.is_err() && calls.len() == 1);
        for gone in [
            Scripted::ssh().with(|items| items.has_anchor = false),
            Scripted::ssh().with(|items| items.alices_uid = None),
        ] {
            let (outcome, calls) = play(Told::good(), gone);
            assert!(outcome.is_err() && calls.len() == 1, "{calls:?}");
        }
    }

    #[test]
    fn a_report_planted_after_sshds_own_opens_no_session() {
        let mut script = Scripted::ssh();
        let stage = Stage::new();
        assert_eq!(stage.play(SetCredentials, Told::good(), &mut script).0, Ok(()));
        assert_eq!(script.items.kept.clone().unwrap().report, REPORT);
        for planted in [None, Some("publickey ssh-ed25519 BBBB\n"), Some("")] {
            script.items.auth_info = planted.map(str::to_owned);
            let (outcome, calls) = stage.play(OpenSession, Told::good(), &mut script);
            assert!(outcome.unwrap_err().log.unwrap().contains("pam_env.so"));
            assert!(calls.is_empty());
        }
        // Nor does a later setcred take it.
        script.items.auth_info = Some("publickey ssh-ed25519 BBBB\n".into());
        assert_eq!(stage.play(SetCredentials, Told::good(), &mut script).0, Ok(()));
        assert_eq!(script.items.kept.clone().unwrap().report, REPORT);
        // What sshd adds is no change.
        let more = format!("{REPORT}keyboard-interactive/pam\n");
        let mut script = Scripted::ssh()
            .with(|items| {
                items.kept = Some(kept(None));
                items.auth_info = Some(more.clone());
            })
            .says(access(&opened(1799), &Caller::of(&Scripted::ssh()).unwrap()));
        assert_eq!(stage.play(OpenSession, Told::good(), &mut script).0, Ok(()));
    }

    fn kept(backstop: Option<Backstop>) -> Kept {
        Kept { report: REPORT.into(), scope: None, backstop }
    }

    #[test]
    fn systemd_is_told_the_end_before_the_session_opens() {
        let stage = Stage::new();
        let backstop = Backstop { seconds: 1799, is_deadline: true };
        let told = || Told { backstop: Ok(Some(backstop)), ..Told::good() };
        let mut script = Scripted::ssh();
        let (outcome, calls) = stage.play(SetCredentials, told(), &mut script);
        assert_eq!((outcome, calls[1].as_str()), (Ok(()), "backstop alice login alice"));
        assert_eq!(script.items.limit, Some(1799));
        assert_eq!(script.items.kept, Some(kept(Some(backstop))));
        let ends = at(NOW + 1799).local_hour();
        let mut script = Scripted::ssh()
            .with(|items| items.kept = Some(kept(Some(backstop))))
            .says(format!("Access to web-1 as alice ends {ends} (in 29 min). Grant k7q2-m9xd."));
        let (outcome, calls) = stage.play(OpenSession, told(), &mut script);
        assert_eq!(outcome, Ok(()));
        assert!(calls[1].contains("seconds: 1799"), "{calls:?}");
        // What can't be told is told to nobody, and open_session decides what follows.
        let failing = Told { backstop: Err(Error::unavailable("locked")), ..Told::good() };
        let mut script = Scripted::ssh();
        assert_eq!(stage.play(SetCredentials, failing, &mut script).0, Ok(()));
        assert_eq!((script.items.limit, script.items.kept.clone()), (None, Some(kept(None))));
        let mut exempt = Scripted::ssh().with(|items| items.user = Some("rescue".into()));
        let (outcome, calls) = stage.play(SetCredentials, told(), &mut exempt);
        assert_eq!((outcome, calls.len(), exempt.items.limit), (Ok(()), 0, None));
    }

    #[test]
    fn setcred_grants_nothing_and_fails_where_nothing_is_kept() {
        let stage = Stage::new();
        let mut nothing = Scripted::ssh().with(|items| items.auth_info = None);
        let (outcome, calls) = stage.play(SetCredentials, Told::good(), &mut nothing);
        assert_eq!((outcome, calls.len()), (Ok(()), 0));
        let mut full = Scripted::ssh().with(|items| items.keeps = false);
        assert!(stage.play(SetCredentials, Told::good(), &mut full).0.is_err());
    }

    #[test]
    fn closing_is_recorded_for_the_process_that_opened() {
        let stage = Stage::new();
        let (outcome, calls) = stage.play(CloseSession, Told::good(), &mut Scripted::ssh());
        assert_eq!((outcome, calls), (Ok(()), vec!["close pid 42".to_owned()]));
    }
}
