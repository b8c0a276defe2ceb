//! An instance in a directory of its own, below /run: state lives only where root alone can write.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub const JITCTL: &str = env!("CARGO_BIN_EXE_jitctl");

const POLICY: &str = r#"
[[role]]
name = "debug"
members = ["@dev"]
hosts = ["web-1", "env=prod"]
logins = ["{person}", "deploy"]
sudo = true
max_duration = "1h"
approvals = [{ from = "@leads", count = 1 }]

[[role]]
name = "release"
members = ["@dev"]
hosts = ["web-1"]
logins = ["release"]
max_duration = "1h"
approvals = [{ from = "@leads", count = 2 }]

[[role]]
name = "look"
members = ["@dev"]
hosts = ["web-1"]
logins = ["looker"]
max_duration = "5m"
auto_approve = "always"
"#;

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        assert!(!self.err.contains("panicked"), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text) || self.err.contains(text), "no {text:?} in {self:#?}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in {self:#?}"))
    }
}

/// What a child says that gets `input` on standard input.
pub fn said(mut child: Child, input: &str) -> Said {
    // One that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code().expect("ended by a signal"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A fresh instance, removed when dropped.
pub struct Desk {
    dir: TempDir,
}

impl Desk {
    /// An empty directory that only root can enter.
    pub fn empty() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("jitctl-test-")
            .permissions(PermissionsExt::from_mode(0o700))
            .tempdir_in("/run")
            .expect("these tests run as root");
        Desk { dir }
    }

    /// Set up, with a policy and the people alice (dev), bob and carol (leads).
    pub fn new() -> Self {
        let desk = Desk::empty();
        desk.run(&["setup", "--host", "web-1"]).code(0);
        std::fs::write(desk.file("policy.toml"), POLICY).unwrap();
        for (name, group) in [("alice", "dev"), ("bob", "leads"), ("carol", "leads")] {
            desk.run(&["user", "add", name, "--group", group, "--key", &desk.key(name)]).code(0);
        }
        desk
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// A new public key of `name`.
    pub fn key(&self, name: &str) -> String {
        let file = self.text(name);
        let comment = format!("{name}@laptop");
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", &comment, "-f", &file];
        assert!(Command::new("ssh-keygen").args(arguments).status().unwrap().success());
        format!("{file}.pub")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(JITCTL);
        command.arg("--config").arg(self.file("jit.toml")).args(arguments);
        command.env_clear().env("TZ", "UTC").current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        self.type_in(arguments, "")
    }

    /// Runs with `input` on standard input.
    pub fn type_in(&self, arguments: &[&str], input: &str) -> Said {
        said(self.command(arguments).spawn().unwrap(), input)
    }

    /// What an admin sees of people, hosts and grants.
    pub fn state(&self) -> String {
        let shown = [
            vec!["user", "list", "--json"],
            vec!["host", "list", "--json"],
            vec!["list", "--all", "--json"],
        ];
        shown.iter().map(|arguments| self.run(arguments).code(0).out).collect()
    }

    /// Files a request of alice's for `target`; its id.
    pub fn request(&self, target: &str) -> String {
        let said = self.run(&[
            "request", target, "--as", "alice", "--for", "30m", "--reason", "INC-7", "--json",
        ]);
        said.code(0).json()["id"].as_str().unwrap().to_owned()
    }
}

/// The code that an authenticator app with the secret of `uri` shows in `steps` steps from now.
pub fn code(uri: &str, steps: i32) -> String {
    let secret = uri.split_once("secret=").unwrap().1.split('&').next().unwrap();
    let when = format!("now {:+} seconds", 30 * steps);
    let output =
        Command::new("oathtool").args(["--totp", "-b", secret, "-N", &when]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a program. Another process does it: one that this process has open for writing while
/// another test forks is busy, and can't be run.
pub fn program(file: &Path, text: &str) {
    let mut sh = Command::new("sh");
    sh.args(["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(file).arg(text);
    assert!(sh.status().unwrap().success());
}
