//! An authority that serves, by the real server, and people on machines of their own: here, homes of
//! their own. Needs `ssh-ca` beside `jitctl`: cargo build -p ssh-ca.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::desk::{Desk, JITCTL, Said, code, said};

const LIMIT: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(20);

/// An authority that serves.
pub struct Served {
    pub desk: Desk,
    daemons: Vec<Child>,
}

impl Served {
    pub fn new() -> Self {
        let desk = Desk::new();
        // As /run is: others reach the sockets.
        std::fs::set_permissions(desk.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut served = Served { desk, daemons: Vec::new() };
        let made = served.ssh_ca(&["init", "--serve", &format!("localhost:{port}")]).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        served.start();
        served
    }

    pub fn ssh_ca(&self, arguments: &[&str]) -> Command {
        let program = Path::new(JITCTL).with_file_name("ssh-ca");
        assert!(program.exists(), "first: cargo build -p ssh-ca");
        let mut command = Command::new(program);
        command.arg("--config").arg(self.desk.file("jit.toml")).args(arguments);
        command
    }

    pub fn start(&mut self) {
        for daemon in ["signer", "serve"] {
            let log = std::fs::File::create(self.desk.file(daemon)).unwrap();
            let child = self.ssh_ca(&[daemon]).stdin(Stdio::null()).stderr(log).spawn().unwrap();
            self.daemons.push(child);
            let front = self.desk.file("run-signer/front.sock");
            until("the signer listens", || front.exists());
        }
    }

    pub fn kill(&mut self) {
        for mut daemon in self.daemons.drain(..) {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let _ = std::fs::remove_file(self.desk.file("run-signer/front.sock"));
    }

    pub fn invitation(&self, name: &str) -> String {
        let said = self.desk.run(&["user", "invite", name, "--json"]).code(0).json();
        said["join"].as_str().unwrap().to_owned()
    }

    /// A machine of `name`'s, who has joined from it; their key has this passphrase.
    pub fn joined(&self, name: &str, passphrase: &str) -> Laptop {
        let laptop = Laptop::new(passphrase);
        let mut child =
            laptop.command(&["join", &self.invitation(name), "--json"]).spawn().unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        if line.is_empty() {
            panic!("{:?}", child.wait_with_output().unwrap());
        }
        let first: Value = serde_json::from_str(&line).unwrap();
        let uri = first["otpauth_uri"].as_str().unwrap();
        writeln!(child.stdin.take().unwrap(), "{}", code(uri, 0)).unwrap();
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
        assert!(child.wait().unwrap().success());
        let second: Value = serde_json::from_str(&rest).unwrap();
        let codes = second["recovery_codes"].as_array().unwrap();
        let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        Laptop { codes, ..laptop }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Somebody's own machine.
pub struct Laptop {
    pub home: TempDir,
    pub codes: Vec<String>,
}

impl Laptop {
    pub fn new(passphrase: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        let key = home.path().join(".ssh/id_ed25519");
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]).arg(&key);
        assert!(keygen.status().unwrap().success());
        // Types the passphrase, as nobody is there.
        crate::desk::program(&home.path().join("askpass"), "#!/bin/sh\necho 'correct horse'\n");
        Laptop { home, codes: Vec::new() }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(JITCTL);
        command.args(arguments).env_clear().current_dir("/");
        command.env("HOME", self.home.path()).env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.env("SSH_ASKPASS", self.file("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// To the authority that was joined, whatever there is on this machine.
    pub fn run(&self, arguments: &[&str]) -> Said {
        self.type_in(arguments, "")
    }

    pub fn type_in(&self, arguments: &[&str], input: &str) -> Said {
        said(self.spawn(arguments), input)
    }

    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let arguments: Vec<&str> =
            ["--server", "localhost"].iter().chain(arguments).copied().collect();
        self.command(&arguments).spawn().unwrap()
    }
}

pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let mut left = LIMIT;
    while !so() {
        assert!(left > TICK, "{what}: it did not come");
        left -= TICK;
        sleep(TICK);
    }
}
