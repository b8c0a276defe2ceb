//! The service: one thread that keeps in step, one that tells the log, and those that answer.

use std::thread;
use std::time::Duration;

use jit_core::authority::Authority;
use jit_core::config::Config;
use jit_core::store::sqlite::Opener;
use jit_core::{Result, lockfile, rootfile};

use crate::https::Https;
use crate::{Door, Reach, Sshd, Step, Teller};

/// The name under which its lines go to syslog.
pub(crate) const PROCESS: &str = "jit-link";

/// Serves until it is ended.
///
/// # Errors
/// Misconfigured where this host is its own authority; unavailable when another one runs.
pub fn run(config: Config) -> Result<()> {
    let office = Https::of(&config)?;
    rootfile::create_private_dir(&config.run_dir)?;
    // Two would take each other's socket away.
    let _lock = lockfile::hold(&config.link_lock(), "jit-link", "jit-link")?;
    let open = || Authority::open(config.clone(), PROCESS, Opener::Admin);
    let listener = Door::listen(&config.link_socket())?;
    let reach = Reach::default();
    let mut step = Step::new(open()?, &office, &reach);
    let teller = Teller { here: open()?, office: &office };
    let door = Door::new(&open, &office, &reach);
    eprintln!("jit-link: {} is in the fleet of {}", config.host, office.place());
    thread::scope(|scope| {
        scope.spawn(move || step.run());
        scope.spawn(move || teller.run());
        door.serve(&listener);
    });
    Ok(())
}

/// Takes in what the authority says now, and ends.
///
/// # Errors
/// Unavailable when it is out of reach.
pub fn once(config: Config) -> Result<()> {
    let office = Https::of(&config)?;
    let here = Authority::open(config, PROCESS, Opener::Admin)?;
    let reach = Reach::default();
    let mut step = Step::new(here, &office, &reach);
    step.once(Duration::ZERO)?;
    let sshd = Sshd::of(&step.here, &office);
    sshd.trust()?;
    // Logins go without it.
    if let Err(error) = sshd.certify() {
        eprintln!("jit-link: sshd's key has no new certificate: {error}");
    }
    Ok(())
}
