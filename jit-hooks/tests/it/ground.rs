//! A store, its hooks, and `jit-hooks` on them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use jit_core::audit::Record;
use jit_core::authority::{Authority, RevokeWhich};
use jit_core::config::Config;
use jit_core::grant::Actor;
use jit_core::hook::Hooks;
use jit_core::name::{HookName, Reason};
use jit_core::outbox::Standing;
use jit_core::seal::Vault;
use jit_core::store::sqlite::Opener;
use tempfile::TempDir;

pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Gone, with the service, when dropped.
pub struct Ground {
    pub dir: TempDir,
    pub authority: Authority,
    service: Option<Child>,
}

impl Ground {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("jit-hooks-test.")
            .permissions(PermissionsExt::from_mode(0o755))
            .tempdir_in("/run")
            .expect("these tests run as root");
        let at = dir.path().display();
        let text = format!(
            "host = 'web-1'\nstate_dir = '{at}/state'\nrun_dir = '{at}/run'\n\
             master_key_file = '{at}/key'\nhooks_file = '{at}/hooks.toml'\n\
             [log]\nsyslog_socket = ''\n"
        );
        std::fs::write(dir.path().join("jit.toml"), text).unwrap();
        for private in ["state", "run"] {
            jit_core::rootfile::create_private_dir(&dir.path().join(private)).unwrap();
        }
        Vault::create_file(&dir.path().join("key")).unwrap();
        let secret = dir.path().join("secret");
        jit_core::rootfile::create_private(&secret, format!("{SECRET}\n").as_bytes()).unwrap();
        let config = Config::load(&dir.path().join("jit.toml")).unwrap();
        let authority = Authority::open(config, "test", Opener::Admin).unwrap();
        Ground { dir, authority, service: None }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the file of hooks; `@/` stands for the directory.
    pub fn hooks(&self, text: &str) {
        let text = text.replace("@/", &format!("{}/", self.dir.path().display()));
        std::fs::write(self.file("hooks.toml"), text).unwrap();
    }

    /// A webhook called `pager` to `url`, told of grants.
    pub fn pager(&self, url: &str, more: &str) {
        self.hooks(&format!(
            "[[webhook]]\nname = 'pager'\nurl = '{url}'\nsecret_file = '@/secret'\n\
             events = ['grant.*']\n{more}\n"
        ));
    }

    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jit-hooks"));
        command.arg("--config").arg(self.file("jit.toml")).args(arguments);
        // What must not reach a command, nor send a webhook elsewhere.
        command.env_clear().env("CANARY", "1").env("http_proxy", "http://127.0.0.1:1");
        command.env("ALL_PROXY", "http://127.0.0.1:1").current_dir("/");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } = self.program(arguments).output().unwrap();
        let said = [stdout, stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        (status.code().expect("ended by a signal"), said)
    }

    /// Starts the service, and waits until each hook has its standing.
    pub fn start(&mut self) {
        let hooks = Hooks::load(&self.file("hooks.toml")).unwrap().0.len();
        self.start_anyhow();
        wait_until("it runs", || {
            self.authority.hooks_run() && self.authority.standings().unwrap().len() == hooks
        });
    }

    /// Starts the service, and waits for nothing.
    pub fn start_anyhow(&mut self) {
        let log = std::fs::File::create(self.file("service.log")).unwrap();
        let child = self.program(&[]).stderr(log).stdin(Stdio::null()).spawn().unwrap();
        self.service = Some(child);
    }

    /// As `kill -9` does.
    pub fn kill(&mut self) {
        let mut child = self.service.take().expect("it was started");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// An event: everything is revoked, for this reason.
    pub fn event(&self, reason: &str) -> Record {
        let reason = Reason::parse(reason).unwrap();
        self.authority.revoke(&RevokeWhich::All, &Actor::Root, &reason).unwrap();
        self.authority.last_records(1).unwrap().remove(0)
    }

    pub fn standing(&self, hook: &str) -> Standing {
        let hook = HookName::parse(hook).unwrap();
        self.authority.standings().unwrap().into_iter().find(|one| one.hook == hook).unwrap()
    }

    /// Waits until a hook was told a record.
    pub fn wait_told(&self, hook: &str, record: &Record) {
        wait_until("it is told", || self.standing(hook).after >= record.sequence);
    }

    /// Waits until a hook failed so often with its next event; what it says of it.
    pub fn wait_failed(&self, hook: &str, tries: u32) -> String {
        let failing = || self.standing(hook).failing.filter(|failing| failing.tries >= tries);
        wait_until("it fails", || failing().is_some());
        failing().unwrap().trouble
    }

    pub fn service_log(&self) -> String {
        std::fs::read_to_string(self.file("service.log")).unwrap()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(mut child) = self.service.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Writes a program. Another process does it: one that this process has open for writing while
/// another test forks is busy, and can't be run.
pub fn program(file: &Path, text: &str) {
    let mut sh = Command::new("sh");
    sh.args(["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(file).arg(text);
    assert!(sh.status().unwrap().success());
}
