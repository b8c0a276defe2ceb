//! Completions and man pages, made from the declaration of the command line, for the package.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use jit_core::{Error, Result};
use serde_json::json;

use crate::cli::Cli;
use crate::output::Output;

/// Prints completions, always plain: a shell reads it.
///
/// # Errors
/// Unavailable when they can't be written.
pub fn completions(shell: Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ssh-ca", &mut text);
    Output::new(false).answer(&String::from_utf8_lossy(&text), || json!(null))
}

/// Writes a man page for each command.
///
/// # Errors
/// Refused when they can't be written.
pub fn man(directory: &Path) -> Result<()> {
    let failed = |e: std::io::Error| {
        Error::refused(format!("{} can't be written: {e}", directory.display()))
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), directory).map_err(failed)
}
