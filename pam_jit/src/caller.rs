//! Who calls: the account, and whether it is ssh or sudo, from what neither the environment nor the
//! caller decides.

use jit_core::error::Error;
use jit_core::grant::Action;
use jit_core::login::{Attempt, Evidence, Identity, LoginService};
use jit_core::name::Login;
use jit_core::process::AuditSession;

use crate::conversation::Pam;
use crate::refusal::Refusal;

/// Takes the place of a name that is no login, so that the same work is done for it.
const STAND_IN: &str = "nobody";

/// The longest item that is kept for the log, in characters.
const LONGEST_ITEM: usize = 256;

/// Who calls, as PAM and the kernel said when the hook began.
#[derive(Debug)]
pub struct Caller {
    items: Items,
    /// Ssh or sudo, account, terminal. Where the account's name is no login, a stand-in for it.
    pub attempt: Attempt,
    /// Why the account's name is no login, where it is none.
    pub invalid: Option<Error>,
    /// sshd's report of the key that was authenticated.
    pub auth_info: Option<String>,
    audit_session: Option<AuditSession>,
}

/// What must be the same when the hook says yes as it was when it began.
#[derive(Debug, PartialEq, Eq)]
struct Items {
    user: String,
    remote_user: Option<String>,
    uid: Option<u32>,
}

impl Items {
    fn read(pam: &dyn Pam) -> Result<Self, Refusal> {
        let user = pam.user().ok_or_else(|| Refusal::logged("the service names no user"))?;
        let remote_user = pam.remote_user();
        let uid = pam.uid_of(remote_user.as_deref().unwrap_or(&user));
        Ok(Items { user, remote_user, uid })
    }

    /// The account: `PAM_USER` for ssh. For sudo the one that invokes it, for there `PAM_USER` is
    /// the target once it comes to the session.
    fn account(&self) -> &str {
        self.remote_user.as_deref().unwrap_or(&self.user)
    }
}

impl Caller {
    /// Reads the items. sudo sets `PAM_RUSER` and keeps the real user id of who invokes it; sshd
    /// sets none and runs as root. Both must agree: the kernel's word is nothing that a caller, a
    /// client or a module can change.
    ///
    /// # Errors
    /// The service is neither.
    pub fn of(pam: &dyn Pam) -> Result<Self, Refusal> {
        let items = Items::read(pam)?;
        let (action, expected) = match &items.remote_user {
            Some(_) => (Action::Sudo, items.uid),
            None => (Action::Login, Some(0)),
        };
        if expected != Some(pam.real_uid()) {
            return Err(Refusal::logged(format!(
                "service {:?} is neither sshd nor sudo: PAM_RUSER is {:?} and the real user id {}",
                pam.service().unwrap_or_default(),
                items.remote_user,
                pam.real_uid()
            )));
        }
        let (login, invalid) = match Login::parse(items.account()) {
            Ok(login) => (login, None),
            Err(error) => {
                let stand_in =
                    Login::parse(STAND_IN).map_err(|error| Refusal::logged(error.to_string()))?;
                (stand_in, Some(error))
            }
        };
        let short = |item: Option<String>| item.map(|i| i.chars().take(LONGEST_ITEM).collect());
        let attempt = Attempt {
            action,
            login,
            service: short(pam.service()).unwrap_or_default(),
            rhost: short(pam.remote_host()),
            tty: short(pam.terminal()),
            pid: pam.pid(),
        };
        let (auth_info, audit_session) = (pam.auth_info(), pam.audit_session());
        Ok(Caller { items, attempt, invalid, auth_info, audit_session })
    }

    /// Who it is. For sudo, what may stand in the PAM environment counts for nothing. A name that
    /// is no login belongs to nobody, which is said only after the same work.
    ///
    /// # Errors
    /// As [`LoginService::identify`].
    pub fn identify(&self, service: &dyn LoginService) -> jit_core::Result<Identity> {
        let evidence = match self.attempt.action {
            Action::Login => Evidence::Ssh(self.auth_info.as_deref()),
            Action::Sudo => Evidence::Local { audit_session: self.audit_session },
        };
        let identity = service.identify(&evidence, &self.attempt);
        match &self.invalid {
            Some(error) => Err(Error::refused(error.what())),
            None => identity,
        }
    }

    /// Whether sshd reports a key at all.
    pub fn shows_a_key(&self) -> bool {
        self.auth_info.iter().flat_map(|info| info.lines()).any(|l| l.starts_with("publickey "))
    }

    /// The user id of the account.
    pub fn uid(&self) -> Option<u32> {
        self.items.uid
    }

    /// The second look, right before a yes: it must be for the same account as when the hook began,
    /// under the same user id, and the account must exist.
    ///
    /// # Errors
    /// It is not.
    pub fn look_again(&self, pam: &dyn Pam) -> Result<(), Refusal> {
        let now = Items::read(pam)?;
        if now != self.items {
            return Err(Refusal::logged(format!(
                "the account changed on the way: {:?}, now {now:?}",
                self.items
            )));
        }
        if self.items.uid.is_none() {
            return Err(Refusal::logged(format!("no account {:?} here", self.items.account())));
        }
        Ok(())
    }
}
