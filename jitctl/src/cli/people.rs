//! `user`, `mfa`, `host`: who and what there is.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jit_core::name::{GroupName, HostName, Label, PersonName};

/// `user`
#[derive(Debug, Subcommand)]
pub enum User {
    /// Add a person
    #[command(after_help = "\
Examples:
  jitctl user add alice --group dev --group oncall --key alice.pub
  jitctl mfa enroll alice")]
    Add {
        /// A letter and up to 31 more of a-z 0-9 . _ -
        name: PersonName,
        /// A group that the policy speaks of; may be repeated
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<GroupName>,
        /// A public key file of theirs; may be repeated
        #[arg(long = "key", value_name = "FILE")]
        keys: Vec<PathBuf>,
    },
    /// List people
    List,
    /// Show a person with keys, second factor and grants
    Show {
        /// Who
        name: PersonName,
    },
    /// Invite a person to join from their own machine, with a key and an app of theirs
    #[command(after_help = "\
Prints a line to send to them; it is good once, for a day.

Example:
  jitctl user invite alice")]
    Invite {
        /// Who
        name: PersonName,
    },
    /// Suspend a person: no login, request or approval counts until they are resumed
    Suspend {
        /// Who
        name: PersonName,
    },
    /// Let a suspended person act again
    Resume {
        /// Who
        name: PersonName,
    },
    /// Remove a person with keys and factors; the log stays
    Remove {
        /// Who
        name: PersonName,
    },
    /// Add, remove or list a person's SSH public keys
    #[command(after_help = "\
Examples:
  jitctl user key alice --add alice-new.pub
  jitctl user key alice --remove SHA256:pcmf4zkBmM…
  jitctl user key alice --list")]
    Key {
        /// Whose
        name: PersonName,
        /// What to do; lists them unless told otherwise
        #[command(flatten)]
        change: KeyChange,
    },
    /// Put a person into groups, or take them out
    #[command(after_help = "Example:\n  jitctl user group alice --add oncall --remove dev")]
    Group {
        /// Who
        name: PersonName,
        /// A group to put them into; may be repeated
        #[arg(long, value_name = "GROUP", required_unless_present = "remove")]
        add: Vec<GroupName>,
        /// A group to take them out of; may be repeated
        #[arg(long, value_name = "GROUP")]
        remove: Vec<GroupName>,
    },
}

/// What to do with keys.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct KeyChange {
    /// Add the public key in this file
    #[arg(long, value_name = "FILE")]
    pub add: Option<PathBuf>,
    /// Remove the key with this fingerprint
    #[arg(long, value_name = "FINGERPRINT")]
    pub remove: Option<String>,
    /// List the keys
    #[arg(long)]
    pub list: bool,
}

/// `mfa`
#[derive(Debug, Subcommand)]
pub enum Mfa {
    /// Enroll an authenticator app; shows a QR code, asks one code back, gives recovery codes
    #[command(after_help = "\
The secret counts once a code of it was given back; one in use stays in use until then.
Without a terminal the code is read from standard input, one line. With --json two lines are
printed: {\"otpauth_uri\":…} before the code is read, {\"recovery_codes\":[…]} after it.

Example:
  jitctl mfa enroll alice")]
    Enroll {
        /// Whose
        name: PersonName,
    },
    /// Take a person's second factor away, lockout included
    Reset {
        /// Whose
        name: PersonName,
    },
    /// Make new recovery codes; the old ones are void
    Codes {
        /// Whose
        name: PersonName,
    },
}

/// `host`
#[derive(Debug, Subcommand)]
pub enum Host {
    /// Add a host, or replace the labels of one
    #[command(after_help = "Example:\n  jitctl host add web-1 --label env=prod --label tier=web")]
    Add {
        /// What it is called
        name: HostName,
        /// A label that the policy and grants can name; may be repeated
        #[arg(long = "label", value_name = "KEY=VALUE")]
        labels: Vec<Label>,
    },
    /// List hosts
    List,
    /// Show a host
    Show {
        /// Which
        name: HostName,
    },
    /// Invite a host to join
    #[command(after_help = "\
Prints the command to run on it as root; it is good once, for a day.

Example:
  jitctl host invite web-2")]
    Invite {
        /// Which
        name: HostName,
    },
    /// Remove a host: its grants cover nothing any more
    Remove {
        /// Which
        name: HostName,
    },
}
