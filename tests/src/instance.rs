//! A throw-away instance: its directory, accounts, people, hosts and logs.

use crate::error::{Context, Result};
use crate::ground;
use crate::need;
use crate::person::Person;
use crate::product;
use crate::run::{Outcome, run};
use crate::server::{Server, ServerOptions, path};
use crate::settings::{Settings, sudoers};
use crate::site::id_of;
use crate::syslog::Syslog;
use crate::terminal::Terminal;
use crate::undo::{self, Guard};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// What an instance starts with.
pub struct Options {
    /// Keep the plain names `alice`, `bob`, … instead of names that cannot collide.
    pub plain_names: bool,
    /// The first host's settings.
    pub settings: Settings,
    /// The first host's sshd.
    pub server: ServerOptions,
    /// Policy file; `@alice@` and so on stand for the names in use. The usual one if empty.
    pub policy: String,
    /// A program that collects syslog in a process of its own: called with `SOCKET FILE`.
    pub collector: Option<(PathBuf, Vec<String>)>,
    /// Called with every administrator's command and what it said.
    pub narrate: Option<fn(&Outcome)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plain_names: false,
            settings: Settings::default(),
            server: ServerOptions::host("web-1"),
            policy: String::new(),
            collector: None,
            narrate: None,
        }
    }
}

/// The usual policy: developers ask, a lead approves.
pub const POLICY: &str = r#"[[role]]
name = "developers"
members = ["@dev"]
hosts = ["web-1", "web-2"]
logins = ["{person}", "@deploy@"]
sudo = true
max_duration = "1h"
approvals = [{ from = "@leads", count = 1 }]
"#;

/// A running throw-away instance. Dropping it removes everything.
pub struct Instance {
    // Fields drop in this order: the hosts' daemons, then the guard, which removes the rest.
    /// The hosts; the first is `web-1`.
    pub servers: Vec<Server>,
    /// Its directory.
    pub dir: PathBuf,
    /// What its names end in, and its PAM services contain.
    pub tag: String,
    /// What the product sent to syslog.
    pub log: Syslog,
    /// Asks for access; member of `dev`.
    pub alice: Person,
    /// Approves and asks; member of `dev` and `leads`.
    pub bob: Person,
    /// Approves; member of `leads`.
    pub carol: Person,
    /// The shared login.
    pub deploy: String,
    narrate: Option<fn(&Outcome)>,
    _guard: Guard,
}

impl Instance {
    /// The usual instance: a developer `alice`, leads `bob` and `carol`, a shared login, one host.
    pub fn start() -> Result<Self> {
        Self::with(Options::default())
    }

    /// An instance with `options`.
    pub fn with(options: Options) -> Result<Self> {
        need::everything()?;
        let release = product::build()?;
        clear_leftovers()?;
        let tag = if options.plain_names { "demo".to_owned() } else { ground::random_tag()? };
        let dir = PathBuf::from(undo::HOME).join(format!("jit-throwaway.{tag}"));
        let name = |plain: &str| match options.plain_names {
            true => plain.to_owned(),
            false => format!("{plain}-{tag}"),
        };
        let accounts: Vec<_> = ["alice", "bob", "carol", "deploy"].map(name).into();
        let guard = ground::claim(&dir, &tag, &accounts)?;
        for below in ["bin", "sh", "lib", "log", "pid", "run", "people"] {
            std::fs::create_dir(dir.join(below))?;
        }
        ground::install(&release, &dir)?;
        ground::run_sshd_directory()?;
        ground::make_accounts(&dir, &accounts)?;
        let log = ground::start_syslog(&dir, options.collector.as_ref())?;
        let mut instance = Self {
            alice: Person::new(&dir, &accounts[0])?,
            bob: Person::new(&dir, &accounts[1])?,
            carol: Person::new(&dir, &accounts[2])?,
            deploy: accounts[3].clone(),
            servers: Vec::new(),
            dir,
            tag,
            log,
            narrate: options.narrate,
            _guard: guard,
        };
        instance.set_up(&options)?;
        Ok(instance)
    }

    fn set_up(&mut self, options: &Options) -> Result<()> {
        let config = self.dir.join("jit.toml");
        std::fs::write(&config, options.settings.jit_toml(&self.dir, "web-1"))?;
        self.write_policy(if options.policy.is_empty() { POLICY } else { &options.policy })?;
        self.jitctl(&["setup", "--host", "web-1"])?.ok()?;
        self.ssh_ca(&["init"])?.ok()?;
        let authority = self.ssh_ca(&["public-key"])?.ok()?.stdout;
        std::fs::write(self.dir.join("user_ca.pub"), authority)?;
        self.write_sudoers("timestamp_timeout=5", "ALL=(ALL:ALL) ALL")?;
        let groups = [(&self.alice, "dev"), (&self.bob, "dev leads"), (&self.carol, "leads")];
        for (person, groups) in groups {
            let key = person.public_key();
            let mut line = vec!["user", "add", &person.name, "--key", path(&key)?];
            groups.split(' ').for_each(|group| line.extend(["--group", group]));
            self.jitctl(&line)?.ok()?;
            person.enrol(self.command("jitctl"))?;
        }
        let mut first = options.server.clone();
        first.settings = options.settings.clone();
        self.add_server(&first)
    }

    /// Starts another host; its name must be enrolled by `jitctl host add` unless it is `web-1`.
    pub fn add_server(&mut self, options: &ServerOptions) -> Result<()> {
        let server = Server::start(self, options)?;
        self.servers.push(server);
        let known: String = self.servers.iter().map(Server::known_host).collect::<Result<_>>()?;
        std::fs::write(self.dir.join("known_hosts"), known)?;
        for person in [&self.alice, &self.bob, &self.carol] {
            let blocks: String = self.servers.iter().map(|s| self.ssh_block(s, person)).collect();
            person.configure_ssh(&blocks)?;
        }
        Ok(())
    }

    fn ssh_block(&self, server: &Server, person: &Person) -> String {
        let (host, port) = (&server.host, server.port);
        format!(
            "Host {host}
    HostName 127.0.0.1
    Port {port}
    HostKeyAlias {host}
    User {}
    IdentityFile {}
    IdentitiesOnly yes
    UserKnownHostsFile {}/known_hosts
    StrictHostKeyChecking yes
    UpdateHostKeys no
",
            person.name,
            person.key().display(),
            self.dir.display()
        )
    }

    /// The first host.
    pub fn web(&self) -> &Server {
        &self.servers[0]
    }

    /// The host called `name`.
    pub fn server(&mut self, name: &str) -> Result<&mut Server> {
        self.servers.iter_mut().find(|s| s.host == name).context(format!("no host {name}"))
    }

    /// The PAM module.
    pub fn module(&self) -> PathBuf {
        self.dir.join("lib/pam_jit.so")
    }

    /// `alice@web-1`-like target of `login` on the first host.
    pub fn at_web(&self, login: &str) -> String {
        format!("{login}@web-1")
    }

    /// One of the instance's programs as an administrator starts it, with its configuration.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.dir.join("sh").join(program));
        command.env_clear().envs(self.environment()).current_dir(&self.dir);
        command
    }

    /// Runs `jitctl` as an administrator.
    pub fn jitctl(&self, arguments: &[&str]) -> Result<Outcome> {
        self.jitctl_with(arguments, "")
    }

    /// Runs `jitctl` with `input` on its standard input.
    pub fn jitctl_with(&self, arguments: &[&str], input: &str) -> Result<Outcome> {
        self.told("jitctl", run(self.command("jitctl").args(arguments), input)?, arguments)
    }

    /// Runs `ssh-ca` as an administrator.
    pub fn ssh_ca(&self, arguments: &[&str]) -> Result<Outcome> {
        self.told("ssh-ca", run(self.command("ssh-ca").args(arguments), "")?, arguments)
    }

    fn told(&self, program: &str, mut outcome: Outcome, arguments: &[&str]) -> Result<Outcome> {
        let words: Vec<_> = arguments.iter().map(|word| crate::run::quoted(word)).collect();
        outcome.command = format!("{program} {}", words.join(" "));
        if let Some(narrate) = self.narrate {
            narrate(&outcome);
        }
        Ok(outcome)
    }

    /// Files a request as `person`; returns its id.
    pub fn request(&self, person: &Person, target: &str, more: &[&str]) -> Result<String> {
        let mut line = vec!["request", target, "--as", &person.name, "--reason", "INC-1 tests"];
        line.extend(more);
        line.push("--json");
        id_of(&self.jitctl(&line)?.ok()?)
    }

    /// Approves a request as `person`, with a recovery code, which never waits.
    pub fn approve(&self, person: &Person, id: &str) -> Result<Outcome> {
        let code = person.recovery_code()?;
        self.jitctl_with(&["approve", id, "--as", &person.name], &format!("{code}\n"))?.ok()
    }

    /// A grant given by root, without the waiting; returns its id.
    pub fn grant(&self, person: &Person, target: &str, more: &[&str]) -> Result<String> {
        let mut line = vec!["grant", &person.name, target, "--reason", "INC-1 tests"];
        line.extend(more);
        if !more.contains(&"--for") {
            line.extend(["--for", "30m"]);
        }
        line.push("--json");
        id_of(&self.jitctl(&line)?.ok()?)
    }

    /// As [`Person::ssh`].
    pub fn ssh(&self, person: &Person, answers: &[&str], arguments: &[&str]) -> Result<Outcome> {
        person.ssh(answers, arguments)
    }

    /// The same, offering the person's certificate and no plain key.
    pub fn ssh_by_certificate(
        &self,
        person: &Person,
        answers: &[&str],
        arguments: &[&str],
    ) -> Result<Outcome> {
        let only = person.certificate_only();
        let mut line: Vec<_> = only.iter().map(String::as_str).collect();
        line.extend(arguments);
        self.ssh(person, answers, &line)
    }

    /// Logs in as `login` on the first host with a recovery code and runs `remote`.
    pub fn login(&self, person: &Person, login: &str, remote: &str) -> Result<Outcome> {
        let code = person.recovery_code()?;
        self.ssh(person, &[&code], &[&self.at_web(login), remote])
    }

    /// As [`Person::terminal`].
    pub fn terminal(&self, person: &Person, line: &str) -> Result<Terminal> {
        person.terminal(line)
    }

    /// A terminal of the administrator that runs `line`.
    pub fn root_terminal(&self, line: &str) -> Result<Terminal> {
        Terminal::open(Command::new("sh").envs(self.environment()), line)
    }

    /// As [`Person::session`].
    pub fn session(&self, person: &Person, target: &str) -> Result<Terminal> {
        person.session(target)
    }

    /// What the administrator's programs have around them.
    fn environment(&self) -> Vec<(String, String)> {
        let home = self.dir.join("people").display().to_string();
        ground::environment(&self.dir, &home, &format!("{}/sh", self.dir.display()))
    }

    /// Writes the policy file; `@alice@`, `@bob@`, `@carol@`, `@deploy@` stand for the names.
    pub fn write_policy(&self, text: &str) -> Result<()> {
        let text = text
            .replace("@alice@", &self.alice.name)
            .replace("@bob@", &self.bob.name)
            .replace("@carol@", &self.carol.name)
            .replace("@deploy@", &self.deploy);
        Ok(std::fs::write(self.dir.join("policy.toml"), text)?)
    }

    /// Gives the accounts sudo by `rule`, through a PAM service of our own.
    pub fn write_sudoers(&self, options: &str, rule: &str) -> Result<()> {
        let accounts = [&self.alice.name, &self.bob.name, &self.deploy].map(Clone::clone);
        let service = format!("/etc/pam.d/jit-{}-sudo", self.tag);
        let pam = crate::settings::pam_sudo(&self.module(), &self.dir.join("jit.toml"));
        std::fs::write(service, pam)?;
        // Checked before it is put in place: a mistake would lock everyone out of sudo.
        let draft = self.dir.join("sudoers");
        std::fs::write(&draft, sudoers(&self.tag, &accounts, options, rule))?;
        std::fs::set_permissions(&draft, PermissionsExt::from_mode(0o440))?;
        run(Command::new("visudo").args(["-c", "-q", "-f"]).arg(&draft), "")?.ok()?;
        let place = format!("/etc/sudoers.d/jit-{}", self.tag);
        let beside = format!("{place}.new"); // sudo skips names with a dot
        std::fs::copy(&draft, &beside)?;
        Ok(std::fs::rename(beside, place)?)
    }

    /// Leaves the instance running when this process ends.
    pub fn keep(&self) -> Result<()> {
        Ok(std::fs::write(self.dir.join("keep"), "")?)
    }
}

/// Undoes instances whose maker is gone and whose guard did not get to it, such as after a reboot.
pub fn clear_leftovers() -> Result<()> {
    // Under the lock, because an instance that is being made has no guard for a moment.
    let leftovers = {
        let _lock = undo::machine_lock()?;
        undo::leftovers()
    };
    for directory in leftovers {
        eprintln!("Removing what an earlier run left in {}", directory.display());
        undo::undo(&directory)?;
    }
    Ok(())
}
