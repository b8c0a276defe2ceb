//! The border to C: PAM's hooks, and PAM as [`Pam`]. All unsafe code of the project is here.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use jit_core::process::{Anchor, AuditSession, audit_session, scope};
use jit_core::secret::SecretText;
use pam::constants::{
    PAM_ERROR_MSG, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_TEXT_INFO, PamFlag,
    PamMessageStyle, PamResultCode,
};
use pam::conv::Conv;
use pam::items::{RHost, RUser, Service, Tty, User};
use pam::module::{PamHandle, PamHooks};

use crate::conversation::{CannotKeep, Echo, Kept, LONGEST_ANSWER, NoAnswer, Pam};
use crate::hook::{Answer, Hook, call, failed};

/// Under which name things are kept in PAM.
const KEPT: &str = "pam_jit_kept";

/// Under which name pam_systemd looks for a C string (pam_systemd(8), "Module data").
const RUNTIME_MAX_SEC: &str = "systemd.runtime_max_sec";

unsafe extern "C" {
    // What pam-bindings lacks. libpam is linked by it.
    fn pam_getenv(pamh: *mut PamHandle, name: *const c_char) -> *const c_char;
}

struct Module;

pam::pam_hooks!(Module);

// Each hook is overridden: pam-bindings' own answer is PAM_IGNORE.
impl PamHooks for Module {
    fn sm_authenticate(pamh: &mut PamHandle, args: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        answer(Hook::Authenticate, pamh, &args)
    }

    fn sm_setcred(pamh: &mut PamHandle, args: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        answer(Hook::SetCredentials, pamh, &args)
    }

    fn acct_mgmt(pamh: &mut PamHandle, args: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        answer(Hook::Account, pamh, &args)
    }

    fn sm_open_session(pamh: &mut PamHandle, args: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        answer(Hook::OpenSession, pamh, &args)
    }

    fn sm_close_session(pamh: &mut PamHandle, args: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        answer(Hook::CloseSession, pamh, &args)
    }

    fn sm_chauthtok(pamh: &mut PamHandle, args: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        answer(Hook::ChangePassword, pamh, &args)
    }
}

/// Runs a hook. A panic, which would be a fault of ours, is a no as well.
fn answer(hook: Hook, pamh: &mut PamHandle, arguments: &[&CStr]) -> PamResultCode {
    let arguments: Vec<String> = arguments.iter().map(|a| lossy(a)).collect();
    let run = || call(hook, &arguments, &mut Handle(pamh));
    match catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| failed(hook)) {
        Answer::Yes => PamResultCode::PAM_SUCCESS,
        Answer::No => no(hook),
    }
}

/// The code that means no, by hook (pam(3)).
fn no(hook: Hook) -> PamResultCode {
    match hook {
        Hook::Authenticate => PamResultCode::PAM_AUTH_ERR,
        Hook::SetCredentials => PamResultCode::PAM_CRED_ERR,
        Hook::Account => PamResultCode::PAM_PERM_DENIED,
        Hook::OpenSession | Hook::CloseSession => PamResultCode::PAM_SESSION_ERR,
        Hook::ChangePassword => PamResultCode::PAM_AUTHTOK_ERR,
    }
}

/// PAM's handle during one hook.
struct Handle<'a>(&'a mut PamHandle);

impl Handle<'_> {
    fn send(&self, style: PamMessageStyle, text: &str) -> Result<SecretText, NoAnswer> {
        let conversation =
            self.0.get_item::<Conv<'_>>().ok().flatten().ok_or(NoAnswer::CannotAsk)?;
        let answer = conversation.send(style, text).ok().flatten().ok_or(NoAnswer::CannotAsk)?;
        if answer.len() > LONGEST_ANSWER {
            return Err(NoAnswer::Unreadable);
        }
        let text = answer.as_str().map_err(|_| NoAnswer::Unreadable)?;
        Ok(SecretText::new(text.to_owned()))
    }
}

/// Nothing that is no UTF-8 passes for something else: no name of ours contains U+FFFD.
fn lossy(text: &CStr) -> String {
    text.to_string_lossy().into_owned()
}

impl Pam for Handle<'_> {
    fn user(&self) -> Option<String> {
        self.0.get_item::<User<'_>>().ok().flatten().map(|item| lossy(&item))
    }

    fn remote_user(&self) -> Option<String> {
        self.0.get_item::<RUser<'_>>().ok().flatten().map(|item| lossy(&item))
    }

    fn remote_host(&self) -> Option<String> {
        self.0.get_item::<RHost<'_>>().ok().flatten().map(|item| lossy(&item))
    }

    fn terminal(&self) -> Option<String> {
        self.0.get_item::<Tty<'_>>().ok().flatten().map(|item| lossy(&item))
    }

    fn service(&self) -> Option<String> {
        self.0.get_item::<Service<'_>>().ok().flatten().map(|item| lossy(&item))
    }

    fn auth_info(&self) -> Option<String> {
        let handle: *const PamHandle = &raw const *self.0;
        // SAFETY: the handle is PAM's own, valid while the hook runs, and pam_getenv only reads it;
        // the name is a C string.
        let value = unsafe { pam_getenv(handle.cast_mut(), c"SSH_AUTH_INFO_0".as_ptr()) };
        if value.is_null() {
            return None;
        }
        // SAFETY: not null, so a C string that PAM keeps until its environment changes, which
        // nothing does before it is copied here.
        Some(lossy(unsafe { CStr::from_ptr(value) }))
    }

    fn keep(&mut self, kept: Kept) -> Result<(), CannotKeep> {
        self.0.set_data(KEPT, Box::new(kept)).map_err(|_| CannotKeep)
    }

    fn kept(&self) -> Option<Kept> {
        // SAFETY: under this name `keep` alone puts data, and it puts a Kept.
        unsafe { self.0.get_data::<Kept>(KEPT) }.ok().cloned()
    }

    fn limit_scope(&mut self, seconds: u64) -> Result<(), CannotKeep> {
        // pam_systemd reads characters up to a NUL from where the data lies: so they lie there
        // themselves. The longest number has 20 digits, the rest are NULs.
        let mut text = [0_u8; 24];
        let digits = seconds.to_string();
        text[..digits.len()].copy_from_slice(digits.as_bytes());
        self.0.set_data(RUNTIME_MAX_SEC, Box::new(text)).map_err(|_| CannotKeep)
    }

    fn ask(&mut self, prompt: &str, echo: Echo) -> Result<SecretText, NoAnswer> {
        let style = match echo {
            Echo::On => PAM_PROMPT_ECHO_ON,
            Echo::Off => PAM_PROMPT_ECHO_OFF,
        };
        self.send(style, prompt)
    }

    fn say(&mut self, text: &str) {
        let _ = self.send(PAM_TEXT_INFO, text);
    }

    fn complain(&mut self, text: &str) {
        let _ = self.send(PAM_ERROR_MSG, text);
    }

    fn real_uid(&self) -> u32 {
        nix::unistd::getuid().as_raw()
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn uid_of(&self, account: &str) -> Option<u32> {
        nix::unistd::User::from_name(account).ok().flatten().map(|user| user.uid.as_raw())
    }

    fn audit_session(&self) -> Option<AuditSession> {
        audit_session(std::process::id())
    }

    fn anchor(&self) -> Option<Anchor> {
        Anchor::here()
    }

    fn scope(&self) -> Option<String> {
        scope(std::process::id())
    }

    fn settle(&mut self, outside: Option<&str>) -> Option<Anchor> {
        Anchor::settled(outside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_code_is_success_or_ignore() {
        for hook in crate::testing::HOOKS {
            let code = no(hook);
            assert_ne!(code, PamResultCode::PAM_SUCCESS, "{hook:?}");
            assert_ne!(code, PamResultCode::PAM_IGNORE, "{hook:?}");
            // sshd takes it for a success.
            assert_ne!(code, PamResultCode::PAM_NEW_AUTHTOK_REQD, "{hook:?}");
        }
    }
}
