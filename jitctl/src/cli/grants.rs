//! The verbs of a grant's life.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use jit_core::grant::Phase;
use jit_core::id::GrantId;
use jit_core::name::{HostName, PersonName, Reason};
use jit_core::time::{Span, Timestamp};

use super::Target;

/// `request`
#[derive(Debug, Args)]
#[command(after_help = "\
Ends with 0 once the request is filed, decided or not. With --wait it ends with 0 if access was
approved, 1 if not, 3 if the time is over and nobody has decided.

Examples:
  jitctl request web-1 --as alice --for 30m --reason 'INC-7 disk full'
  jitctl request deploy@web-1 --as alice --for 1h --reason 'CHG-12 release' --sudo
  jitctl request deploy@env=prod --as alice --for 1h --reason 'CHG-12' --at '2026-12-01 22:00'
  jitctl request web-1 --as alice --for 30m --reason 'INC-7 disk full' --wait=5m")]
pub struct Request {
    /// Which account where, such as deploy@web-1 or deploy@env=prod; the person's own login
    /// unless named
    #[arg(value_name = "[LOGIN@]HOST", value_parser = Target::parse)]
    pub target: Target,
    /// For whom
    #[arg(long = "as", value_name = "PERSON")]
    pub person: PersonName,
    /// What is asked for
    #[command(flatten)]
    pub terms: Terms,
    /// Wait for the decision, at most this long [default: 10m]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          default_missing_value = "10m", value_parser = Span::parse)]
    pub wait: Option<Span>,
}

/// `extend`
#[derive(Debug, Args)]
#[command(after_help = "\
A request of its own, by the same rules as the first: what the policy gives at most counts from
the start of the first window. Sessions that are open go on once it is approved. Ends as
`jitctl request` does.

Examples:
  jitctl extend k7q2-m9xd --for 30m
  jitctl extend k7q2-m9xd --for 30m --reason 'INC-7 still copying' --wait=5m")]
pub struct Extend {
    /// The grant's id
    pub id: GrantId,
    /// How much longer, such as 90s, 30m, 1h30m or 2d
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true,
          value_parser = Span::parse)]
    pub duration: Span,
    /// What for; the grant's own reason unless given
    #[arg(long, value_name = "TEXT", value_parser = Reason::parse)]
    pub reason: Option<Reason>,
    /// Wait for the decision, at most this long [default: 10m]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          default_missing_value = "10m", value_parser = Span::parse)]
    pub wait: Option<Span>,
}

/// `grant`
#[derive(Debug, Args)]
#[command(after_help = "\
No policy is asked and nobody approves: the grant is root's alone and marked so in the log.

Example:
  jitctl grant alice deploy@web-1 --for 1h --reason 'INC-7 nobody else awake' --sudo")]
pub struct Grant {
    /// To whom
    pub person: PersonName,
    /// Which account where; the person's own login unless named
    #[arg(value_name = "[LOGIN@]HOST", value_parser = Target::parse)]
    pub target: Target,
    /// What is granted
    #[command(flatten)]
    pub terms: Terms,
}

/// What is asked for, apart from who and where.
#[derive(Debug, Args)]
pub struct Terms {
    /// How long, such as 90s, 30m, 1h30m or 2d
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true,
          value_parser = Span::parse)]
    pub duration: Span,
    /// What for, in a few words
    #[arg(long, value_name = "TEXT", value_parser = Reason::parse)]
    pub reason: Reason,
    /// With sudo
    #[arg(long)]
    pub sudo: bool,
    /// From when on, as 2026-11-23T14:30:00+01:00 or '2026-11-23 14:30' local time; from
    /// approval on unless given
    #[arg(long = "at", value_name = "TIME", value_parser = Timestamp::parse)]
    pub start: Option<Timestamp>,
}

/// `approve`
#[derive(Debug, Args)]
#[command(after_help = "\
Shows what is asked for, then asks for the approver's code: on the terminal, or else as one line
of standard input. Ends with 3 if the approval counts but others are still missing.

With --signature no code is asked: the file is what `ssh-keygen -Y sign` made of the request, with
a key of the approver's that is enrolled.

Examples:
  jitctl approve k7q2-m9xd --as bob
  jitctl approve k7q2-m9xd --as bob --for 20m
  jitctl show k7q2-m9xd --canonical > request
  ssh-keygen -Y sign -n jit-approval@v1 -f ~/.ssh/id_ed25519 request     (on bob's machine)
  jitctl approve k7q2-m9xd --as bob --signature request.sig")]
pub struct Approve {
    /// The request's id
    pub id: GrantId,
    /// Who approves
    #[arg(long = "as", value_name = "PERSON")]
    pub person: PersonName,
    /// For no longer than this, where that is shorter than what is asked for
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true,
          value_parser = Span::parse)]
    pub most: Option<Span>,
    /// Their signature of the request, instead of a code; - is standard input
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
}

/// `withdraw`
#[derive(Debug, Args)]
#[command(after_help = "\
Takes an approval back while others are still missing. What is in force already is ended by
`jitctl revoke`, or sooner than it would by `jitctl shorten`.

Example:
  jitctl withdraw k7q2-m9xd --as bob")]
pub struct Withdraw {
    /// The request's id
    pub id: GrantId,
    /// Whose approval, proved by a code
    #[arg(long = "as", value_name = "PERSON")]
    pub person: PersonName,
}

/// `edit`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true)
              .args(["duration", "start", "reason"])),
          after_help = "\
Only while nobody has decided. Approvals that were given before count no longer.

Examples:
  jitctl edit k7q2-m9xd --for 15m
  jitctl edit k7q2-m9xd --as alice --reason 'INC-7 the disk of the second node, too'")]
pub struct Edit {
    /// The request's id
    pub id: GrantId,
    /// Who edits it: the requester, proved by a code; root unless given
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<PersonName>,
    /// How long, such as 90s, 30m, 1h30m or 2d
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true,
          value_parser = Span::parse)]
    pub duration: Option<Span>,
    /// From when on, as for `jitctl request`
    #[arg(long = "at", value_name = "TIME", value_parser = Timestamp::parse)]
    pub start: Option<Timestamp>,
    /// What for, in a few words
    #[arg(long, value_name = "TEXT", value_parser = Reason::parse)]
    pub reason: Option<Reason>,
}

/// `shorten`
#[derive(Debug, Args)]
#[command(after_help = "\
Sessions end at the new end, unless another grant covers them. What extends the grant ends with it.

Examples:
  jitctl shorten k7q2-m9xd --for 10m
  jitctl shorten k7q2-m9xd --for 10m --as bob")]
pub struct Shorten {
    /// The grant's id
    pub id: GrantId,
    /// How long it lasts from now, or from its start if that is to come; never longer than it would
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true,
          value_parser = Span::parse)]
    pub left: Span,
    /// Who shortens it: one who approves such access, proved by a code; root unless given
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<PersonName>,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = Reason::parse)]
    pub reason: Option<Reason>,
}

/// `inbox`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jitctl inbox --as bob")]
pub struct Inbox {
    /// Whose
    #[arg(long = "as", value_name = "PERSON")]
    pub person: PersonName,
}

/// `show`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jitctl show k7q2-m9xd
  jitctl show k7q2-m9xd --canonical | ssh-keygen -Y sign -n jit-approval@v1 -f KEY > request.sig")]
pub struct Show {
    /// The grant's id
    pub id: GrantId,
    /// Print what an approver signs, and nothing else
    #[arg(long)]
    pub canonical: bool,
    /// With --canonical: to be signed for no longer than this
    #[arg(long = "for", value_name = "DURATION", requires = "canonical",
          allow_hyphen_values = true, value_parser = Span::parse)]
    pub most: Option<Span>,
}

/// `deny`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jitctl deny k7q2-m9xd --reason 'not during the release'
  jitctl deny k7q2-m9xd --as bob")]
pub struct Deny {
    /// The request's id
    pub id: GrantId,
    /// Who denies, proved by a code; root unless given
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<PersonName>,
    /// Why; the requester gets to read it
    #[arg(long, value_name = "TEXT", value_parser = Reason::parse)]
    pub reason: Option<Reason>,
}

/// `cancel`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jitctl cancel k7q2-m9xd")]
pub struct Cancel {
    /// The request's id
    pub id: GrantId,
    /// Who cancels, proved by a code; root unless given
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<PersonName>,
}

/// `revoke`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["id", "user", "host", "all"])),
          after_help = "\
Running sessions end within seconds unless another grant covers them. With --user, --host or
--all undecided requests are denied, too.

Examples:
  jitctl revoke k7q2-m9xd --reason 'done early'
  jitctl revoke --user alice --reason 'the laptop is lost'
  jitctl revoke --all --reason 'incident'")]
pub struct Revoke {
    /// The grant's id
    pub id: Option<GrantId>,
    /// All grants of a person
    #[arg(long, value_name = "PERSON")]
    pub user: Option<PersonName>,
    /// All grants on a host, those of its labels included
    #[arg(long, value_name = "HOST")]
    pub host: Option<HostName>,
    /// All grants
    #[arg(long)]
    pub all: bool,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = Reason::parse)]
    pub reason: Reason,
}

/// `list`
#[derive(Debug, Args)]
#[command(after_help = "\
Shows what is undecided, scheduled or active, the newest first.

Examples:
  jitctl list
  jitctl list --state requested
  jitctl list --user alice --all")]
pub struct List {
    /// Only those in this state: requested, scheduled, active, ended, denied, cancelled, lapsed or
    /// revoked
    #[arg(long, value_name = "STATE")]
    pub state: Option<Phase>,
    /// Only those of this person
    #[arg(long, value_name = "PERSON")]
    pub user: Option<PersonName>,
    /// Only those on this host, those of its labels included
    #[arg(long, value_name = "HOST")]
    pub host: Option<HostName>,
    /// Those that are over, too
    #[arg(long)]
    pub all: bool,
}

/// `explain`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jitctl explain alice web-1
  jitctl explain alice deploy@web-1 --sudo --for 2h")]
pub struct Explain {
    /// Who
    pub person: PersonName,
    /// Which account where; the person's own login unless named
    #[arg(value_name = "[LOGIN@]HOST", value_parser = Target::parse)]
    pub target: Target,
    /// With sudo
    #[arg(long)]
    pub sudo: bool,
    /// How long
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true,
          value_parser = Span::parse)]
    pub duration: Option<Span>,
}
