//! `jitctl`, the command that administrators type. It reads the command line and hands it over;
//! what is decided or changed goes through `jit_core::authority::Authority`.

mod archive;
mod cli;
mod commands;
mod grants;
mod hooksecrets;
mod line;
mod output;
mod place;
mod prompt;
mod reach;
mod scratch;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let reach = match reach::Reach::of(&reach::Early::of(&arguments)) {
        Ok(reach) => reach,
        // Told once the command line is known to be right, and a command needs it.
        Err(error) => reach::Reach::Nowhere(error),
    };
    let cli = match cli::parse(&arguments, reach.me()) {
        Ok(cli) => cli,
        Err(error) => return cli::exit(&error, output::Output::new(json)),
    };
    let output = output::Output::new(cli.json);
    match commands::run(&cli, &reach, output) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}
