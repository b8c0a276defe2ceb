//! The service: a thread for each hook, and one that looks whether the file of hooks was changed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use jit_core::authority::Authority;
use jit_core::config::Config;
use jit_core::hook::Hooks;
use jit_core::store::sqlite::Opener;
use jit_core::{Result, lockfile, rootfile};

use crate::worker::Worker;

/// The name under which events go to syslog.
pub(crate) const PROCESS: &str = "jit-hooks";
/// How often the file of hooks is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Serves until it is ended.
pub(crate) fn run(config: Config) -> Result<()> {
    rootfile::create_private_dir(&config.run_dir)?;
    // Two would tell everything twice.
    let _lock = lockfile::hold(&config.hooks_lock(), "jit-hooks", "jit-hooks")?;
    let mut hooks = Hooks::load(&config.hooks_file)?;
    loop {
        hooks = serve(&config, &hooks)?;
    }
}

/// Serves these hooks until the file has others; those.
fn serve(config: &Config, hooks: &Hooks) -> Result<Hooks> {
    let open = || Authority::open(config.clone(), PROCESS, Opener::Admin);
    let authority = open()?;
    authority.take_up_hooks(&hooks.0)?;
    eprintln!("jit-hooks: serves {} hooks of {}", hooks.0.len(), config.host);
    let stop = AtomicBool::new(false);
    // A connection each: one that waits for the network holds nobody else up.
    let worker = |hook| Ok(Worker { authority: open()?, hook, stop: &stop });
    let workers: Vec<Worker<'_>> = hooks.0.iter().map(worker).collect::<Result<_>>()?;
    Ok(thread::scope(|scope| {
        for worker in workers {
            scope.spawn(move || worker.run());
        }
        let others = changed(config, hooks, &authority);
        stop.store(true, Ordering::Relaxed);
        others
    }))
}

/// Waits until the file says something else that is sound.
fn changed(config: &Config, hooks: &Hooks, authority: &Authority) -> Hooks {
    let mut trouble = String::new();
    loop {
        thread::sleep(LOOK);
        match Hooks::load(&config.hooks_file) {
            Ok(others) if others != *hooks => return others,
            Ok(_) => trouble.clear(),
            Err(error) => {
                let text = format!("the hooks stay as they were: {error}");
                if text != trouble {
                    eprintln!("jit-hooks: {text}");
                    authority.syslog().trouble(&text);
                    trouble = text;
                }
            }
        }
    }
}
