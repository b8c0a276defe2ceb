//! A backup taken on one host makes a fresh one what the first was, on either release.

use std::time::Duration;

use tests::Release;
use tests::error::Result;

use crate::by_hand;

#[test]
fn a_backup_restores_onto_a_fresh_host_and_people_log_in_there() -> Result<()> {
    for release in Release::ALL {
        let (lost, alice) = by_hand::ready(release)?;
        let grant = "jitctl grant alice web-1 --for 30m --reason 'INC-1 tests'";
        lost.must(grant)?;
        alice.ssh(&[&alice.recovery_code()?], &["web-1", "id -un"])?.ok()?.says("alice")?;
        lost.must("jitctl backup /root/b.tar")?;
        let file = std::fs::read(lost.root().join("root/b.tar"))?;
        let used = alice.recovery_code()?;
        // Her laptop goes with the lost host, so that is only switched off.
        lost.run("systemctl poweroff --no-block")?;

        let host = by_hand::bare(release)?;
        std::fs::write(host.root().join("root/b.tar"), file)?;
        host.run("jitctl restore /root/b.tar")?.ok()?.says("restored  store")?.says("Ended")?;
        host.must("systemctl enable --now jitd && systemctl restart ssh")?;
        let up = "jitctl audit verify && jitctl doctor";
        host.wait_until("all is well", Duration::from_secs(10), up)?;
        // She is in by a grant of now, with her app; not by the grant or the code of then.
        host.reaches(&alice)?;
        let refused = alice.ssh(&[&used, ""], &["web-1", "id -un"])?.refused()?;
        assert!(!refused.said("No active grant"), "{}", refused.both());
        host.must(grant)?;
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
