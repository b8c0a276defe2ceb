//! What stands in a certificate, and what it is good for.

use serde_json::Value;
use tests::error::{Context, Failed, Result};
use tests::run::must;
use tests::{Instance, ServerOptions};

fn grant_shown(i: &Instance, id: &str) -> Result<Value> {
    i.jitctl(&["show", id, "--json"])?.ok()?.json()
}

fn sign(i: &Instance, grant: &str) -> Result<String> {
    let key = i.alice.window_public_key().display().to_string();
    i.ssh_ca(&["sign", "--grant", grant, "--key", &key])?.ok()?;
    let file = i.alice.certificate().display().to_string();
    // Times in UTC, to compare with the grant's.
    let mut keygen = std::process::Command::new("ssh-keygen");
    Ok(tests::run::run(keygen.args(["-L", "-f", &file]).env("TZ", "UTC"), "")?.ok()?.stdout)
}

/// The lines below `head` that are indented more than it.
fn below<'a>(shown: &'a str, head: &str) -> Vec<&'a str> {
    let mut lines = shown.lines().skip_while(|line| !line.trim().starts_with(head)).skip(1);
    let mut found = Vec::new();
    while let Some(line) = lines.next().filter(|line| line.starts_with("                ")) {
        found.push(line.trim());
    }
    found
}

#[test]
fn a_certificate_is_valid_to_the_second_and_shows_no_more_than_was_granted() -> Result<()> {
    let i = Instance::start()?;
    let id = i.grant(&i.alice, &i.at_web(&i.alice.name), &["--for", "17m"])?;
    let shown = sign(&i, &id)?;
    let grant = grant_shown(&i, &id)?;
    let end = grant["not_after"].as_str().context("no not_after")?;
    let end = must("date", &["-u", "-d", end, "+%Y-%m-%dT%H:%M:%S"])?;
    let valid = shown.lines().find(|line| line.contains("Valid: ")).context("no validity")?;
    assert!(valid.ends_with(&format!("to {}", end.trim())), "{valid} but the grant ends {end}");
    let start = grant["not_before"].as_str().context("no not_before")?;
    let start =
        must("date", &["-u", "-d", &format!("{start} - 30 seconds"), "+%Y-%m-%dT%H:%M:%S"])?;
    assert!(valid.contains(&format!("from {}", start.trim())), "{valid}, not from {start}");
    assert_eq!(below(&shown, "Principals:"), [i.at_web(&i.alice.name)]);
    assert_eq!(below(&shown, "Extensions:"), ["permit-pty"]);
    assert!(shown.contains("Critical Options: (none)"), "{shown}");
    let key_id = format!("Key ID: \"jit/1 grant={id} user={} may=login\"", i.alice.name);
    assert!(shown.contains(&key_id), "{shown}");
    Ok(())
}

#[test]
fn sudo_stands_in_the_key_id_when_it_was_granted() -> Result<()> {
    let i = Instance::start()?;
    let id = i.grant(&i.alice, &i.at_web(&i.alice.name), &["--sudo"])?;
    assert!(sign(&i, &id)?.contains("may=login,sudo\""));
    Ok(())
}

#[test]
fn a_certificate_and_a_code_log_in() -> Result<()> {
    let i = Instance::start()?;
    let id = i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    sign(&i, &id)?;
    // ssh offers whatever it has, in its own order.
    let key = i.alice.window_key().display().to_string();
    let line = ["-i", &key, "web-1", "id -un"];
    i.ssh(&i.alice, &[&i.alice.code()?], &line)?.ok()?.says(&i.alice.name)?;
    let log = i.web().sshd_log();
    let accepted: Vec<_> = log.lines().filter(|line| line.contains("Partial publickey")).collect();
    let [line] = accepted[..] else { return Err(Failed::new(log)) };
    let by_certificate = line.contains("ED25519-CERT");
    let told = format!("{log}\n{}", i.log.text());
    assert!(by_certificate && line.contains(&format!("ID jit/1 grant={id}")), "{told}");
    assert!(!log.contains("is not supported"), "{log}");
    // The audit record says the same.
    i.jitctl(&["audit", "show", "--json"])?.ok()?.says(&format!("certificate 1 of {id}"))?;
    Ok(())
}

#[test]
fn a_certificate_is_refused_on_a_host_of_another_name() -> Result<()> {
    let mut i = Instance::start()?;
    i.jitctl(&["host", "add", "web-2"])?.ok()?;
    i.add_server(&ServerOptions::host("web-2"))?;
    let id = i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    sign(&i, &id)?;
    i.ssh_by_certificate(&i.alice, &[&i.alice.code()?], &["web-2", "true"])?
        .refused()?
        .says("Permission denied (publickey)")?;
    let log = i.server("web-2")?.sshd_log();
    assert!(log.contains("Certificate does not contain an authorized principal"), "{log}");
    Ok(())
}

#[test]
fn a_certificate_for_one_login_is_refused_at_another() -> Result<()> {
    let i = Instance::start()?;
    let id = i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    sign(&i, &id)?;
    let target = i.at_web(&i.deploy);
    i.ssh_by_certificate(&i.alice, &[&i.alice.code()?], &[&target, "true"])?
        .refused()?
        .says("Permission denied (publickey)")?;
    let log = i.web().sshd_log();
    assert!(log.contains("Certificate does not contain an authorized principal"), "{log}");
    Ok(())
}

#[test]
fn nothing_is_signed_without_a_live_grant() -> Result<()> {
    let i = Instance::start()?;
    let key = i.alice.window_public_key().display().to_string();
    let sign = |id: &str| i.ssh_ca(&["sign", "--grant", id, "--key", &key]);
    let pending = i.request(&i.alice, &i.at_web(&i.alice.name), &["--for", "5m"])?;
    sign(&pending)?.refused()?;
    let revoked = i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    i.jitctl(&["revoke", &revoked, "--reason", "over"])?.ok()?;
    sign(&revoked)?.refused()?;
    sign("zzzz-zzzz")?.refused()?;
    assert!(!i.alice.certificate().exists());
    Ok(())
}

#[test]
fn a_certificate_is_no_key_to_sign() -> Result<()> {
    let i = Instance::start()?;
    let id = i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    sign(&i, &id)?;
    let certificate = i.alice.certificate().display().to_string();
    let out = i.dir.join("again-cert.pub").display().to_string();
    let line = ["sign", "--grant", &id, "--key", &certificate, "--out", &out];
    i.ssh_ca(&line)?.refused()?;
    Ok(())
}

#[test]
fn the_same_grant_signs_twice_with_different_serials() -> Result<()> {
    let i = Instance::start()?;
    let id = i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let serial = |shown: String| -> Result<u64> {
        let line = shown.lines().find_map(|line| line.trim().strip_prefix("Serial: "));
        line.and_then(|number| number.parse().ok()).context("no serial")
    };
    let first = serial(sign(&i, &id)?)?;
    let second = serial(sign(&i, &id)?)?;
    assert!(first != 0 && second != 0 && first != second, "{first} and {second}");
    Ok(())
}

#[test]
fn user_and_host_keys_of_the_authority_differ() -> Result<()> {
    let i = Instance::start()?;
    let user = i.ssh_ca(&["public-key"])?.ok()?.stdout;
    let host = i.ssh_ca(&["public-key", "--host"])?.ok()?.stdout;
    let blob = |line: &str| line.split(' ').nth(1).map(str::to_owned);
    assert!(blob(&user).is_some() && blob(&user) != blob(&host), "{user}{host}");
    i.ssh_ca(&["public-key", "--known-hosts"])?.ok()?.says("@cert-authority ")?;
    Ok(())
}
