//! A trial before anything is changed: the real sshd, with the configuration and the PAM service as
//! they shall be, under another service name and on no port: ssh talks to it through a pipe. Whoever
//! logs in there shows a key of nobody's, gets as far as our module's prompt, types a wrong code and
//! must be turned away. That takes a module that loads, a configuration, master key, policy and store
//! that it can open, and a stack that does not let anybody past it. What it leaves open is a yes,
//! which would burn a code of the person's: the rollback is armed for that.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jit_core::{Error, Result, rootfile};

use super::lock::{self, Lock};
use super::sshd::{self, Candidate};
use super::{files, system};

/// The service: a name that sshd's has as its own, so that no other file is read.
const SERVICE: &str = "jit-setup-trial";
const SERVICE_FILE: &str = "/etc/pam.d/jit-setup-trial";

/// What the module asks.
const PROMPT: &str = "Verification code";

/// A directory of the trial's, gone with it. One trial at a time has it.
pub struct Ground {
    path: PathBuf,
    // Last: the directory goes before the lock does.
    _lock: Lock,
}

impl Ground {
    /// Makes it anew.
    ///
    /// # Errors
    /// It can't be made, or another setup is at work.
    pub fn make() -> Result<Self> {
        let lock = lock::take()?;
        let path = PathBuf::from("/run/jit-setup");
        // What a crash left behind.
        let _ = std::fs::remove_dir_all(&path);
        rootfile::create_private_dir(&path)?;
        Ok(Ground { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Nothing in there works without us, and the next run clears it.
        let _ = std::fs::remove_file(SERVICE_FILE);
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Tries to log in as `login` with the PAM service `pam`, with a key of nobody's.
///
/// # Errors
/// Refused when the module did not ask, or the login succeeded.
pub fn run(ground: &Ground, candidate: &Candidate, pam: &str, login: &str) -> Result<()> {
    let at = |name: &str| ground.path().join(name).display().to_string();
    let failed = |e: std::io::Error| Error::unavailable(format!("the trial can't be made: {e}"));
    files::replace(SERVICE_FILE.as_ref(), pam)?;
    // sshd up to 9.7 has its PAM service's name from its own.
    std::os::unix::fs::symlink(sshd::SSHD, at(SERVICE)).map_err(failed)?;
    let key = at("key");
    system::must("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "trial", "-f", &key])?;
    // ssh asks this program, which notes what was asked and types a code.
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$1\" >> {}\necho 000000\n", at("asked"));
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(at("answer"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, script.as_bytes()))
        .map_err(failed)?;

    let config = candidate.file().display().to_string();
    let service = format!("PAMServiceName={SERVICE}");
    let named = system::succeeds(sshd::SSHD, &["-T", "-f", &config, "-o", &service]);
    let named = if named { format!(" -o {service}") } else { String::new() };
    let server = format!(
        "ProxyCommand={} -i -f {config}{named} -o AuthorizedKeysCommandUser=root \
         -o \"AuthorizedKeysCommand=/usr/bin/cat {key}.pub\"",
        at(SERVICE)
    );
    let mut client = system::command("timeout");
    client.args(["30", "ssh", "-F", "none", "-o", &server, "-i", &key]);
    for option in [
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey,keyboard-interactive",
        "NumberOfPasswordPrompts=1",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
    ] {
        client.args(["-o", option]);
    }
    client.arg(format!("{login}@{SERVICE}")).arg("true");
    client.env("SSH_ASKPASS", at("answer")).env("SSH_ASKPASS_REQUIRE", "force");
    let outcome = system::output(&mut client)?;
    let asked = std::fs::read_to_string(at("asked")).unwrap_or_default();
    let said = String::from_utf8_lossy(&outcome.stderr);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if outcome.status.success() {
        return Err(Error::refused("the trial let in somebody with nobody's key and a wrong code")
            .next("Look at what the PAM files include: something there says yes by itself."));
    }
    if !asked.contains(PROMPT) {
        return Err(Error::refused(format!(
            "in the trial, sshd did not ask for a code: {}",
            if said.is_empty() { "it said nothing" } else { &said }
        ))
        .next("journalctl -t sshd -t sshd-session -t pam_jit -n 20 says why."));
    }
    Ok(())
}
