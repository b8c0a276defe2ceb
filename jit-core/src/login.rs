//! What a login needs of the authority, as one narrow trait. On one machine the PAM module opens
//! the store itself and [`crate::authority::Authority`] answers; in a fleet the same questions go to
//! `jitd`.

use crate::breakglass;
use crate::cover::Cover;
use crate::error::{Error, Result};
use crate::factor::Verdict;
use crate::grant::{Action, Phase};
use crate::id::GrantId;
use crate::name::{HostName, Login, PersonName};
use crate::policy::Needed;
use crate::process::{Anchor, AuditSession};
use crate::time::{Span, Timestamp};

/// One attempt to get in: what PAM says of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What for.
    pub action: Action,
    /// The account: for sudo, the one that invokes it.
    pub login: Login,
    /// The PAM service.
    pub service: String,
    /// The client's address, as sshd reports it.
    pub rhost: Option<String>,
    /// The terminal.
    pub tty: Option<String>,
    /// The process that asks.
    pub pid: u32,
}

/// What there is to tell who somebody is. Nothing in it is chosen by them.
#[derive(Clone, Copy, Debug)]
pub enum Evidence<'a> {
    /// `SSH_AUTH_INFO_0`, as sshd put it into the PAM environment.
    Ssh(Option<&'a str>),
    /// The kernel's session of a local process.
    Local {
        /// The audit session, where it is set.
        audit_session: Option<AuditSession>,
    },
}

/// Who somebody is, by their first factor or their recorded session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The person.
    pub person: PersonName,
    /// How that is known, for the log.
    pub by: String,
    /// The recorded session, by the kernel's number, where it is known by that.
    pub session: Option<AuditSession>,
}

/// Whether they may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Until the cover's deadline.
    Granted(Cover),
    /// There is cover, by roles that ask for another second factor than was given, or a fresher one.
    WantsFactor {
        /// What they ask for.
        wanted: String,
    },
    /// There is no cover.
    NoCover {
        /// What the policy lets them ask for; none when it takes no request.
        offer: Option<Offer>,
        /// Whether they may break the glass, and there is a code to do it with.
        may_break: bool,
    },
}

/// For how long access may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Unless said otherwise.
    pub usual: Span,
    /// At most.
    pub longest: Span,
}

/// A request as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: GrantId,
    /// Where it stands now.
    pub phase: Phase,
    /// For how long access is asked for.
    pub duration: Span,
    /// When it lapses if nobody decides.
    pub lapses_at: Timestamp,
    /// The people who have said yes.
    pub approved_by: Vec<PersonName>,
    /// Whose yes is missing.
    pub missing: Vec<Needed>,
    /// The people whose yes could still help.
    pub approvers: Vec<PersonName>,
    /// What whoever denied it had to say.
    pub answer: Option<String>,
}

/// What systemd is told when a session opens, and can't be told otherwise later: after how long it
/// ends it, whatever becomes of the keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backstop {
    /// From now.
    pub seconds: u64,
    /// Whether that is the deadline itself, as no keeper runs, or the furthest that one more grant
    /// could reach.
    pub is_deadline: bool,
}

/// A session that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where.
    pub host: HostName,
    /// The first second without access.
    pub deadline: Timestamp,
    /// What the clock said, for "in 29 min".
    pub now: Timestamp,
    /// The grant that lasts longest.
    pub grant: GrantId,
}

/// What a login needs of the authority.
pub trait LoginService {
    /// Whose key, certificate or session is this?
    ///
    /// # Errors
    /// Refused when nobody's, or when it can't be told.
    fn identify(&self, evidence: &Evidence<'_>, attempt: &Attempt) -> Result<Identity>;

    /// Does this code prove their second factor? Works, and takes, the same for someone unknown:
    /// `who` is then the reason why they are.
    ///
    /// # Errors
    /// Unavailable or tampered; the code is then not accepted.
    fn verify_factor(
        &self,
        who: Result<&Identity, &Error>,
        typed: &str,
        attempt: &Attempt,
    ) -> Result<Verdict>;

    /// Lets in at once who gives a break-glass code and says why, whatever the policy says. As with
    /// [`LoginService::verify_factor`], it takes the same for someone unknown. Without a reason it
    /// only looks whether the code is that of a window they are in already.
    ///
    /// # Errors
    /// Invalid when the reason is; unavailable or tampered. The code is then not burned.
    fn break_glass(
        &self,
        who: Result<&Identity, &Error>,
        typed: &str,
        reason: Option<&str>,
        attempt: &Attempt,
    ) -> Result<breakglass::Verdict>;

    /// Is there anybody at all who may come in? All that can be asked where sshd has not said yet
    /// whose key it was.
    ///
    /// # Errors
    /// Refused, unavailable or tampered.
    fn anyone_may_enter(&self, attempt: &Attempt) -> Result<bool>;

    /// May they come in, until when?
    ///
    /// # Errors
    /// Refused, unavailable or tampered.
    fn may_enter(&self, who: &Identity, attempt: &Attempt) -> Result<Entry>;

    /// Files a request for them, as the policy allows.
    ///
    /// # Errors
    /// Invalid when the reason is; refused when the policy says no.
    fn file_request(
        &self,
        who: &Identity,
        attempt: &Attempt,
        reason: &str,
        duration: Span,
    ) -> Result<Standing>;

    /// Where does that request stand?
    ///
    /// # Errors
    /// Not found, or unavailable.
    fn standing(&self, id: &GrantId) -> Result<Standing>;

    /// How long systemd lets a session go on that they open now; none without cover.
    ///
    /// # Errors
    /// Unavailable, tampered or misconfigured.
    fn backstop(&self, who: &Identity, attempt: &Attempt) -> Result<Option<Backstop>>;

    /// Records a session before it opens. A session whose end nobody could enforce is refused:
    /// neither a keeper nor, by the backstop that it was told, systemd.
    ///
    /// # Errors
    /// Refused or unavailable; the session must then not open.
    fn session_opened(
        &self,
        who: &Identity,
        attempt: &Attempt,
        uid: u32,
        anchor: Anchor,
        backstop: Option<Backstop>,
    ) -> Result<Opened>;

    /// Records that the connection of a session is closed.
    ///
    /// # Errors
    /// Unavailable; the keeper then finds out by itself.
    fn session_closed(&self, anchor: &Anchor) -> Result<()>;

    /// Records that an exempt account came in.
    ///
    /// # Errors
    /// Unavailable; an exempt account comes in all the same, and syslog has it.
    fn exempt_used(&self, attempt: &Attempt, phase: &'static str) -> Result<()>;
}
