//! `jitd`, the session keeper: ends each recorded session of this host when its cover ends, all of
//! it. Runs in the foreground until it is told to stop; what it needs to know is in the store, so
//! a new one takes up where the last one was.

mod end;
mod keeper;
mod leftovers;
mod lockwatch;
mod signal;
mod tell;
#[cfg(test)]
mod testing;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use jit_core::authority::Authority;
use jit_core::clock::SystemClock;
use jit_core::config::Config;
use jit_core::store::sqlite::Opener;
use jit_core::{Result, lockfile, rootfile};

/// Keeps the sessions of this host to their windows.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = jit_core::config::DEFAULT_PATH)]
    config: PathBuf,
    /// Which boot this is, as systemd says it (%b); what the kernel says unless given.
    #[arg(long, value_name = "ID")]
    boot_id: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("jitd: {}", error.what());
            if let Some(next) = error.what_next() {
                eprintln!("      {next}");
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn run(arguments: &Arguments) -> Result<std::convert::Infallible> {
    let config = Config::load(&arguments.config)?;
    rootfile::create_private_dir(&config.run_dir)?;
    let database = config.database();
    let clock = match &arguments.boot_id {
        Some(boot_id) => SystemClock::of_boot(boot_id),
        None => SystemClock::default(),
    };
    let authority = Authority::open_by(Arc::new(clock), config, "jitd", Opener::Admin)?;
    // Held until the process is gone, by which logins know that a keeper runs.
    let _lock = lockfile::hold(&authority.config().keeper_lock(), "jitd", "jitd")?;
    eprintln!("jitd: keeps the sessions of {}", authority.config().host);
    let syslog = authority.syslog().clone();
    std::thread::spawn(move || lockwatch::watch(&database, &syslog));
    keeper::Keeper::new(&authority).keep()
}
