//! The Debian packages on real hosts: what installing, upgrading, removing and purging them does,
//! and that none of it breaks ssh or sudo.

use std::time::Duration;
use tests::error::{Context, Result, ensure};
use tests::packages::Packages;
use tests::{Outcome, Person, Release, TestHost};

/// As patient as dpkg may be slow.
const LIMIT: Duration = Duration::from_secs(120);

/// Everything that decides who gets in, with owner and mode.
const WAYS_IN: &str = "cd /etc && find pam.d ssh sudoers sudoers.d nsswitch.conf security -type f \
     -exec sha256sum {} + -exec stat -c '%n %a %U:%G' {} + | sort && sshd -T";

/// Every file that is named like something of ours, and what dpkg knows of us.
const OURS: &str = "find / -xdev -name '*jit*' -not -path '/proc/*' -not -path '/srv/debs*' | sort; \
     ls -d /run/jit; ls /sys/fs/cgroup | grep jit; dpkg -l | grep -E ' (libpam-jit|jit|ssh-ca)'; true";

/// Configuration, store and keeper, but nothing in sshd or PAM, as where systemd does not run.
const INSTANCE: &str = "unshare --mount sh -c \
     'mount -t tmpfs tmpfs /run/systemd && jitctl setup </dev/null' && systemctl start jitd";

/// The lines of `jitctl setup`, as it marks them, in every service and in sshd.
const PUT_IN: &str = r##"set -e
sed -i '1i Include /etc/ssh/sshd_config.d/00-jit.conf # jit' /etc/ssh/sshd_config
for service in sshd sudo sudo-i; do
    sed -i -e 's/^@include common-auth/#jit# &/' -e '/^#jit# /a auth required pam_jit.so # jit' \
        -e '/^@include common-account/i account required pam_jit.so # jit' \
        -e '$a session required pam_jit.so # jit' /etc/pam.d/$service
done
cat > /etc/ssh/sshd_config.d/00-jit.conf <<'END'
AuthorizedKeysFile none
AuthorizedKeysCommand /usr/sbin/jit-authorized keys %u
AuthorizedKeysCommandUser root
END
sshd -t
systemctl reload ssh
"##;

/// A host with alice, who comes in by her key and may do anything with sudo.
struct Ground {
    host: TestHost,
    alice: Person,
}

impl Ground {
    fn new(release: Release) -> Result<Self> {
        let host = TestHost::boot(release, "web-1")?;
        host.must(
            "useradd -m -s /bin/bash alice && mkdir -m 700 ~alice/.ssh && mkdir /srv/debs && \
             echo 'alice ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/alice",
        )?;
        let alice = host.person("alice")?;
        let keys = host.root().join("home/alice/.ssh/authorized_keys");
        std::fs::copy(alice.public_key(), keys)?;
        host.must("chown -R alice: ~alice/.ssh")?;
        Ok(Self { host, alice })
    }

    fn install(&self, packages: &Packages) -> Result<()> {
        let directory = self.host.root().join("srv/debs");
        let mut line = "dpkg --install".to_owned();
        for file in packages.files()? {
            let name = file.file_name().context("a file name")?.to_owned();
            std::fs::copy(&file, directory.join(&name))?;
            line.push_str(&format!(" /srv/debs/{}", name.to_string_lossy()));
        }
        self.dpkg(&line)?.ok()?;
        Ok(())
    }

    fn dpkg(&self, line: &str) -> Result<Outcome> {
        self.host.run_within(line, LIMIT)
    }

    /// Sets the host up, with the lines in PAM and sshd, and starts the keeper.
    fn set_up(&self) -> Result<()> {
        self.host.must(INSTANCE)?;
        self.host.must(PUT_IN)?;
        self.host.run(SUDO)?.refused()?;
        self.alice.ssh(&[], &["web-1", "true"])?.refused()?;
        Ok(())
    }

    fn ways_in_work(&self) -> Result<()> {
        self.host.run(SUDO)?.ok()?;
        self.host.run("sshd -t")?.ok()?;
        self.alice.ssh(&[], &["web-1", "sudo -n id -un"])?.ok()?.says("root")?;
        Ok(())
    }
}

const STATE: &str = "systemctl show -p NRestarts -p ActiveState jitd";
const SUDO: &str = "runuser -u alice -- sudo -n true";

#[test]
fn installing_the_packages_changes_no_way_in() -> Result<()> {
    for release in Release::ALL {
        let ground = Ground::new(release)?;
        let before = ground.host.must(WAYS_IN)?;
        ground.install(Packages::built()?)?;
        assert_eq!(ground.host.must(WAYS_IN)?, before);
        ground.ways_in_work()?;

        // The keeper waits for the set-up, quietly, also over a reboot.
        let mut host = ground.host;
        for _ in 0..2 {
            assert_eq!(host.must(STATE)?, "NRestarts=0\nActiveState=inactive\n");
            let enabled = "systemctl is-enabled jitd jit-hooks jit-setup-rollback";
            assert_eq!(host.must(enabled)?, "enabled\nenabled\nenabled\n");
            host.run("systemctl is-failed jitd jit-hooks jit-setup-rollback")?.refused()?;
            host.reboot()?;
        }
        // Sandboxed as far as its work allows: 2.0 or below, which systemd calls OK.
        for (unit, most) in [
            ("jitd", 20),
            ("jit-hooks", 30),
            ("jit-signer", 20),
            ("ssh-ca-serve", 20),
            ("jit-link", 30),
        ] {
            let line = format!("systemd-analyze security --threshold={most} --no-pager {unit}");
            host.run(&line)?.ok()?;
        }
        host.must(INSTANCE)?;
        host.wait_until("jitd keeps", Duration::from_secs(5), "test -e /run/jit/jitd.lock")?;
        assert_eq!(host.must(STATE)?, "NRestarts=0\nActiveState=active\n");

        // In its sandbox a command runs as nobody, and a web server is reached.
        host.must(HOOKS)?;
        host.must("systemctl start jit-hooks")?;
        host.wait_until(
            "it is told",
            Duration::from_secs(10),
            "journalctl -t hooked | grep hook.start",
        )?;
        host.must("jitctl hooks check && jitctl host add web-2 && systemctl is-active jitd")?;
        host.wait_until(
            "it is told",
            Duration::from_secs(10),
            "journalctl -t hooked | grep web-2",
        )?;
        let uid = "journalctl -t hooked -o json | head -1 | grep -o '\"_UID\":\"[0-9]*\"'";
        assert_eq!(host.must(uid)?, "\"_UID\":\"65534\"\n");
        host.wait_until(
            "nobody listens",
            Duration::from_secs(10),
            "jitctl hooks list | grep -i 'connection refused'",
        )?;
        host.must("systemctl restart jit-hooks && sleep 1 && systemctl is-active jitd jit-hooks")?;
    }
    Ok(())
}

/// A command, and a webhook to where nobody listens.
const HOOKS: &str = "(umask 077; echo 0123456789abcdef0123456789abcdef > /etc/jit/x.secret); \
     printf '%s\n' '[[command]]' 'name = \"log\"' 'run = [\"/usr/bin/logger\", \"-t\", \"hooked\"]' \
     'events = [\"*\"]' '[[webhook]]' 'name = \"web\"' 'url = \"http://127.0.0.1:9/\"' \
     'secret_file = \"/etc/jit/x.secret\"' 'events = [\"hook.*\"]' > /etc/jit/hooks.toml";

#[test]
fn lintian_finds_no_error() -> Result<()> {
    Packages::built()?.lint().map(drop)
}

/// What the keeper has to do on a host, and what nobody needs it to do.
const PROBE: &str = r#"#!/bin/sh -ex
pid=$(pgrep -u alice -x sleep)
readlink /proc/$pid/fd/0
cat /proc/$pid/sessionid /proc/locks /proc/sys/kernel/random/boot_id
mkdir -p /sys/fs/cgroup/jit/probe
echo 1 > /sys/fs/cgroup/jit/probe/cgroup.kill
rmdir /sys/fs/cgroup/jit/probe
echo "Access ends soon." > $(cat /srv/terminal)
logger --socket-errors=on --socket /dev/log probed
cd /var/spool/cron/crontabs
cp alice alice.jit
chown alice:crontab alice.jit
mv alice.jit alice
rm alice /var/spool/cron/atjobs/probe /var/lib/systemd/linger/alice
systemctl stop user@$(id -u alice).service
kill -KILL $pid
touch /run/jit/probe /var/lib/jit/probe
rm /run/jit/probe /var/lib/jit/probe
for needless in "touch /etc/probe" "ls /home/alice" "unshare --mount true" "date -s 12:00"; do
    if $needless; then exit 1; fi
done
"#;

#[test]
fn the_sandbox_lets_the_keeper_do_its_work() -> Result<()> {
    for release in Release::ALL {
        let ground = Ground::new(release)?;
        let host = &ground.host;
        ground.install(Packages::built()?)?;
        host.must(INSTANCE)?;
        tests::ground::write_program(&host.root().join("srv/probe"), PROBE)?;
        host.must(
            "echo '0 0 1 1 * true' | crontab -u alice - && cd /var/spool/cron/atjobs && \
             touch probe && chown alice: probe && loginctl enable-linger alice && \
             (setsid runuser -u alice -- sleep 300 </dev/null >/dev/null 2>&1 &) ; \
             mkdir -p /run/systemd/system/jitd.service.d && \
             printf '[Service]\\nType=oneshot\\nRestart=no\\nExecStart=\\nExecStart=/srv/probe\\n' \
                 > /run/systemd/system/jitd.service.d/probe.conf && systemctl daemon-reload",
        )?;
        // A terminal of the host's own.
        let hers = "script -qc 'chown alice:tty $(tty); chmod 620 $(tty); tty > /srv/terminal; \
             sleep 300' /dev/null";
        let mut terminal = host.root_terminal(hers)?;
        host.wait_until("a terminal", Duration::from_secs(5), "test -s /srv/terminal")?;
        let done = host.run("systemctl restart jitd || ! journalctl -o cat -n 40 -u jitd")?;
        done.ok()?;
        terminal.expect("Access ends soon.")?;
        host.wait_until("the log", Duration::from_secs(5), "journalctl | grep -w probed")?;
        host.run("pgrep -u alice; ls /var/lib/systemd/linger/alice")?.refused()?;
    }
    Ok(())
}

#[test]
fn an_upgrade_keeps_state_and_lines() -> Result<()> {
    let later = Packages::build_as(concat!(env!("CARGO_PKG_VERSION"), "+trial"))?;
    for release in Release::ALL {
        let ground = Ground::new(release)?;
        let host = &ground.host;
        ground.install(Packages::built()?)?;
        ground.set_up()?;
        host.must("jitctl host add web-2 && mkdir -p /var/lib/jit/setup")?;
        host.must("touch /var/lib/jit/setup/pending")?;
        let kept = format!(
            "jitctl host list && jitctl audit verify && sha256sum /etc/jit/* && stat -c %i /run/jit \
             && ls -R /var/lib/jit/setup && {WAYS_IN}"
        );
        let before = host.must(&kept)?;
        let keeper = host.must("systemctl show -P MainPID jitd")?;

        ground.install(&later)?;

        let installed = "dpkg-query -W -f '${Version} ${Status}\\n' libpam-jit";
        host.run(installed)?.ok()?.says("+trial install ok installed")?;
        assert_eq!(host.must(&kept)?, before);
        assert_ne!(host.must("systemctl show -P MainPID jitd")?, keeper);
        host.must("systemctl is-active jitd")?;
        // A set-up that waits for its confirmation goes on waiting.
        let ran = "systemctl show -P ExecMainStartTimestampMonotonic jit-setup-rollback";
        assert_eq!(host.must(ran)?, "0\n");
        host.run(SUDO)?.refused()?;
    }
    Ok(())
}

#[test]
fn removing_takes_the_lines_out_first_and_purging_takes_all() -> Result<()> {
    for release in Release::ALL {
        let ground = Ground::new(release)?;
        let (before, ours) = (ground.host.must(WAYS_IN)?, ground.host.must(OURS)?);
        ground.install(Packages::built()?)?;
        ground.set_up()?;

        // The module alone, also where jitctl can't help; by force, what it needs; then all.
        for line in [
            "dpkg --remove libpam-jit",
            "chmod a-x /usr/bin/jitctl && dpkg --remove libpam-jit",
            "dpkg --remove --force-depends jitd",
            "dpkg --remove --force-depends jitctl",
            "dpkg --remove jitctl jitd jit-hooks jit-link libpam-jit ssh-ca",
        ] {
            ground.dpkg(line)?.ok()?;
            assert_eq!(ground.host.must(WAYS_IN)?, before, "{line}");
            ground.ways_in_work().context(line)?;
            // What was set up is there again with the packages.
            ground.host.must("test -e /var/lib/jit/jit.db -a -e /etc/jit/master.key")?;
            ground.install(Packages::built()?)?;
            ground.set_up()?;
        }
        ground.dpkg("dpkg --purge jitctl jitd jit-hooks jit-link libpam-jit ssh-ca")?.ok()?;
        assert_eq!(ground.host.must(OURS)?, ours);
        assert_eq!(ground.host.must(WAYS_IN)?, before);
        ground.ways_in_work()?;
    }
    Ok(())
}

#[test]
fn a_removal_that_would_break_what_was_written_by_hand_is_refused() -> Result<()> {
    let ground = Ground::new(Release::Bookworm)?;
    let host = &ground.host;
    ground.install(Packages::built()?)?;
    let by_hand = "/etc/ssh/sshd_config.d/50-site.conf";
    host.must(&format!("{{ {PUT_IN} }} && mv /etc/ssh/sshd_config.d/00-jit.conf {by_hand}"))?;
    let before = host.must(WAYS_IN)?;
    let refused = ground.dpkg("dpkg --remove libpam-jit")?.refused()?;
    refused.says(&format!("{by_hand} runs /usr/sbin/jit-authorized"))?;
    assert_eq!(host.must(WAYS_IN)?, before);
    let module = host.must("find /usr/lib -name pam_jit.so")?;
    ensure(!module.is_empty(), || "the module is gone, and PAM needs it".to_owned())?;
    // Nor is a line of PAM's that others may count on.
    host.must(&format!(
        "rm {by_hand} && systemctl reload ssh && \
         echo 'auth [success=1 default=bad] pam_jit.so' > /etc/pam.d/myapp"
    ))?;
    let before = host.must(WAYS_IN)?;
    let refused = ground.dpkg("dpkg --remove libpam-jit")?.refused()?;
    refused.says("/etc/pam.d/myapp asks pam_jit.so")?.says("1:auth [success=1")?;
    assert_eq!(host.must(WAYS_IN)?, before);
    host.must("rm /etc/pam.d/myapp")?;
    ground.dpkg("dpkg --remove libpam-jit")?.ok()?;
    host.run("grep -r pam_jit /etc/pam.d")?.refused()?;
    ground.ways_in_work()
}
