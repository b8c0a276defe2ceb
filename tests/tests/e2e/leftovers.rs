//! On real machines: when access ends, nothing of it is left, whatever the person left running.

use std::time::Duration;
use tests::error::{Context, Result, ensure};
use tests::process::wait_until;
use tests::{Release, Site, Terminal};

/// Starts everything by which somebody could try to stay.
fn start_it_all(site: &Site, terminal: &mut Terminal) -> Result<()> {
    let lines = [
        "nohup sleep 301 > /dev/null 2>&1 &",
        "setsid sleep 302 > /dev/null 2>&1 &",
        "(setsid nohup sh -c 'while :; do sleep 303; done' > /dev/null 2>&1 &)",
        "tmux new-session -d 'sleep 304'",
        "screen -d -m sleep 305",
        "systemd-run --user sleep 306",
        "echo 'sleep 307' | at now",
        "echo 'sleep 308' | at now + 1 hour",
        "printf '* * * * * sleep 309\\n' | crontab -",
    ];
    for line in lines {
        terminal.type_line(line)?;
        terminal.expect("$ ")?;
    }
    for number in [301, 302, 303, 304, 305, 306, 307] {
        let line = format!("pgrep -f 'sleep {number}$'");
        site.host
            .wait_until(&format!("sleep {number}"), Duration::from_secs(10), &line)
            .context(terminal.screen())?;
    }
    Ok(())
}

fn nothing_left(site: &Site, login: &str) -> Result<()> {
    wait_until("nothing is left", Duration::from_secs(5), || {
        site.processes_of(login).is_ok_and(|left| left.is_empty())
    })
    .map(drop)
    .or_else(|_| {
        let left = site.processes_of(login)?;
        ensure(left.is_empty(), || format!("still there:\n{}", left.join("\n")))
    })?;
    let files = site.host.must(&format!(
        "find /var/spool/cron/atjobs /var/spool/cron/crontabs -user {login}; \
         ls /var/lib/systemd/linger 2> /dev/null; true"
    ))?;
    ensure(files.is_empty(), || format!("still set up: {files}"))
}

#[test]
fn a_revoke_leaves_nothing_whatever_was_left_running() -> Result<()> {
    for release in Release::ALL {
        let site = Site::set_up(release)?;
        let id = site.grant(&site.alice, "alice", &["--sudo"])?;
        let mut terminal = site.session(&site.alice, "alice")?;
        site.host.must("loginctl enable-linger alice")?;
        start_it_all(&site, &mut terminal)?;
        site.jitctl(&["sessions"])?.ok()?.says("alice")?;
        site.revoke(&id)?;
        nothing_left(&site, "alice")?;
        let screen = terminal.screen();
        terminal.end_within(Duration::from_secs(5))?;
        ensure(terminal.screen().contains("was revoked by root: over"), || screen)?;
        site.jitctl(&["audit", "show"])?.ok()?.says("stay.end")?.says("lingering")?;
        site.jitctl(&["audit", "verify"])?.ok()?;
    }
    Ok(())
}
