//! What is configured wrongly, missing, unreadable, writable by others or corrupt denies, with a
//! line in the log that an administrator can act on; `jitctl doctor` says the same.

use crate::pam;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tests::Instance;
use tests::error::Result;

/// Something that goes wrong with one file, and a word that the log and the doctor must say.
struct Mishap {
    name: &'static str,
    file: PathBuf,
    spoil: fn(&Path) -> Result<()>,
    says: &'static str,
}

fn chmod(path: &Path, mode: u32) -> Result<()> {
    Ok(std::fs::set_permissions(path, PermissionsExt::from_mode(mode))?)
}

fn append(path: &Path, text: &str) -> Result<()> {
    let all = std::fs::read_to_string(path)?;
    Ok(std::fs::write(path, format!("{all}{text}"))?)
}

fn mishaps(i: &Instance) -> Vec<Mishap> {
    let file = |name: &str| i.dir.join(name);
    let new = |name, file, spoil, says| Mishap { name, file, spoil, says };
    vec![
        new("configuration writable by all", file("jit.toml"), |f| chmod(f, 0o666), "jit.toml"),
        new(
            "configuration with an unknown key",
            file("jit.toml"),
            |f| append(f, "\nattemps = 5\n"),
            "attemps",
        ),
        new(
            "configuration that is no TOML",
            file("jit.toml"),
            |f| append(f, "\n[[[\n"),
            "jit.toml",
        ),
        new(
            "configuration missing",
            file("jit.toml"),
            |f| Ok(std::fs::remove_file(f)?),
            "jit.toml",
        ),
        new(
            "configuration of another owner",
            file("jit.toml"),
            |f| Ok(std::os::unix::fs::chown(f, Some(65534), None)?),
            "jit.toml",
        ),
        new("policy missing", file("policy.toml"), |f| Ok(std::fs::remove_file(f)?), "policy.toml"),
        new(
            "policy writable by the group",
            file("policy.toml"),
            |f| chmod(f, 0o664),
            "policy.toml",
        ),
        new(
            "master key missing",
            file("master.key"),
            |f| Ok(std::fs::remove_file(f)?),
            "master.key",
        ),
        new("master key readable by all", file("master.key"), |f| chmod(f, 0o644), "master.key"),
        new(
            "master key cut short",
            file("master.key"),
            |f| Ok(std::fs::write(f, "x")?),
            "master.key",
        ),
        new("state directory open to all", file("state"), |f| chmod(f, 0o755), "state"),
    ]
}

#[test]
fn every_mishap_denies_and_says_what_is_wrong() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let mut wrong = Vec::new();
    for mishap in mishaps(&i) {
        let kept = i.dir.join("kept");
        tests::run::must("rm", &["-rf", &kept.display().to_string()])?;
        let (file, copy) = (mishap.file.display().to_string(), kept.display().to_string());
        let is_file = mishap.file.is_file();
        if is_file {
            tests::run::must("cp", &["-a", &file, &copy])?;
        }
        (mishap.spoil)(&mishap.file)?;
        let mark = i.log.mark();
        let phase = pam::authenticate(&i, &i.alice, "123456")?;
        let login = i.ssh(&i.alice, &["123456", ""], &["web-1", "echo let in"])?;
        let doctor = i.jitctl(&["doctor"])?;
        // Without its configuration the module does not know the private log; its line goes to the
        // machine's.
        let logged = mishap.file.ends_with("jit.toml") || i.log.since(mark).contains(mishap.says);
        let facts = [
            ("the module denies", phase.code != 0),
            ("sshd denies", login.code != 0 && !login.said("let in")),
            ("the log says why", logged),
            ("the doctor finds it", doctor.code != 0 && doctor.said(mishap.says)),
        ];
        for (fact, _) in facts.iter().filter(|(_, holds)| !holds) {
            wrong.push(format!(
                "{}: not so: {fact}\n{}\n{}",
                mishap.name,
                doctor.told(),
                i.log.since(mark)
            ));
        }
        if is_file {
            tests::run::must("rm", &["-f", &file])?;
            tests::run::must("mv", &[&copy, &file])?;
        } else {
            chmod(&mishap.file, 0o700)?;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // All is as it was before.
    i.login(&i.alice, &i.alice.name, "true")?.ok()?;
    i.jitctl(&["doctor"])?.does_not_say("jit.toml: ")?;
    Ok(())
}

#[test]
fn an_empty_policy_denies() -> Result<()> {
    let i = Instance::start()?;
    i.write_policy("")?;
    let target = i.at_web(&i.alice.name);
    let line = ["request", &target, "--as", &i.alice.name, "--for", "5m", "--reason", "INC-1 x"];
    i.jitctl(&line)?.code_is(1)?;
    i.ssh(&i.alice, &[&i.alice.code()?, "INC-1 please"], &["web-1", "true"])?.refused()?;
    Ok(())
}

#[test]
fn a_corrupt_store_denies() -> Result<()> {
    let mut i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    i.server("web-1")?.stop_keeper(nix::sys::signal::Signal::SIGTERM)?;
    let store = i.dir.join("state/jit.db");
    for file in ["state/jit.db-wal", "state/jit.db-shm"] {
        tests::run::must("rm", &["-f", &i.dir.join(file).display().to_string()])?;
    }
    std::fs::write(&store, "this is no database, and never was one".repeat(200))?;
    let mark = i.log.mark();
    pam::authenticate(&i, &i.alice, &i.alice.code()?)?.refused()?;
    i.ssh(&i.alice, &[&i.alice.recovery_code()?, ""], &["web-1", "true"])?.refused()?;
    i.log.wait_for_since(mark, &["jit.db"])?;
    i.jitctl(&["doctor"])?.refused()?.says("jit.db")?;
    i.jitctl(&["list"])?.code_is(5)?;
    Ok(())
}

#[test]
fn an_unknown_module_argument_denies() -> Result<()> {
    let i = Instance::start()?;
    let file = format!("/etc/pam.d/{}", i.web().service);
    let text = std::fs::read_to_string(&file)?.replace("config=", "debug conf=");
    std::fs::write(&file, text)?;
    pam::authenticate(&i, &i.alice, &i.alice.code()?)?.refused()?;
    Ok(())
}

#[test]
fn limits_of_zero_and_below_are_refused() -> Result<()> {
    let i = Instance::start()?;
    let good = std::fs::read_to_string(i.dir.join("jit.toml"))?;
    for bad in [
        "attempts = 0",
        "attempts = -1",
        "attempts = 99999999999999999999",
        "attempts = 5\nlockout = 101",
    ] {
        std::fs::write(i.dir.join("jit.toml"), good.replace("attempts = 5", bad))?;
        i.jitctl(&["status"])?.refused()?;
        pam::authenticate(&i, &i.alice, &i.alice.wrong_code()?)?.refused()?;
    }
    for bad in ["0s", "-5m", "5", "99999999999999999999h"] {
        std::fs::write(i.dir.join("jit.toml"), good.replace("\"5m\"", &format!("{bad:?}")))?;
        i.jitctl(&["status"])?.refused()?;
    }
    Ok(())
}
