//! When a window ends or a grant is revoked, every process of the session is gone.

use nix::sys::signal::Signal;
use std::time::{Duration, Instant};
use tests::error::Result;
use tests::process::{of_account, wait_until};
use tests::{Instance, Terminal};

const JOBS: &str = "nohup sleep 300 > /dev/null 2>&1 & \
    (setsid nohup sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' > /dev/null 2>&1 &); \
    echo jobs $((40 + 2))";

fn gone(i: &Instance) -> bool {
    of_account(&i.alice.name).is_ok_and(|processes| processes.is_empty())
}

fn start_jobs(terminal: &mut Terminal) -> Result<()> {
    terminal.type_line(JOBS)?;
    terminal.expect("jobs 42")?;
    Ok(())
}

fn still_in(terminal: &mut Terminal) -> Result<()> {
    terminal.type_line("echo still $((40 + 2))")?;
    terminal.expect("still 42")?;
    Ok(())
}

#[test]
fn the_window_ends_the_session_and_its_background_jobs_on_time() -> Result<()> {
    let i = Instance::start()?;
    let began = Instant::now();
    i.grant(&i.alice, &i.at_web(&i.alice.name), &["--for", "12s"])?;
    let mut terminal = i.session(&i.alice, "web-1")?;
    start_jobs(&mut terminal)?;
    wait_until("alice's processes end", Duration::from_secs(20), || gone(&i))?;
    let lasted = began.elapsed().as_secs_f32();
    assert!((10.5..15.0).contains(&lasted), "12 s were granted, {lasted} s it lasted");
    terminal.end_within(Duration::from_secs(10))?;
    i.ssh(&i.alice, &[&i.alice.recovery_code()?, ""], &["web-1", "true"])?.refused()?;
    Ok(())
}

#[test]
fn the_window_ends_when_it_ends_whenever_one_connects() -> Result<()> {
    let i = Instance::start()?;
    let began = Instant::now();
    i.grant(&i.alice, &i.at_web(&i.alice.name), &["--for", "12s"])?;
    std::thread::sleep(Duration::from_secs(6));
    let _terminal = i.session(&i.alice, "web-1")?;
    wait_until("alice's processes end", Duration::from_secs(20), || gone(&i))?;
    let lasted = began.elapsed().as_secs_f32();
    assert!(lasted < 15.0, "12 s were granted, it ended after {lasted} s");
    Ok(())
}

#[test]
fn a_revoke_ends_every_process() -> Result<()> {
    let i = Instance::start()?;
    let id = i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let mut terminal = i.session(&i.alice, "web-1")?;
    start_jobs(&mut terminal)?;
    i.jitctl(&["revoke", &id, "--reason", "over"])?.ok()?;
    wait_until("alice's processes end", Duration::from_secs(10), || gone(&i))?;
    terminal.end_within(Duration::from_secs(10))?;
    i.ssh(&i.alice, &[&i.alice.recovery_code()?, ""], &["web-1", "true"])?.refused()?;
    Ok(())
}

#[test]
fn overlapping_grants_are_a_union_and_ending_one_drops_no_other() -> Result<()> {
    let i = Instance::start()?;
    let target = i.at_web(&i.alice.name);
    i.grant(&i.alice, &target, &["--for", "8s"])?;
    let mut terminal = i.session(&i.alice, "web-1")?;
    let second = i.grant(&i.alice, &target, &["--for", "30m"])?;
    let third = i.grant(&i.alice, &target, &["--for", "20m"])?;
    std::thread::sleep(Duration::from_secs(10));
    still_in(&mut terminal)?;
    i.jitctl(&["revoke", &third, "--reason", "over"])?.ok()?;
    std::thread::sleep(Duration::from_secs(3));
    still_in(&mut terminal)?;
    i.jitctl(&["revoke", &second, "--reason", "over"])?.ok()?;
    wait_until("alice's processes end", Duration::from_secs(10), || gone(&i))?;
    Ok(())
}

#[test]
fn the_keeper_takes_up_where_it_was_after_a_kill() -> Result<()> {
    let mut i = Instance::start()?;
    let began = Instant::now();
    i.grant(&i.alice, &i.at_web(&i.alice.name), &["--for", "14s"])?;
    let mut terminal = i.session(&i.alice, "web-1")?;
    start_jobs(&mut terminal)?;
    let server = i.server("web-1")?;
    server.stop_keeper(Signal::SIGKILL)?;
    server.start_keeper()?;
    wait_until("alice's processes end", Duration::from_secs(20), || gone(&i))?;
    let lasted = began.elapsed().as_secs_f32();
    assert!((12.5..17.0).contains(&lasted), "14 s were granted, {lasted} s it lasted");
    Ok(())
}

#[test]
fn what_ended_while_the_keeper_was_down_ends_when_it_is_back() -> Result<()> {
    let mut i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &["--for", "8s"])?;
    let mut terminal = i.session(&i.alice, "web-1")?;
    start_jobs(&mut terminal)?;
    i.server("web-1")?.stop_keeper(Signal::SIGTERM)?;
    std::thread::sleep(Duration::from_secs(9));
    i.server("web-1")?.start_keeper()?;
    wait_until("alice's processes end", Duration::from_secs(10), || gone(&i))?;
    Ok(())
}

#[test]
fn a_session_whose_end_nobody_could_enforce_is_not_opened() -> Result<()> {
    let mut i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    i.server("web-1")?.stop_keeper(Signal::SIGTERM)?;
    let mark = i.log.mark();
    i.ssh(&i.alice, &[&i.alice.recovery_code()?], &["web-1", "echo in"])?
        .refused()?
        .does_not_say("in\n")?;
    i.log.wait_for_since(mark, &["jitd"])?;
    i.server("web-1")?.start_keeper()?;
    i.ssh(&i.alice, &[&i.alice.recovery_code()?], &["web-1", "true"])?.ok()?;
    Ok(())
}

#[test]
fn a_connection_that_carries_no_command_ends_too() -> Result<()> {
    let i = Instance::start()?;
    let id = i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let socket = i.alice.home.join("control").display().to_string();
    let line = format!("ssh -N -o ControlMaster=yes -o ControlPath={socket} web-1");
    let mut master = i.terminal(&i.alice, &line)?;
    master.answer("Verification code: ", &i.alice.recovery_code()?)?;
    let there = || std::path::Path::new(&socket).exists();
    wait_until("the control socket", Duration::from_secs(5), there)?;
    let control = format!("ControlPath={socket}");
    // A second session over the connection runs no PAM phase at all.
    i.ssh(&i.alice, &[], &["-o", &control, "web-1", "id -un"])?.ok()?.says(&i.alice.name)?;
    i.jitctl(&["revoke", &id, "--reason", "over"])?.ok()?;
    master.end_within(Duration::from_secs(10))?;
    wait_until("alice's processes end", Duration::from_secs(10), || gone(&i))?;
    Ok(())
}

#[test]
fn a_session_that_ends_by_itself_is_no_longer_listed() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let mut terminal = i.session(&i.alice, "web-1")?;
    i.jitctl(&["sessions"])?.ok()?.says(&i.alice.name)?;
    terminal.type_line("exit")?;
    terminal.end()?;
    wait_until("the session is closed", Duration::from_secs(10), || {
        i.jitctl(&["sessions"]).is_ok_and(|said| !said.said(&i.alice.name))
    })?;
    Ok(())
}
