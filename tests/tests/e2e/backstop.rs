//! On real machines: systemd ends what the keeper can't.

use std::time::Duration;
use tests::error::{Result, ensure};
use tests::process::wait_until;
use tests::{Release, Site};

on_both!(
    without_a_keeper_systemd_ends_the_session_at_its_deadline,
    without_keeper_and_scope_no_session_opens,
    with_a_keeper_systemd_leaves_room_for_one_more_grant,
);

/// `RuntimeMaxUSec` of the scope of the session that `login` has, in seconds.
fn runtime_max(site: &Site, login: &str) -> Result<String> {
    let line = format!(
        "s=$(loginctl list-sessions --no-legend | grep -w {login} | head -1 | awk '{{print $1}}'); \
         systemctl show -p RuntimeMaxUSec --value session-$s.scope"
    );
    Ok(site.host.must(&line)?.trim().to_owned())
}

fn without_a_keeper_systemd_ends_the_session_at_its_deadline(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    site.host.must("systemctl stop jitd")?;
    let id = site.grant(&site.alice, "alice", &["--for", "12s"])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    terminal.type_line("setsid nohup sleep 301 > /dev/null 2>&1 &")?;
    terminal.end_within(Duration::from_secs(20))?;
    let gone = || site.processes_of("alice").is_ok_and(|left| !left.concat().contains("sleep 301"));
    wait_until("the job is gone", Duration::from_secs(3), gone)?;
    let late = -site.seconds_left(&id)?;
    ensure((-1.0..3.0).contains(&late), || format!("it ended {late} s after the deadline"))?;
    // The keeper, when it is back, finds the session over.
    site.host.must("systemctl start jitd")?;
    wait_until("the session is off the record", Duration::from_secs(5), || {
        site.jitctl(&["sessions"]).is_ok_and(|said| said.said("Nobody is in."))
    })
    .map(drop)
}

fn without_keeper_and_scope_no_session_opens(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    site.host.must("systemctl stop jitd; sed -i '/pam_systemd/d' /etc/pam.d/common-session")?;
    site.grant(&site.alice, "alice", &[])?;
    let code = site.alice.recovery_code()?;
    site.alice.ssh(&[&code], &["web-1", "echo in"])?.refused()?.does_not_say("in\n")?;
    site.host.must("systemctl start jitd")?;
    let code = site.alice.recovery_code()?;
    site.alice.ssh(&[&code], &["web-1", "echo in"])?.ok()?.says("in\n")?;
    Ok(())
}

fn with_a_keeper_systemd_leaves_room_for_one_more_grant(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    site.grant(&site.alice, "alice", &["--for", "30m"])?;
    let _terminal = site.session(&site.alice, "alice")?;
    // To the deadline, and the hour that the policy gives at most.
    let max = runtime_max(&site, "alice")?;
    ensure(max.starts_with("1h 29min") || max == "1h 30min", || max)
}
