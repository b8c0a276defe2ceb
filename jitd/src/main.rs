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

use clap::Parser;
use jit_core::authority::Authority;
use jit_core::config::Config;
use jit_core::store::sqlite::Opener;
use jit_core::{Error, Result, rootfile};
use nix::fcntl::{Flock, FlockArg};

/// Keeps the sessions of this host to their windows.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = jit_core::config::DEFAULT_PATH)]
    config: PathBuf,
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
    let authority = Authority::open(config, "jitd", Opener::Admin)?;
    // Held until the process is gone, by which logins know that a keeper runs.
    let _lock = lock(&authority)?;
    eprintln!("jitd: keeps the sessions of {}", authority.config().host);
    let syslog = authority.syslog().clone();
    std::thread::spawn(move || lockwatch::watch(&database, &syslog));
    keeper::Keeper::new(&authority).keep()
}

fn lock(authority: &Authority) -> Result<Flock<std::fs::File>> {
    let path = authority.config().keeper_lock();
    let file =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(
            |e| Error::misconfigured(format!("{} can't be opened: {e}", path.display())),
        )?;
    // A login that looks whether a keeper runs holds the lock for a moment itself.
    let mut file = file;
    for _ in 0..10 {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((unlocked, _)) => file = unlocked,
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Err(Error::unavailable(format!("{} is locked: another jitd runs", path.display()))
        .next("One is enough. systemctl status jitd"))
}
