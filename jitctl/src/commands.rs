//! The commands, a file for each noun. Each asks the authority and prints what came of it.

mod approve;
mod audit;
mod backup;
mod breakglass;
mod change;
mod decide;
mod doctor;
mod explain;
mod grant;
mod hooks;
mod host;
mod inbox;
mod list;
mod mfa;
mod policy;
mod program;
mod request;
mod restore;
mod sessions;
mod setup;
mod status;
mod user;

use std::path::Path;

use jit_core::authority::Authority;
use jit_core::config::{Config, DEFAULT_PATH};
use jit_core::id::GrantId;
use jit_core::store::sqlite::Opener;
use jit_core::{Error, Kind, Result};

use crate::cli::{Cli, Command};
use crate::output::{Exit, Output, joined};

/// The name under which events go to syslog.
const PROCESS: &str = "jitctl";

/// What a command works with.
pub struct Desk {
    /// Decides and changes.
    pub authority: Authority,
    /// Prints.
    pub output: Output,
}

/// Runs the command.
///
/// # Errors
/// Whatever the command fails with.
pub fn run(cli: &Cli, output: Output) -> Result<Exit> {
    match &cli.command {
        Command::Completions { shell } => return program::completions(*shell),
        Command::Man { directory } => return program::man(directory, output),
        _ => {}
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::refused("jitctl has to be run by root").next("Put sudo before it."));
    }
    let path = std::path::absolute(&cli.config)
        .map_err(|e| Error::invalid(format!("--config names no file: {e}")))?;
    match &cli.command {
        Command::Setup(setup) => return setup::run(&path, setup, output),
        Command::Doctor => return doctor::run(&path, output),
        Command::Restore(restore) => return restore::run(&path, restore, output),
        // A policy can be checked while the store is out of reach.
        Command::Policy(command) => return policy::run(&path, command, output),
        _ => {}
    }
    let desk = Desk { authority: open(&path)?, output };
    if let Ok(Some(trouble)) = desk.authority.policy_trouble() {
        output.remark(&format!("warning: {trouble}"));
    }
    let done = with(&desk, &path, &cli.command);
    // Whoever typed it need not be whoever watches over what was edited by hand.
    if let Err(error) = &done
        && error.kind() == Kind::Tampered
    {
        desk.authority.syslog().trouble(&error.to_string());
    }
    done
}

/// Runs a command that takes an open store.
fn with(desk: &Desk, path: &Path, command: &Command) -> Result<Exit> {
    match command {
        Command::Status => status::run(desk),
        Command::User(command) => user::run(desk, command),
        Command::Mfa(command) => mfa::run(desk, command),
        Command::Host(command) => host::run(desk, command),
        Command::Request(request) => request::run(desk, request),
        Command::Extend(extend) => request::extend(desk, extend),
        Command::Edit(edit) => change::edit(desk, edit),
        Command::Inbox(inbox) => inbox::run(desk, inbox),
        Command::Approve(approve) => approve::run(desk, approve),
        Command::Withdraw(withdraw) => change::withdraw(desk, withdraw),
        Command::Deny(deny) => decide::deny(desk, deny),
        Command::Cancel(cancel) => decide::cancel(desk, cancel),
        Command::Grant(grant) => grant::run(desk, grant),
        Command::Shorten(shorten) => change::shorten(desk, shorten),
        Command::Revoke(revoke) => grant::revoke(desk, revoke),
        Command::List(filter) => list::run(desk, filter),
        Command::Show(show) => list::show(desk, show),
        Command::Explain(question) => explain::run(desk, question),
        Command::Sessions => sessions::run(desk),
        Command::BreakGlass(command) => breakglass::run(desk, command),
        Command::Audit(command) => audit::run(desk, command),
        Command::Hooks(command) => hooks::run(desk, path, command),
        Command::Clock(command) => audit::clock(desk, command),
        Command::Backup(backup) => backup::run(desk, path, backup),
        Command::Setup(_)
        | Command::Doctor
        | Command::Restore(_)
        | Command::Policy(_)
        | Command::Completions { .. }
        | Command::Man { .. } => unreachable!("handled above"),
    }
}

/// Opens the authority, whose store only `setup` makes: one that is gone must be noticed.
fn open(config: &Path) -> Result<Authority> {
    let config = Config::load(config)?;
    let store = config.database();
    if !store.exists() {
        return Err(Error::unavailable(format!("there is no store {}", store.display()))
            .next("On a new machine: jitctl setup. Else jitctl restore FILE, from your backup."));
    }
    Authority::open(config, PROCESS, Opener::Admin)
}

/// What tells a command of the configuration in another place than usual.
fn config_option(path: &Path) -> String {
    if path == Path::new(DEFAULT_PATH) {
        String::new()
    } else {
        format!(" --config {}", path.display())
    }
}

/// A line about the grants that a change of people or hosts ended; none where there were none.
fn no_longer_given(ended: &[GrantId]) -> String {
    if ended.is_empty() {
        return String::new();
    }
    format!("\nEnded, as the policy no longer gives them: {}", joined(ended, " "))
}
