//! A host joins the fleet of an authority elsewhere: it gets a key of its own, `[authority]` in its
//! configuration, and what it needs to know to let people in.

use std::path::Path;

use jit_client::{Invitation, JoinedHost, SigningKey, invited_ca, invited_host, join_host};
use jit_core::authority::Authority;
use jit_core::config::{Config, DEFAULT_PATH};
use jit_core::store::GrantFilter;
use jit_core::{Error, Result};
use serde_json::json;

use super::setup::{files, instance, program, system};
use crate::output::{Exit, Output};

const UNIT: &str = "jit-link.service";

/// Runs `jitctl join` with a host's invitation.
///
/// # Errors
/// Refused where this machine is an authority itself, or in a fleet already; those of the network.
pub fn join(path: &Path, invitation: &Invitation, output: Output) -> Result<Exit> {
    let host = invited_host(invitation)?;
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::refused("a host is joined by root").next("Put sudo before it."));
    }
    // Everything is looked at before the invitation is used up.
    let pin = invitation.pin.ok_or_else(|| {
        Error::invalid("the invitation has no pin, by which a host knows its authority")
            .next("Ask for a whole one: jitctl host invite on the authority.")
    })?;
    invited_ca(invitation)?;
    let link = program("jit-link").ok_or_else(|| {
        Error::refused("the program jit-link is not installed").next("apt-get install jit-link")
    })?;
    let (authority, made) = instance::make(path, Some(host))?;
    made.iter().try_for_each(|what| output.say(format!("made  {what}")))?;
    nobodys(&authority)?;
    let config = authority.config().clone();
    drop(authority);

    let key = SigningKey::make(&config.host_key(), &format!("host {host}"))?;
    output.say(format!("made  {}", config.host_key().display()))?;
    let JoinedHost { server, host, ca } = join_host(invitation, &key)?;
    write_down(path, &invitation.url, &server, &pin.to_string(), &ca.to_string())?;
    output.say(format!("wrote [authority] into {}", path.display()))?;

    let option = path.display().to_string();
    system::must(&link.display().to_string(), &["--config", &option, "--once"])?;
    let usual = path == Path::new(DEFAULT_PATH);
    // What systemd itself goes by (sd_booted).
    let started = usual && Path::new("/run/systemd/system").is_dir();
    if started {
        system::must("systemctl", &["enable", "--quiet", "--now", UNIT])?;
    }
    let next = match started {
        true => "jitctl setup",
        false => "jit-link, which keeps this host in step; then jitctl setup",
    };
    let text = format!("{host} is in the fleet of {server}.\nNext: {next}");
    output.answer(text, || json!({ "host": host, "authority": server, "started": started }))?;
    Ok(Exit::Done)
}

/// That there is nobody here whom this machine itself knows: they would be gone the next moment.
fn nobodys(authority: &Authority) -> Result<()> {
    if let Some(upstream) = &authority.config().authority {
        return Err(Error::refused(format!("this host is in the fleet of {}", upstream.name))
            .next("To leave it: take [authority] out of jit.toml first."));
    }
    let (grants, _) =
        authority.grants(&GrantFilter { limit: Some(1), ..GrantFilter::default() })?;
    if authority.people()?.is_empty() && grants.is_empty() {
        return Ok(());
    }
    Err(Error::refused("this machine has people and grants of its own")
        .next("A host of a fleet has its authority's: move /var/lib/jit/jit.db* aside first."))
}

/// Adds `[authority]` to the configuration, in one step and only if all of it is sound then.
fn write_down(path: &Path, url: &str, name: &str, pin: &str, ca: &str) -> Result<()> {
    let failed =
        |e: std::io::Error| Error::misconfigured(format!("{} can't be read: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let text = with_authority(&text, url, name, pin, ca);
    Config::parse(path, &text)?;
    files::replace(path, &text)
}

fn with_authority(text: &str, url: &str, name: &str, pin: &str, ca: &str) -> String {
    format!(
        "{}\n\n[authority]\n# Who decides for this host; written by jitctl join.\nurl = \"{url}\"\n\
         name = \"{name}\"\n# By which keys its TLS certificate, and what it answers, are known.\n\
         pin = \"{pin}\"\nca = \"{ca}\"\n\n\
         # What proves a second factor here: \"ask\", a code that the authority checks, or\n\
         # \"certificate\", also one that was given for the certificate, while it is fresh.\n\
         #second_factor = \"ask\"\n\n\
         # How long that counts: a duration up to 1d.\n#fresh = \"15m\"\n",
        text.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::config::{FactorFrom, Pin};

    #[test]
    fn what_is_written_down_is_a_sound_configuration() {
        let pin = Pin::of([7; 32]).to_string();
        let ca = format!("SHA256:{}", "A".repeat(43));
        let text = with_authority("host = 'web-2'\n", "https://jit:8443", "jit", &pin, &ca);
        let config = Config::parse(Path::new(DEFAULT_PATH), &text).unwrap();
        let upstream = config.authority.unwrap();
        assert_eq!((upstream.url.as_str(), upstream.name.as_str()), ("https://jit:8443", "jit"));
        assert_eq!((upstream.pin.to_string(), upstream.ca.to_string()), (pin, ca));
        assert_eq!((upstream.second_factor, upstream.fresh.secs()), (FactorFrom::Ask, 900));
        // The commented lines are the defaults.
        let shown = text.replace("#second_factor", "second_factor").replace("#fresh", "fresh");
        let shown = Config::parse(Path::new(DEFAULT_PATH), &shown).unwrap().authority.unwrap();
        assert_eq!(shown, upstream);
    }
}
