//! The command line, declared once: help texts, man pages and completions are made from this.

mod audit;
mod breakglass;
mod grants;
mod people;
mod recovery;
mod remote;
mod target;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use jit_core::config::DEFAULT_PATH;
use jit_core::name::{GroupName, HookName, HostName, PersonName, Reason};
use jit_core::time::Span;
use jit_core::{Error, Kind};

pub use audit::{Audit, AuditShow, Policy};
pub use breakglass::BreakGlass;
pub use grants::{
    Approve, Cancel, Deny, Edit, Explain, Extend, Grant, Inbox, List, Request, Revoke, Shorten,
    Show, Terms, Withdraw,
};
pub use people::{Host, KeyChange, Mfa, User};
pub use recovery::{Backup, Restore};
pub use remote::{Cert, Join, Ssh, SshConfig};
pub use target::Target;

use crate::output::Output;

/// Just-in-time access: request, approve, grant, revoke and audit it.
#[derive(Debug, Parser)]
#[command(
    name = "jitctl",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes:
  0  done
  1  refused or failed
  2  usage: unknown options, malformed names, times and durations
  3  still pending: approvals are missing
  4  not found
  5  the store is out of reach or damaged

A new machine:
  jitctl setup
  ssh in from a new terminal, and there: sudo jitctl setup --confirm
  jitctl doctor

Your own machine, with an invitation from an admin:
  jitctl join 'jit://…'
  jitctl ssh web-1"
)]
pub struct Cli {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
    /// Which authority that was joined, by name or address; else the one of this machine, or the
    /// one joined last
    #[arg(long, global = true, value_name = "NAME")]
    pub server: Option<String>,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set this machine up, so that ssh and sudo take a code and a grant; goes back by itself
    #[command(after_help = "\
Makes what is missing, enrols a first person, checks, shows what it changes of sshd and PAM, asks,
and changes it. Not confirmed from a new login within 5 minutes, all goes back by itself, also
after a reboot. A second run changes nothing. With --config in another place than /etc/jit, where
no file is yet, it makes an instance beside that file and changes nothing of sshd or PAM.

Examples:
  jitctl setup
  jitctl setup --dry-run
  jitctl setup --person alice --key alice.pub --yes
  jitctl setup --confirm
  jitctl setup --undo
  jitctl --config /srv/jit-test/jit.toml setup --host test-1")]
    Setup(Setup),
    /// Look for what is wrong, and say which command mends it
    #[command(after_help = "Ends with 1 if a check failed; warnings alone end with 0.")]
    Doctor,
    /// Show this host, its people, grants and sessions on one screen
    Status,
    /// People, their groups and their SSH keys
    #[command(subcommand)]
    User(User),
    /// Second factors: authenticator apps and recovery codes
    #[command(subcommand)]
    Mfa(Mfa),
    /// Hosts and their labels
    #[command(subcommand)]
    Host(Host),
    /// The policy file
    #[command(subcommand)]
    Policy(Policy),
    /// Join an authority, as a person or as a host, by an invitation
    Join(Join),
    /// Log in to the authority: your key and a code; other commands ask for it by themselves
    Login,
    /// Forget the login
    Logout,
    /// Show who you are to which authority, and until when
    Whoami,
    /// Get a certificate for the access that you have
    Cert(Cert),
    /// Connect to a host by ssh, asking for access where there is none
    Ssh(Ssh),
    /// Have plain ssh get certificates by itself
    SshConfig(SshConfig),
    /// File a request for somebody
    Request(Request),
    /// Change a request that nobody has decided yet
    Edit(Edit),
    /// List what waits for a person's approval
    Inbox(Inbox),
    /// Say yes to a request, in the name of a person who proves it with a code
    Approve(Approve),
    /// Take an approval back before it took effect
    Withdraw(Withdraw),
    /// Say no to a request
    Deny(Deny),
    /// Take a request back
    Cancel(Cancel),
    /// Grant access alone, past the policy; the log says so
    Grant(Grant),
    /// Ask for more time at the end of a grant
    Extend(Extend),
    /// Make a grant end sooner
    Shorten(Shorten),
    /// Take access away
    Revoke(Revoke),
    /// List grants and requests
    List(List),
    /// Show everything about one grant
    Show(Show),
    /// Say whether somebody has access, or how they could get it
    Explain(Explain),
    /// Show the sessions on this host and the time they have left
    Sessions,
    /// One-time codes for the day when nobody can approve, and what they were used for
    #[command(subcommand)]
    BreakGlass(BreakGlass),
    /// The audit log
    #[command(subcommand)]
    Audit(Audit),
    /// Who is told of events: webhooks and commands
    #[command(subcommand)]
    Hooks(Hooks),
    /// The clock
    #[command(subcommand)]
    Clock(Clock),
    /// Write everything that this host needs to be itself again into one file
    Backup(Backup),
    /// Restore a backup, onto a fresh host or over a broken store
    Restore(Restore),
    /// Print completions for a shell
    #[command(after_help = "Example:\n  jitctl completions bash > /etc/bash_completion.d/jitctl")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    #[command(after_help = "Example:\n  jitctl man /usr/local/share/man/man1")]
    Man {
        /// Where
        directory: PathBuf,
    },
}

impl Command {
    /// Who acts, where `--as` says so or it is whoever logged in.
    pub fn acts(&self) -> Option<&PersonName> {
        match self {
            Command::Inbox(inbox) => Some(&inbox.person),
            Command::Approve(approve) => Some(&approve.person),
            Command::Withdraw(withdraw) => Some(&withdraw.person),
            Command::Edit(edit) => edit.person.as_ref(),
            Command::Deny(deny) => deny.person.as_ref(),
            Command::Cancel(cancel) => cancel.person.as_ref(),
            Command::Shorten(shorten) => shorten.person.as_ref(),
            Command::BreakGlass(BreakGlass::Review { reviewer, .. }) => reviewer.as_ref(),
            _ => None,
        }
    }
}

/// `setup`
#[derive(Debug, Args)]
pub struct Setup {
    /// What this machine is called; its host name unless given
    #[arg(long, value_name = "NAME")]
    pub host: Option<HostName>,
    /// The first person; asked for unless somebody is enrolled
    #[arg(long, value_name = "NAME")]
    pub person: Option<PersonName>,
    /// Their public key file; the keys of their account unless given
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Their group; admins unless given
    #[arg(long, value_name = "GROUP")]
    pub group: Option<GroupName>,
    /// Ask nothing, take every default
    #[arg(long)]
    pub yes: bool,
    /// Make configuration, keys and store alone, and leave sshd and PAM as they are
    #[arg(long, conflicts_with_all = ["person", "key", "group", "yes", "dry_run"], group = "deed")]
    pub instance_only: bool,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Make it last; from a session that came in through it
    #[arg(long, group = "deed")]
    pub confirm: bool,
    /// Take it back, at any time: sshd and PAM are then without anything of jit
    #[arg(long, group = "deed")]
    pub undo: bool,
    /// Take it back unless it was confirmed; for the timer and the unit at boot
    #[arg(long, group = "deed", hide = true)]
    pub rollback: bool,
    /// How long to wait for the confirmation
    #[arg(long, value_name = "DURATION", value_parser = Span::parse, default_value = "5m", hide = true)]
    pub within: Span,
}

/// `hooks`
#[derive(Debug, Subcommand)]
pub enum Hooks {
    /// Check the file of hooks, and the secrets and programs that it names
    Check,
    /// List hooks, what waits for them and what is wrong
    List,
    /// Tell a hook of a test, now, and show what came back
    #[command(after_help = "\
The test is on the log as hook.test, and is told whatever events the hook wants.

Example:
  jitctl hooks test pager")]
    Test {
        /// Which
        name: HookName,
    },
}

/// `clock`
#[derive(Debug, Subcommand)]
pub enum Clock {
    /// Accept the clock although it stands before the last record
    #[command(after_help = "\
For the case that the last record was written while the clock was ahead. Windows and codes of
the time between can then come again: set the clock instead if it is the clock that is wrong.")]
    Accept {
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = Reason::parse)]
        reason: Reason,
    },
}

/// Reads the command line. Who acts is `me` unless somebody is named; without a `me`, as for root on
/// the authority's machine, it has to be said.
///
/// # Errors
/// What can't be read; see [`exit`].
pub fn parse(arguments: &[OsString], me: Option<&PersonName>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    if let Some(me) = me {
        for verb in ["request", "inbox", "approve", "withdraw", "edit", "deny", "cancel", "shorten"]
        {
            command = command.mut_subcommand(verb, |verb| acts(verb, "person", me));
        }
        command = command.mut_subcommand("break-glass", |noun| {
            noun.mut_subcommand("review", |verb| acts(verb, "reviewer", me))
        });
    }
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// The verb with `me` as who acts, whom it has in its argument `named`.
fn acts(verb: clap::Command, named: &'static str, me: &PersonName) -> clap::Command {
    verb.mut_arg(named, |named| named.required(false).default_value(me.to_string()))
}

/// Tells what can't be read, or helps; how the program ends then.
pub fn exit(error: &clap::Error, output: Output) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader who has gone is no error.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(Kind::Invalid.exit_code())
        }
        _ => {
            let error = told(error);
            output.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// A usage error in our own words, where it is one of ours, else in clap's.
fn told(error: &clap::Error) -> Error {
    use std::error::Error as _;
    if let Some(ours) = error.source().and_then(|source| source.downcast_ref::<Error>()) {
        return ours.clone();
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (what, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let told = Error::invalid(what.trim_end());
    let line = |start: &str| rest.lines().find_map(|line| line.trim_start().strip_prefix(start));
    match (line("tip: "), line("Usage: ")) {
        (Some(tip), _) => told.next(format!("{tip}.")),
        (None, Some(usage)) => told.next(format!("Usage: {usage}. More: --help.")),
        (None, None) => told.next("jitctl --help"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declaration_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bad_name_is_told_in_our_words() {
        let error = Cli::try_parse_from(["jitctl", "user", "show", "a b"]).unwrap_err();
        let error = told(&error);
        assert_eq!(error.what(), "`a b` is no name of a person");
        assert_eq!(error.kind(), jit_core::Kind::Invalid);
    }

    #[test]
    fn every_command_says_what_it_does() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument);
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
