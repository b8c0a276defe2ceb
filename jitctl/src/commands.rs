//! The commands, a file for each noun. Each asks the authority and prints what came of it.

mod access;
mod approve;
mod audit;
mod backup;
mod breakglass;
mod cert;
mod change;
mod decide;
mod doctor;
mod explain;
mod fleet;
mod grant;
mod hooks;
mod host;
mod inbox;
mod invite;
mod join;
mod list;
mod login;
mod mfa;
mod policy;
mod program;
mod request;
mod restore;
mod sessions;
mod setup;
mod ssh;
mod sshconfig;
mod status;
mod user;

use std::path::Path;

use jit_core::authority::Authority;
use jit_core::config::{Config, DEFAULT_PATH};
use jit_core::id::GrantId;
use jit_core::store::sqlite::Opener;
use jit_core::{Error, Kind, Result};

use crate::cli::{Cli, Command};
use crate::line::{Here, Line, Way};
use crate::output::{Exit, Output, joined};
use crate::reach::{self, Reach};

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
pub fn run(cli: &Cli, reach: &Reach, output: Output) -> Result<Exit> {
    match &cli.command {
        Command::Completions { shell } => return program::completions(*shell),
        Command::Man { directory } => return program::man(directory, output),
        Command::Join(join) => return join::run(&cli.config, join, output),
        Command::Login => return login::login(reach, output),
        Command::Logout => return login::logout(reach, output),
        Command::Whoami => return login::whoami(reach, output),
        Command::Cert(cert) => return cert::run(reach, cert, output),
        Command::Ssh(ssh) => return ssh::run(reach, ssh, output),
        Command::SshConfig(config) => return sshconfig::run(reach, config, output),
        _ => {}
    }
    if let (Some(me), Some(acts)) = (reach.me(), cli.command.acts())
        && me != acts
    {
        return Err(Error::refused(format!("you are {me} there, not {acts}"))
            .next("Leave --as away: who acts is whoever logged in."));
    }
    match reach {
        Reach::Here => here(cli, output),
        Reach::Socket(socket, me) => anywhere(&cli.command, None, output, &|| {
            Ok(Line { way: Way::There(Box::new(reach::by_socket(socket, me))), output })
        })
        .unwrap_or_else(|| Err(for_root())),
        Reach::Joined(profile) => anywhere(&cli.command, None, output, &|| {
            Ok(Line { way: Way::There(Box::new(reach::joined(profile, output, false)?)), output })
        })
        .unwrap_or_else(|| Err(for_root())),
        Reach::Nowhere(error) => Err(error.clone()),
    }
}

fn for_root() -> Error {
    Error::refused("this is for root on the authority's machine").next("There: sudo jitctl …")
}

/// Runs a command on the authority's machine.
fn here(cli: &Cli, output: Output) -> Result<Exit> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::refused("jitctl has to be run by root").next("Put sudo before it."));
    }
    let path = std::path::absolute(&cli.config)
        .map_err(|e| Error::invalid(format!("--config names no file: {e}")))?;
    match &cli.command {
        Command::Setup(setup) => return setup::run(&path, setup, output),
        Command::Doctor => return doctor::run(&path, output),
        Command::Restore(restore) => return restore::run(&path, restore, output),
        _ => {}
    }
    let opened = || {
        let authority = open(&path)?;
        if let Ok(Some(trouble)) = authority.policy_trouble() {
            output.remark(&format!("warning: {trouble}"));
        }
        Ok(authority)
    };
    let line = || Ok(Line { way: Way::Here(Box::new(Here::new(opened()?))), output });
    if let Some(done) = anywhere(&cli.command, Some(&path), output, &line) {
        tell_tampering(&done, || open(&path));
        return done;
    }
    let desk = Desk { authority: opened()?, output };
    let done = with(&desk, &path, &cli.command);
    tell_tampering(&done, || Ok(desk.authority));
    done
}

/// Whoever typed it need not be whoever watches over what was edited by hand.
fn tell_tampering(done: &Result<Exit>, authority: impl FnOnce() -> Result<Authority>) {
    if let Err(error) = done
        && error.kind() == Kind::Tampered
        && let Ok(authority) = authority()
    {
        authority.syslog().trouble(&error.to_string());
    }
}

/// Runs a command that takes an open store.
fn with(desk: &Desk, path: &Path, command: &Command) -> Result<Exit> {
    match command {
        Command::Hooks(command) => hooks::run(desk, path, command),
        Command::Clock(command) => audit::clock(desk, command),
        Command::Backup(backup) => backup::run(desk, path, backup),
        _ => Err(for_root()),
    }
}

/// What a command does on a line.
type Run<'a> = Box<dyn FnOnce(&Line) -> Result<Exit> + 'a>;

/// Runs a command that works on every line to an authority; nothing where it is none of those.
/// `config` is that of this machine, where its own authority is meant.
fn anywhere(
    command: &Command,
    config: Option<&Path>,
    output: Output,
    open: &dyn Fn() -> Result<Line>,
) -> Option<Result<Exit>> {
    let run: Run<'_> = match command {
        Command::Policy(command) => return Some(policy::run(open, config, command, output)),
        Command::Status => Box::new(status::run),
        Command::User(command) => Box::new(|line| user::run(line, command)),
        Command::Mfa(command) => Box::new(|line| mfa::run(line, command)),
        Command::Host(command) => Box::new(|line| host::run(line, command)),
        Command::Sessions => Box::new(sessions::run),
        Command::BreakGlass(command) => Box::new(|line| breakglass::run(line, command)),
        Command::Audit(command) => Box::new(|line| audit::run(line, command)),
        Command::Request(request) => Box::new(|line| request::run(line, request)),
        Command::Extend(extend) => Box::new(|line| request::extend(line, extend)),
        Command::Edit(edit) => Box::new(|line| change::edit(line, edit)),
        Command::Inbox(inbox) => Box::new(|line| inbox::run(line, inbox)),
        Command::Approve(approve) => Box::new(|line| approve::run(line, approve)),
        Command::Withdraw(withdraw) => Box::new(|line| change::withdraw(line, withdraw)),
        Command::Deny(deny) => Box::new(|line| decide::deny(line, deny)),
        Command::Cancel(cancel) => Box::new(|line| decide::cancel(line, cancel)),
        Command::Grant(grant) => Box::new(|line| grant::run(line, grant)),
        Command::Shorten(shorten) => Box::new(|line| change::shorten(line, shorten)),
        Command::Revoke(revoke) => Box::new(|line| grant::revoke(line, revoke)),
        Command::List(filter) => Box::new(|line| list::run(line, filter)),
        Command::Show(show) => Box::new(|line| list::show(line, show)),
        Command::Explain(question) => Box::new(|line| explain::run(line, question)),
        _ => return None,
    };
    Some(open().and_then(|line| run(&line)))
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
