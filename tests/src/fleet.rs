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
    /// Boots both, has the authority serve, everybody join it and the host set up.
    pub fn set_up(release: Release) -> Result<Self> {
        let authority = TestHost::boot(release, "authority")?;
        let target = authority.boot_beside(release, "web-1")?;
        let people = |name: &str| -> Result<Person> {
            let person = authority.person(name)?;
            target.reaches(&person)?;
            person.has_jitctl(&product::build()?, &target.way_in())?;
            Ok(person)
        };
        let (alice, bob, carol) = (people("alice")?, people("bob")?, people("carol")?);
        let fleet = Self { target, authority, alice, bob, carol };
        fleet.serve()?;
        fleet.join_people()?;
        fleet.join_host()?;
        Ok(fleet)
    }

    /// Runs `jitctl` as root on the authority.
    pub fn jitctl(&self, arguments: &[&str]) -> Result<Outcome> {
        let mut outcome = run(self.authority.command("jitctl").args(arguments), "")?;
        outcome.command = format!("root@authority# jitctl {}", arguments.join(" "));
        Ok(outcome)
    }

    /// Alice asks for herself on `web-1`, and both leads sign their yes, each on their own machine;
    /// returns the id.
    pub fn approved(&self) -> Result<String> {
        let line = ["request", "web-1", "--for", "30m", "--reason", "INC-1 disk full", "--json"];
        let asked = self.alice.jitctl(&self.alice.recovery_code()?, &line)?.ok()?;
        let id = crate::site::id_of(&asked)?;
        // Still pending after the first.
        for (lead, exit) in [(&self.bob, 3), (&self.carol, 0)] {
            lead.jitctl(&lead.recovery_code()?, &["approve", &id])?.code_is(exit)?;
        }
        Ok(id)
    }

    /// `jitctl ssh web-1` on alice's terminal, logged in and at the shell's prompt.
    pub fn session(&self) -> Result<Terminal> {
        let mut terminal = self.alice.terminal("jitctl ssh web-1")?;
        terminal.answer("Verification code: ", &self.alice.code()?)?;
        terminal.expect("$ ")?;
        Ok(terminal)
    }

    fn serve(&self) -> Result<()> {
        copy(&self.authority, |name| !name.starts_with("jit-link"))?;
        let address = self.authority.address();
        self.authority.must(&format!(
            "set -e; dpkg --install /srv/*.deb > /dev/null; \
             jitctl setup --instance-only --host authority > /dev/null; \
             ssh-ca init --serve {address}:8443 > /dev/null"
        ))?;
        let policy = self.authority.root().join("etc/jit/policy.toml");
        std::fs::write(policy, POLICY).context("writing the policy")
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
        // As nobody confirms it, it would go back, when the test is long over.
        self.target.must("jitctl setup --yes --within 1h").map(drop)
    }

    fn invitation(&self, what: &str, name: &str) -> Result<String> {
        let said = self.jitctl(&[what, "invite", name, "--json"])?.ok()?;
        let join = said.json()?.get("join").and_then(|join| join.as_str()).map(str::to_owned);
        join.context(format!("no invitation\n{}", said.told()))
    }
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
