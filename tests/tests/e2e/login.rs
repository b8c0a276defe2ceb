//! Who gets in, and what they see.

use tests::error::Result;
use tests::{Instance, Methods, Options, ServerOptions};

#[test]
fn key_code_and_grant_together_log_in() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let code = i.alice.code()?;
    i.ssh(&i.alice, &[&code], &["web-1", "id -un; cat /proc/self/sessionid"])?
        .ok()?
        .says(&i.alice.name)?
        .says("Verification code: ")?
        .does_not_say("4294967295")?;
    Ok(())
}

#[test]
fn a_request_approved_by_another_person_logs_in() -> Result<()> {
    let i = Instance::start()?;
    let id = i.request(&i.alice, &i.at_web(&i.alice.name), &["--for", "30m"])?;
    let code = i.carol.code()?;
    i.jitctl_with(&["approve", &id, "--as", &i.carol.name], &format!("{code}\n"))?.ok()?;
    i.login(&i.alice, &i.alice.name, "id -un")?.ok()?.says(&i.alice.name)?;
    Ok(())
}

#[test]
fn the_person_sees_until_when_and_by_which_grant() -> Result<()> {
    let i = Instance::start()?;
    let id = i.grant(&i.alice, &i.at_web(&i.alice.name), &["--for", "30m"])?;
    let mut terminal = i.terminal(&i.alice, "ssh web-1")?;
    terminal.answer("Verification code: ", &i.alice.code()?)?;
    terminal.expect(&format!("Access to web-1 as {} ends ", i.alice.name))?;
    terminal.expect(&format!("Grant {id}."))?;
    terminal.answer("$ ", "exit")?;
    assert_eq!(terminal.end()?, 0);
    Ok(())
}

#[test]
fn a_recovery_code_is_a_second_factor_once() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let code = i.alice.recovery_code()?;
    i.ssh(&i.alice, &[&code], &["web-1", "true"])?.ok()?;
    i.ssh(&i.alice, &[&code], &["web-1", "true"])?.refused()?.says("Permission denied")?;
    Ok(())
}

#[test]
fn sftp_needs_key_code_and_grant_too() -> Result<()> {
    let i = Instance::start()?;
    i.ssh(&i.alice, &[&i.alice.recovery_code()?, ""], &["-s", "web-1", "sftp"])?.refused()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    // The server knows no sftp subsystem: getting as far as being told so is being logged in.
    i.ssh(&i.alice, &[&i.alice.recovery_code()?], &["-s", "web-1", "sftp"])?
        .says("subsystem request failed")?;
    Ok(())
}

#[test]
fn the_key_alone_is_enough_only_where_the_configuration_says_so() -> Result<()> {
    let mut options = Options::default();
    options.settings.second_factor = "none".to_owned();
    options.server = ServerOptions { methods: Methods::KeyAlone, ..options.server };
    let i = Instance::with(options)?;
    i.ssh(&i.alice, &[], &["web-1", "true"])?.refused()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    i.ssh(&i.alice, &[], &["web-1", "id -un"])?.ok()?.says(&i.alice.name)?;
    Ok(())
}

#[test]
fn an_exempt_login_passes_without_a_grant_and_is_logged() -> Result<()> {
    // The name of an account is known once the instance is up.
    let mut i = Instance::start()?;
    let mut options = ServerOptions::host("web-2");
    options.settings.exempt_logins = vec![i.deploy.clone()];
    options.authorized_keys = i.dir.join("emergency-keys").display().to_string();
    std::fs::copy(i.bob.public_key(), i.dir.join("emergency-keys"))?;
    i.jitctl(&["host", "add", "web-2"])?.ok()?;
    i.add_server(&options)?;
    let target = format!("{}@web-2", i.deploy);
    let mark = i.log.mark();
    i.ssh(&i.bob, &[], &[&target, "id -un"])?.ok()?.says(&i.deploy)?;
    i.log.wait_for_since(mark, &["exempt", &i.deploy])?;
    // Nobody else's login is exempt by that.
    i.ssh(&i.bob, &[&i.bob.recovery_code()?, ""], &["web-2", "true"])?.refused()?;
    Ok(())
}

#[test]
fn the_window_starts_when_it_starts() -> Result<()> {
    let i = Instance::start()?;
    let at = tests::run::must("date", &["-u", "-d", "+10 minutes", "+%Y-%m-%dT%H:%M:%SZ"])?;
    let target = i.at_web(&i.alice.name);
    let id = i.request(&i.alice, &target, &["--for", "10m", "--at", at.trim()])?;
    i.approve(&i.carol, &id)?;
    i.ssh(&i.alice, &[&i.alice.recovery_code()?, ""], &["web-1", "true"])?
        .refused()?
        .says("No active grant")?;
    Ok(())
}
