//! `policy` and `audit`: what is allowed, and what was done.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jit_core::authority::Which;
use jit_core::hook::Filter;
use jit_core::id::GrantId;
use jit_core::name::PersonName;
use jit_core::time::Timestamp;

/// `policy`
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Check a policy file, and look for groups and hosts that there are none of
    #[command(after_help = "\
Examples:
  jitctl policy check
  jitctl policy check new-policy.toml")]
    Check {
        /// The file to check; the one in force unless given
        file: Option<PathBuf>,
    },
    /// Check that a policy decides as the cases in a file expect
    #[command(after_help = "\
A case is a [[case]] table: name, person, target ([LOGIN@]HOST), duration, sudo, reason, at (when it
is decided), start, approvers; expect = \"allow\", \"pending\" or \"deny\"; and, where they are to be
compared, role, missing, why (a part of it). [[person]] and [[host]] tables describe who and what
there is; without any, those that are enrolled count.

Examples:
  jitctl policy test policy-cases.toml
  jitctl policy test policy-cases.toml --policy new-policy.toml")]
    Test {
        /// The cases
        file: PathBuf,
        /// The policy to check; the one in force unless given
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Show the roles in force; for a person, what they could ask for and who could approve it
    Show {
        /// Only those that name this person
        person: Option<PersonName>,
    },
}

/// `audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Show the last records, the newest at the end
    #[command(after_help = "\
A DETAIL is cut short on a terminal; --wide shows all of it, as a pipe or a file gets it.

Examples:
  jitctl audit show --person alice --action 'login.*' --since '2026-11-23 08:00'
  jitctl audit show --grant k7q2-m9xd --wide")]
    Show(AuditShow),
    /// Check every record and every link of the chain
    #[command(after_help = "\
Prints how many records there are and the hash of the last. Keep the two on another machine:
they show later whether the end of the log was cut off. Ends with 1 if the log is broken.")]
    Verify,
    /// Say why a decision came out as it did, from the log alone
    #[command(after_help = "\
Reads the log from its start, puts the policy of that day together from its changes, decides again
with the facts on record, and says whether the same comes out. Ends with 1 if it does not.

Examples:
  jitctl audit explain k7q2-m9xd
  jitctl audit explain 42 --json")]
    Explain {
        /// A grant's id, or a record's number
        #[arg(value_name = "ID|NUMBER", value_parser = Which::parse)]
        what: Which,
    },
}

/// `audit show`
#[derive(Clone, Debug, Args)]
pub struct AuditShow {
    /// At most how many
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// What this person did, or what is about them
    #[arg(long, value_name = "PERSON")]
    pub person: Option<PersonName>,
    /// What was done: grant.approve, or grant.* for all of grants
    #[arg(long, value_name = "ACTION", value_parser = Filter::parse)]
    pub action: Option<Filter>,
    /// What is about this grant
    #[arg(long, value_name = "ID")]
    pub grant: Option<GrantId>,
    /// From when on, as 2026-11-23T14:30:00+01:00 or '2026-11-23 14:30' local time
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub since: Option<Timestamp>,
    /// Until when
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub until: Option<Timestamp>,
    /// Show each DETAIL whole
    #[arg(long)]
    pub wide: bool,
}
