//! A backup taken on one host makes a fresh one what the first was, on either release.

use std::time::Duration;

use tests::error::Result;
use tests::{Release, Site};

/// A host with the programs and the lines of sshd and PAM, and nothing else of ours.
const FRESH: &str =
    "systemctl disable --now jitd && rm -r /etc/jit /var/lib/jit && rm -rf /run/jit";

#[test]
fn a_backup_restores_onto_a_fresh_host_and_people_log_in_there() -> Result<()> {
    for release in Release::ALL {
        let lost = Site::set_up(release)?;
        let alice = &lost.alice;
        lost.grant(alice, "alice", &[])?;
        alice.ssh(&[&alice.recovery_code()?], &["web-1", "id -un"])?.ok()?.says("alice")?;
        lost.jitctl(&["backup", "/root/b.tar"])?.ok()?.says("THE MASTER KEY")?;
        let file = std::fs::read(lost.host.root().join("root/b.tar"))?;
        let used = alice.recovery_code()?;
        lost.host.run("systemctl poweroff --no-block")?;

        let site = Site::set_up(release)?;
        let host = &site.host;
        host.must(FRESH)?;
        std::fs::write(host.root().join("root/b.tar"), file)?;
        site.jitctl(&["restore", "/root/b.tar"])?.ok()?.says("restored  store")?.says("Ended")?;
        host.must("systemctl enable --now jitd && systemctl restart ssh")?;
        let up = "jitctl audit verify && jitctl doctor";
        host.wait_until("all is well", Duration::from_secs(10), up)?;
        // She is in by a grant and a code of now, not by those of then.
        host.reaches(alice)?;
        let refused = alice.ssh(&[&used, ""], &["web-1", "id -un"])?.refused()?;
        assert!(!refused.said("No active grant"), "{}", refused.both());
        site.grant(alice, "alice", &[])?;
        // Codes of the minute in which it was restored may have been used up before.
        std::thread::sleep(Duration::from_secs(60));
        alice.ssh(&[&alice.code()?], &["web-1", "id -un"])?.ok()?.says("alice")?;

        // The store breaks. Nobody gets in; the same backup is the way out.
        host.must("systemctl stop jitd; head -c 65536 /dev/urandom > /var/lib/jit/jit.db")?;
        host.run("jitctl doctor")?.code_is(1)?.says("jitctl restore FILE --replace")?;
        alice.ssh(&["123456", ""], &["web-1", "id -un"])?.refused()?;
        host.must("jitctl restore /root/b.tar --replace && systemctl start jitd")?;
        host.wait_until("all is well again", Duration::from_secs(10), up)?;
        host.must("ls /var/lib/jit/jit.db.replaced-*")?;
    }
    Ok(())
}
