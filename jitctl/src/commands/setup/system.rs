//! Running the machine's own programs: with full paths where it matters, a plain environment, and
//! what they said in the error.

use std::process::{Command, Output, Stdio};

use jit_core::{Error, Result};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `program` with nothing of the caller's environment.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Runs it to its end; how it ended is the caller's to judge.
///
/// # Errors
/// Unavailable when it can't be started.
pub fn output(command: &mut Command) -> Result<Output> {
    command.output().map_err(|e| {
        Error::unavailable(format!("{} can't be run: {e}", command.get_program().to_string_lossy()))
    })
}

/// Runs a program that must succeed; its standard output.
///
/// # Errors
/// Refused, with what it said.
pub fn must(program: &str, arguments: &[&str]) -> Result<String> {
    let output = output(command(program).args(arguments))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = said.collect::<Vec<_>>().join("; ");
    Err(Error::refused(format!("`{program} {}` failed: {said}", arguments.join(" "))))
}

/// Whether a program succeeds.
pub fn succeeds(program: &str, arguments: &[&str]) -> bool {
    output(command(program).args(arguments)).is_ok_and(|output| output.status.success())
}
