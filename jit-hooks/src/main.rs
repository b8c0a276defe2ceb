//! `jit-hooks` tells webhooks and local commands what happens, from the audit log. A program of its
//! own, as neither what lets people in nor what ends their processes has any business on the network.
//! Runs in the foreground until it is told to stop; how far it is stands in the store.

mod channel;
mod command;
mod event;
mod service;
mod signature;
mod trial;
mod webhook;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jit_core::config::{Config, DEFAULT_PATH};
use jit_core::name::HookName;

/// Tells webhooks and local commands what happens.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Tell this hook alone of a test, now, and say what came back.
    #[arg(long, value_name = "HOOK")]
    test: Option<HookName>,
    /// Look at the files that the hooks name, and say what is wrong.
    #[arg(long, conflicts_with = "test")]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = Config::load(&arguments.config).and_then(|config| match &arguments.test {
        Some(name) => trial::test(config, name),
        None if arguments.check => trial::check(&config),
        None => service::run(config),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jit-hooks: {}", error.what());
            if let Some(next) = error.what_next() {
                eprintln!("  {next}");
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}
