//! The OpenAPI document as schemathesis reads it, which knows nothing of ours: for callers of every kind
//! it finds no answer that is not described, and none that says that the server failed.
//! `cargo xtask test --long` installs it and runs this.

use std::path::{Path, PathBuf};
use std::process::Command;

use jit_core::name::PersonName;
use serde_json::json;

use crate::person::Host;
use crate::relay::{Caller, Relay};
use crate::served::Served;

/// Requests made of each endpoint in each phase.
const EXAMPLES: &str = "40";

/// What is not asked of the server: that it takes whatever fits the schema, as there is more to a
/// signature than that it is a string; and that nobody gets in without a token, as what comes from here
/// always has one, or never (`the_gate_of_every_endpoint_is_as_written_here` asks that).
const NOT_CHECKED: &str = "positive_data_acceptance,ignored_auth";

#[test]
fn schemathesis_finds_nothing_as_nobody() {
    judged(|_| Caller::Nobody);
}

#[test]
fn schemathesis_finds_nothing_as_a_person() {
    judged(|served| Caller::Person(served.person("erin", "dev").into()));
}

#[test]
fn schemathesis_finds_nothing_as_an_admin() {
    judged(|served| Caller::Person(served.person("ada", "admins").into()));
}

#[test]
fn schemathesis_finds_nothing_as_a_host() {
    judged(|served| Caller::Host(Host::enrolled(&served.desk.authority, "web-1").into()));
}

#[test]
fn schemathesis_finds_nothing_as_root() {
    judged(|_| Caller::Root);
}

fn judged(caller: impl FnOnce(&Served) -> Caller) {
    let served = Served::new();
    let caller = caller(&served);
    // An admin who removes themselves would ask nothing any more.
    served.person("bob", "leads");
    let (active, other) =
        (served.desk.grant("web-1", 600, false), served.desk.grant("web-1", 60, true));
    let key = served.desk.authority.keys(&PersonName::parse("bob").unwrap()).unwrap().remove(0);
    let people = ["alice", "bob", "frank"];
    let words = json!({
        "id": [active.id(), other.id()], "grant": [active.id()], "person": people, "login": ["deploy"],
        "name": [people[0], people[1], people[2], "web-1", "web-2"], "host": ["web-1", "web-2"],
        "place": ["web-1", "env=prod"], "fingerprint": [key.fingerprint], "labels": ["env=prod"],
        "public_key": [key.public_key], "keys": [key.public_key], "state": ["active", "ended"],
        "reason": ["INC-1 why"], "note": ["INC-1 seen"], "groups": ["leads"], "add": ["dev"],
        "remove": ["leads"],
    });
    let url = format!("http://{}/v1/openapi.json", Relay::start(&served, caller));
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    let output = Command::new(program())
        .args(["run", &url, "--checks", "all", "--exclude-checks", NOT_CHECKED])
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--continue-on-failure"])
        .args(["--phases", "examples,coverage,fuzzing,stateful", "--warnings", "off"])
        .args(["--generation-with-security-parameters", "false", "--no-color"])
        .args(["--generation-database", "none", "--suppress-health-check", "all"])
        .args(["--request-timeout", "90"])
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", hooks)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("JIT_WORDS", words.to_string())
        .current_dir(served.desk.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Where `cargo xtask test --long` puts it.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis/bin/schemathesis");
    assert!(program.exists(), "{} is missing: cargo xtask test --long", program.display());
    program
}
