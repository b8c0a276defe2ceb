//! What the module asks of PAM and of the process it runs in, as a trait, so that tests can play
//! whole conversations.

use jit_core::login::Backstop;
use jit_core::process::{Anchor, AuditSession};
use jit_core::secret::SecretText;

/// The longest answer that is looked at, in bytes. Codes have at most 64, reasons 300 characters.
pub const LONGEST_ANSWER: usize = 1024;

/// Whether what is typed is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// Shown.
    On,
    /// Not shown.
    Off,
}

/// Why there is no answer to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nobody can be asked here (scp, `sudo -n`), or whoever was asked walked away.
    CannotAsk,
    /// There is one, but longer than [`LONGEST_ANSWER`] or not UTF-8.
    Unreadable,
}

/// PAM, as one hook sees it, and the process it runs in.
pub trait Pam {
    /// The item `PAM_USER`, without asking for one that is not set.
    fn user(&self) -> Option<String>;
    /// The item `PAM_RUSER`: who invokes sudo. sshd sets none.
    fn remote_user(&self) -> Option<String>;
    /// The item `PAM_RHOST`.
    fn remote_host(&self) -> Option<String>;
    /// The item `PAM_TTY`.
    fn terminal(&self) -> Option<String>;
    /// The item `PAM_SERVICE`.
    fn service(&self) -> Option<String>;
    /// `SSH_AUTH_INFO_0` of the PAM environment, which is not the process' one.
    fn auth_info(&self) -> Option<String>;

    /// Keeps something for later hooks of this process.
    ///
    /// # Errors
    /// [`CannotKeep`] when PAM doesn't take it.
    fn keep(&mut self, kept: Kept) -> Result<(), CannotKeep>;
    /// What was kept.
    fn kept(&self) -> Option<Kept>;
    /// Has pam_systemd, where it comes later, tell systemd to end the session's scope after so many
    /// seconds.
    ///
    /// # Errors
    /// [`CannotKeep`] when PAM doesn't take it.
    fn limit_scope(&mut self, seconds: u64) -> Result<(), CannotKeep>;

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`NoAnswer`], saying why.
    fn ask(&mut self, prompt: &str, echo: Echo) -> Result<SecretText, NoAnswer>;
    /// Shows a line of information. That nobody reads it is no error.
    fn say(&mut self, text: &str);
    /// Shows what is wrong. That nobody reads it is no error.
    fn complain(&mut self, text: &str);

    /// The real user id of this process: root under sshd, who invokes it under sudo.
    fn real_uid(&self) -> u32;
    /// This process.
    fn pid(&self) -> u32;
    /// The user id of an account, by the system's user database.
    fn uid_of(&self, account: &str) -> Option<u32>;
    /// The kernel's audit session of this process.
    fn audit_session(&self) -> Option<AuditSession>;
    /// What identifies this process and its session.
    fn anchor(&self) -> Option<Anchor>;
    /// The systemd scope that this process is in.
    fn scope(&self) -> Option<String>;
    /// As [`Pam::anchor`], for a session that begins here: with the scope that this process was
    /// moved into since it was in `outside`, or else a cgroup of its own that it moves into.
    fn settle(&mut self, outside: Option<&str>) -> Option<Anchor>;
}

/// What `setcred` keeps for `open_session`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What sshd reported then.
    pub report: String,
    /// The systemd scope that sshd was in then.
    pub scope: Option<String>,
    /// What systemd is to be told.
    pub backstop: Option<Backstop>,
}

/// PAM did not take data to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotKeep;
