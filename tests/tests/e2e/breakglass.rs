//! Break-glass codes with the real ssh and sudo: once, loud, and blocked until reviewed.

use std::time::Duration;
use tests::error::{Context, Result, ensure};
use tests::run::Outcome;
use tests::{Instance, Options, Release, Site, Terminal};

const CODE: &str = "Verification code: ";
const WHY: &str = "Reason for breaking the glass (empty to leave): ";
const OR_BREAK: &str = "Reason for access (empty to leave, b to break the glass): ";

/// Developers may break the glass.
fn instance() -> Result<Instance> {
    let mut options = Options::default();
    options.settings.more = "[break_glass]\nmembers = [\"@dev\"]\n".to_owned();
    Instance::with(options)
}

fn codes_of(said: &Outcome) -> Result<Vec<String>> {
    let said = said.json()?;
    let codes = said.get("codes").and_then(|codes| codes.as_array()).context("no codes")?;
    Ok(codes.iter().filter_map(|code| Some(code.as_str()?.to_owned())).collect())
}

fn codes(i: &Instance) -> Result<Vec<String>> {
    codes_of(&i.jitctl(&["break-glass", "create", "--count", "3", "--json"])?.ok()?)
}

/// The use that waits for its review.
fn unreviewed(i: &Instance) -> Result<String> {
    let said = i.jitctl(&["status", "--json"])?.ok()?.json()?;
    let id = said.pointer("/break_glass_to_review/id").and_then(|id| id.as_str());
    Ok(id.context("nothing to review")?.to_owned())
}

fn type_code(terminal: &mut Terminal, code: &str, why: &str) -> Result<()> {
    terminal.answer(CODE, code)?;
    terminal.answer(WHY, why)?;
    Ok(())
}

#[test]
fn a_break_glass_code_lets_in_once_is_told_to_all_and_blocks_the_next_until_reviewed() -> Result<()>
{
    let i = instance()?;
    i.write_sudoers("timestamp_timeout=0", "ALL=(ALL:ALL) ALL")?;
    i.grant(&i.bob, &i.at_web(&i.bob.name), &[])?;
    let mut watcher = i.session(&i.bob, "web-1")?;
    let codes = codes(&i)?;
    let mark = i.log.mark();

    // The phone is lost: in its place, with her key and a reason.
    let mut alice = i.terminal(&i.alice, "ssh web-1")?;
    type_code(&mut alice, &codes[0], "the phone is lost")?;
    alice.expect("You broke the glass: access to web-1 as ")?;
    alice.expect("$ ")?;
    watcher.expect_within("jit: BREAK GLASS: ", Duration::from_secs(5))?;
    watcher.expect(&format!("{} is in as {0} on web-1 until ", i.alice.name))?;
    watcher.expect(": the phone is lost")?;
    // At sudo it goes on standing for her.
    alice.type_line("sudo id -u; echo ended $?")?;
    alice.answer(CODE, &codes[0])?;
    alice.expect("ended 0")?;
    // authpriv.alert
    let line = i.log.wait_for_since(mark, &["action=break-glass.use", "outcome=done"])?;
    ensure(line.contains("<81>"), || line.clone())?;
    for said in [&["status"][..], &["list"], &["sessions"]] {
        i.jitctl(said)?.ok()?.says("BREAK GLASS: ")?.says("jitctl break-glass review ")?;
    }
    i.jitctl(&["doctor"])?.says("was not reviewed")?;

    // It is burned at ssh, and another one works for nobody.
    let mut again = i.terminal(&i.alice, "ssh web-1")?;
    type_code(&mut again, &codes[0], "once more")?;
    again.expect(CODE)?;
    let mut bob = i.terminal(&i.bob, "ssh web-1")?;
    type_code(&mut bob, &codes[1], "me too")?;
    bob.expect("was not reviewed")?;

    let id = unreviewed(&i)?;
    let review = |who: &str, code: &str| {
        let line = ["break-glass", "review", &id, "--as", who, "--note", "alice told us"];
        i.jitctl_with(&line, &format!("{code}\n"))
    };
    review(&i.alice.name, &i.alice.recovery_code()?)?.code_is(1)?.says("their own use")?;
    review(&i.carol.name, "000000")?.code_is(1)?;
    ensure(unreviewed(&i)? == id, || "it was reviewed".into())?;
    review(&i.carol.name, &i.carol.recovery_code()?)?.ok()?.says("Codes left: 2")?;
    i.jitctl(&["break-glass", "list"])?.ok()?.says("the phone is lost")?.says("alice told us")?;

    // Nobody answers: after her own code, at the prompt where she would ask.
    i.jitctl(&["revoke", &id, "--reason", "over"])?.ok()?;
    let mut alice = i.terminal(&i.alice, "ssh web-1")?;
    alice.answer(CODE, &i.alice.recovery_code()?)?;
    alice.answer(OR_BREAK, "b")?;
    alice.answer("Break-glass code (empty to leave): ", &codes[1])?;
    alice.answer(WHY, "nobody answers")?;
    alice.expect("You broke the glass")?;
    alice.answer("$ ", "id -un")?;
    alice.expect(&i.alice.name)?;
    Ok(())
}

#[test]
fn a_break_glass_code_works_at_sudo_and_for_nobody_else() -> Result<()> {
    let i = instance()?;
    i.write_sudoers("timestamp_timeout=0", "ALL=(ALL:ALL) ALL")?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    i.grant(&i.carol, &i.at_web(&i.carol.name), &[])?;
    let codes = codes(&i)?;
    // Carol is in no group that may: with her key and the right code she gets no further.
    let said = i.ssh(&i.carol, &[&codes[0], "let me in"], &["web-1", "true"])?;
    said.refused()?.does_not_say("You broke the glass")?;
    let mut terminal = i.session(&i.alice, "web-1")?;
    terminal.type_line("sudo id -u; echo ended $?")?;
    type_code(&mut terminal, &codes[0], "root is needed")?;
    terminal.expect("You broke the glass")?;
    terminal.expect("ended 0")?;
    // Where nobody can be asked, it says so at once.
    terminal.type_line("sudo -n id -u; echo ended $?")?;
    terminal.expect("ended 1")?;
    Ok(())
}

fn the_glass_is_broken_and_everybody_sees_it(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    site.host.must(
        "sed -i 's/^#members = .*/members = [\"alice\"]/; s/^#logins = .*/logins = [\"deploy\"]/; \
         s/^#window = .*/window = \"10m\"/' /etc/jit/jit.toml",
    )?;
    let codes = codes_of(&site.jitctl(&["break-glass", "create", "--json"])?.ok()?)?;
    site.host.must("systemctl restart jitd")?;
    site.grant(&site.bob, "bob", &[])?;
    let mut watcher = site.session(&site.bob, "bob")?;
    let mut alice = site.alice.terminal("ssh deploy@web-1")?;
    type_code(&mut alice, &codes[0], "the phone is lost")?;
    alice.expect("You broke the glass: access to web-1 as deploy")?;
    alice.expect("$ ")?;
    watcher.expect_within(
        "jit: BREAK GLASS: alice is in as deploy on web-1 until ",
        Duration::from_secs(5),
    )?;
    site.host.run("journalctl --priority=alert --no-pager")?.ok()?.says("break-glass.use")?;
    site.jitctl(&["doctor"])?.says("was not reviewed")?;
    let list = site.jitctl(&["break-glass", "list", "--json"])?.ok()?.json()?;
    let id = list.pointer("/uses/0/id").and_then(|id| id.as_str()).context("no use")?.to_owned();
    let left = site.seconds_left(&id)?;
    ensure((500.0..=600.0).contains(&left), || format!("{left} s left"))?;
    site.jitctl(&["break-glass", "review", &id, "--alone", "--note", "nobody else is here"])?
        .ok()?
        .says("root alone")?;
    site.revoke(&id)?;
    let code = alice.end()?;
    ensure(code == 255, || format!("{code}: {}", alice.screen()))
}

on_both!(the_glass_is_broken_and_everybody_sees_it);
