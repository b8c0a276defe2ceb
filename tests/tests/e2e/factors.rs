//! Which second factors a role takes, and how fresh one must be at sudo.

use std::time::Duration;
use tests::error::Result;
use tests::{Instance, instance};

const CODE: &str = "Verification code: ";

/// An instance whose role asks for these factors, where alice holds login and sudo by it.
fn with(factors: &str) -> Result<Instance> {
    let i = Instance::start()?;
    i.write_policy(&format!("{}factors = {factors}\n", instance::POLICY))?;
    let id = i.request(&i.alice, &i.at_web(&i.alice.name), &["--for", "10m", "--sudo"])?;
    i.approve(&i.bob, &id)?;
    Ok(i)
}

#[test]
fn a_recovery_code_will_not_do_where_the_role_takes_the_app() -> Result<()> {
    let i = with("{ login = [\"totp\"] }")?;
    let mut terminal = i.terminal(&i.alice, "ssh web-1")?;
    terminal.answer(CODE, &i.alice.recovery_code()?)?;
    terminal.expect(&format!(
        "Access to {}@web-1 takes a code of the authenticator app.",
        i.alice.name
    ))?;
    terminal.answer(CODE, &i.alice.code()?)?;
    terminal.expect("$ ")?;
    Ok(())
}

#[test]
fn a_factor_that_is_too_old_is_asked_for_anew_at_sudo() -> Result<()> {
    let i = with("{ sudo_within = \"30s\" }")?;
    i.write_sudoers("timestamp_timeout=5", "ALL=(ALL:ALL) NOPASSWD: ALL")?;
    let mut terminal = i.session(&i.alice, "web-1")?;
    terminal.type_line("sudo -n sh -c 'echo I am $(id -un)'")?;
    terminal.expect("I am root")?;
    terminal.expect("$ ")?;
    std::thread::sleep(Duration::from_secs(31));
    terminal.type_line("sudo -n sh -c 'echo I am $(id -un)' || echo ended $?")?;
    terminal.expect("ended 1")?;
    terminal.expect("$ ")?;
    // Where somebody can be asked, the code opens it, and the next one needs none.
    terminal.type_line("sudo sh -c 'echo I am $(id -un)'")?;
    terminal.expect("takes a verification code, no older than 30s.")?;
    terminal.answer(CODE, &i.alice.recovery_code()?)?;
    terminal.expect("I am root")?;
    terminal.expect("$ ")?;
    terminal.type_line("sudo -n sh -c 'echo again $(id -un)'")?;
    terminal.expect("again root")?;
    Ok(())
}
