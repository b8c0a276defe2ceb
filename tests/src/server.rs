//! A private sshd on a loopback port, as one host of an instance.

use crate::error::{Context, Failed, Result};
use crate::instance::Instance;
use crate::process::{Daemon, wait_until};
use crate::run::{must, run};
use crate::settings;
use nix::sys::signal::Signal;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// sshd's three ways to ask for a key and a code.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Methods {
    /// `publickey,keyboard-interactive:pam`: what an administrator should write.
    #[default]
    KeyThenCode,
    /// `publickey`: sshd asks PAM for no authentication.
    KeyAlone,
    /// `keyboard-interactive:pam,publickey`: PAM is asked before there is a key.
    CodeThenKey,
    /// `keyboard-interactive:pam`: no key at all.
    CodeAlone,
}

impl Methods {
    fn text(self) -> &'static str {
        match self {
            Self::KeyThenCode => "publickey,keyboard-interactive:pam",
            Self::KeyAlone => "publickey",
            Self::CodeThenKey => "keyboard-interactive:pam,publickey",
            Self::CodeAlone => "keyboard-interactive:pam",
        }
    }
}

/// How a host differs from the usual one.
#[derive(Clone)]
pub struct ServerOptions {
    /// The enrolled host this is.
    pub host: String,
    /// sshd's `AuthenticationMethods`.
    pub methods: Methods,
    /// sshd's `AuthorizedKeysFile`.
    pub authorized_keys: String,
    /// What its `jit.toml` says.
    pub settings: settings::Settings,
}

impl ServerOptions {
    /// The usual host of that name.
    pub fn host(name: &str) -> Self {
        Self {
            host: name.to_owned(),
            methods: Methods::default(),
            authorized_keys: "none".to_owned(),
            settings: settings::Settings::default(),
        }
    }
}

/// A running sshd with its own PAM service and `jitd`.
pub struct Server {
    /// The enrolled host this is.
    pub host: String,
    /// Loopback port.
    pub port: u16,
    /// The host's `jit.toml`.
    pub config: PathBuf,
    /// sshd's own log.
    pub log: PathBuf,
    /// PAM service of sshd.
    pub service: String,
    directory: PathBuf,
    keeper: Option<Daemon>,
}

impl Server {
    /// Writes the host's files and starts its jitd and sshd.
    pub fn start(instance: &Instance, options: &ServerOptions) -> Result<Self> {
        let directory = instance.dir.clone();
        let host = options.host.clone();
        let service = format!("jit-{}-{host}", instance.tag);
        let config = if host == "web-1" {
            directory.join("jit.toml")
        } else {
            directory.join(format!("jit-{host}.toml"))
        };
        let log = directory.join(format!("log/sshd-{host}.log"));
        std::fs::write(&config, options.settings.jit_toml(&directory, &host))?;
        private_directory(&directory.join("run").join(&host))?;
        let pam = settings::pam_sshd(&instance.module(), &config);
        std::fs::write(format!("/etc/pam.d/{service}"), pam).context("writing the PAM service")?;
        // sshd takes its PAM service's name from the name it was started by.
        let program = directory.join("bin").join(&service);
        std::os::unix::fs::symlink("/usr/sbin/sshd", &program)?;
        let key = directory.join(format!("host-key-{host}"));
        must("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", &host, "-f", path(&key)?])?;
        let port = free_port()?;
        let mut server = Self { host, port, config, log, service, directory, keeper: None };
        let text = server.sshd_config(options, &key.display().to_string());
        let sshd_config = server.directory.join(format!("sshd_config-{}", server.host));
        std::fs::write(&sshd_config, text)?;
        server.start_keeper()?;
        let mut sshd = Command::new(&program);
        sshd.args(["-f", path(&sshd_config)?, "-E", path(&server.log)?]).current_dir("/");
        run(&mut sshd, "")?.ok().context("starting sshd")?;
        server.wait_listening()?;
        Ok(server)
    }

    fn sshd_config(&self, options: &ServerOptions, host_key: &str) -> String {
        let d = self.directory.display();
        let Self { host, port, config, .. } = self;
        let (config, methods) = (config.display(), options.methods.text());
        let authorized_keys = &options.authorized_keys;
        format!(
            "Port {port}
ListenAddress 127.0.0.1
HostKey {host_key}
PidFile {d}/pid/sshd-{host}
LogLevel VERBOSE
UsePAM yes
KbdInteractiveAuthentication yes
PasswordAuthentication no
AuthenticationMethods {methods}
TrustedUserCAKeys {d}/user_ca.pub
AuthorizedPrincipalsCommand {d}/bin/jit-authorized --config {config} principals %u %i %s
AuthorizedPrincipalsCommandUser root
AuthorizedKeysFile {authorized_keys}
AuthorizedKeysCommand {d}/bin/jit-authorized --config {config} keys %u
AuthorizedKeysCommandUser root
LoginGraceTime 60
MaxAuthTries 4
MaxStartups 300
PrintMotd no
PrintLastLog no
"
        )
    }

    /// Starts this host's jitd and waits until it holds its lock.
    pub fn start_keeper(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.join(format!("log/jitd-{}.log", self.host)))?;
        let program = self.directory.join("bin/jitd");
        // A session of its own, so that it outlives us when the instance is kept.
        let child = Command::new("setsid")
            .arg(&program)
            .arg("--config")
            .arg(&self.config)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting jitd")?;
        let pid_file = self.directory.join(format!("pid/jitd-{}", self.host));
        std::fs::write(pid_file, format!("{}\n", child.id()))?;
        let mut keeper = Daemon::new(child);
        let lock = self.directory.join(format!("run/{}/jitd.lock", self.host));
        let up = wait_until("jitd takes its lock", Duration::from_secs(10), || {
            lock.exists() || !keeper.is_running()
        });
        let alive = keeper.is_running();
        self.keeper = Some(keeper);
        if up.is_err() || !alive {
            let said = self.keeper_log();
            return Err(Failed::new(format!("jitd for {} is not up; it said:\n{said}", self.host)));
        }
        Ok(())
    }

    /// Ends this host's jitd by `signal`.
    pub fn stop_keeper(&mut self, signal: Signal) -> Result<()> {
        match self.keeper.take() {
            Some(mut keeper) => keeper.end(signal),
            None => Ok(()),
        }
    }

    /// What jitd said on its own streams.
    pub fn keeper_log(&self) -> String {
        let file = self.directory.join(format!("log/jitd-{}.log", self.host));
        std::fs::read_to_string(file).unwrap_or_default()
    }

    /// What sshd wrote to its log.
    pub fn sshd_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The line for known_hosts.
    pub fn known_host(&self) -> Result<String> {
        let key = self.directory.join(format!("host-key-{}.pub", self.host));
        Ok(format!("{} {}", self.host, std::fs::read_to_string(key)?))
    }

    fn wait_listening(&self) -> Result<()> {
        let up = wait_until("sshd listens", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        up.map(drop).map_err(|error| Failed::new(format!("{error}\n{}", self.sshd_log())))
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("looking for a free port")?.local_addr()?.port())
}

/// A path as text.
pub fn path(path: &std::path::Path) -> Result<&str> {
    path.to_str().context(format!("{} is not UTF-8", path.display()))
}

/// `jitctl setup` makes the one of the first host; the product takes none that others may enter.
fn private_directory(directory: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if directory.exists() {
        return Ok(());
    }
    Ok(std::fs::DirBuilder::new().mode(0o700).create(directory)?)
}
