//! `cargo xtask fuzz`: each fuzz target for a while.

use std::path::Path;
use std::process::Command;

use tests::error::Result;
use tests::run::run;

/// The targets in fuzz/fuzz_targets.
const TARGETS: [&str; 5] = ["auth_info", "names_and_codes", "files", "policy_words", "requests"];
/// Where the parsers live, seen from the workspace.
const DIRECTORY: &str = "fuzz";

/// Runs every target for `seconds`; installs cargo-fuzz where it is missing.
///
/// # Errors
/// When a target finds something: cargo-fuzz says which input, and keeps it.
pub fn run_all(seconds: u32) -> Result<()> {
    let mut version = Command::new("cargo");
    if run(version.args(["fuzz", "--version"]), "")?.code != 0 {
        println!("Installing cargo-fuzz …");
        visible(Command::new("cargo").args(["install", "--locked", "cargo-fuzz"]))?;
    }
    for target in TARGETS {
        println!("── {target}, {seconds} s");
        let mut fuzz = Command::new("cargo");
        fuzz.args(["fuzz", "run", "--fuzz-dir", DIRECTORY, target, "--"])
            .arg(format!("-max_total_time={seconds}"))
            .args(["-max_len=4096", "-print_final_stats=1", "-verbosity=0"])
            // The coverage flags that the fuzzer needs are unstable; the toolchain stays the stable one.
            .env("RUSTC_BOOTSTRAP", "1")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        visible(&mut fuzz)?;
    }
    Ok(())
}

fn visible(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    tests::error::ensure(status.success(), || format!("{command:?} ended with {status}"))
}
