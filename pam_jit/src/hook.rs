//! One call of a hook, from its arguments to a yes or no.

use std::path::PathBuf;

use jit_core::clock::{Clock, SystemClock};
use jit_core::config::Config;
use jit_core::grant::Action;
use jit_core::login::LoginService;
use jit_core::syslog::Syslog;

use crate::arguments::Arguments;
use crate::caller::Caller;
use crate::conversation::Pam;
use crate::refusal::Refusal;
use crate::{account, authenticate, session};

/// In whose name lines go to syslog.
const PROCESS: &str = "pam_jit";

/// Where they go while the configuration is not known.
const USUAL_SYSLOG: &str = "/dev/log";

/// The hooks of a PAM module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Hook {
    Authenticate,
    SetCredentials,
    Account,
    OpenSession,
    CloseSession,
    ChangePassword,
}

impl Hook {
    /// Its name in PAM and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Hook::Authenticate => "authenticate",
            Hook::SetCredentials => "setcred",
            Hook::Account => "acct_mgmt",
            Hook::OpenSession => "open_session",
            Hook::CloseSession => "close_session",
            Hook::ChangePassword => "chauthtok",
        }
    }
}

/// What a hook answers. There is no third answer: what can't be told is a no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// `PAM_SUCCESS`.
    Yes,
    /// The hook's error code.
    No,
}

/// What the hooks decide with.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// Whom to ask.
    pub service: &'a dyn LoginService,
}

/// How the one to ask is reached.
pub type Open<'a> = dyn Fn() -> jit_core::Result<Box<dyn LoginService>> + 'a;

/// Runs a hook.
pub fn call(hook: Hook, arguments: &[String], pam: &mut dyn Pam) -> Answer {
    let config = match Arguments::parse(arguments).and_then(|a| Config::load(&a.config)) {
        Ok(config) => config,
        Err(error) => {
            let syslog = usual_syslog();
            return finish(Err(Refusal::from_error(&error, None)), hook, &syslog, pam);
        }
    };
    let syslog = Syslog::new(PROCESS, config.syslog_socket.clone());
    let open = || jit_core::link::open(config.clone(), PROCESS);
    let outcome = decide(hook, &config, &SystemClock::default(), &open, &syslog, pam);
    finish(outcome, hook, &syslog, pam)
}

/// What is answered where the module itself fails.
pub fn failed(hook: Hook) -> Answer {
    usual_syslog().trouble(&format!("{}: the module has a fault and denies", hook.name()));
    Answer::No
}

/// Decides, given the configuration.
///
/// # Errors
/// The answer is no.
pub fn decide(
    hook: Hook,
    config: &Config,
    clock: &dyn Clock,
    open: &Open<'_>,
    syslog: &Syslog,
    pam: &mut dyn Pam,
) -> Result<(), Refusal> {
    match hook {
        Hook::SetCredentials => return session::prepare(config, open, syslog, pam),
        Hook::ChangePassword => {
            return Err(Refusal::saying("There is no password here that could be changed."));
        }
        _ => {}
    }
    let caller = Caller::of(pam)?;
    if is_exempt(config, &caller) {
        exempt(hook, &caller, open, syslog)?;
    } else {
        let service = open().map_err(|error| Refusal::from_error(&error, None))?;
        let desk = Desk { config, clock, service: service.as_ref() };
        match hook {
            Hook::Authenticate => authenticate::authenticate(desk, pam, &caller)?,
            Hook::Account => account::account(desk, pam, &caller)?,
            Hook::OpenSession => session::open(desk, pam, &caller)?,
            Hook::CloseSession => session::close(desk, pam)?,
            Hook::SetCredentials | Hook::ChangePassword => return Err(Refusal::silent()),
        }
    }
    caller.look_again(pam)
}

/// Whether nothing is asked: the configuration exempts the account, where a name that is no login is
/// none that it lists; or root itself invokes sudo. That gives root nothing it doesn't have, and jobs
/// of the machine rely on it.
pub(crate) fn is_exempt(config: &Config, caller: &Caller) -> bool {
    let root_itself = caller.attempt.action == Action::Sudo && caller.uid() == Some(0);
    let listed = caller.invalid.is_none() && config.exempt_logins.contains(&caller.attempt.login);
    root_itself || listed
}

/// An exempt account needs no code and no grant, and no store that works: it is for the day when
/// nothing else does. Its key it needs: where sshd is configured to do without, the whole network
/// would be let in.
fn exempt(hook: Hook, caller: &Caller, open: &Open<'_>, syslog: &Syslog) -> Result<(), Refusal> {
    let attempt = &caller.attempt;
    if hook == Hook::Authenticate && attempt.action == Action::Login && !caller.shows_a_key() {
        return Err(Refusal::logged(format!(
            "the exempt login {} showed sshd no key. \
             AuthenticationMethods must be publickey,keyboard-interactive:pam.",
            attempt.login
        )));
    }
    if hook == Hook::CloseSession {
        return Ok(());
    }
    if let Err(error) = open().and_then(|service| service.exempt_used(attempt, hook.name())) {
        syslog.trouble(&format!(
            "{}: exempt login {} passes, unrecorded: {error}",
            hook.name(),
            attempt.login
        ));
    }
    Ok(())
}

/// Says and logs a no.
fn finish(outcome: Result<(), Refusal>, hook: Hook, syslog: &Syslog, pam: &mut dyn Pam) -> Answer {
    let Err(refusal) = outcome else { return Answer::Yes };
    if let Some(text) = refusal.log {
        let (user, service) = (pam.user(), pam.service());
        syslog.trouble(&format!(
            "{} denied, user {:?}, service {:?}: {text}",
            hook.name(),
            user.unwrap_or_default(),
            service.unwrap_or_default()
        ));
    }
    if let Some(text) = refusal.say {
        pam.complain(&text);
    }
    Answer::No
}

fn usual_syslog() -> Syslog {
    Syslog::new(PROCESS, Some(PathBuf::from(USUAL_SYSLOG)))
}

#[cfg(test)]
mod tests;
