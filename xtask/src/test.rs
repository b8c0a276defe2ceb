//! `cargo xtask test`: everything that must pass before a change is taken, cheapest first.

use std::process::Command;
use tests::error::{Context, Result, ensure};
use tests::{need, product};

/// End-to-end tests mostly wait, for windows to end and codes to change: more at a time than there
/// are cores is faster.
const AT_ONCE: &str = "--test-threads=4";

/// Runs all of it; stops at the first failure. What cargo test says last stands last.
pub fn run(long: bool) -> Result<()> {
    need::everything()?;
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ])?;
    licences(long)?;
    cargo(&["test", "--locked", "--workspace"])?;
    if long {
        schemathesis()?;
    }
    say("cargo build --release");
    product::build()?;
    let mut line = vec!["test", "--locked", "--package", "tests", "--features", "e2e"];
    if long {
        line.extend(["--features", "long"]);
    }
    line.extend(["--test", "e2e", "--", AT_ONCE]);
    cargo(&line)?;
    Ok(())
}

/// cargo-deny where there is one; `--long` installs it, which takes minutes.
fn licences(long: bool) -> Result<()> {
    let there = || Command::new("cargo").args(["deny", "--version"]).output();
    let mut found = there().is_ok_and(|output| output.status.success());
    if !found && long {
        cargo(&["install", "--locked", "cargo-deny"])?;
        found = there().is_ok_and(|output| output.status.success());
    }
    if !found {
        say("licences and advisories: cargo-deny is not installed; --long installs and runs it");
        return Ok(());
    }
    // Advisories come from a repository that a machine without a network can't reach.
    let checks: &[&str] = if long {
        &["deny", "--locked", "check"]
    } else {
        &["deny", "--locked", "check", "bans", "licenses", "sources"]
    };
    cargo(checks)
}

/// The API as schemathesis sees it, which is installed where its test looks for it, in the versions that
/// stand beside that.
fn schemathesis() -> Result<()> {
    need::python()?;
    let environment = product::workspace().join("target/tmp/schemathesis");
    let mut venv = Command::new("/usr/bin/python3");
    called(venv.args(["-m", "venv"]).arg(&environment))?;
    let mut pip = Command::new(environment.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    called(pip.arg("ssh-ca/tests/schemathesis/requirements.txt"))?;
    let test = ["test", "--locked", "--package", "ssh-ca", "--features", "long", "--test", "it"];
    cargo(&[test.as_slice(), &["schemathesis"]].concat())
}

fn say(what: &str) {
    eprintln!("\n=== {what}");
}

fn cargo(arguments: &[&str]) -> Result<()> {
    called(Command::new("cargo").args(arguments))
}

fn called(command: &mut Command) -> Result<()> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    say(&line);
    let status = command.current_dir(product::workspace()).status().context("starting it")?;
    ensure(status.success(), || format!("{line} failed; see above"))
}
