//! The repository's own commands: `cargo xtask demo`, `cargo xtask test`, `cargo xtask bench`, …

// Harness code measures real programs in real time; the product's rule that only its clock module
// reads the clock holds for the product.
#![allow(clippy::disallowed_methods)]

mod bench;
mod bench_hosts;
mod deb;
mod demo;
mod fuzz;
mod host;
mod story;
mod test;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Commands for whoever works on this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays the whole story on a throw-away instance, with real ssh, sshd and sudo.
    Demo {
        /// Leave the instance running and say what to type.
        #[arg(long)]
        keep: bool,
        /// End the instance that was left running and remove all of it.
        #[arg(long, conflicts_with = "keep")]
        stop: bool,
    },
    /// Format, lints, unit and end-to-end tests: what must pass before a change is taken.
    Test {
        /// Also what takes minutes: licences and advisories, the races a hundred times.
        #[arg(long)]
        long: bool,
    },
    /// Boots a test host with the product on it, to look around in.
    Host {
        /// Which Debian: bookworm or trixie.
        #[arg(long, default_value = "trixie", value_parser = release)]
        release: tests::Release,
    },
    /// Measures the module beside others, signing beside the bare signature, and real machines.
    Bench {
        /// Only what is measured on test hosts.
        #[arg(long, conflicts_with = "serve")]
        hosts: bool,
        /// Only the authority over the network.
        #[arg(long)]
        serve: bool,
    },
    /// Builds the Debian packages and has lintian look at them.
    Deb {
        /// Where to put them; target/debian unless given.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Runs each fuzz target for a while.
    Fuzz {
        /// How long each.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Collects a private syslog for an instance that is left running.
    #[command(hide = true)]
    CollectLog {
        /// Datagram socket to listen on.
        socket: PathBuf,
        /// File to write to.
        file: PathBuf,
    },
}

fn release(name: &str) -> Result<tests::Release, String> {
    let known = tests::Release::ALL.into_iter().find(|release| release.name() == name);
    known.ok_or_else(|| "test hosts are bookworm or trixie".to_owned())
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Demo { stop: true, .. } => demo::stop(),
        Command::Demo { keep, .. } => demo::play(keep),
        Command::Test { long } => test::run(long),
        Command::Host { release } => host::run(release),
        Command::Bench { hosts: true, .. } => bench_hosts::run(),
        Command::Bench { serve: true, .. } => bench::serving(),
        Command::Bench { .. } => bench::run().and_then(|()| bench_hosts::run()),
        Command::Deb { out } => deb::run(out),
        Command::Fuzz { seconds } => fuzz::run_all(seconds),
        Command::CollectLog { socket, file } => tests::syslog::collect(&socket, &file),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ncargo xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
