//! `jitctl setup`: from an installed package to a machine where ssh and sudo take a code and a
//! grant. It makes the instance, enrols a first person, checks, shows what it changes, asks, and
//! changes it so that it goes back by itself unless somebody who came in that way confirms it.

mod checks;
mod copies;
pub(super) mod files;
pub(super) mod instance;
mod lock;
mod marks;
mod pam;
mod person;
mod plan;
mod rollback;
mod sshd;
pub(super) mod system;
mod trial;

use std::path::Path;

use jit_core::config::{Config, DEFAULT_PATH};
use jit_core::store::CaKind;
use jit_core::time::spoken;
use jit_core::{Error, Result, rootfile};
use serde_json::json;

use super::{Desk, open};
use crate::cli::Setup;
use crate::output::{Exit, Output};
use crate::prompt;
use checks::Checks;
pub(super) use checks::program;
use plan::Change;
pub use rollback::{UNIT, Waiting, waiting};

/// The user CA's public keys, where the drop-in looks for them; in a fleet they are elsewhere.
const CA_FILE: &str = "/etc/jit/user_ca.pub";

/// Runs `jitctl setup`.
pub fn run(path: &Path, setup: &Setup, output: Output) -> Result<Exit> {
    let usual = path == Path::new(DEFAULT_PATH);
    let deed = setup.confirm || setup.undo || setup.rollback || setup.dry_run;
    if !usual && (deed || setup.person.is_some()) {
        return Err(Error::invalid(format!("sshd and PAM are set up with {DEFAULT_PATH} alone"))
            .next("Leave out --config, or everything but --host."));
    }
    if setup.confirm {
        return confirm(path, output);
    }
    if setup.undo {
        return undo(path, output);
    }
    if setup.rollback {
        let done = rollback::roll_back(path)?;
        let text = match done {
            true => "The setup was not confirmed: sshd and PAM are as before.",
            false => "No setup waits for its confirmation.",
        };
        output.answer(text, || json!({ "rolled_back": done }))?;
        return Ok(Exit::Done);
    }
    // What systemd itself goes by (sd_booted).
    if setup.instance_only || !usual || !Path::new("/run/systemd/system").is_dir() {
        return instance::run(path, setup.host.as_ref(), output);
    }
    whole(path, setup, output)
}

fn whole(path: &Path, setup: &Setup, output: Output) -> Result<Exit> {
    if output.is_json() && !setup.yes && !setup.dry_run {
        return Err(Error::invalid("a program can't be asked").next("Add --yes."));
    }
    let mut checks = Checks::new(output);
    let authorized = checks.machine()?;
    // Where nothing can come of it nothing is begun.
    checks.passed()?;
    let desk = match setup.dry_run {
        true if !path.exists() => {
            output.say(
                "Not there yet: /etc/jit, /var/lib/jit and a first person. A run makes them.",
            )?;
            None
        }
        true => Some(Desk { authority: open(path)?, output }),
        false => {
            let (authority, made) = instance::make(path, setup.host.as_ref())?;
            made.iter().try_for_each(|what| output.say(format!("made  {what}")))?;
            let desk = Desk { authority, output };
            certificates(&desk)?;
            // In a fleet, people are the authority's.
            if desk.authority.config().authority.is_none() {
                person::first(&desk, setup)?;
            }
            output.say("\n")?;
            Some(desk)
        }
    };
    let entrant = match &desk {
        Some(desk) => {
            checks.instance(&desk.authority, !setup.dry_run)?;
            checks.people(&desk.authority)?
        }
        None => None,
    };

    let config = desk.as_ref().map(|desk| desk.authority.config());
    let drop_in = sshd::drop_in(&authorized, &sshds_files(config));
    let changes = plan::apply(drop_in.clone())?;
    if changes.is_empty() {
        return nothing_to_do(&checks, output);
    }
    let main = files::read(sshd::MAIN.as_ref())?.unwrap_or_default();
    let service = checks::trial_service();
    let pam = files::read(service.path().as_ref())?.unwrap_or_default();
    let pam = service.edit(&pam)?;
    let login = entrant.as_ref().map(|(_, login)| login);
    // The trial writes a file below /etc/pam.d: not in a dry run.
    let pam = login.filter(|_| !setup.dry_run).map(|_| pam.as_str());
    let authority = desk.as_ref().map(|desk| &desk.authority);
    checks.candidate(&sshd::with_include(&main), &drop_in, login, pam, authority, &changes)?;
    show(&changes, output)?;
    let paths: Vec<_> = changes.iter().map(|change| &change.path).collect();
    if setup.dry_run {
        output.answer("Nothing was changed.", || json!({ "would_change": paths }))?;
        return checks.passed().map(|()| Exit::Done);
    }
    checks.passed()?;
    let (Some(desk), Some((person, login))) = (desk, entrant) else {
        return Err(Error::refused("nobody could log in"));
    };
    if !setup.yes && !prompt::agrees("Apply?", false)? {
        return Err(Error::refused("not applied").next("sshd and PAM were not changed."));
    }
    rollback::apply(&desk.authority, &changes, setup.within)?;
    let host = &desk.authority.config().host;
    let whose =
        if person.as_str() == login.as_str() { String::new() } else { format!("{person}'s ") };
    let text = format!(
        "Applied. It goes back by itself in {time}, also after a reboot, unless it is confirmed.

Keep this session. From a new terminal, on your own machine:
  ssh {login}@{host}           with {whose}key and code
and there:
  sudo jitctl setup --confirm     with the next code

If you can't get in: wait, or here: jitctl setup --undo
If all fails: the console asks for a password as ever (/etc/pam.d/login was not touched);
there, as root: jitctl setup --undo",
        time = spoken(setup.within.secs()),
    );
    output.answer(text, || json!({ "changed": paths, "confirm_within": setup.within.secs() }))?;
    Ok(Exit::Done)
}

fn nothing_to_do(checks: &Checks, output: Output) -> Result<Exit> {
    checks.passed()?;
    let left = rollback::waiting()?.map(|waiting| waiting.left);
    let text = match left {
        Some(left) => format!(
            "Nothing had to be changed. It goes back in {}, unless it is confirmed:\n\
             from a new login, sudo jitctl setup --confirm",
            spoken(left)
        ),
        None => "Nothing had to be changed: this machine is set up.".to_owned(),
    };
    output.answer(text, || json!({ "changed": [], "confirm_within": left }))?;
    Ok(Exit::Done)
}

/// The diffs, and what they mean.
fn show(changes: &[Change], output: Output) -> Result<()> {
    output.say("\n")?;
    changes.iter().try_for_each(|change| output.say(change.diff()))?;
    output.say(
        "
What this means:
- ssh takes an enrolled person's key, then a code, then a grant that is in force or asked for at the
  prompt. Passwords and the keys in home directories no longer log in, root's neither.
- sudo asks for a code instead of a password, each time for a grant; in sessions that are open now,
  too. A shell that is root's stays so, and open sessions go on.
- Unchanged: the console, su, cron, who is in sudoers.
- An emergency account that needs no grant: exempt_logins in /etc/jit/jit.toml; none by default.
",
    )
}

/// The CA's keys, which the program `ssh-ca` alone may make, and the file that sshd trusts.
fn certificates(desk: &Desk) -> Result<()> {
    let Desk { authority, output } = desk;
    if authority.config().authority.is_some() {
        if authority.ca_keys(CaKind::User)?.is_empty() {
            output.say("note  the authority has no CA: logins by key only, no certificates")?;
        }
        return Ok(());
    }
    let Some(program) = checks::program("ssh-ca") else {
        return output.say("note  ssh-ca is not installed: logins by key only, no certificates");
    };
    let program = program.display().to_string();
    if authority.ca_keys(CaKind::User)?.is_empty() {
        system::must(&program, &["init"])?;
        output.say("made  the keys of the certificate authority")?;
    }
    if !Path::new(CA_FILE).exists() {
        let keys = system::must(&program, &["public-key"])?;
        rootfile::create_public(CA_FILE.as_ref(), keys.as_bytes())?;
        output.say(format!("made  {CA_FILE}"))?;
    }
    Ok(())
}

/// What sshd shall go by. In a fleet `jit-link` keeps it, where it may write.
fn sshds_files(config: Option<&Config>) -> sshd::Files {
    let linked = config.filter(|config| config.authority.is_some());
    let ca = linked.map_or_else(|| CA_FILE.into(), Config::trusted_ca_file);
    sshd::Files {
        user_ca: Some(ca).filter(|file| file.exists()),
        certificate: linked.map(Config::host_certificate_file),
    }
}

fn confirm(path: &Path, output: Output) -> Result<Exit> {
    rollback::confirm(&open(path)?)?;
    output.answer(
        "Confirmed: it stays. To take it back at any time: jitctl setup --undo\nNext: jitctl doctor",
        || json!({ "confirmed": true }),
    )?;
    Ok(Exit::Done)
}

fn undo(path: &Path, output: Output) -> Result<Exit> {
    let paths = rollback::undo(path)?;
    let left = plan::left_over()?;
    if !left.is_empty() {
        return Err(Error::refused(format!(
            "lines that jitctl setup did not write still ask pam_jit.so:\n  {}",
            left.join("\n  ")
        ))
        .next("Take them out by hand: sshd no longer asks jit, so nobody passes them."));
    }
    let text = match paths.is_empty() {
        true => "There was nothing of jit in sshd's and PAM's files.".to_owned(),
        false => {
            let line = |path: &std::path::PathBuf| format!("  {}\n", path.display());
            format!(
                "sshd and PAM no longer ask jit. Changed:\n{}People, grants and the log are kept; \
                 open sessions still end with their window.",
                paths.iter().map(line).collect::<String>()
            )
        }
    };
    output.answer(text, || json!({ "changed": paths }))?;
    Ok(Exit::Done)
}
