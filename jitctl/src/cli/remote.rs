//! The commands of somebody's own machine.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use jit_core::name::Reason;
use jit_core::time::Span;

use super::Target;

/// `join`
#[derive(Debug, Args)]
#[command(after_help = "\
For a person: enrols their key and an authenticator app, shows a QR code, asks one code back, and
gives recovery codes. Nobody else ever sees the secret. For a host, run as root on it: enrols the
host. An admin makes the invitation: jitctl user invite PERSON, jitctl host invite HOST.

Examples:
  jitctl join 'jit://jit.example.com:8443/person/alice?code=…&pin=…&ca=…'
  sudo jitctl join 'jit://jit.example.com:8443/host/web-2?code=…&pin=…&ca=…'")]
pub struct Join {
    /// What the admin sent, in quotes
    #[arg(value_name = "INVITATION")]
    pub invitation: String,
    /// The key to enrol, an Ed25519 one; ~/.ssh/id_ed25519 or id_ed25519_sk unless given
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// `cert`
#[derive(Debug, Args)]
#[command(after_help = "\
Goes into the ssh agent with a key that is made for it; the agent forgets both when access ends.
With --out FILE it is for your own key, as it is for plain ssh (jitctl ssh-config): then a
hardware key is touched at each login.

Examples:
  jitctl cert web-1
  jitctl cert deploy@web-1 --out ~/.ssh/web-1-cert.pub")]
pub struct Cert {
    /// Which account where; one's own login unless named
    #[arg(value_name = "[LOGIN@]HOST", value_parser = Target::parse)]
    pub target: Target,
    /// Write the certificate into this file instead
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Ask nothing and say nothing: ends with 1 where there is no access
    #[arg(long)]
    pub quiet: bool,
}

/// `ssh`
#[derive(Debug, Args)]
#[command(after_help = "\
Uses the access there is, or asks for it: why and for how long are asked unless given, and it waits
for the approval. Then ssh takes over. What stands after -- goes to ssh as it is.

Examples:
  jitctl ssh web-1
  jitctl ssh deploy@web-1 --for 30m --reason 'INC-7 disk full' -- uptime")]
pub struct Ssh {
    /// Which account where; one's own login unless named
    #[arg(value_name = "[LOGIN@]HOST", value_parser = Target::parse)]
    pub target: Target,
    /// How long, if access has to be asked for
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true,
          value_parser = Span::parse)]
    pub duration: Option<Span>,
    /// What for, if access has to be asked for
    #[arg(long, value_name = "TEXT", value_parser = Reason::parse)]
    pub reason: Option<Reason>,
    /// With sudo, if access has to be asked for
    #[arg(long)]
    pub sudo: bool,
    /// Wait for the approval no longer than this
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = Span::parse)]
    pub wait: Span,
    /// Options for ssh, and a command to run there
    #[arg(last = true, value_name = "SSH-ARGUMENTS")]
    pub arguments: Vec<OsString>,
}

/// `ssh-config`
#[derive(Debug, Args)]
#[command(after_help = "\
With it plain ssh, scp, rsync, git and ansible get a certificate by themselves where there is access.
Prints what belongs into ~/.ssh/config and ~/.ssh/known_hosts; with --write puts it there, in place
of what it put there before.

Example:
  jitctl ssh-config --hosts 'web-* db-1' --write")]
pub struct SshConfig {
    /// For which hosts, as ssh's patterns
    #[arg(long, value_name = "PATTERNS")]
    pub hosts: String,
    /// Write it into the files
    #[arg(long)]
    pub write: bool,
}
