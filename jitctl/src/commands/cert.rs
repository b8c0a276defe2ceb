//! `jitctl cert`: a certificate for the access that somebody has, into the ssh agent or a file.
//!
//! With `--quiet` it serves ssh itself, from a `Match … exec` line: the certificate goes where
//! `jitctl ssh-config` tells ssh to look for it. The last one is used while the authority is away.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jit_client::{Places, Profile, SigningKey, private};
use jit_core::clock::{Clock, SystemClock};
use jit_core::name::{HostName, Login};
use jit_core::{Error, Kind, Result};
use serde_json::json;

use super::access::{self, Access};
use super::login::joined_one;
use crate::cli::Cert;
use crate::line::{Line, There, Way};
use crate::output::{Exit, Output};
use crate::reach::{self, Reach};

/// The largest certificate that is read.
const LARGEST: u64 = 64 * 1024;

/// Runs `jitctl cert`.
pub fn run(reach: &Reach, cert: &Cert, output: Output) -> Result<Exit> {
    let profile = joined_one(reach)?;
    let login = cert.target.login(&profile.person)?;
    let host = access::host(&cert.target.place)?;
    let usual = file_for(profile, &login, host)?;
    let found = reach::joined(profile, output, cert.quiet).and_then(|there| {
        let line = Line { way: Way::There(Box::new(there)), output };
        let access = access::find(&line, &profile.person, &login, host)?;
        Ok((line, access))
    });
    let (line, access) = match found {
        Ok((line, Some(access))) => (line, access),
        Ok((_, None)) if cert.quiet => {
            private::remove(&usual)?;
            return Ok(Exit::Failed);
        }
        Ok((_, None)) => {
            let who = &profile.person;
            return Err(Error::refused(format!("{who} has no access to {login}@{host} now"))
                .next(format!("jitctl request {login}@{host} --for DURATION --reason TEXT")));
        }
        Err(error) if cert.quiet && error.kind() == Kind::Unavailable && lasts(&usual)? => {
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error),
    };
    let there = access::there(&line)?;
    let of_own_key =
        || access::certificate(there, access.grant.id(), &SigningKey::open(&profile.key)?);
    if cert.quiet {
        private::write(&usual, &format!("{}\n", of_own_key()?))?;
        return Ok(Exit::Done);
    }
    let (certificate, place) = match &cert.out {
        Some(file) => {
            let certificate = of_own_key()?;
            private::write(&absolute(file)?, &format!("{certificate}\n"))?;
            (certificate, file.display().to_string())
        }
        None => (add_to_agent(there, &access, &usual)?, "the ssh agent".to_owned()),
    };
    let id = access.grant.id();
    let text = format!(
        "A certificate for {login}@{host} until {} is in {place} (grant {id}).\nNext: ssh {login}@{host}",
        access.until.local()
    );
    output.answer(text, || {
        json!({
            "grant": id, "login": login, "host": host, "not_after": access.until.rfc3339(),
            "certificate": certificate, "file": cert.out,
        })
    })?;
    Ok(Exit::Done)
}

/// The access that there is, and a certificate for it.
///
/// # Errors
/// Unavailable; refused.
pub fn fetch(
    line: &Line,
    profile: &Profile,
    login: &Login,
    host: &HostName,
) -> Result<Option<(Access, String)>> {
    let Some(access) = access::find(line, &profile.person, login, host)? else { return Ok(None) };
    let key = SigningKey::open(&profile.key)?;
    let certificate = access::certificate(access::there(line)?, access.grant.id(), &key)?;
    Ok(Some((access, certificate)))
}

/// Where a certificate is kept for ssh.
///
/// # Errors
/// Misconfigured when there is no home directory.
pub fn file_for(profile: &Profile, login: &Login, host: &HostName) -> Result<PathBuf> {
    Ok(directory(profile)?.join(format!("{login}@{host}-cert.pub")))
}

/// The directory of them.
///
/// # Errors
/// As [`file_for`].
pub fn directory(profile: &Profile) -> Result<PathBuf> {
    Ok(profile.state(&Places::of_user()?)?.join("certs"))
}

/// Whether the certificate in a file is still good.
fn lasts(file: &Path) -> Result<bool> {
    let Some(text) = private::read(file, LARGEST)? else { return Ok(false) };
    let certificate = ssh_key::Certificate::from_openssh(text.trim());
    let now = SystemClock::default().now()?.unix();
    Ok(certificate.is_ok_and(|certificate| certificate.valid_before() > now))
}

/// Puts a key that is made for it, and its certificate, into the agent, which forgets both at the
/// end. One's own key stays in the agent as it is: its certificate alone can't be put there by the
/// ssh-add of all systems.
fn add_to_agent(there: &There, access: &Access, usual: &Path) -> Result<String> {
    let id = access.grant.id();
    if let Some(parent) = usual.parent() {
        private::directory(parent)?;
    }
    let key = SigningKey::make(&usual.with_extension("key"), &format!("jit {id}"))?;
    let (file, public) = (key.file().to_owned(), key.public_file());
    let beside = PathBuf::from(format!("{}-cert.pub", file.display()));
    let added = access::certificate(there, id, &key).and_then(|certificate| {
        private::write(&beside, &format!("{certificate}\n"))?;
        let seconds = access::seconds_until(access.until)?.max(1).to_string();
        let mut add = Command::new("ssh-add");
        add.args(["-q", "-t", &seconds]).arg(&file).stdout(Stdio::null());
        match add.status() {
            Ok(status) if status.success() => Ok(certificate),
            _ => Err(Error::unavailable("the ssh agent did not take the certificate")
                .next("Start one: eval $(ssh-agent). Or have it in a file: --out FILE.")),
        }
    });
    [&file, &public, &beside].iter().try_for_each(|file| private::remove(file))?;
    added
}

fn absolute(file: &Path) -> Result<PathBuf> {
    std::path::absolute(file).map_err(|e| Error::invalid(format!("--out names no file: {e}")))
}
