//! What has to hold before anything is changed, a line each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jit_core::authority::Authority;
use jit_core::name::{Login, PersonName, Place};
use jit_core::policy::Verdict;
use jit_core::time::Span;
use jit_core::{Error, Result};
use nix::sys::statvfs::statvfs;
use nix::unistd::User;

use super::plan::Change;
use super::sshd::{self, Candidate};
use super::trial::Ground;
use super::{pam, person, rollback, system, trial};
use crate::commands::doctor;
use crate::output::{Output, joined, listed, safe};

/// Megabytes on /var below which logins soon fail.
const SCARCE: u64 = 100;
/// And below which nothing is set up.
const TOO_LITTLE: u64 = 20;

/// Says what it found, and remembers whether something failed.
pub struct Checks {
    output: Output,
    failed: u64,
}

impl Checks {
    /// None made yet.
    pub fn new(output: Output) -> Self {
        Checks { output, failed: 0 }
    }

    fn ok(&self, found: &str) -> Result<()> {
        self.output.say(format!("ok    {}", safe(found)))
    }

    fn warn(&self, found: &str, next: &str) -> Result<()> {
        self.output.say(format!("warn  {}\n      -> {next}", safe(found)))
    }

    fn fail(&mut self, error: &Error) -> Result<()> {
        self.failed += 1;
        let next = error.what_next().map(|next| format!("\n      -> {next}")).unwrap_or_default();
        self.output.say(format!("fail  {}{next}", safe(error.what())))
    }

    fn check<T>(&mut self, result: Result<T>, good: &str) -> Result<Option<T>> {
        match result {
            Ok(value) => self.ok(good).map(|()| Some(value)),
            Err(error) => self.fail(&error).map(|()| None),
        }
    }

    /// Nothing goes on where something failed.
    ///
    /// # Errors
    /// Refused then.
    pub fn passed(&self) -> Result<()> {
        match self.failed {
            0 => Ok(()),
            1 => Err(Error::refused("1 check failed; sshd and PAM were not changed")),
            more => {
                Err(Error::refused(format!("{more} checks failed; sshd and PAM were not changed")))
            }
        }
    }

    /// The machine and what is installed on it; where `jit-authorized` is.
    ///
    /// # Errors
    /// Nothing more can be said.
    pub fn machine(&mut self) -> Result<PathBuf> {
        for (file, package) in [
            (sshd::SSHD, "openssh-server"),
            ("/usr/bin/ssh", "openssh-client"),
            (sshd::MAIN, "openssh-server"),
        ] {
            if !Path::new(file).exists() {
                let next = format!("apt-get install {package}");
                self.fail(&Error::refused(format!("there is no {file}")).next(next))?;
            }
        }
        let authorized = program("jit-authorized");
        let missing = Error::refused("the program jit-authorized is not installed")
            .next("Install the package it comes in: sshd asks it whose keys may come in.");
        let authorized = self.check(authorized.ok_or(missing), "jit-authorized is installed")?;
        self.check(module(), "the PAM module is installed")?;
        for unit in ["jitd.service", rollback::UNIT] {
            let there = system::succeeds("systemctl", &["cat", "--quiet", unit]);
            let missing = Error::refused(format!("systemd has no unit {unit}"))
                .next("Install the packages; from source: packaging/systemd, then daemon-reload.");
            let there = if there { Ok(()) } else { Err(missing) };
            self.check(there, &format!("the unit {unit} is installed"))?;
        }
        self.disk()?;
        let synchronized =
            system::must("timedatectl", &["show", "-p", "NTPSynchronized", "--value"]);
        if synchronized.is_ok_and(|said| said.trim() == "yes") {
            self.ok("the clock is synchronized")?;
        } else {
            self.warn(
                "nothing keeps the clock in step",
                "Codes are good for 30 s: apt-get install systemd-timesyncd, or chrony.",
            )?;
        }
        Ok(authorized.unwrap_or_default())
    }

    fn disk(&mut self) -> Result<()> {
        let free =
            statvfs("/var/lib").map(|disk| (disk.blocks_available() * disk.fragment_size()) >> 20);
        match free {
            Ok(free) if free >= SCARCE => self.ok(&format!("{free} MB are free on /var")),
            Ok(free) if free >= TOO_LITTLE => self.warn(
                &format!("only {free} MB are free on /var"),
                "On a full disk nothing can be recorded, and nobody gets in.",
            ),
            Ok(free) => self.fail(
                &Error::refused(format!("only {free} MB are free on /var"))
                    .next("Make room first: on a full disk nobody gets in."),
            ),
            Err(e) => self.fail(&Error::unavailable(format!("/var/lib can't be looked at: {e}"))),
        }
    }

    /// The instance: its clock, and jitd, which is started.
    ///
    /// # Errors
    /// Nothing more can be said.
    pub fn instance(&mut self, authority: &Authority, may_start: bool) -> Result<()> {
        self.check(authority.now(), "the clock is not behind the log")?;
        let mut started = Ok(());
        if !authority.keeper_runs() && may_start {
            started = system::must("systemctl", &["enable", "--quiet", "--now", "jitd.service"])
                .map(drop);
            for _ in 0..50 {
                if authority.keeper_runs() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        let runs = started.and_then(|()| match authority.keeper_runs() {
            true => Ok(()),
            false => Err(Error::refused("jitd does not run").next("journalctl -u jitd -n 20")),
        });
        if may_start {
            self.check(runs, "jitd runs")?;
        }
        Ok(())
    }

    /// Somebody who will get in: with a key, a code that works and a policy; as which account.
    ///
    /// # Errors
    /// Nothing more can be said.
    pub fn people(&mut self, authority: &Authority) -> Result<Option<(PersonName, Login)>> {
        let ready = person::ready(authority)?;
        if authority.config().authority.is_some() {
            return self.fleets_people(authority, &ready);
        }
        if ready.is_empty() {
            let none = Error::refused("nobody is enrolled with a key and a code that works")
                .next("jitctl setup --person NAME");
            self.fail(&none)?;
            return Ok(None);
        }
        self.ok(&format!("enrolled with key and code: {}", joined(&ready, " ")))?;
        let Some((name, login)) = entrant(authority, &ready)? else {
            let none = Error::refused(format!(
                "the policy lets none of {} log in to this host by an account that there is",
                listed(&ready, "or")
            ))
            .next(format!("Edit {}", authority.config().policy_file.display()));
            self.fail(&none)?;
            return Ok(None);
        };
        let host = Place::Host(authority.config().host.clone());
        let shortest = Some(Span::from_secs(1)?);
        for (sudo, what) in [(false, "log in"), (true, "use sudo")] {
            let said = authority.explain(&name, &login, &host, sudo, shortest)?;
            let grant = format!(
                "From this session: jitctl grant {name} {login}@{host} --for 1h --sudo --reason setup"
            );
            match said.decision.verdict {
                Verdict::Allow => self.ok(&format!("{name} can {what} as {login}"))?,
                Verdict::Pending { .. } => self.warn(
                    &format!(
                        "{name} can {what} as {login} once approved by {}",
                        listed(&said.approvers, "or")
                    ),
                    &grant,
                )?,
                Verdict::Deny { .. } => {
                    self.warn(&format!("{name} can't {what} as {login}"), &grant)?;
                }
            }
        }
        let may = system::must("sudo", &["-n", "-l", "-U", login.as_str()]).unwrap_or_default();
        if !may.contains("may run") {
            self.warn(
                &format!("sudo lets {login} run nothing, and it takes root to confirm"),
                &format!("usermod -aG sudo {login}; or confirm from `su`, with root's password."),
            )?;
        }
        Ok(Some((name, login)))
    }

    /// The same on a host of a fleet, where what they may ask for is the authority's to say.
    fn fleets_people(
        &mut self,
        authority: &Authority,
        known: &[PersonName],
    ) -> Result<Option<(PersonName, Login)>> {
        let linked = match authority.link_runs() {
            true => Ok(()),
            false => {
                Err(Error::refused("jit-link does not run").next("journalctl -u jit-link -n 20"))
            }
        };
        self.check(linked, "jit-link runs")?;
        for person in known {
            let Ok(login) = Login::parse(person.as_str()) else { continue };
            if matches!(User::from_name(login.as_str()), Ok(Some(_))) {
                self.ok(&format!("{person} is known by their key, and has an account here"))?;
                return Ok(Some((person.clone(), login)));
            }
        }
        let none = Error::refused("nobody whose key the authority knows has an account here").next(
            "Who shall log in joins first (jitctl user invite NAME, on the authority), and has an \
                 account of that name here: useradd -m -s /bin/bash NAME",
        );
        self.fail(&none)?;
        Ok(None)
    }

    /// sshd and PAM as they shall be, tried.
    ///
    /// # Errors
    /// Nothing more can be said.
    pub fn candidate(
        &mut self,
        main: &str,
        drop_in: &str,
        login: Option<&Login>,
        pam: Option<&str>,
        authority: Option<&Authority>,
        changes: &[Change],
    ) -> Result<()> {
        let ground = Ground::make()?;
        let candidate = Candidate::lay_out(ground.path(), main, drop_in)?;
        let login = login.map_or("root", Login::as_str);
        for account in [login, "root"] {
            let effective = candidate.effective(account);
            let lost = effective.map(|effective| sshd::not_in_force(drop_in, &effective));
            match lost {
                Ok(lost) if lost.is_empty() => {
                    self.ok(&format!(
                        "sshd takes the new configuration, and for {account} it counts"
                    ))?;
                }
                Ok(lost) if account == login => self.fail(
                    &Error::refused(format!("for {account}, sshd overrides: {}", lost.join("; ")))
                        .next("A Match block, or a drop-in before 00-jit.conf, says otherwise."),
                )?,
                Ok(lost) => self.warn(
                    &format!("for {account}, sshd overrides: {}", lost.join("; ")),
                    "Such logins are not asked for a grant; jitctl doctor says more.",
                )?,
                Err(error) => self.fail(&error)?,
            }
            if login == "root" {
                break;
            }
        }
        if let Some(authority) = authority {
            self.foreseen(authority, &candidate, changes)?;
        }
        // Without a person there is no account to try it as.
        let Some(pam) = pam.filter(|_| self.failed == 0) else { return Ok(()) };
        let tried = trial::run(&ground, &candidate, pam, login);
        self.check(tried, "in a trial, sshd asked for a code and turned a wrong one away")?;
        Ok(())
    }
}

impl Checks {
    /// What the doctor would say of it afterwards: every login and Match block, every PAM service.
    fn foreseen(
        &mut self,
        authority: &Authority,
        candidate: &Candidate,
        changes: &[Change],
    ) -> Result<()> {
        let changed = |name: &str| {
            let path = Path::new("/etc/pam.d").join(name);
            changes.iter().find(|change| change.path == path)?.after.clone()
        };
        let services = pam::SERVICES.each_ref().map(|service| service.name);
        let failures = doctor::foresee(authority, &candidate.file(), &services, &changed);
        if failures.is_empty() {
            self.ok("every login, Match block and PAM service will ask for code and grant")?;
        }
        failures.iter().try_for_each(|failure| self.fail(failure))
    }
}

/// The first of `people` whose key sshd will be given, and for which account.
fn entrant(authority: &Authority, people: &[PersonName]) -> Result<Option<(PersonName, Login)>> {
    let own = |person: &PersonName| Login::parse(person.as_str()).ok();
    let named = authority.policy()?.roles.clone().into_iter().flat_map(|role| role.logins);
    let named: Vec<Login> =
        named.filter_map(|pattern| Login::parse(&pattern.to_string()).ok()).collect();
    for person in people {
        let keys = authority.keys(person)?;
        for login in own(person).into_iter().chain(named.iter().cloned()) {
            if !matches!(User::from_name(login.as_str()), Ok(Some(_))) {
                continue;
            }
            let offered = authority.authorized_keys(&login)?;
            if keys.iter().any(|key| offered.iter().any(|line| line.ends_with(&key.public_key))) {
                return Ok(Some((person.clone(), login)));
            }
        }
    }
    Ok(None)
}

/// A program of ours: where the packages put it, else beside this one.
pub fn program(name: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(name));
    let usual = ["/usr/sbin", "/usr/bin"].map(|directory| Path::new(directory).join(name));
    usual.into_iter().chain(beside).find(|path| path.exists())
}

/// The module, in a directory where libpam looks: where the modules of PAM itself are.
fn module() -> Result<PathBuf> {
    let beside = |directory: PathBuf| {
        let there = directory.join("pam_unix.so").exists();
        there.then(|| directory.join("pam_jit.so")).filter(|module| module.exists())
    };
    let entries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let directories = entries.map(|entry| entry.path().join("security"));
    directories.chain([PathBuf::from("/usr/lib/security")]).find_map(beside).ok_or_else(|| {
        Error::refused("pam_jit.so is not where PAM's own modules are")
            .next("apt-get install libpam-jit")
    })
}

/// What the services shall be is checked with the files themselves; this is for the trial.
pub fn trial_service() -> &'static pam::Service {
    &pam::SERVICES[0]
}
