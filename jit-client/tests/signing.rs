//! Keys as people have them, signed with by the real ssh-keygen and checked as the authority does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jit_client::{SigningKey, bare};
use jit_core::{Kind, sshsig};
use tempfile::TempDir;

fn keygen(arguments: &[&str], file: &Path) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-C", "alice@laptop"]).args(arguments).arg("-f").arg(file);
    assert!(keygen.stdin(Stdio::null()).status().unwrap().success());
}

fn key(dir: &TempDir, name: &str, passphrase: &str) -> PathBuf {
    let file = dir.path().join(name);
    keygen(&["-t", "ed25519", "-N", passphrase], &file);
    file
}

#[test]
fn a_plain_key_signs_by_itself_and_its_signature_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let file = key(&dir, "id", "");
    let signer = SigningKey::open(&file).unwrap();
    assert!(!signer.needs_person().unwrap());
    let text = "jit-proof@v1\nserver: jit.example.com\n";
    let signature = signer.sign("jit-proof@v1", text).unwrap();
    let line = signer.line().unwrap();
    sshsig::check(&signature, "jit-proof@v1", text, [line.as_str()]).unwrap();
    assert!(sshsig::check(&signature, "jit-login@v1", text, [line.as_str()]).is_err());
    let on_one_line = bare(&signature).unwrap();
    assert!(!on_one_line.contains(['\n', '-']), "{on_one_line}");
    let armoured = format!(
        "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
        on_one_line
            .as_bytes()
            .chunks(70)
            .map(|c| std::str::from_utf8(c).unwrap())
            .collect::<Vec<_>>()
            .join("\n")
    );
    sshsig::check(&armoured, "jit-proof@v1", text, [line.as_str()]).unwrap();
    assert!(bare("no signature").is_err());
}

#[test]
fn an_encrypted_key_needs_somebody() {
    let dir = tempfile::tempdir().unwrap();
    let signer = SigningKey::open(&key(&dir, "id", "correct horse")).unwrap();
    assert!(signer.needs_person().unwrap());
}

/// An agent of this test's own. Its socket is told to the programs, not to this process: so they
/// are run by one that is.
struct Agent(Child, PathBuf);

impl Agent {
    fn start(dir: &TempDir) -> Self {
        let socket = dir.path().join("agent");
        let mut agent = Command::new("ssh-agent");
        let agent = agent.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        while !socket.exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Agent(agent, socket)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_key_in_an_agent_needs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let file = key(&dir, "id", "");
    let agent = Agent::start(&dir);
    let add = |file: &Path| {
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(file).env("SSH_AUTH_SOCK", &agent.1);
        assert!(add.stdin(Stdio::null()).status().unwrap().success());
    };
    add(&file);
    // Now only the agent has it: the file is encrypted, or gone.
    keygen(&["-p", "-P", "", "-N", "correct horse"], &file);
    let child = |file: &Path| {
        // This test again, as a process whose agent it is.
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "in_an_agent_as_a_child", "--ignored", "--nocapture"]);
        child.env("SSH_AUTH_SOCK", &agent.1).env("JIT_TEST_KEY", file);
        let output = child.output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{out}");
        assert!(out.contains("1 passed"), "{out}");
    };
    child(&file);
    std::fs::remove_file(&file).unwrap();
    child(&file.with_extension("pub"));
}

#[test]
#[ignore = "run by a_key_in_an_agent_needs_nobody, in a process with an agent"]
fn in_an_agent_as_a_child() {
    let file = PathBuf::from(std::env::var_os("JIT_TEST_KEY").unwrap());
    let signer = SigningKey::open(&file).unwrap();
    assert!(!signer.needs_person().unwrap());
    let signature = signer.sign("jit-proof@v1", "text\n").unwrap();
    sshsig::check(&signature, "jit-proof@v1", "text\n", [signer.line().unwrap().as_str()]).unwrap();
}

#[test]
fn a_key_is_made_anew_and_only_ed25519_signs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("proof");
    let first = SigningKey::make(&file, "jit proof").unwrap();
    let second = SigningKey::make(&file, "jit proof").unwrap();
    assert_ne!(first.fingerprint(), second.fingerprint());
    assert!(!second.needs_person().unwrap());
    let rsa = dir.path().join("rsa");
    keygen(&["-t", "rsa", "-b", "2048", "-N", ""], &rsa);
    let said = SigningKey::open(&rsa).unwrap_err();
    assert_eq!(said.kind(), Kind::Invalid);
    assert!(said.to_string().contains("only Ed25519 keys sign"), "{said}");
    let said = SigningKey::open(&dir.path().join("none")).unwrap_err();
    assert_eq!(said.kind(), Kind::NotFound);
    assert!(said.to_string().contains("ssh-keygen -t ed25519"), "{said}");
    std::fs::remove_file(&file).unwrap();
    std::fs::rename(dir.path().join("rsa"), &file).unwrap();
    let said = second.sign("jit-proof@v1", "text").unwrap_err();
    assert!(said.to_string().contains("did not sign"), "{said}");
}
