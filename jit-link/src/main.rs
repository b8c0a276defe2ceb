//! `jit-link` keeps a host in step with its authority: people's keys, grants and what was taken away
//! come from there, the host's log goes there, and what PAM asks is passed on. A program of its own,
//! as neither what lets people in nor what ends their processes has any business on the network. Runs
//! in the foreground until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jit_core::config::{Config, DEFAULT_PATH};

/// Keeps this host in step with its authority.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Ask the authority once, now, take in what it says, and end.
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = Config::load(&arguments.config).and_then(|config| match arguments.once {
        true => jit_link::once(config),
        false => jit_link::run(config),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jit-link: {}", error.what());
            if let Some(next) = error.what_next() {
                eprintln!("  {next}");
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}
