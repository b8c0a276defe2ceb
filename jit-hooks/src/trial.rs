//! Trying hooks by hand, for `jitctl hooks`.

use jit_core::authority::Authority;
use jit_core::config::Config;
use jit_core::hook::{Channel, Hook, Hooks};
use jit_core::name::HookName;
use jit_core::store::sqlite::Opener;
use jit_core::{Error, Result, rootfile};
use nix::unistd::User;

use crate::event::Event;
use crate::service::PROCESS;
use crate::{channel, signature, webhook};

/// Tells one hook of a test that is on the log, and says what came back.
pub(crate) fn test(config: Config, name: &HookName) -> Result<()> {
    let hooks = Hooks::load(&config.hooks_file)?;
    let Some(hook) = hooks.named(name) else {
        return Err(Error::not_found(format!("there is no hook {name}")).next("jitctl hooks list"));
    };
    sound(hook)?;
    let authority = Authority::open(config, PROCESS, Opener::Admin)?;
    let record = authority.hook_test(name)?;
    let event = Event::of(&record, &authority.config().host);
    let now = authority.now()?;
    match channel::tell(hook, &event, now) {
        Ok(answer) => {
            println!("{name} was told event {}: {}", record.sequence, answer.status);
            if !answer.text.is_empty() {
                println!("  it said: {}", answer.text.escape_debug());
            }
            Ok(())
        }
        Err(trouble) => Err(Error::refused(format!(
            "{name} could not be told event {}: {}",
            record.sequence,
            trouble.escape_debug()
        ))
        .next("Events wait for it until it can: jitctl hooks list")),
    }
}

/// Looks at what each hook needs; the first thing that is wrong is an error.
pub(crate) fn check(config: &Config) -> Result<()> {
    let hooks = Hooks::load(&config.hooks_file)?;
    hooks.0.iter().try_for_each(|hook| sound(hook).map_err(|e| e.context(&hook.name)))
}

fn sound(hook: &Hook) -> Result<()> {
    match &hook.channel {
        Channel::Webhook { url, secret_file, ca_file } => {
            signature::secret(secret_file)?;
            if url.is_https() {
                webhook::trusted(ca_file).map_err(|what| {
                    Error::misconfigured(what).next("apt-get install ca-certificates")
                })?;
            }
            Ok(())
        }
        Channel::Command { run, user } => {
            if let Some(program) = run.first() {
                rootfile::check_file(program.as_ref())?;
            }
            match User::from_name(user.as_str()) {
                Ok(Some(_)) => Ok(()),
                _ => Err(Error::misconfigured(format!("there is no account {user}"))
                    .next(format!("useradd --system {user}"))),
            }
        }
    }
}
