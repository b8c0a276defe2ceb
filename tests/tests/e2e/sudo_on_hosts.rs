//! On real machines: sudo, and on Debian 13 sudo-rs, come and go with the grant.

use std::time::Duration;
use tests::error::{Result, ensure};
use tests::{Release, Site, Terminal};

const CODE: &str = "Verification code: ";

/// Runs `line` and returns what it said up to the next prompt.
fn said(terminal: &mut Terminal, line: &str) -> Result<String> {
    terminal.type_line(line)?;
    terminal.expect(line)?;
    terminal.expect("$ ")
}

/// A host where everybody may use sudo, as `program` has it.
fn site(release: Release, program: &str, rule: &str) -> Result<Site> {
    let site = Site::set_up(release)?;
    let rules = format!("alice ALL=(ALL:ALL) {rule}\n");
    std::fs::write(site.host.root().join("etc/sudoers.d/people"), rules)?;
    site.host.must("chmod 440 /etc/sudoers.d/people")?;
    if program == "sudo-rs" {
        // As its administrator would who wants it in place of the other.
        let place = "cp /etc/sudoers /etc/sudoers-rs; chmod 440 /etc/sudoers-rs; \
                     ln -sf $(command -v sudo-rs) /usr/local/bin/sudo; sudo --version";
        site.host.run(place)?.ok()?.says("sudo-rs")?;
    }
    Ok(site)
}

fn denied_granted_cached_and_gone(release: Release, program: &str) -> Result<()> {
    let site = site(release, program, "ALL")?;
    site.grant(&site.alice, "alice", &[])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    // Denied, and told what helps.
    terminal.type_line("sudo id -u; echo ended $?")?;
    terminal.answer(CODE, &site.alice.recovery_code()?)?;
    terminal.expect("No active sudo grant for alice@web-1.")?;
    terminal.answer("Reason for access (empty to leave): ", "")?;
    terminal.expect("ended 1")?;
    // Granted.
    let id = site.grant(&site.alice, "alice", &["--sudo"])?;
    terminal.type_line("sudo id -u; echo ended $?")?;
    // The first time gave a ticket already, though not in all of them.
    if terminal.expect_any(&[CODE, "ended 0"])?.0 == 0 {
        terminal.type_line(&site.alice.recovery_code()?)?;
        terminal.expect("ended 0")?;
    }
    terminal.expect("$ ")?;
    // By the ticket, as one command, a list, and a shell.
    ensure(said(&mut terminal, "sudo -n id -un")?.contains("root"), || terminal.screen())?;
    ensure(said(&mut terminal, "sudo -n -l")?.contains("ALL"), || terminal.screen())?;
    terminal.type_line("sudo -n -i")?;
    terminal.expect("root@web-1")?;
    terminal.type_line("exit")?;
    terminal.expect("$ ")?;
    // Gone, ticket or not.
    site.revoke(&id)?;
    // With a ticket, sudo-rs asks PAM nothing before it lists the rules; it runs nothing then.
    let lists = if program == "sudo-rs" { None } else { Some("sudo -n -l") };
    for line in ["sudo -n id -un", "sudo -n -i id -un"].into_iter().chain(lists) {
        let answer = said(&mut terminal, line)?;
        ensure(!answer.contains("root") && !answer.contains("(ALL"), || terminal.screen())?;
    }
    ensure(said(&mut terminal, "echo still $((40 + 2))")?.contains("still 42"), || {
        terminal.screen()
    })
}

fn nopasswd_and_the_end_of_a_long_command(release: Release, program: &str) -> Result<()> {
    let site = site(release, program, "NOPASSWD: ALL")?;
    site.grant(&site.alice, "alice", &[])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    let answer = said(&mut terminal, "sudo -n id -un")?;
    ensure(!answer.contains("root"), || terminal.screen())?;
    site.grant(&site.alice, "alice", &["--sudo", "--for", "10s"])?;
    ensure(said(&mut terminal, "sudo -n id -un")?.contains("root"), || terminal.screen())?;
    // What it started elsewhere ends with it, and the session goes on.
    terminal
        .type_line("sudo -n sh -c 'setsid sleep 321 & exec sleep 322'; echo ended $((40 + 2))")?;
    terminal.expect_within("ended 42", Duration::from_secs(15))?;
    terminal.expect("$ ")?;
    // What sudo itself waited for is gone first, the rest at the same moment or the next.
    site.host
        .wait_until("nothing is left", Duration::from_secs(2), "! pgrep -f 'sleep 32[12]$'")
        .map(drop)?;
    ensure(said(&mut terminal, "echo still $((40 + 2))")?.contains("still 42"), || {
        terminal.screen()
    })
}

/// bob, who may log in to alice's account, is not alice, whatever he starts there.
fn what_somebody_runs_in_anothers_account_is_not_the_other(release: Release) -> Result<()> {
    let site = site(release, "sudo", "NOPASSWD: ALL")?;
    site.grant(&site.alice, "alice", &["--sudo"])?;
    site.grant(&site.bob, "alice", &[])?;
    let mut terminal = site.session(&site.bob, "alice")?;
    for line in ["sudo -n id -un", "systemd-run --user -q --pipe --wait sudo -n id -un"] {
        let answer = said(&mut terminal, line)?;
        ensure(!answer.contains("root"), || terminal.screen())?;
    }
    // alice herself is alice.
    let mut own = site.session(&site.alice, "alice")?;
    ensure(said(&mut own, "sudo -n id -un")?.contains("root"), || own.screen())
}

mod bookworm {
    use super::*;

    #[test]
    fn in_anothers_account_one_is_not_the_other() -> Result<()> {
        what_somebody_runs_in_anothers_account_is_not_the_other(Release::Bookworm)
    }

    #[test]
    fn sudo_comes_and_goes() -> Result<()> {
        denied_granted_cached_and_gone(Release::Bookworm, "sudo")
    }

    #[test]
    fn sudo_without_a_password_comes_and_goes() -> Result<()> {
        nopasswd_and_the_end_of_a_long_command(Release::Bookworm, "sudo")
    }
}

mod trixie {
    use super::*;

    #[test]
    fn in_anothers_account_one_is_not_the_other() -> Result<()> {
        what_somebody_runs_in_anothers_account_is_not_the_other(Release::Trixie)
    }

    #[test]
    fn sudo_comes_and_goes() -> Result<()> {
        denied_granted_cached_and_gone(Release::Trixie, "sudo")
    }

    #[test]
    fn sudo_without_a_password_comes_and_goes() -> Result<()> {
        nopasswd_and_the_end_of_a_long_command(Release::Trixie, "sudo")
    }

    #[test]
    fn sudo_rs_comes_and_goes() -> Result<()> {
        denied_granted_cached_and_gone(Release::Trixie, "sudo-rs")
    }

    #[test]
    fn sudo_rs_without_a_password_comes_and_goes() -> Result<()> {
        nopasswd_and_the_end_of_a_long_command(Release::Trixie, "sudo-rs")
    }
}
