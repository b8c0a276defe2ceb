//! An authority, a host that asks it, and people who reach both from their own machines.

use crate::error::{Context, Result};
use crate::packages::Packages;
use crate::run::{Outcome, run};
use crate::{Person, Release, Terminal, TestHost, product};

/// What two leads have to approve.
const POLICY: &str = r#"[[role]]
name = "developers"
members = ["@dev"]
hosts = ["web-1"]
logins = ["{person}"]
sudo = true
max_duration = "1h"
approvals = [{ from = "@leads", count = 2 }]
"#;

/// By which name the authority is reached.
const NAME: &str = "jit.example.test";

/// Two hosts and their people. Dropping it removes everything.
pub struct Fleet {
    /// The host that asks, `web-1`.
    pub target: TestHost,
    /// The machine that decides.
    pub authority: TestHost,
    /// Asks for access; member of `dev`.
    pub alice: Person,
    /// Approves; member of `leads`.
    pub bob: Person,
    /// Approves as well.
    pub carol: Person,
}

impl Fleet {
    /// Boots a host of `release` and an authority of the other one, has it serve, everybody join it
    /// and the host set up, which is left to be confirmed.
    pub fn set_up(release: Release) -> Result<Self> {
        let other = Release::ALL.into_iter().find(|other| *other != release).unwrap_or(release);
        let authority = TestHost::boot(other, "authority")?;
        let target = authority.boot_beside(release, "web-1")?;
        authority.is_called(NAME, &target)?;
        serve(&authority)?;
        // As an administrator tells all people's machines.
        let line = "ssh-ca public-key --known-hosts=web-1";
        std::fs::write(authority.dir.join("known_hosts"), authority.must(line)?)?;
        let people = |name: &str| person(&authority, &target, name, &target.way_in());
        let (alice, bob, carol) = (people("alice")?, people("bob")?, people("carol")?);
        let fleet = Self { target, authority, alice, bob, carol };
        fleet.join_people()?;
        fleet.join_host()?;
        Ok(fleet)
    }

    /// Makes one more person, whose programs are started by way of `launcher`.
    pub fn person(&self, name: &str, launcher: &str) -> Result<Person> {
        person(&self.authority, &self.target, name, launcher)
    }

    /// Runs `jitctl` as root on the authority.
    pub fn jitctl(&self, arguments: &[&str]) -> Result<Outcome> {
        let mut outcome = run(self.authority.command("jitctl").args(arguments), "")?;
        outcome.command = format!("root@authority# jitctl {}", arguments.join(" "));
        Ok(outcome)
    }

    /// All of them log in to the authority, so that none is asked for a code there for an hour.
    pub fn log_in(&self) -> Result<()> {
        [&self.alice, &self.bob, &self.carol].into_iter().try_for_each(|person| {
            person.jitctl(&person.recovery_code()?, &["login"])?.ok().map(drop)
        })
    }

    /// Alice, who is logged in, asks for herself on `web-1`, and both leads sign their yes, each on
    /// their own machine; returns the id.
    pub fn approved(&self, more: &[&str]) -> Result<String> {
        let line = ["request", "web-1", "--for", "30m", "--reason", "INC-1 disk full", "--json"];
        let asked = self.alice.jitctl("", &[&line, more].concat())?.ok()?;
        let id = crate::site::id_of(&asked)?;
        self.approve(&id)?;
        Ok(id)
    }

    /// Both leads say yes.
    pub fn approve(&self, id: &str) -> Result<()> {
        // Still pending after the first.
        self.bob.jitctl("", &["approve", id])?.code_is(3)?;
        self.carol.jitctl("", &["approve", id])?.ok().map(drop)
    }

    /// `jitctl ssh web-1` on alice's terminal, logged in and at the shell's prompt.
    pub fn session(&self) -> Result<Terminal> {
        let mut terminal = self.alice.terminal("jitctl ssh web-1")?;
        terminal.answer("Verification code: ", &self.alice.recovery_code()?)?;
        terminal.expect("$ ")?;
        Ok(terminal)
    }

    /// Waits until the target knows what the authority decided a moment ago.
    pub fn in_step(&self) -> Result<()> {
        self.target.must("jit-link --once").map(drop)
    }

    fn join_people(&self) -> Result<()> {
        for (person, group) in [(&self.alice, "dev"), (&self.bob, "leads"), (&self.carol, "leads")]
        {
            self.jitctl(&["user", "add", &person.name, "--group", group])?.ok()?;
            person.join(&self.invitation("user", &person.name)?)?;
        }
        Ok(())
    }

    fn join_host(&self) -> Result<()> {
        copy(&self.target, |name| !name.starts_with("ssh-ca"))?;
        self.target.must("dpkg --install /srv/*.deb > /dev/null")?;
        self.target.must(
            "set -e; useradd --create-home --shell /bin/bash alice; \
             printf 'PS1=\"\\\\$ \"\\n' > /home/alice/.bashrc; \
             echo 'alice ALL=(ALL:ALL) ALL' > /etc/sudoers.d/people; \
             chmod 440 /etc/sudoers.d/people",
        )?;
        self.jitctl(&["host", "add", "web-1"])?.ok()?;
        let invitation = self.invitation("host", "web-1")?;
        self.target.must(&format!("jitctl join '{invitation}'"))?;
        // Where nobody confirms it, it would go back, when the test is long over.
        self.target.must("jitctl setup --yes --within 1h").map(drop)
    }

    /// What `jitctl … invite` has somebody type.
    pub fn invitation(&self, what: &str, name: &str) -> Result<String> {
        let said = self.jitctl(&[what, "invite", name, "--json"])?.ok()?;
        let join = said.json()?.get("join").and_then(|join| join.as_str()).map(str::to_owned);
        join.context(format!("no invitation\n{}", said.told()))
    }
}

/// Somebody whose ssh finds the target by its name, and knows the host CA and no host.
fn person(authority: &TestHost, target: &TestHost, name: &str, launcher: &str) -> Result<Person> {
    let person = Person::new(&authority.dir, name)?;
    person.goes_by(launcher)?;
    person.has_jitctl(&product::build()?, launcher)?;
    person.configure_ssh(&format!(
        "Host {}
    User {name}
    IdentityFile {}
    IdentitiesOnly yes
    GlobalKnownHostsFile {}/known_hosts
    UserKnownHostsFile {}/.ssh/known_hosts
    StrictHostKeyChecking yes
    ConnectTimeout 10
",
        target.name,
        person.key().display(),
        authority.dir.display(),
        person.home.display(),
    ))?;
    Ok(person)
}

fn serve(authority: &TestHost) -> Result<()> {
    copy(authority, |name| !name.starts_with("jit-link"))?;
    authority.must(&format!(
        "set -e; dpkg --install /srv/*.deb > /dev/null; \
         jitctl setup --instance-only --host authority > /dev/null; \
         ssh-ca init --serve {NAME} > /dev/null"
    ))?;
    let policy = authority.root().join("etc/jit/policy.toml");
    std::fs::write(policy, POLICY).context("writing the policy")
}

fn copy(host: &TestHost, wanted: impl Fn(&str) -> bool) -> Result<()> {
    for package in Packages::built()?.files()? {
        let name = package.file_name().and_then(|name| name.to_str()).context("a file name")?;
        if wanted(name) {
            let to = host.root().join("srv").join(name);
            std::fs::copy(&package, to).context(package.display())?;
        }
    }
    Ok(())
}
