//! The invariants of ARCHITECTURE.md that are about the source itself.

// All of this is test code; clippy takes only functions marked as tests for that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CRATES: [&str; 10] = [
    "jit-core",
    "jit-api",
    "pam_jit",
    "ssh-ca",
    "jitctl",
    "jitd",
    "jit-client",
    "jit-hooks",
    "tests",
    "xtask",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Every Rust file below `dir`, with its path as the workspace sees it.
fn sources(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).expect("a directory of the workspace") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root()).expect("below the workspace");
            let text = fs::read_to_string(&path).expect("a source file");
            found.push((name.to_string_lossy().into_owned(), text));
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in CRATES {
        sources(&root().join(name), &mut found);
    }
    assert!(found.len() > 50, "the sources were found");
    found
}

/// The files that contain one of `words` in code: not in a comment, not in this file.
fn files_with(words: &[&str]) -> Vec<String> {
    let code = |text: &str| {
        text.lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .any(|line| words.iter().any(|word| line.contains(word)))
    };
    let mut files: Vec<String> = all_sources()
        .into_iter()
        .filter(|(name, text)| !name.ends_with("tests/invariants.rs") && code(text))
        .map(|(name, _)| name)
        .collect();
    files.sort();
    files
}

fn tree(package: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "-p", package])
        .current_dir(root())
        .output()
        .expect("cargo tree runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("names of crates")
}

#[test]
fn unsafe_stands_in_one_file() {
    assert_eq!(
        files_with(&["unsafe {", "unsafe extern", "unsafe fn", "unsafe impl", "unsafe_code)"]),
        ["pam_jit/src/ffi.rs"]
    );
}

#[test]
fn the_module_has_no_async_runtime_no_tls_and_only_the_core() {
    let tree = tree("pam_jit");
    for forbidden in
        ["tokio", "async", "hyper", "rustls", "openssl", "native-tls", "ring ", "aws-lc"]
    {
        assert!(!tree.contains(forbidden), "{forbidden} in\n{tree}");
    }
    for crate_of_ours in ["ssh-ca ", "jitctl ", "jitd ", "jit-hooks "] {
        assert!(!tree.contains(crate_of_ours), "{crate_of_ours} in\n{tree}");
    }
    assert!(tree.contains("jit-core "), "cargo tree said something else:\n{tree}");
}

#[test]
fn the_network_is_for_few_programs() {
    for package in ["jit-hooks", "jit-client", "ssh-ca"] {
        assert!(tree(package).contains("rustls "), "cargo tree said something else");
    }
    for package in ["jit-core", "jit-api", "jitd"] {
        let tree = tree(package);
        for forbidden in ["rustls", "ureq", "openssl", "jit-hooks ", "tokio", "ssh-ca "] {
            assert!(!tree.contains(forbidden), "{forbidden} in {package}:\n{tree}");
        }
    }
    // jitctl gets there by jit-client alone, and waits without a runtime.
    for forbidden in ["tokio", "openssl", "jit-hooks ", "ssh-ca "] {
        assert!(!tree("jitctl").contains(forbidden), "{forbidden} in jitctl");
    }
    // Only `ssh-ca serve` speaks TLS: neither the signer nor what sshd runs knows the word.
    for file in files_with(&["rustls", "tokio_rustls"]) {
        let allowed = ["ssh-ca/src/serve", "ssh-ca/tests/", "jit-hooks/", "jit-client/", "tests/"];
        assert!(allowed.iter().any(|place| file.starts_with(place)), "TLS in {file}");
    }
}

#[test]
fn the_core_knows_no_program_and_no_pam() {
    let tree = tree("jit-core");
    for forbidden in ["pam", "clap", "ssh-ca ", "tokio", "rustls"] {
        assert!(!tree.contains(forbidden), "{forbidden} in\n{tree}");
    }
}

#[test]
fn one_module_reads_the_clock() {
    // Tests and the harness measure real time; they decide nothing with it.
    let readers: Vec<String> = files_with(&[
        "SystemTime::now",
        "Instant::now",
        "Utc::now",
        "Local::now",
        "clock_gettime(",
    ])
    .into_iter()
    .filter(|file| !file.starts_with("tests/") && !file.starts_with("xtask/"))
    .filter(|file| !file.contains("/tests/") && !file.contains("/examples/"))
    .collect();
    assert_eq!(readers, ["jit-core/src/clock.rs"]);
}

#[test]
fn sql_stands_in_the_store_only() {
    let with_sql = files_with(&[
        "SELECT ",
        "INSERT INTO",
        "INSERT OR",
        "REPLACE INTO",
        "UPDATE grant",
        "DELETE FROM",
        "PRAGMA ",
    ]);
    // Tests may break a store on purpose: those that a crate has beside its sources.
    let breaks = |file: &String| file.split('/').nth(1) == Some("tests");
    for file in with_sql.iter().filter(|file| !breaks(file)) {
        assert!(file.starts_with("jit-core/src/store/"), "an SQL statement in {file}");
    }
    for file in files_with(&["rusqlite"]).iter().filter(|file| !file.contains("/tests/")) {
        assert!(file.starts_with("jit-core/src/store/"), "rusqlite in {file}");
    }
}

#[test]
fn the_decision_does_no_io_and_reads_no_clock() {
    let (_, text) = all_sources()
        .into_iter()
        .find(|(name, _)| name == "jit-core/src/policy/decide.rs")
        .expect("the decision");
    for forbidden in ["std::fs", "std::io", "std::env", "std::net", "clock", "store", "nix::"] {
        let uses = text.lines().any(|line| line.starts_with("use ") && line.contains(forbidden));
        assert!(!uses, "{forbidden}");
    }
}

#[test]
fn no_environment_variable_decides_anything() {
    let readers: Vec<String> = files_with(&["env::var", "env::vars"])
        .into_iter()
        .filter(|file| !file.starts_with("tests/") && !file.starts_with("xtask/"))
        .filter(|file| !file.contains("/tests/"))
        .collect();
    assert_eq!(readers, [] as [&str; 0]);
}

#[test]
fn secrets_and_codes_are_compared_in_constant_time() {
    let (_, secret) = all_sources()
        .into_iter()
        .find(|(name, _)| name == "jit-core/src/secret.rs")
        .expect("where comparing is");
    assert!(secret.contains("a.ct_eq(b).into()"));
    // Whatever compares a code, a hash or a tag does it there.
    for file in ["factor/totp.rs", "factor/recovery.rs", "breakglass.rs", "store/sqlite.rs"] {
        let name = format!("jit-core/src/{file}");
        let (_, text) = all_sources().into_iter().find(|(n, _)| *n == name).expect("the file");
        assert!(text.contains("equal("), "{name}");
        for line in text.lines().map(|line| line.split("//").next().unwrap_or_default()) {
            let secret =
                ["code", "hash", "tag", "typed", "expose"].iter().any(|w| line.contains(w));
            assert!(
                !(secret && (line.contains(" == ") || line.contains(" != "))),
                "{name}: {line}"
            );
        }
    }
}

#[test]
fn every_rule_of_the_field_has_a_test_that_is_found_by_name() {
    let text = fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md");
    let sources = all_sources();
    let mut checked = 0;
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let Some(tests) = line.trim_end_matches([' ', '|']).rsplit('|').next() else { continue };
        for name in tests.split('`').skip(1).step_by(2).filter(|word| word.contains('_')) {
            let declared = format!("fn {name}(");
            assert!(
                sources.iter().any(|(_, text)| text.contains(&declared)),
                "SECURITY.md names the test {name}, which does not exist"
            );
            checked += 1;
        }
    }
    assert!(checked >= 20, "only {checked} tests are named in SECURITY.md");
}
