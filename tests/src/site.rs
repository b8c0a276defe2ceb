//! A test host with the product on it, as an administrator of a real machine would have it, and the
//! usual people.

use crate::error::{Context, Result};
use crate::packages::Packages;
use crate::run::{Outcome, run};
use crate::{Person, Release, Terminal, TestHost};

/// The usual policy: developers ask, a lead approves; members of oncall need nobody.
pub const POLICY: &str = r#"[[role]]
name = "developers"
members = ["@dev"]
hosts = ["web-1"]
logins = ["{person}", "deploy"]
sudo = true
max_duration = "1h"
approvals = [{ from = "@leads", count = 1 }]

[[role]]
name = "oncall"
members = ["@oncall"]
hosts = ["web-1"]
logins = ["{person}"]
max_duration = "10m"
auto_approve = "always"
permissions = ["pty", "port-forwarding"]
"#;

/// A host that is set up. Dropping it removes everything.
pub struct Site {
    /// The machine.
    pub host: TestHost,
    /// Asks for access; member of `dev`.
    pub alice: Person,
    /// Approves; member of `leads`.
    pub bob: Person,
    /// On call; member of `oncall`.
    pub carol: Person,
}

impl Site {
    /// Boots a host called `web-1` and sets it up.
    pub fn set_up(release: Release) -> Result<Self> {
        let host = TestHost::boot(release, "web-1")?;
        install(&host)?;
        let site = Self {
            alice: host.person("alice")?,
            bob: host.person("bob")?,
            carol: host.person("carol")?,
            host,
        };
        for login in ["alice", "bob", "carol", "deploy"] {
            site.host.must(&format!("useradd --create-home --shell /bin/bash {login}"))?;
            site.host.must(&format!("printf 'PS1=\"\\\\$ \"\\n' > /home/{login}/.bashrc"))?;
        }
        // What sudo allows by itself is for the sudoers file to say; that it is granted, for us.
        std::fs::write(site.host.root().join("etc/sudoers.d/people"), "alice ALL=(ALL:ALL) ALL\n")?;
        site.host.must("chmod 440 /etc/sudoers.d/people")?;
        for (person, group) in [(&site.alice, "dev"), (&site.bob, "leads"), (&site.carol, "oncall")]
        {
            let key = std::fs::read_to_string(person.public_key())?;
            let file = format!("/root/{}.pub", person.name);
            std::fs::write(site.host.root().join(&file[1..]), key)?;
            site.jitctl(&["user", "add", &person.name, "--group", group, "--key", &file])?.ok()?;
            person.enrol(site.host.command("jitctl"))?;
        }
        // As nobody confirms it, it would go back, when the test is long over.
        site.jitctl(&["setup", "--yes", "--within", "1h"])?.ok()?;
        Ok(site)
    }

    /// Runs `jitctl` as root on the host's console.
    pub fn jitctl(&self, arguments: &[&str]) -> Result<Outcome> {
        let mut outcome = run(self.host.command("jitctl").args(arguments), "")?;
        outcome.command = format!("jitctl {}", arguments.join(" "));
        Ok(outcome)
    }

    /// Grants a person an account by root alone; returns the id.
    pub fn grant(&self, person: &Person, login: &str, more: &[&str]) -> Result<String> {
        let target = format!("{login}@web-1");
        let mut line = vec!["grant", &person.name, &target, "--reason", "INC-1 tests", "--json"];
        line.extend(more);
        if !more.contains(&"--for") {
            line.extend(["--for", "30m"]);
        }
        id_of(&self.jitctl(&line)?.ok()?)
    }

    /// Files a request by somebody whom the policy lets in without anybody; returns the id.
    pub fn automatic(&self, person: &Person, login: &str, more: &[&str]) -> Result<String> {
        let target = format!("{login}@web-1");
        let mut line = vec!["request", &target, "--as", &person.name];
        line.extend(["--reason", "INC-1 tests", "--json"]);
        line.extend(more);
        id_of(&self.jitctl(&line)?.ok()?)
    }

    /// How long access by a grant still lasts, by its end; negative when it is over.
    pub fn seconds_left(&self, id: &str) -> Result<f64> {
        let shown = self.jitctl(&["show", id, "--json"])?.ok()?.json()?;
        let end = shown.get("not_after").and_then(|end| end.as_str());
        let end = end.context(format!("{id} has no end: {shown}"))?;
        let end: f64 =
            crate::run::must("date", &["-d", end, "+%s"])?.trim().parse().context(end)?;
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().context("the clock")?;
        Ok(end - now.as_secs_f64())
    }

    /// Revokes a grant.
    pub fn revoke(&self, id: &str) -> Result<()> {
        self.jitctl(&["revoke", id, "--reason", "over"])?.ok().map(drop)
    }

    /// An ssh session on a terminal, logged in and at its shell prompt.
    pub fn session(&self, person: &Person, login: &str) -> Result<Terminal> {
        person.session(&format!("{login}@web-1"))
    }

    /// How many processes of the host have `text` as all of their arguments.
    pub fn processes_matching(&self, text: &str) -> Result<usize> {
        let said = self.host.run(&format!("pgrep -c -f '^{text}$'"))?;
        said.stdout.trim().parse().context(said.told())
    }

    /// The processes of an account: by user id, or by login uid.
    pub fn processes_of(&self, login: &str) -> Result<Vec<String>> {
        let script = format!(
            "uid=$(id -u {login}); for p in /proc/[0-9]*; do \
             grep -qs '^State:.[ZX]' $p/status && continue; \
             u=$(sed -n 's/^Uid:\\t\\([0-9]*\\)\\t.*/\\1/p' $p/status 2>/dev/null); \
             l=$(cat $p/loginuid 2>/dev/null); \
             if [ \"$u\" = $uid ] || [ \"$l\" = $uid ]; then \
             echo \"${{p#/proc/}} $(tr '\\0' ' ' < $p/cmdline 2>/dev/null)\"; fi; done; true"
        );
        Ok(self.host.must(&script)?.lines().map(str::to_owned).collect())
    }
}

/// The id in the answer of a command that was told to print JSON.
pub fn id_of(outcome: &Outcome) -> Result<String> {
    let value = outcome.json()?;
    let id = value.get("id").and_then(|id| id.as_str());
    Ok(id.context(format!("no id in the answer\n{}", outcome.told()))?.to_owned())
}

/// Installs the packages and makes an instance with the usual policy.
fn install(host: &TestHost) -> Result<()> {
    for package in Packages::built()?.files()? {
        let name = package.file_name().context("a file name")?;
        std::fs::copy(&package, host.root().join("srv").join(name)).context(package.display())?;
    }
    host.must(
        "set -e; dpkg --install /srv/*.deb > /dev/null; \
         jitctl setup --instance-only --host web-1 > /dev/null; \
         ssh-ca init > /dev/null; systemctl start jitd",
    )?;
    Ok(std::fs::write(host.root().join("etc/jit/policy.toml"), POLICY)?)
}
