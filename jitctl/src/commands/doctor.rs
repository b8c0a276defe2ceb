//! `jitctl doctor`: looks at everything that logins depend on, also where nothing opens any more,
//! and says of what is wrong why it matters and which command mends it.

mod ask;
mod checks;
mod hooks;
mod host;
mod machine;
mod matches;
mod pam;
mod report;
mod sshd;
mod sudo;
mod ways_in;

use std::path::Path;

use jit_core::authority::Authority;
use jit_core::config::{Config, DEFAULT_PATH};
use jit_core::policy::Policy;
use jit_core::seal::Vault;
use jit_core::store::sqlite::Opener;
use jit_core::{Error, Result, rootfile};
use serde_json::json;

use super::PROCESS;
use crate::output::{Exit, Output};
use report::Report;

/// Runs `jitctl doctor`.
pub fn run(path: &Path, output: Output) -> Result<Exit> {
    let mut report = Report::default();
    examine(path, &mut report);
    output.answer(report.text(), || json!({ "ok": !report.failed(), "checks": report.json() }))?;
    Ok(if report.failed() { Exit::Failed } else { Exit::Done })
}

fn examine(path: &Path, report: &mut Report) {
    let config = report.check(
        Config::load(path),
        |_| format!("configuration {} is sound", path.display()),
        "Without it every login is denied.",
    );
    // Where only owner or mode of the file is wrong, the rest can be looked at all the same.
    let config = config.or_else(|| {
        let text = std::fs::read_to_string(path).ok()?;
        Config::parse(path, &text).ok()
    });
    let Some(config) = config else { return };
    for directory in [&config.state_dir, &config.run_dir] {
        report.check(
            rootfile::check_private_dir(directory),
            |()| format!("directory {} is root's alone", directory.display()),
            "The store and jitd's lock live in such: whoever can write there decides.",
        );
    }
    let vault = report.check(
        Vault::open_file(&config.master_key_file),
        |_| format!("master key {} is there and root's alone", config.master_key_file.display()),
        "It opens every secret; without it every login is denied.",
    );
    let policy = report.check(
        Policy::load(&config.policy_file),
        |policy| {
            format!("policy {} is sound, version {}", config.policy_file.display(), policy.version)
        },
        "Without one that is good, or was, every login is denied.",
    );
    checks::configured(&config, report);
    let opened = vault.is_some().then(|| open(&config, report)).flatten();
    // One cause is one failure: what stands in a store that is damaged is not looked at.
    let sound = opened.as_ref().filter(|authority| checks::is_undamaged(authority, report));
    if let Some(authority) = sound {
        checks::stored(authority, report);
        checks::people(authority, report);
        match &policy {
            Some(policy) => checks::policy(authority, policy, report),
            None => checks::stand_in(authority, report),
        }
    } else {
        report.not_checked("grants, the log, the clock, break-glass codes, CA keys, people, hosts");
    }
    if let Some(authority) = &opened {
        checks::keeper(authority, report);
    }
    hooks::examine(&config, path, sound, report);
    if path == Path::new(DEFAULT_PATH) {
        let policy = policy.as_ref();
        host::Host { config: &config, path, authority: sound, policy }.examine(report);
    } else {
        report.ok(format!(
            "sshd, PAM, sudo and systemd are not looked at: they go by {DEFAULT_PATH}"
        ));
    }
}

/// What would fail here with another configuration of sshd's, in a file of its own, and with other
/// texts of PAM services.
pub fn foresee(
    authority: &Authority,
    sshd_config: &Path,
    services: &[&str],
    read: &dyn Fn(&str) -> Option<String>,
) -> Vec<Error> {
    let policy = authority.policy().ok();
    let (config, path) = (authority.config(), Path::new(DEFAULT_PATH));
    let host = host::Host { config, path, authority: Some(authority), policy: policy.as_deref() };
    let mut report = Report::default();
    host.judge(sshd_config, services, read, &mut report);
    report.failures()
}

/// Opens the store, where there is one.
fn open(config: &Config, report: &mut Report) -> Option<Authority> {
    let database = config.database();
    if !database.exists() {
        report.fail(
            format!("there is no store {}", database.display()),
            "It holds people, grants and the log; without it every login is denied.",
            "jitctl setup, on a new machine; else jitctl restore FILE, from your backup.",
        );
        return None;
    }
    report.check(
        Authority::open(config.clone(), PROCESS, Opener::Admin),
        |_| format!("store {} opens", database.display()),
        "It holds people, grants and the log; without it every login is denied.",
    )
}
