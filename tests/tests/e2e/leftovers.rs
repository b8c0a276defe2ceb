//! On real machines: when access ends, nothing of it is left, whatever the person left running.

use std::time::Duration;
use tests::error::{Context, Result, ensure};
use tests::process::wait_until;
use tests::{Release, Site, Terminal};

on_both!(
    a_revoke_leaves_nothing_whatever_was_left_running,
    the_window_leaves_nothing_even_if_the_keeper_dies_at_its_end,
    connections_and_channels_and_forwards_end,
    what_was_there_before_stays,
    a_job_of_a_crontab_that_nobody_touched_goes_on,
    a_shared_account_is_cleared_when_its_last_person_has_no_cover,
    a_cgroup_named_like_a_session_hides_nothing,
    what_hops_from_scope_to_scope_ends_with_its_session,
    a_store_that_somebody_holds_up_is_freed,
);

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
    for number in 301..=307 {
        running(site, number).context(terminal.screen())?;
    }
    Ok(())
}

/// Waits until a `sleep` of so many seconds runs.
fn running(site: &Site, seconds: u32) -> Result<()> {
    let line = format!("pgrep -f 'sleep {seconds}$'");
    site.host.wait_until(&format!("sleep {seconds}"), Duration::from_secs(10), &line).map(drop)
}

/// A root shell by sudo, with a job of its own.
fn become_root(site: &Site, terminal: &mut Terminal) -> Result<()> {
    terminal.type_line("sudo -i")?;
    terminal.answer("Verification code: ", &site.alice.recovery_code()?)?;
    terminal.expect("root@web-1")?;
    terminal.type_line("setsid sleep 311 > /dev/null 2>&1 &")?;
    running(site, 311).context(terminal.screen())
}

fn nothing_left(site: &Site, login: &str, limit: Duration) -> Result<()> {
    wait_until("nothing is left", limit, || {
        site.processes_of(login).is_ok_and(|left| left.is_empty())
    })
    .map(drop)
    .or_else(|_| {
        let left = site.processes_of(login)?;
        ensure(left.is_empty(), || format!("still there:\n{}", left.join("\n")))
    })?;
    let files = format!(
        "find /var/spool/cron/atjobs /var/spool/cron/crontabs -user {login} | grep . || \
         ls /var/lib/systemd/linger 2> /dev/null | grep ."
    );
    let gone = || site.host.run(&files).is_ok_and(|found| found.stdout.is_empty());
    wait_until("nothing is set up", limit, gone).map(drop).or_else(|_| {
        let found = site.host.run(&files)?.stdout;
        ensure(found.is_empty(), || format!("still set up:\n{found}"))
    })
}

fn a_revoke_leaves_nothing_whatever_was_left_running(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    let id = site.grant(&site.alice, "alice", &["--sudo"])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    let mut root = site.session(&site.alice, "alice")?;
    site.host.must("loginctl enable-linger alice")?;
    start_it_all(&site, &mut terminal)?;
    become_root(&site, &mut root)?;
    site.jitctl(&["sessions"])?.ok()?.says("alice")?.says("sudo")?;
    site.revoke(&id)?;
    nothing_left(&site, "alice", Duration::from_secs(4))?;
    terminal.end_within(Duration::from_secs(5))?;
    let screen = terminal.screen();
    ensure(screen.contains("Access to web-1 as alice was revoked by root: over."), || screen)?;
    site.jitctl(&["audit", "show", "--json"])?
        .ok()?
        .says("stay.end")?
        .says("lingering")?
        .says("at job")?
        .says("crontab")?;
    site.jitctl(&["audit", "verify"])?.ok()?;
    site.jitctl(&["sessions"])?.ok()?.says("Nobody is in.")?;
    Ok(())
}

fn the_window_leaves_nothing_even_if_the_keeper_dies_at_its_end(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    let id = site.grant(&site.alice, "alice", &["--for", "20s"])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    start_it_all(&site, &mut terminal)?;
    let left = site.seconds_left(&id)?;
    ensure(left > 0.5, || format!("this machine is too slow: {left} s of the window are left"))?;
    std::thread::sleep(Duration::from_secs_f64(left));
    site.host.must("pkill -KILL -x jitd")?;
    nothing_left(&site, "alice", Duration::from_secs(10))?;
    // Asked last, as looking takes time too.
    let late = -site.seconds_left(&id)?;
    ensure(late < 7.0, || format!("it was all gone {late} s after the end"))?;
    terminal.end_within(Duration::from_secs(5)).map(drop)
}

fn connections_and_channels_and_forwards_end(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    let id = site.automatic(&site.carol, "carol", &["--for", "5m"])?;
    let socket = site.carol.home.join("control").display().to_string();
    let line = format!("ssh -M -S {socket} -N -L 127.0.0.1:7022:127.0.0.1:22 web-1");
    let mut master = site.carol.terminal(&line)?;
    master.answer("Verification code: ", &site.carol.recovery_code()?)?;
    let there = || std::path::Path::new(&socket).exists();
    wait_until("the control socket", Duration::from_secs(10), there)?;
    // A channel of the connection that was opened later runs no PAM phase at all.
    let mut channel = site.carol.terminal(&format!("ssh -S {socket} web-1 sleep 312"))?;
    running(&site, 312)?;
    let mut sftp = site.carol.terminal("sftp web-1")?;
    sftp.answer("Verification code: ", &site.carol.recovery_code()?)?;
    sftp.expect("sftp> ")?;
    site.revoke(&id)?;
    nothing_left(&site, "carol", Duration::from_secs(4))?;
    for client in [&mut master, &mut channel] {
        client.end_within(Duration::from_secs(5))?;
    }
    // sftp itself stays at its prompt until the next command.
    sftp.expect("closed by remote host")?;
    // Nothing is opened over what is left of the connection, either.
    site.carol.ssh(&[], &["-S", &socket, "-o", "BatchMode=yes", "web-1", "true"])?.refused()?;
    Ok(())
}

fn what_was_there_before_stays(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    site.host.must(
        "set -e; loginctl enable-linger deploy; echo '0 3 * * * backup' | crontab -u deploy -; \
         until systemctl is-active user@$(id -u deploy); do sleep 0.1; done; \
         su -c 'echo sleep 315 | at now + 2 hours' deploy; \
         su -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user sleep 313' deploy; \
         systemd-run --uid deploy sleep 314",
    )?;
    let jobs = "ls /var/spool/cron/atjobs; crontab -l -u deploy; ls /var/lib/systemd/linger";
    let before = site.host.must(jobs)?;
    let id = site.grant(&site.alice, "deploy", &[])?;
    let mut terminal = site.session(&site.alice, "deploy")?;
    start_it_all(&site, &mut terminal)?;
    site.revoke(&id)?;
    wait_until("all is as before", Duration::from_secs(5), || {
        let as_before = site.host.must(jobs).is_ok_and(|now| now == before);
        as_before
            && site.processes_of("deploy").is_ok_and(|left| !left.concat().contains("sleep 30"))
    })
    .or_else(|error| {
        let now = site.host.must(jobs)? + &site.processes_of("deploy")?.join("\n");
        Err(error).context(format!("before:\n{before}\nnow:\n{now}"))
    })?;
    for number in [313, 314] {
        running(&site, number).or_else(|error| {
            Err(error).context(site.host.must("journalctl --no-pager -n 120; jitctl audit show")?)
        })?;
    }
    site.host
        .must("test $(stat -c %U:%G:%a /var/spool/cron/crontabs/deploy) = deploy:crontab:600")?;
    Ok(())
}

fn a_job_of_a_crontab_that_nobody_touched_goes_on(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    site.host.must("echo '* * * * * sleep 316' | crontab -u deploy -")?;
    let id = site.grant(&site.alice, "deploy", &[])?;
    let mut terminal = site.session(&site.alice, "deploy")?;
    terminal.type_line("setsid nohup sleep 301 > /dev/null 2>&1 &")?;
    let started = "pgrep -x -f 'sleep 316'";
    site.host.wait_until("cron runs the job", Duration::from_secs(75), started)?;
    site.revoke(&id)?;
    terminal.end_within(Duration::from_secs(5))?;
    let log = || site.jitctl(&["audit", "show"]).is_ok_and(|said| said.said("stay.end"));
    wait_until("the stay ends", Duration::from_secs(5), log)?;
    ensure(site.host.run("pgrep -f 'sleep 301$'")?.code == 1, || "her job is there".to_owned())?;
    site.host.run(started)?.ok()?;
    site.host.run("crontab -l -u deploy")?.ok()?.says("sleep 316").map(drop)
}

fn a_shared_account_is_cleared_when_its_last_person_has_no_cover(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    let alices = site.grant(&site.alice, "deploy", &[])?;
    let bobs = site.grant(&site.bob, "deploy", &[])?;
    let mut alice = site.session(&site.alice, "deploy")?;
    let mut bob = site.session(&site.bob, "deploy")?;
    alice.type_line("echo 'sleep 308' | at now + 1 hour; nohup sleep 301 > /dev/null 2>&1 &")?;
    running(&site, 301)?;
    site.revoke(&alices)?;
    alice.end_within(Duration::from_secs(5))?;
    let gone = || site.host.run("pgrep -f 'sleep 301$'").is_ok_and(|found| found.code == 1);
    wait_until("alice's job is gone", Duration::from_secs(4), gone)?;
    bob.type_line("echo still $((40 + 2))")?;
    bob.expect("still 42")?;
    // Whose an at job of a shared account is, nobody can tell: it goes with the last of them.
    assert!(!site.host.must("find /var/spool/cron/atjobs -user deploy -type f")?.is_empty());
    bob.type_line("exit")?;
    bob.end_within(Duration::from_secs(5))?;
    std::thread::sleep(Duration::from_secs(2));
    assert!(!site.host.must("find /var/spool/cron/atjobs -user deploy -type f")?.is_empty());
    site.revoke(&bobs)?;
    nothing_left(&site, "deploy", Duration::from_secs(4))
}

fn a_cgroup_named_like_a_session_hides_nothing(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    site.host.must("loginctl enable-linger deploy")?;
    let hide = "d=/sys/fs/cgroup/user.slice/user-$(id -u).slice/user@$(id -u).service/session-5.scope; \
                mkdir -p $d; echo $$ > $d/cgroup.procs; exec sleep 331";
    // The second time, the cgroup is there from the first.
    for _ in 0..2 {
        let id = site.grant(&site.alice, "deploy", &[])?;
        let mut terminal = site.session(&site.alice, "deploy")?;
        terminal.type_line(&format!("systemd-run --user -q sh -c '{hide}'"))?;
        running(&site, 331)?;
        site.revoke(&id)?;
        let gone = || site.host.run("pgrep -f 'sleep 331$'").is_ok_and(|found| found.code == 1);
        wait_until("what was hidden is gone", Duration::from_secs(5), gone)?;
        let over = || site.jitctl(&["sessions"]).is_ok_and(|said| said.said("Nobody is in."));
        wait_until("the session is over", Duration::from_secs(5), over)?;
    }
    Ok(())
}

fn what_hops_from_scope_to_scope_ends_with_its_session(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    let id = site.grant(&site.alice, "deploy", &[])?;
    // bob has cover too, so that the account is not cleared when alice's ends.
    site.grant(&site.bob, "deploy", &[])?;
    let script = "[ $1 -gt 0 ] || exit 0\nsh $0 $(($1 - 1)) &\n";
    std::fs::write(site.host.root().join("srv/hop.sh"), script)?;
    let mut terminal = site.session(&site.alice, "deploy")?;
    for _ in 0..3 {
        terminal.type_line("systemd-run --user --scope -q sh /srv/hop.sh 20000")?;
        terminal.expect("$ ")?;
    }
    let hops = || site.host.run("pgrep -f '[h]op.sh'").is_ok_and(|found| found.code == 0);
    wait_until("something hops", Duration::from_secs(5), hops)?;
    site.revoke(&id)?;
    terminal.end_within(Duration::from_secs(5))?;
    let over = || site.jitctl(&["sessions"]).is_ok_and(|said| said.said("Nobody is in."));
    wait_until("the session is over", Duration::from_secs(10), over)?;
    // Looked at often, as one that hops is seldom seen.
    for _ in 0..20 {
        ensure(!hops(), || "it hops on".to_owned())?;
    }
    Ok(())
}

fn a_store_that_somebody_holds_up_is_freed(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    let id = site.grant(&site.alice, "alice", &[])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    // A process of alice's own that holds SQLite's lock stands for a sudo that she keeps from going on.
    let holder = "perl -MFcntl -e 'open(F, \"+<\", \"/var/lib/jit/jit.db-shm\") or die; \
        my $l = pack(\"s s x![l!] l! l! i x![l!]\", F_WRLCK, 0, 120, 1, 0); \
        fcntl(F, F_SETLK, $l) or die; ($<, $>) = ($ARGV[0], 0); sleep 60' $(id -u alice) \
        > /dev/null 2>&1 & sleep 0.5";
    site.host.must(holder)?;
    site.revoke(&id)?;
    terminal.end_within(Duration::from_secs(6))?;
    site.host.must("journalctl -q -o cat -u jitd | grep 'was held up while it held'")?;
    Ok(())
}
