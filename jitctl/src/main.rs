//! `jitctl`, the command that administrators type. It reads the command line and hands it over;
//! what is decided or changed goes through `jit_core::authority::Authority`.

mod archive;
mod cli;
mod commands;
mod grants;
mod hooksecrets;
mod output;
mod place;
mod prompt;
mod scratch;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let output = output::Output::new(cli.json);
    match commands::run(&cli, output) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}
