//! On real machines: a session goes on when its access does, and ends when all of it has ended.

use std::time::{Duration, Instant};
use tests::error::{Context, Result, ensure};
use tests::{Release, Site, Terminal};

on_both!(
    an_extension_shortly_before_the_end_lets_the_session_go_on_to_the_new_end,
    overlapping_grants_end_with_the_last_of_them,
    the_terminal_is_warned_two_minutes_before_the_end,
);

fn still_in(terminal: &mut Terminal) -> Result<()> {
    terminal.type_line("echo still $((40 + 2))")?;
    terminal.expect("still 42").map(drop)
}

/// Waits until access by a grant lasts so many seconds only.
fn sleep_until_left(site: &Site, id: &str, seconds: f64) -> Result<()> {
    let left = site.seconds_left(id)? - seconds;
    std::thread::sleep(Duration::from_secs_f64(left.max(0.0)));
    Ok(())
}

fn an_extension_shortly_before_the_end_lets_the_session_go_on_to_the_new_end(
    release: Release,
) -> Result<()> {
    let site = Site::set_up(release)?;
    // Times in which a busy machine, too, gets everything typed.
    let id = site.automatic(&site.carol, "carol", &["--for", "25s"])?;
    let mut terminal = site.session(&site.carol, "carol")?;
    sleep_until_left(&site, &id, 8.0)?;
    let extended = site.jitctl(&["extend", &id, "--for", "20s", "--json"])?.ok()?;
    let longer = tests::site::id_of(&extended)?;
    site.jitctl(&["extend", &longer, "--for", "10m"])?.refused()?.says("gives at most 10m")?;
    sleep_until_left(&site, &longer, 15.0)?;
    still_in(&mut terminal)?;
    terminal.end_within(Duration::from_secs(30))?;
    let late = -site.seconds_left(&longer)?;
    ensure((-0.5..2.5).contains(&late), || format!("it ended {late} s after the new end"))
}

fn overlapping_grants_end_with_the_last_of_them(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    let first = site.grant(&site.alice, "alice", &["--for", "20m"])?;
    let second = site.grant(&site.alice, "alice", &["--for", "30m"])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    site.revoke(&first)?;
    std::thread::sleep(Duration::from_secs(3));
    still_in(&mut terminal)?;
    site.revoke(&second)?;
    terminal.end_within(Duration::from_secs(4)).map(drop)
}

fn the_terminal_is_warned_two_minutes_before_the_end(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    let began = Instant::now();
    let id = site.grant(&site.alice, "alice", &["--for", "3m10s"])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    let mut other = site.session(&site.alice, "alice")?;
    for terminal in [&mut terminal, &mut other] {
        terminal.expect_within("jit: Access to web-1 as alice ends ", Duration::from_secs(90))?;
        terminal.expect(&format!("in 2 min. More time: jitctl extend {id} --for 30m"))?;
    }
    let after = began.elapsed().as_secs_f32();
    ensure((65.0..80.0).contains(&after), || format!("warned {after} s after the grant"))?;
    std::thread::sleep(Duration::from_secs(2));
    let warnings = terminal.screen().matches("More time").count();
    ensure(warnings == 1, || format!("warned {warnings} times"))?;
    still_in(&mut terminal).context("the session goes on")
}
