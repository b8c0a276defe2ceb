//! `jitctl completions` and `jitctl man`, made from the declaration of the command line.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use jit_core::{Error, Result};
use serde_json::json;

use crate::cli::Cli;
use crate::output::{Exit, Output};

/// Prints completions.
pub fn completions(shell: Shell) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "jitctl", &mut text);
    // Always plain: a shell reads it, --json or not.
    Output::new(false).answer(String::from_utf8_lossy(&text), || json!(null))?;
    Ok(Exit::Done)
}

/// Writes a man page for each command.
pub fn man(directory: &Path, output: Output) -> Result<Exit> {
    let failed = |e: std::io::Error| {
        Error::refused(format!("{} can't be written: {e}", directory.display()))
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), directory).map_err(failed)?;
    output.answer(
        format!("Man pages are in {}.", directory.display()),
        || json!({ "directory": directory }),
    )?;
    Ok(Exit::Done)
}
