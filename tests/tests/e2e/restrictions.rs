//! Where a role lets in from, and the one command it runs: sshd holds to both, whichever way the key
//! comes.

use tests::error::Result;
use tests::{Instance, instance};

/// Everybody here comes from 127.0.0.1.
const HERE: &str = "127.0.0.0/8";
const ELSEWHERE: &str = "192.0.2.0/24";
const COMMAND: &str = "/usr/bin/printenv SSH_ORIGINAL_COMMAND";

fn policy(i: &Instance, addresses: &str) -> Result<()> {
    let held = format!("source_addresses = [\"{addresses}\"]\nforce_command = \"{COMMAND}\"\n");
    i.write_policy(&format!("{}{held}", instance::POLICY))
}

/// A grant by that policy, approved by bob.
fn approved(i: &Instance) -> Result<String> {
    let id = i.request(&i.alice, &i.at_web(&i.alice.name), &["--for", "10m"])?;
    i.approve(&i.bob, &id)?;
    Ok(id)
}

fn sign(i: &Instance, id: &str) -> Result<()> {
    let key = i.alice.window_public_key().display().to_string();
    i.ssh_ca(&["sign", "--grant", id, "--key", &key])?.ok()?;
    Ok(())
}

#[test]
fn a_key_is_held_to_addresses_and_command() -> Result<()> {
    let i = Instance::start()?;
    policy(&i, HERE)?;
    let id = approved(&i)?;
    i.jitctl(&["show", &id])?.ok()?.says(HERE)?.says(COMMAND)?;
    let held = i.login(&i.alice, &i.alice.name, "id -un")?.ok()?;
    assert_eq!(held.stdout.trim(), "id -un", "what was asked for is shown, not run");
    i.jitctl(&["revoke", &id, "--reason", "next"])?.ok()?;
    policy(&i, ELSEWHERE)?;
    approved(&i)?;
    i.login(&i.alice, &i.alice.name, "true")?.refused()?.says("Permission denied (publickey)")?;
    let log = i.web().sshd_log();
    assert!(log.contains("not from a permitted host"), "{log}");
    Ok(())
}

#[test]
fn a_certificate_is_held_to_addresses_and_command() -> Result<()> {
    let i = Instance::start()?;
    policy(&i, HERE)?;
    let id = approved(&i)?;
    sign(&i, &id)?;
    let file = i.alice.certificate().display().to_string();
    tests::run::run(std::process::Command::new("ssh-keygen").args(["-L", "-f", &file]), "")?
        .ok()?
        .says(&format!("force-command {COMMAND}"))?
        .says(&format!("source-address {HERE}"))?;
    let come =
        || i.ssh_by_certificate(&i.alice, &[&i.alice.recovery_code()?], &["web-1", "id -un"]);
    assert_eq!(come()?.ok()?.stdout.trim(), "id -un", "shown, not run");
    i.jitctl(&["revoke", &id, "--reason", "next"])?.ok()?;
    policy(&i, ELSEWHERE)?;
    let id = approved(&i)?;
    sign(&i, &id)?;
    come()?.refused()?.says("Permission denied (publickey)")?;
    let log = i.web().sshd_log();
    assert!(log.contains("certificate source-address") || log.contains("permitted"), "{log}");
    Ok(())
}

#[test]
fn a_broken_policy_leaves_the_last_good_one_to_logins() -> Result<()> {
    let i = Instance::start()?;
    approved(&i)?;
    i.write_policy("[[role\n")?;
    // Who has access keeps it, and who has none can ask as before.
    i.login(&i.alice, &i.alice.name, "id -un")?.ok()?.says(&i.alice.name)?;
    let id = i.request(&i.alice, &i.at_web(&i.deploy), &["--for", "5m"])?;
    i.approve(&i.bob, &id)?;
    i.login(&i.alice, &i.deploy, "id -un")?.ok()?.says(&i.deploy)?;
    i.jitctl(&["doctor"])?.refused()?.says("stays in force")?;
    i.jitctl(&["status"])?.says("does not parse")?;
    let told = i.log.text();
    assert!(told.contains("stays in force"), "{told}");
    let records = i.jitctl(&["audit", "show", "--json"])?.ok()?.stdout;
    let refused = records.lines().filter(|line| line.contains("stays in force")).count();
    assert_eq!(refused, 1, "once on the log: {records}");
    // What was never good gives nothing to go by once the store forgets: mended, all is well.
    i.write_policy(instance::POLICY)?;
    i.jitctl(&["status"])?.ok()?.does_not_say("does not parse")?;
    Ok(())
}
