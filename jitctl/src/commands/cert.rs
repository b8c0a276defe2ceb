//! `jitctl cert`: a certificate for the access that somebody has, into the ssh agent or a file.
//!
//! With `--quiet` it serves ssh itself, from a `Match … exec` line: the certificate goes where
//! `jitctl ssh-config` tells ssh to look for it. The last one is used while the authority is away.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jit_client::{Places, Profile, SigningKey, private};
use jit_core::clock::{Clock, SystemClock};
use jit_core::name::{HostName, Login};
use jit_core::time::Timestamp;
use jit_core::{Error, Kind, Result};
use serde_json::json;

use super::access::{self, Access};
use super::login::joined_one;
use crate::cli::Cert;
use crate::line::{Line, Way};
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
        fetch(&line, profile, &login, host)
    });
    let (access, certificate) = match found {
        Ok(Some(found)) => found,
        Ok(None) if cert.quiet => {
            private::remove(&usual)?;
            return Ok(Exit::Failed);
        }
        Ok(None) => {
            return Err(Error::refused(format!(
                "{} has no access to {login}@{host} now",
                profile.person
            ))
            .next(format!("jitctl request {login}@{host} --for DURATION --reason TEXT")));
        }
        Err(error) if cert.quiet && error.kind() == Kind::Unavailable && lasts(&usual)? => {
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error),
    };
    if cert.quiet {
        private::write(&usual, &format!("{certificate}\n"))?;
        return Ok(Exit::Done);
    }
    let place = match &cert.out {
        Some(file) => {
            private::write(&absolute(file)?, &format!("{certificate}\n"))?;
            file.display().to_string()
        }
        None => {
            add_to_agent(profile, &usual, &certificate, access.until)?;
            "the ssh agent".to_owned()
        }
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

/// Puts a certificate into the agent, which forgets it at the end. The key itself stays as it is
/// there: `-C` adds certificates alone.
fn add_to_agent(
    profile: &Profile,
    usual: &Path,
    certificate: &str,
    until: Timestamp,
) -> Result<()> {
    let key = SigningKey::open(&profile.key)?;
    // ssh-add takes the certificate that lies beside the key: so both are put beside each other.
    let link = usual.with_extension("key");
    let beside = PathBuf::from(format!("{}-cert.pub", link.display()));
    private::write(&beside, &format!("{certificate}\n"))?;
    private::remove(&link)?;
    std::os::unix::fs::symlink(key.file(), &link)
        .map_err(|e| Error::misconfigured(format!("{} can't be made: {e}", link.display())))?;
    let seconds = access::seconds_until(until)?.max(1).to_string();
    let mut add = Command::new("ssh-add");
    add.args(["-q", "-C", "-t", &seconds]).arg(&link).stdout(Stdio::null());
    let added = add.status();
    private::remove(&link)?;
    private::remove(&beside)?;
    match added {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Error::unavailable("the ssh agent did not take the certificate")
            .next("Start one: eval $(ssh-agent). Or have it in a file: --out FILE.")),
    }
}

fn absolute(file: &Path) -> Result<PathBuf> {
    std::path::absolute(file).map_err(|e| Error::invalid(format!("--out names no file: {e}")))
}
