//! `ssh-ca`, the certificate authority's command. It reads the command line and hands it over; what
//! is decided or recorded goes through `jit_core::authority::Authority`.

mod cli;
mod commands;
mod daemon;
mod http;
mod output;
mod problem;
mod program;
mod serve;
mod signer;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let output = output::Output::new(cli.json);
    match commands::run(&cli, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}
