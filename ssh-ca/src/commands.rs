//! What each command does.

use std::path::Path;

use jit_core::authority::Authority;
use jit_core::config::{Config, DEFAULT_PATH};
use jit_core::grant::Actor;
use jit_core::store::CaKind;
use jit_core::store::sqlite::Opener;
use jit_core::time::spoken;
use jit_core::{Error, Result, rootfile};
use serde_json::json;
use ssh_ca::file::{self, Target};
use ssh_ca::{inspect, issue, key, trust};

use crate::cli::{Cli, Command, PublicKey, Sign};
use crate::output::Output;
use crate::serve::setup::{Address, Made, set_up};
use crate::{program, serve, signer};

/// Does what the command line says.
///
/// # Errors
/// Those of the command.
pub fn run(cli: &Cli, output: Output) -> Result<()> {
    match &cli.command {
        Command::Init { serve } => init(cli, serve.as_ref(), output),
        Command::PublicKey(which) => public_key(cli, which, output),
        Command::Rotate { at_once } => rotate(cli, *at_once, output),
        Command::Sign(what) => sign(cli, what, output),
        Command::Inspect { file } => inspect(cli, file, output),
        Command::Serve => serve::run(&Config::load(&cli.config)?),
        Command::Signer => signer::run(&cli.config),
        Command::Completions { shell } => program::completions(*shell),
        Command::Man { directory } => program::man(directory),
    }
}

fn open(cli: &Cli) -> Result<Authority> {
    Authority::open_path(&cli.config, "ssh-ca", Opener::Admin)
}

/// How to call this program again with the same configuration.
fn again(cli: &Cli) -> String {
    if cli.config == Path::new(DEFAULT_PATH) {
        "ssh-ca".into()
    } else {
        format!("ssh-ca --config {}", cli.config.display())
    }
}

fn init(cli: &Cli, address: Option<&Address>, output: Output) -> Result<()> {
    let authority = open(cli)?;
    let (user, user_is_new) = key::ensure(&authority, CaKind::User)?;
    let (host, host_is_new) = key::ensure(&authority, CaKind::Host)?;
    let said = |is_new: bool| if is_new { "made" } else { "is there already" };
    let ssh_ca = again(cli);
    let mut text = format!(
        "User CA {}: {user}\n\
         Host CA {}: {host}\n\
         Without {} their private keys are lost: keep a copy of it apart from backups of the store.\n\
         \n",
        said(user_is_new),
        said(host_is_new),
        authority.config().master_key_file.display(),
    );
    let made = match address {
        Some(address) => Some(set_up(authority.config(), &cli.config, address, authority.now()?)?),
        None => None,
    };
    text += &match &made {
        Some(made) => served(made),
        None => format!(
            "Next, on each host:\n\
             \x20 {ssh_ca} public-key > /etc/ssh/jit_user_ca.pub\n\
             \x20 TrustedUserCAKeys /etc/ssh/jit_user_ca.pub      (in sshd_config)\n\
             Then, for a grant:\n\
             \x20 {ssh_ca} sign --grant ID --key FILE.pub\n"
        ),
    };
    output.answer(&text, || {
        let mut value = json!({
            "user_ca": { "fingerprint": user, "new": user_is_new },
            "host_ca": { "fingerprint": host, "new": host_is_new },
        });
        if let Some(made) = &made {
            value["serve"] = json!({ "url": made.url, "pin": made.pin, "next": made.next });
        }
        value
    })
}

/// What was done to serve, and what is left to do.
fn served(made: &Made) -> String {
    let Made { url, pin, steps, next } = made;
    let steps: String = steps.iter().map(|step| format!("Done: {step}\n")).collect();
    let next: String = next.iter().map(|command| format!("  {command}\n")).collect();
    format!(
        "{steps}Serves {url}\n\
         Pin {pin}\n\
         \n\
         Next:\n\
         {next}\
         \x20 jitctl user invite PERSON      (prints what that person types on their own machine)\n"
    )
}

fn public_key(cli: &Cli, which: &PublicKey, output: Output) -> Result<()> {
    let authority = open(cli)?;
    let for_hosts = which.host || which.known_hosts.is_some();
    let kind = if for_hosts { CaKind::Host } else { CaKind::User };
    let keys = authority.ca_keys(kind)?;
    let text = match &which.known_hosts {
        Some(hosts) => trust::known_hosts(hosts, &keys)?,
        None => trust::public_keys(kind, &keys)?,
    };
    output.answer(&text, || {
        let lines = keys.iter().zip(text.lines());
        lines
            .map(|(key, line)| json!({ "ca": kind, "fingerprint": key.fingerprint, "line": line }))
            .collect()
    })
}

/// The file that sshd of this machine trusts, where `jitctl setup` put it.
const TRUSTED: &str = "user_ca.pub";

fn rotate(cli: &Cli, at_once: bool, output: Output) -> Result<()> {
    let authority = open(cli)?;
    let (new, gone) = key::rotate(&authority, at_once)?;
    let trusted = cli.config.with_file_name(TRUSTED);
    let mut text = format!("User CA key {new} signs from now on.\n");
    for old in &gone {
        text += &format!("Trusted no longer: {old}\n");
    }
    let written = trusted.exists();
    if written {
        let keys = trust::public_keys(CaKind::User, &authority.ca_keys(CaKind::User)?)?;
        rootfile::replace_public(&trusted, keys.as_bytes())?;
        text += &format!("Written: {}\n", trusted.display());
    }
    text += &format!(
        "Hosts of the fleet follow by themselves. Where sshd trusts a copy of the key:\n\
         \x20 {} public-key\n",
        again(cli)
    );
    output.answer(&text, || {
        json!({
            "user_ca": { "fingerprint": new }, "gone": gone,
            "written": written.then(|| trusted.display().to_string()),
        })
    })
}

fn sign(cli: &Cli, what: &Sign, output: Output) -> Result<()> {
    let subject = file::read_public_key(&what.key)?;
    let path = what.out.clone().unwrap_or_else(|| file::beside(&what.key));
    let target = if file::is_stdout(&path) { None } else { Some(Target::at(&path)?) };
    let authority = open(cli)?;
    let (specification, certificate) =
        issue::issue(&authority, &Actor::Root, &what.grant, &subject, None)?;
    let mut line = certificate
        .to_openssh()
        .map_err(|e| Error::invalid(format!("the certificate can't be written: {e}")))?
        .trim()
        .to_owned();
    line.push('\n');
    let window = specification.validity;
    let principals = specification.principals.join(", ");
    let text = match &target {
        None => line.clone(),
        Some(target) => {
            target.write(&line)?;
            let left = spoken(window.not_after.since(authority.now()?));
            format!(
                "Certificate {} for {} as {principals}: {}\n\
                 Valid until {} (for {left}).\n\
                 Show it: {} inspect {}\n",
                specification.serial,
                specification.key_id.person,
                path.display(),
                window.not_after.local(),
                again(cli),
                path.display(),
            )
        }
    };
    output.answer(&text, || {
        json!({
            "grant": specification.key_id.grant,
            "person": specification.key_id.person,
            "serial": specification.serial,
            "principals": specification.principals,
            "valid_after": window.not_before.rfc3339(),
            "valid_before": window.not_after.rfc3339(),
            "file": target.is_some().then(|| path.display().to_string()),
            "certificate": line.trim_end(),
        })
    })
}

fn inspect(cli: &Cli, path: &Path, output: Output) -> Result<()> {
    let certificate = file::read_certificate(path)?;
    let meaning = open(cli).and_then(|authority| inspect::meaning(&authority, &certificate));
    // What it says can be told in any case; what it means only by the authority.
    let mut text = format!("{}:\n{}", path.display(), inspect::contents(&certificate));
    if let Ok(meaning) = &meaning {
        text += &format!("\n{}", inspect::told(meaning));
    }
    output.answer(&text, || inspect::json(&certificate, meaning.as_ref().ok()))?;
    meaning.map(drop).map_err(|error| error.context("what it means can't be told"))
}
