//! Two people in one shared account are two people.

use std::time::Duration;
use tests::Instance;
use tests::error::Result;
use tests::process::wait_until;

#[test]
fn two_people_logged_in_as_one_account_are_two_people_in_sudo_too() -> Result<()> {
    let i = Instance::start()?;
    i.write_sudoers("timestamp_timeout=5", "ALL=(ALL:ALL) NOPASSWD: ALL")?;
    let target = i.at_web(&i.deploy);
    i.grant(&i.alice, &target, &["--sudo"])?;
    i.grant(&i.bob, &target, &[])?;
    let mut alice = i.session(&i.alice, &target)?;
    let mut bob = i.session(&i.bob, &target)?;
    alice.type_line("sudo -n id -u; echo ended $?")?;
    alice.expect("ended 0")?;
    bob.type_line("sudo -n id -u; echo ended $?")?;
    bob.expect("ended 1")?;
    i.jitctl(&["sessions"])?.ok()?.says(&i.alice.name)?.says(&i.bob.name)?;
    Ok(())
}

#[test]
fn revoking_one_person_leaves_the_other_in_the_shared_account() -> Result<()> {
    let i = Instance::start()?;
    let target = i.at_web(&i.deploy);
    let hers = i.grant(&i.alice, &target, &[])?;
    i.grant(&i.bob, &target, &[])?;
    let mut alice = i.session(&i.alice, &target)?;
    let mut bob = i.session(&i.bob, &target)?;
    i.jitctl(&["revoke", &hers, "--reason", "over"])?.ok()?;
    wait_until("alice is out", Duration::from_secs(5), || !alice.is_running())?;
    std::thread::sleep(Duration::from_secs(1));
    bob.type_line("echo still $((40 + 2))")?;
    bob.expect("still 42")?;
    Ok(())
}

#[test]
fn an_approval_for_the_shared_account_is_for_the_person_who_asked() -> Result<()> {
    let i = Instance::start()?;
    let target = i.at_web(&i.deploy);
    i.grant(&i.alice, &target, &[])?;
    i.ssh(&i.bob, &[&i.bob.recovery_code()?, ""], &[&target, "true"])?
        .refused()?
        .says(&format!("No active grant for {target}."))?;
    Ok(())
}
