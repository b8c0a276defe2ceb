//! On real machines: the clock, the disk and the store go wrong. Nobody gets in who should not, nobody
//! stays longer, and whoever has to mend it can.

use std::time::Duration;
use tests::error::{Context, Result, ensure};
use tests::{Release, Site};

on_both!(
    a_clock_that_is_set_lets_nobody_in_and_nobody_stay_longer,
    a_full_disk_a_locked_store_and_a_read_only_var_deny_soon_and_clearly,
);

/// Has sshd and jitd see a wall clock that was set by so many seconds.
fn set_clock(site: &Site, seconds: i64) -> Result<()> {
    Ok(std::fs::write(site.host.root().join("etc/test-clock"), format!("{seconds}\n"))?)
}

/// Gives sshd, with all that it starts, and jitd a wall clock of their own: the real one is the
/// machine's.
fn own_clocks(site: &Site) -> Result<()> {
    set_clock(site, 0)?;
    let (source, library) = (site.host.dir.join("clock.c"), site.host.dir.join("clock.so"));
    std::fs::write(&source, include_str!("../../src/testhost/clock.c"))?;
    let paths = [source, library.clone()].map(|path| path.display().to_string());
    tests::run::must("cc", &["-O2", "-Wall", "-shared", "-fPIC", &paths[0], "-o", &paths[1]])?;
    std::fs::copy(library, site.host.root().join("usr/lib/test-clock.so"))?;
    site.host.must(
        "set -e; for unit in ssh jitd; do mkdir -p /etc/systemd/system/$unit.service.d; \
         printf '[Service]\nEnvironment=LD_PRELOAD=/usr/lib/test-clock.so\n' \
         > /etc/systemd/system/$unit.service.d/clock.conf; done; \
         systemctl daemon-reload; systemctl restart jitd ssh",
    )?;
    jitd_is_up(site)
}

fn jitd_is_up(site: &Site) -> Result<()> {
    let line = "jitctl status | grep -q runs";
    site.host.wait_until("jitd is up", Duration::from_secs(10), line).map(drop)
}

fn a_clock_that_is_set_lets_nobody_in_and_nobody_stay_longer(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    own_clocks(&site)?;
    let id = site.grant(&site.alice, "alice", &["--for", "20s"])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    // Back an hour, and to the epoch: the session ends when it would have, and nobody gets in.
    let epoch = std::time::SystemTime::UNIX_EPOCH.elapsed().context("the clock")?.as_secs();
    for offset in [-3600, 10 - epoch.cast_signed()] {
        set_clock(&site, offset)?;
        let code = site.alice.recovery_code()?;
        site.alice.ssh(&[&code, ""], &["web-1", "echo in"])?.refused()?.does_not_say("in\n")?;
    }
    set_clock(&site, -3600)?;
    terminal.end_within(Duration::from_secs(25))?;
    let late = -site.seconds_left(&id)?;
    ensure((-0.5..4.0).contains(&late), || format!("it ended {late} s after the deadline"))?;
    // And back to the right time: all goes on, and what has ended has ended.
    set_clock(&site, 0)?;
    let code = site.alice.recovery_code()?;
    site.alice.ssh(&[&code, ""], &["web-1", "echo in"])?.refused()?.says("No active grant")?;
    // Forward: a session ends sooner, never later, and a window that has ended stays shut.
    site.grant(&site.alice, "alice", &["--for", "30m"])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    set_clock(&site, 3600)?;
    terminal.end_within(Duration::from_secs(5))?;
    let code = site.alice.recovery_code()?;
    site.alice.ssh(&[&code, ""], &["web-1", "echo in"])?.refused()?.does_not_say("in\n")?;
    Ok(())
}

/// An account that needs no grant, with a key of its own, for the day when nothing else works.
fn exempt_account(site: &Site) -> Result<()> {
    let key = std::fs::read_to_string(site.bob.public_key())?;
    std::fs::write(site.host.root().join("etc/ssh/emergency_keys"), key)?;
    let match_block = "\nMatch User deploy\n    AuthorizedKeysFile /etc/ssh/emergency_keys\n";
    let file = site.host.root().join("etc/ssh/sshd_config.d/00-jit.conf");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(file, text + match_block)?;
    site.host.must(
        "sed -i 's/^#exempt_logins = .*/exempt_logins = [\"deploy\"]/' /etc/jit/jit.toml && \
         sshd -t && systemctl reload ssh && systemctl restart jitd",
    )?;
    jitd_is_up(site)
}

fn a_full_disk_a_locked_store_and_a_read_only_var_deny_soon_and_clearly(
    release: Release,
) -> Result<()> {
    let site = Site::set_up(release)?;
    exempt_account(&site)?;
    site.grant(&site.alice, "alice", &[])?;
    let denied = |why: &str| -> Result<()> {
        let code = site.alice.recovery_code()?;
        let outcome = site.alice.ssh(&[&code, ""], &["web-1", "echo in"])?.refused()?;
        let outcome = outcome.does_not_say("in\n")?.says("Access can't be checked right now.")?;
        let took = outcome.took;
        ensure(took < Duration::from_secs(12), || format!("{why}: refused after {took:?}"))?;
        let log =
            site.host.must("journalctl -q -o short-iso-precise | grep -v systemd | tail -n 12")?;
        ensure(log.contains(why), || format!("the log does not say \"{why}\":\n{log}"))?;
        site.bob.ssh(&[], &["deploy@web-1", "id -un"])?.ok()?.says("deploy")?;
        site.host.must("id -un").map(drop)
    };
    let allowed = || -> Result<()> {
        let code = site.alice.recovery_code()?;
        site.alice.ssh(&[&code], &["web-1", "echo in"])?.ok()?.says("in\n").map(drop)
    };
    allowed()?;
    let mut rescue = site.bob.terminal("ssh deploy@web-1")?;
    rescue.expect("$ ")?;
    site.jitctl(&["sessions"])?.ok()?.says("exempt")?.says("deploy@web-1")?.says("never")?;

    // The store on a disk of its own, which is full.
    site.host.must(
        "set -e; systemctl stop jitd; cp -a /var/lib/jit /root/state; \
         mount -t tmpfs -o size=3m,mode=700 tmpfs /var/lib/jit; cp -a /root/state/. /var/lib/jit/; \
         jitctl status; systemctl start jitd",
    )?;
    jitd_is_up(&site)?;
    site.host.run("cat /dev/zero > /var/lib/jit/filler")?.refused()?;
    denied("the disk of the store is full")?;
    site.host.must("rm /var/lib/jit/filler")?;
    allowed()?;

    // Read-only, as file systems are remounted after an error.
    site.host
        .must("systemctl stop jitd; mount -o remount,ro /var/lib/jit; systemctl start jitd")?;
    denied("the store can't be written")?;
    site.host.must("mount -o remount,rw /var/lib/jit; systemctl restart jitd")?;
    jitd_is_up(&site)?;
    allowed()?;

    // Locked by another process for longer than anybody waits.
    let holder = "perl -MFcntl -e 'open(F, \"+<\", \"/var/lib/jit/jit.db-shm\") or die; \
        my $l = pack(\"s s x![l!] l! l! i x![l!]\", F_WRLCK, 0, 120, 1, 0); \
        fcntl(F, F_SETLK, $l) or die; sleep 60' > /dev/null 2>&1 & echo $!";
    let pid = site.host.must(holder)?;
    denied("the store is locked by another process")?;
    site.host.must(&format!("kill {}", pid.trim()))?;
    allowed()
}
