//! The test hosts themselves: what they are trusted with in the tests of real machines.

use tests::error::Result;
use tests::{Release, TestHost};

#[test]
fn a_test_host_is_a_machine_of_its_own_and_leaves_nothing_behind() -> Result<()> {
    for release in Release::ALL {
        let mut host = TestHost::boot(release, "web-1")?;
        assert!(host.must("cat /etc/os-release")?.contains(release.name()));
        assert_eq!(host.must("hostname; cat /proc/1/comm")?, "web-1\nsystemd\n");
        let own_boot = || std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let first = host.must("cat /proc/sys/kernel/random/boot_id")?;
        assert_ne!(first, own_boot()?);
        host.run("sysctl -w kernel.hostname=elsewhere")?.refused()?;

        // Somebody reaches it from outside, in a session that logind knows.
        host.must("useradd -m -s /bin/bash alice && mkdir -m 700 ~alice/.ssh && touch /srv/kept")?;
        let alice = host.person("alice")?;
        let home = host.root().join("home/alice/.ssh");
        std::fs::copy(alice.public_key(), home.join("authorized_keys"))?;
        host.must("chown -R alice: ~alice/.ssh")?;
        alice.ssh(&[], &["web-1", "cat /proc/self/cgroup"])?.ok()?.says("/session-")?;

        host.reboot()?;
        let second = host.must("cat /proc/sys/kernel/random/boot_id; ls /srv")?;
        assert!(!second.contains(first.trim()) && second.contains("kept"), "{second}");
        host.power_cycle()?;
        alice.ssh(&[], &["web-1", "id -un"])?.ok()?.says("alice")?;

        let (dir, init) = (host.dir.clone(), host.root());
        drop(host);
        assert!(!dir.exists() && !init.exists());
        assert!(!std::fs::read_to_string("/proc/self/mountinfo")?.contains("jit-throwaway.host"));
    }
    Ok(())
}
