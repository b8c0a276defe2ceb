//! `jitctl ssh`: connects to a host, with the access that there is, or asks for it first.

use std::os::unix::process::CommandExt;
use std::process::Command;

use jit_client::{Places, Profile, private};
use jit_core::grant::{Ask, Grant, Phase};
use jit_core::name::{HostName, Login, Place, Reason};
use jit_core::time::Span;
use jit_core::{Error, Result};
use serde_json::json;

use super::login::joined_one;
use super::{access, cert, request};
use crate::cli::Ssh;
use crate::grants;
use crate::line::{Line, Way};
use crate::output::{Exit, Output};
use crate::prompt;
use crate::reach::{self, Reach};

/// How long access is asked for unless somebody says.
const USUAL: &str = "30m";

/// Runs `jitctl ssh`.
pub fn run(reach: &Reach, ssh: &Ssh, output: Output) -> Result<Exit> {
    let profile = joined_one(reach)?;
    let login = ssh.target.login(&profile.person)?;
    let host = access::host(&ssh.target.place)?;
    let there = reach::joined(profile, output, false)?;
    let line = Line { way: Way::There(Box::new(there)), output };
    let mut found = cert::fetch(&line, profile, &login, host)?;
    if found.is_none() {
        let (grant, exit) = ask(&line, profile, &login, host, ssh)?;
        if exit != Exit::Done {
            return Ok(exit);
        }
        found = cert::fetch(&line, profile, &login, host)?;
        if found.is_none() {
            return Err(Error::refused(format!("{} has not begun yet", grant.id()))
                .next(format!("jitctl show {}", grant.id())));
        }
    }
    let Some((access, certificate)) = found else { return Ok(Exit::Failed) };
    let file = cert::file_for(profile, &login, host)?;
    private::write(&file, &format!("{certificate}\n"))?;
    event(&line, "connecting", &access.grant, || {
        format!("Access to {host} as {login} until {}.", access.until.local())
    })?;
    let mut command = Command::new("ssh");
    command.arg("-o").arg(format!("CertificateFile={}", file.display()));
    command.arg("-o").arg(format!("IdentityFile={}", profile.key.display()));
    // By the name that was granted, wherever ssh's own configuration says that it is.
    command.arg("-o").arg(format!("HostKeyAlias={host}"));
    if let Some(known) = known_hosts(&line, profile, host)? {
        // Beside the files that ssh looks into.
        command.arg("-o").arg(format!("KnownHostsCommand=/bin/cat {known}"));
    }
    command.arg("-l").arg(login.as_str()).arg(host.as_str()).args(&ssh.arguments);
    let failed = command.exec();
    Err(Error::unavailable(format!("ssh can't be run: {failed}"))
        .next("Install OpenSSH's client: apt install openssh-client."))
}

/// Asks for access and waits for the answer.
fn ask(
    line: &Line,
    profile: &Profile,
    login: &Login,
    host: &HostName,
    ssh: &Ssh,
) -> Result<(Grant, Exit)> {
    if ssh.reason.is_none() || ssh.duration.is_none() {
        line.output.remark(&format!("No access to {host} as {login} now."));
    }
    let reason = match &ssh.reason {
        Some(reason) => reason.clone(),
        None => Reason::parse(&prompt::ask("Reason for access", None)?)?,
    };
    let duration = match ssh.duration {
        Some(duration) => duration,
        None => Span::parse(&prompt::ask("For how long?", Some(USUAL))?)?,
    };
    let grant = line.way.request(Ask {
        person: profile.person.clone(),
        login: login.clone(),
        place: Place::Host(host.clone()),
        sudo: ssh.sudo,
        duration,
        start: None,
        extends: None,
        reason,
    })?;
    if grant.phase(line.way.now()?) != Phase::Requested {
        return Ok((grant, Exit::Done));
    }
    let standing = line.way.standing(&grant)?;
    event(line, "requested", &grant, || {
        let next = request::next(line, &grant, &standing.approvers);
        let what = grants::access(&grant);
        format!("Request {} filed for {what}. {next}\nWaiting for approval.", grant.id())
    })?;
    let (grant, now) = line.way.decided(grant, ssh.wait)?;
    match grant.phase(now) {
        Phase::Active => Ok((grant, Exit::Done)),
        Phase::Requested => {
            event(line, "pending", &grant, || {
                format!(
                    "{} still waits. Once it is approved: jitctl ssh {login}@{host}",
                    grant.id()
                )
            })?;
            Ok((grant, Exit::Pending))
        }
        _ => Err(request::refusal(&grant, now)),
    }
}

/// What happens, beside what ssh prints: a line on standard error, for programs in JSON.
fn event(line: &Line, what: &str, grant: &Grant, words: impl FnOnce() -> String) -> Result<()> {
    if line.output.is_json() {
        let grant = grants::json(grant, line.way.now()?);
        line.output.remark(&json!({ "event": what, "grant": grant }).to_string());
    } else {
        line.output.remark(&words());
    }
    Ok(())
}

/// A file with the authority's host CA, for ssh; none where the path is not one that ssh takes.
fn known_hosts(line: &Line, profile: &Profile, host: &HostName) -> Result<Option<String>> {
    let client = access::there(line)?.client();
    let known = access::known_hosts(client, profile, host.as_str())?;
    let Some(known) = known else { return Ok(None) };
    let file = profile.state(&Places::of_user()?)?.join("known_hosts");
    private::write(&file, &format!("{known}\n"))?;
    let name = file.display().to_string();
    // ssh splits it at spaces and expands what begins with %.
    Ok(Some(name).filter(|name| !name.contains([' ', '%', '"', '\''])))
}
