//! sudo comes and goes with its grant, whatever tickets and rules there are.

use std::time::Duration;
use tests::error::Result;
use tests::{Instance, Person, Terminal};

const CODE: &str = "Verification code: ";

/// Logged in on a grant that holds no sudo.
fn logged_in(i: &Instance, person: &Person) -> Result<Terminal> {
    i.grant(person, &i.at_web(&person.name), &[])?;
    i.session(person, "web-1")
}

/// Runs `line` in the session and returns what it said up to the next prompt.
fn said(terminal: &mut Terminal, line: &str) -> Result<String> {
    terminal.type_line(line)?;
    terminal.expect(line)?;
    terminal.expect("$ ")
}

fn no_grant(person: &Person) -> String {
    format!("No active sudo grant for {}@web-1.", person.name)
}

#[test]
fn sudo_needs_a_grant_for_sudo() -> Result<()> {
    let i = Instance::start()?;
    let mut terminal = logged_in(&i, &i.alice)?;
    terminal.type_line("sudo id -u; echo ended $?")?;
    terminal.answer(CODE, &i.alice.recovery_code()?)?;
    terminal.expect(&no_grant(&i.alice))?;
    terminal.answer("Reason for access (empty to leave): ", "")?;
    terminal.expect("ended 1")?;
    Ok(())
}

#[test]
fn sudo_with_a_grant_asks_for_the_second_factor() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &["--sudo"])?;
    let mut terminal = i.session(&i.alice, "web-1")?;
    terminal.type_line("sudo sh -c 'echo I am $(id -un)'")?;
    terminal.answer(CODE, &i.alice.code()?)?;
    terminal.expect("I am root")?;
    terminal.expect("$ ")?;
    terminal.type_line("sudo -k; sudo id -u; echo ended $?")?;
    for _ in 0..3 {
        let wrong = i.alice.wrong_code()?;
        terminal.answer(CODE, &wrong)?;
    }
    terminal.expect("ended 1")?;
    Ok(())
}

#[test]
fn a_cached_ticket_is_refused_the_moment_the_grant_is_gone_and_the_session_goes_on() -> Result<()> {
    let i = Instance::start()?;
    let mut terminal = logged_in(&i, &i.alice)?;
    let sudo = i.grant(&i.alice, &i.at_web(&i.alice.name), &["--sudo"])?;
    terminal.type_line("sudo id -u")?;
    terminal.answer(CODE, &i.alice.recovery_code()?)?;
    terminal.expect("$ ")?;
    assert!(said(&mut terminal, "sudo -n id -un")?.contains("root"), "{}", terminal.screen());
    i.jitctl(&["revoke", &sudo, "--reason", "over"])?.ok()?;
    assert!(!said(&mut terminal, "sudo -n id -un")?.contains("root"), "{}", terminal.screen());
    // Longer than it takes to end a session.
    std::thread::sleep(Duration::from_secs(3));
    assert!(said(&mut terminal, "echo still $((40 + 2))")?.contains("still 42"));
    Ok(())
}

#[test]
fn nopasswd_is_refused_without_a_grant() -> Result<()> {
    let i = Instance::start()?;
    i.write_sudoers("timestamp_timeout=5", "ALL=(ALL:ALL) NOPASSWD: ALL")?;
    let mut terminal = logged_in(&i, &i.alice)?;
    assert!(!said(&mut terminal, "sudo -n id -un")?.contains("root"), "{}", terminal.screen());
    let sudo = i.grant(&i.alice, &i.at_web(&i.alice.name), &["--sudo"])?;
    assert!(said(&mut terminal, "sudo -n id -un")?.contains("root"), "{}", terminal.screen());
    i.jitctl(&["revoke", &sudo, "--reason", "over"])?.ok()?;
    assert!(!said(&mut terminal, "sudo -n id -un")?.contains("root"), "{}", terminal.screen());
    Ok(())
}

#[test]
fn no_environment_variable_decides_anything() -> Result<()> {
    let i = Instance::start()?;
    i.write_sudoers("timestamp_timeout=5", "ALL=(ALL:ALL) NOPASSWD: ALL")?;
    i.grant(&i.bob, &i.at_web(&i.bob.name), &["--sudo"])?;
    let mut terminal = logged_in(&i, &i.alice)?;
    let bobs = i.bob.auth_info()?;
    let pretend = [
        format!("SSH_AUTH_INFO_0='{}'", bobs.trim()),
        format!("PAM_USER={0} USER={0} LOGNAME={0} SUDO_USER={0}", i.bob.name),
        "SSH_CONNECTION='127.0.0.1 1 127.0.0.1 22' XDG_SESSION_ID=1".to_owned(),
        "JIT_CONFIG=/tmp/jit.toml".to_owned(),
    ];
    for variables in pretend {
        let script = format!("env {variables} sudo -n id -un\n");
        std::fs::write(format!("/home/{}/pretend", i.alice.name), script)?;
        let screen = said(&mut terminal, "sh ./pretend")?;
        assert!(!screen.contains("root"), "{}", terminal.screen());
    }
    Ok(())
}

#[test]
fn a_sudo_command_that_is_running_ends_with_its_grant_and_the_session_goes_on() -> Result<()> {
    let i = Instance::start()?;
    i.write_sudoers("timestamp_timeout=5", "ALL=(ALL:ALL) NOPASSWD: ALL")?;
    let mut terminal = logged_in(&i, &i.alice)?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &["--sudo", "--for", "8s"])?;
    terminal.type_line("sudo -n sleep 300; echo ended after the grant")?;
    terminal.expect("ended after the grant")?;
    terminal.expect_within("ended after the grant", Duration::from_secs(14))?;
    assert!(said(&mut terminal, "echo still $((40 + 2))")?.contains("still 42"));
    Ok(())
}
