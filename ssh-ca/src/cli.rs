//! The command line, declared once.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use jit_core::config::DEFAULT_PATH;
use jit_core::id::GrantId;

use crate::serve::setup::Address;

/// The SSH certificate authority: a certificate is valid for exactly the window of its grant.
#[derive(Debug, Parser)]
#[command(
    name = "ssh-ca",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes:
  0  done
  1  refused or failed
  2  usage: unknown options, malformed ids and keys
  4  not found
  5  the store is out of reach or damaged

A new authority:
  ssh-ca init
  ssh-ca public-key > /etc/ssh/jit_user_ca.pub"
)]
pub struct Cli {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
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
    /// Make the user CA and the host CA, their private keys sealed with the master key
    #[command(after_help = "\
Makes what is missing and replaces nothing: a second run says what is there.

With --serve it also has this machine serve the authority over HTTPS: [serve] in the
configuration, a TLS certificate, and the services. Clients pin the certificate's key.

Examples:
  ssh-ca init
  ssh-ca init --serve jit.example.com")]
    Init {
        /// Serve the network, under the name by which clients reach this machine
        #[arg(long, value_name = "NAME[:PORT]", value_parser = address)]
        serve: Option<Address>,
    },
    /// Print the public key that hosts or ssh clients are to trust
    #[command(after_help = "\
Prints one line for each key of the CA, the one that signs first.

Examples:
  ssh-ca public-key > /etc/ssh/jit_user_ca.pub      # sshd_config: TrustedUserCAKeys
  ssh-ca public-key --host
  ssh-ca public-key --known-hosts='*.example.org' >> /etc/ssh/ssh_known_hosts")]
    PublicKey(PublicKey),
    /// Have a new key sign people's certificates from now on
    #[command(after_help = "\
The key that signed so far stays trusted, so that what it signed lasts to its end; the next
rotation drops it. Hosts of a fleet follow within seconds, by jit-link.

With --at-once, for a key that somebody else may have: what it signed is worth nothing
from now on, and people fetch new certificates.

Examples:
  ssh-ca rotate
  ssh-ca rotate --at-once")]
    Rotate {
        /// Trust the keys no longer that signed so far
        #[arg(long)]
        at_once: bool,
    },
    /// Sign a certificate for a grant
    #[command(after_help = "\
The certificate says what the grant says: who, where, from when to when, and what sshd
permits. It is on record before it is written. ssh finds it beside the private key by
itself.

Examples:
  ssh-ca sign --grant k7q2-m9xd --key /home/alice/.ssh/id_ed25519.pub
  ssh-ca sign --grant k7q2-m9xd --key alice.pub --out -")]
    Sign(Sign),
    /// Show what a certificate says and what it means: grant, person, time left
    #[command(after_help = "\
Ends with 0 when the certificate could be explained, whether or not it is good.

Examples:
  ssh-ca inspect /home/alice/.ssh/id_ed25519-cert.pub
  ssh-ca inspect --json alice-cert.pub")]
    Inspect {
        /// The certificate
        file: PathBuf,
    },
    /// Serve the authority over HTTPS; systemd runs this, as ssh-ca-serve.service
    #[command(after_help = "\
The front: TLS, and limits to what anybody may have of the server. It holds no secret but
its TLS key, and passes on what is asked to ssh-ca signer. The certificate is taken up
anew when its files change, and on SIGHUP. Logs go to standard error, as JSON.

First: ssh-ca init --serve NAME")]
    Serve,
    /// Answer, decide and sign, for ssh-ca serve and local people; systemd runs this, as
    /// jit-signer.service
    #[command(after_help = "\
The one process that holds the store and the CA's private key. It has no network: it
listens on the sockets api.sock and front.sock in /run/jit-signer, and checks every proof
itself, whoever passed it on. Logs go to standard error, as JSON.

First: ssh-ca init --serve NAME")]
    Signer,
    /// Print completions for a shell
    #[command(hide = true)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    #[command(hide = true)]
    Man {
        /// Where
        directory: PathBuf,
    },
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.to_string())
}

/// Which key, in which form.
#[derive(Debug, Args)]
pub struct PublicKey {
    /// The host CA's instead of the user CA's
    #[arg(long)]
    pub host: bool,
    /// The host CA's as known_hosts takes it, for hosts of these names
    #[arg(
        long, value_name = "HOSTS", num_args = 0..=1, require_equals = true,
        default_missing_value = "*"
    )]
    pub known_hosts: Option<String>,
}

/// What to sign, and where to put it.
#[derive(Debug, Args)]
pub struct Sign {
    /// The grant's id
    #[arg(long, value_name = "ID")]
    pub grant: GrantId,
    /// The public key to certify
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Where the certificate goes, - for standard output; beside the key unless given
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
