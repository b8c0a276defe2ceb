//! On real machines: the clock, the disk and the store go wrong. Nobody gets in who should not, nobody
//! stays longer, and whoever has to mend it can.

use std::time::Duration;
use tests::error::{Result, ensure};
use tests::{Release, Site};

on_both!(
    a_clock_that_is_set_lets_nobody_in_and_nobody_stay_longer,
    a_full_disk_a_locked_store_and_a_read_only_var_deny_soon_and_clearly,
);

/// Has sshd and jitd see a clock that is `offset` away from the real one, as faketime(1) writes it.
fn set_clock(site: &Site, offset: &str) -> Result<()> {
    std::fs::write(site.host.root().join("etc/faketimerc"), format!("{offset}\n"))
        .map_err(Into::into)
}

fn fake_clocks(site: &Site) -> Result<()> {
    set_clock(site, "+0")?;
    // The boot clock stays the real one, as it does when somebody sets the wall clock.
    site.host.must(
        "set -e; for unit in ssh jitd; do mkdir -p /etc/systemd/system/$unit.service.d; \
         printf '[Service]\\nEnvironment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 \
         FAKETIME_TIMESTAMP_FILE=/etc/faketimerc FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1\\n\
         MemoryDenyWriteExecute=no\\n' > /etc/systemd/system/$unit.service.d/clock.conf; done; \
         systemctl daemon-reload; systemctl restart jitd ssh",
    )?;
    site.host.wait_until("jitd is up", Duration::from_secs(10), "jitctl status | grep -q runs")?;
    Ok(())
}

fn a_clock_that_is_set_lets_nobody_in_and_nobody_stay_longer(release: Release) -> Result<()> {
    let site = Site::set_up(release)?;
    fake_clocks(&site)?;
    let id = site.grant(&site.alice, "alice", &["--for", "20s"])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    // Back an hour, and to the epoch: the session ends when it would have, and nobody gets in.
    for offset in ["-1h", "@1970-01-01 00:00:10"] {
        set_clock(&site, offset)?;
        let code = site.alice.recovery_code()?;
        site.alice.ssh(&[&code, ""], &["web-1", "echo in"])?.refused()?.does_not_say("in\n")?;
    }
    set_clock(&site, "-1h")?;
    terminal.end_within(Duration::from_secs(25))?;
    let late = -site.seconds_left(&id)?;
    ensure((-0.5..4.0).contains(&late), || format!("it ended {late} s after the deadline"))?;
    // And back to the right time: all goes on, and what has ended has ended.
    set_clock(&site, "+0")?;
    let code = site.alice.recovery_code()?;
    site.alice.ssh(&[&code, ""], &["web-1", "echo in"])?.refused()?.says("No active grant")?;
    // Forward: a session ends sooner, never later, and a window that has ended stays shut.
    site.grant(&site.alice, "alice", &["--for", "30m"])?;
    let mut terminal = site.session(&site.alice, "alice")?;
    set_clock(&site, "+1h")?;
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
    site.host.wait_until("jitd is up", Duration::from_secs(10), "jitctl status | grep -q runs")?;
    Ok(())
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
        let outcome = outcome.does_not_say("in\n")?;
        let took = outcome.took;
        ensure(took < Duration::from_secs(12), || format!("{why}: refused after {took:?}"))?;
        let log = site.host.must("journalctl -q -o cat -t pam_jit | tail -n 5")?;
        ensure(log.contains(why), || format!("the log does not say \"{why}\":\n{log}"))?;
        site.bob.ssh(&[], &["deploy@web-1", "id -un"])?.ok()?.says("deploy")?;
        site.host.must("id -un").map(drop)
    };
    let allowed = || -> Result<()> {
        let code = site.alice.recovery_code()?;
        site.alice.ssh(&[&code], &["web-1", "echo in"])?.ok()?.says("in\n").map(drop)
    };
    allowed()?;

    // The store on a disk of its own, which is full.
    site.host.must(
        "set -e; systemctl stop jitd; cp -a /var/lib/jit /root/state; \
         mount -t tmpfs -o size=3m,mode=700 tmpfs /var/lib/jit; cp -a /root/state/. /var/lib/jit/; \
         systemctl start jitd",
    )?;
    site.host.wait_until("jitd is up", Duration::from_secs(10), "jitctl status | grep -q runs")?;
    site.host.run("cat /dev/zero > /var/lib/jit/filler")?.refused()?;
    denied("the disk of the store is full")?;
    site.host.must("rm /var/lib/jit/filler")?;
    allowed()?;

    // Read-only, as file systems are remounted after an error.
    site.host.must("mount -o remount,ro /var/lib/jit")?;
    denied("can't be")?;
    site.host.must("mount -o remount,rw /var/lib/jit; systemctl restart jitd")?;
    site.host.wait_until("jitd is up", Duration::from_secs(10), "jitctl status | grep -q runs")?;
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
