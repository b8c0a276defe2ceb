//! Asking for access while logging in, and waiting for the answer.

use std::time::Duration;
use tests::error::Result;
use tests::{Instance, Options, Terminal};

const WAITING: &str = "Waiting for approval. Press Enter to check again: ";

/// Alice at the waiting prompt; returns the request's id.
fn waiting(i: &Instance) -> Result<(Terminal, String)> {
    let mut terminal = i.terminal(&i.alice, "ssh web-1")?;
    terminal.answer("Verification code: ", &i.alice.code()?)?;
    terminal.expect(&format!("No active grant for {}@web-1.", i.alice.name))?;
    terminal.answer("Reason for access (empty to leave): ", "INC-9 disk full")?;
    terminal.answer("For how long? [30m, at most 1h]: ", "2h")?;
    terminal.expect("The policy gives at most 1h, not 2h.")?;
    terminal.answer("For how long? [30m, at most 1h]: ", "40m")?;
    terminal.expect("Request ")?;
    let id = terminal.expect(&format!(" filed for {}@web-1, 40m.", i.alice.name))?;
    // Those who can approve, and how.
    let advice = terminal.expect(&format!("jitctl approve {id}"))?;
    assert!(advice.contains(&i.bob.name) && advice.contains(&i.carol.name), "{advice}");
    terminal.expect(WAITING)?;
    Ok((terminal, id))
}

#[test]
fn a_request_filed_at_the_prompt_lets_in_once_approved() -> Result<()> {
    let i = Instance::start()?;
    let (mut terminal, id) = waiting(&i)?;
    terminal.type_line("")?;
    terminal.expect("0 of 1 approvals; waiting for 1 of @leads: ")?;
    terminal.expect("s left here.")?;
    terminal.expect(WAITING)?;
    i.approve(&i.bob, &id)?;
    terminal.type_line("")?;
    terminal.expect(&format!("Request {id} was approved by {}.", i.bob.name))?;
    terminal.expect(&format!("Grant {id}."))?;
    terminal.answer("$ ", "id -un")?;
    terminal.expect(&i.alice.name)?;
    Ok(())
}

#[test]
fn a_request_that_is_denied_while_one_waits_ends_the_login() -> Result<()> {
    let i = Instance::start()?;
    let (mut terminal, id) = waiting(&i)?;
    i.jitctl(&["deny", &id, "--reason", "not today"])?.ok()?;
    terminal.type_line("")?;
    assert_eq!(terminal.end()?, 255, "{}", terminal.screen());
    Ok(())
}

#[test]
fn a_login_does_not_wait_for_ever_and_the_request_stays() -> Result<()> {
    let mut options = Options::default();
    options.settings.prompt_wait = "3s".to_owned();
    let i = Instance::with(options)?;
    let (mut terminal, id) = waiting(&i)?;
    std::thread::sleep(Duration::from_secs(4));
    terminal.type_line("")?;
    assert_eq!(terminal.end()?, 255, "{}", terminal.screen());
    i.approve(&i.carol, &id)?;
    i.login(&i.alice, &i.alice.name, "id -un")?.ok()?.says(&i.alice.name)?;
    Ok(())
}

#[test]
fn nobody_approves_their_own_request() -> Result<()> {
    let i = Instance::start()?;
    let id = i.request(&i.bob, &i.at_web(&i.bob.name), &["--for", "10m"])?;
    let code = i.bob.recovery_code()?;
    i.jitctl_with(&["approve", &id, "--as", &i.bob.name], &format!("{code}\n"))?.code_is(1)?;
    i.ssh(&i.bob, &[&i.bob.recovery_code()?, ""], &["web-1", "true"])?.refused()?;
    i.approve(&i.carol, &id)?;
    i.login(&i.bob, &i.bob.name, "true")?.ok()?;
    Ok(())
}

#[test]
fn an_approval_needs_the_approvers_own_second_factor() -> Result<()> {
    let i = Instance::start()?;
    let id = i.request(&i.alice, &i.at_web(&i.alice.name), &["--for", "10m"])?;
    let approve = |who: &str, code: &str| {
        i.jitctl_with(&["approve", &id, "--as", who], &format!("{code}\n"))?.refused()
    };
    approve(&i.carol.name, &i.carol.wrong_code()?)?;
    approve(&i.carol.name, &i.bob.code()?)?;
    approve(&i.carol.name, "")?;
    // Alice is no lead.
    approve(&i.alice.name, &i.alice.recovery_code()?)?;
    i.jitctl(&["show", &id])?.ok()?.says("requested")?;
    Ok(())
}

#[test]
fn who_may_not_ask_gets_no_prompt() -> Result<()> {
    let i = Instance::start()?;
    // Carol is a lead, but no developer.
    i.ssh(&i.carol, &[&i.carol.code()?], &["web-1", "true"])?
        .refused()?
        .does_not_say("Verification code")?;
    Ok(())
}

#[test]
fn a_deny_rule_wins() -> Result<()> {
    let policy = format!("{}\n[[deny]]\nmembers = [\"@alice@\"]\n", tests::instance::POLICY);
    let i = Instance::with(Options { policy, ..Options::default() })?;
    let target = i.at_web(&i.alice.name);
    let line = ["request", &target, "--as", &i.alice.name, "--for", "5m", "--reason", "INC-1 x"];
    i.jitctl(&line)?.code_is(1)?;
    i.ssh(&i.alice, &[&i.alice.code()?, "INC-1 please"], &["web-1", "true"])?.refused()?;
    Ok(())
}
