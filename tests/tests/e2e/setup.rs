//! `jitctl setup` on real machines: from an installed program to the first login, and back.

use std::time::{Duration, Instant};

use tests::error::{Context, Result};
use tests::packages::Packages;
use tests::totp::Authenticator;
use tests::{Person, Release, Terminal, TestHost};

/// What setup and undo may touch outside of our own directories.
const CHECKSUM: &str = "find /etc -xdev -type f ! -path '/etc/jit/*' -printf '%p %m %u %g ' \
                        -exec md5sum {} \\; | sort";

/// A host, and alice, an admin who logs in by key as everywhere.
fn machine(release: Release) -> Result<(TestHost, Person)> {
    let host = TestHost::boot(release, "web-1")?;
    host.must("useradd -m -s /bin/bash -G sudo alice && echo alice:correct-horse | chpasswd")?;
    let alice = host.person("alice")?;
    let key = std::fs::read_to_string(alice.public_key())?;
    host.must(&format!(
        "install -d -m 700 ~alice/.ssh && echo '{key}' > ~alice/.ssh/authorized_keys && \
         chown -R alice: ~alice/.ssh"
    ))?;
    for package in Packages::built()?.files()? {
        let name = package.file_name().context("a file name")?;
        std::fs::copy(&package, host.root().join("srv").join(name)).context(package.display())?;
    }
    Ok((host, alice))
}

fn install(host: &TestHost) -> Result<()> {
    host.run_within("dpkg --install /srv/*.deb", Duration::from_secs(120))?.ok()?;
    Ok(())
}

/// The same, with the packages installed.
fn installed(release: Release) -> Result<(TestHost, Person)> {
    let (host, alice) = machine(release)?;
    install(&host)?;
    Ok((host, alice))
}

/// The files of /etc that are not as they were, beside the links of units that were enabled.
fn changed(host: &TestHost, before: &str) -> Result<String> {
    let after = host.must(CHECKSUM)?;
    let [was, is] = [before, &after].map(|text| text.lines().collect::<Vec<_>>());
    let gone = was.iter().filter(|line| !is.contains(line)).map(|line| format!("-{line}\n"));
    let new = is.iter().filter(|line| !was.contains(line)).map(|line| format!("+{line}\n"));
    Ok(gone.chain(new).collect())
}

/// alice runs `sudo jitctl setup` in a session like any other, up to the question that applies it.
fn answered(alice: &Person, options: &str) -> Result<Terminal> {
    let mut terminal = alice.terminal("ssh web-1")?;
    terminal.answer("$ ", &format!("sudo jitctl setup {options}"))?;
    terminal.answer("password for alice: ", "correct-horse")?;
    terminal.answer("Name, that of their account here [alice]: ", "")?;
    terminal.answer("Public key file [the key above]: ", "")?;
    terminal.answer("Group [admins]: ", "")?;
    terminal.expect("otpauth://")?;
    let uri = format!("otpauth://{}", terminal.expect("\n")?.trim());
    let mut app = Authenticator::from_uri(&uri)?;
    terminal.answer("Verification code: ", &app.enrolment_code()?)?;
    alice.holds(app, &uri)?;
    terminal.answer("Write it into /etc/jit/policy.toml? [Y/n]: ", "")?;
    terminal.expect("ok    in a trial, sshd asked for a code and turned a wrong one away")?;
    terminal.expect("+++ /etc/ssh/sshd_config.d/00-jit.conf")?;
    terminal.expect("+++ /etc/pam.d/sudo-i")?;
    terminal.expect("Apply? [y/N]: ")?;
    Ok(terminal)
}

/// An sshd that reads its configuration anew does not listen for a moment.
const AGAIN: &str = "ConnectionAttempts=5";

/// alice logs in with key, code and a reason.
fn log_in(alice: &Person) -> Result<Terminal> {
    let mut terminal = alice.terminal(&format!("ssh -o {AGAIN} web-1"))?;
    terminal.answer("Verification code: ", &alice.code()?)?;
    terminal.answer("Reason for access (empty to leave): ", "the first login")?;
    terminal.answer("For how long? [", "")?;
    terminal.expect("Access to web-1 as alice ends ")?;
    terminal.expect("$ ")?;
    Ok(terminal)
}

/// She gets in with her key alone, by the keys of her home directory.
fn plain_login_works(alice: &Person) -> Result<()> {
    alice
        .ssh(&[], &["-o", AGAIN, "web-1", "id -un"])?
        .ok()?
        .says("alice")?
        .does_not_say("Access to")?;
    Ok(())
}

#[test]
fn one_command_sets_a_host_up_and_a_new_login_confirms_it() -> Result<()> {
    for release in Release::ALL {
        let (host, alice) = machine(release)?;
        let began = Instant::now();
        install(&host)?;
        let before = host.must(CHECKSUM)?;
        host.run("jitctl setup --dry-run")?
            .ok()?
            .says("+auth       required     pam_jit.so # jit")?;
        assert_eq!(changed(&host, &before)?, "");
        host.must("! ls /etc/jit/jit.toml /var/lib/jit/jit.db /etc/pam.d/jit* /run/jit-setup")?;

        let mut first = answered(&alice, "")?;
        first.type_line("y")?;
        first.expect("Applied. It goes back by itself in 5m")?;
        let mut second = log_in(&alice)?;
        assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
        second.type_line("sudo jitctl setup --confirm")?;
        second.answer("Verification code: ", &alice.code()?)?;
        second.answer("Reason for access (empty to leave): ", "to confirm")?;
        second.answer("For how long? [", "")?;
        second.expect_within("Confirmed: it stays.", Duration::from_secs(40))?;
        host.run("systemctl is-active jit-setup-rollback.timer")?.refused()?;
        host.must("! test -e /var/lib/jit/setup/pending")?;
        let log = host.must("jitctl audit show")?;
        assert!(log.contains("setup.apply") && log.contains("setup.confirm"), "{log}");

        // The session that ran it goes on.
        first.type_line("echo still $((40 + 2))")?;
        first.expect("still 42")?;
        // A second run changes nothing, and nothing is left of the trial.
        let after = host.must(CHECKSUM)?;
        host.run("jitctl setup --yes")?.ok()?.says("Nothing had to be changed")?;
        assert_eq!(changed(&host, &after)?, "");
        host.must("! ls -d /etc/pam.d/jit* /run/jit-setup /etc/pam.d/.*.jit-new")?;
        host.run("jitctl setup --confirm")?.refused()?.says("no setup waits")?;

        // What an admin wrote since stays.
        host.must("echo '# mine' >> /etc/pam.d/sshd")?;
        host.run("jitctl setup --undo")?.ok()?.says("/etc/pam.d/sudo-i")?;
        host.must("sed -i '/^# mine$/d' /etc/pam.d/sshd")?;
        assert_eq!(changed(&host, &before)?, "");
        plain_login_works(&alice)?;
        host.run("jitctl setup --undo")?.ok()?.says("nothing of jit")?;
        host.must("rm -rf /var/lib/jit")?;
        host.run("jitctl setup --undo")?.ok()?.says("nothing of jit")?;
    }
    Ok(())
}

#[test]
fn a_setup_that_nobody_confirms_goes_back_by_itself() -> Result<()> {
    for release in Release::ALL {
        let (host, alice) = installed(release)?;
        let before = host.must(CHECKSUM)?;
        let mut first = answered(&alice, "--within 15s")?;
        first.type_line("y")?;
        first.expect("Applied. It goes back by itself in 15s")?;
        // Neither the session that applied it nor the console can confirm it.
        host.run("jitctl setup --confirm")?.refused()?.says("did not come in through")?;
        alice
            .ssh(&[&alice.wrong_code()?], &["-o", AGAIN, "web-1", "true"])?
            .refused()?
            .says("Verification code: ")?;
        let pending = "! test -e /var/lib/jit/setup/pending";
        host.wait_until("the setup has gone back", Duration::from_secs(30), pending)?;
        host.wait_until(
            "the unit is through",
            Duration::from_secs(10),
            "! systemctl is-active jit-setup-rollback",
        )?;
        assert_eq!(changed(&host, &before)?, "");
        plain_login_works(&alice)?;
        first.answer("$ ", "sudo -k; sudo id -u")?;
        first.answer("password for alice: ", "correct-horse")?;
        first.expect("0\r\n")?;
        host.run("jitctl audit show")?.ok()?.says("setup.rollback")?;
        host.run("jitctl setup --confirm")?.refused()?.says("no setup waits")?;
    }
    Ok(())
}

#[test]
fn a_rollback_is_kept_up_by_nobody_and_needs_no_room() -> Result<()> {
    let (host, alice) = installed(Release::Bookworm)?;
    // PAM's files on a disk that can be filled.
    host.must(
        "cp -a /etc/pam.d /srv/pam && mount -t tmpfs -o size=1m,mode=755 tmpfs /etc/pam.d && \
         cp -a /srv/pam/. /etc/pam.d/",
    )?;
    let mut first = answered(&alice, "--within 15s")?;
    first.type_line("y")?;
    first.expect("Applied. It goes back by itself in 15s")?;
    host.run("head -c 2M /dev/zero > /etc/pam.d/full")?.refused()?;
    // A local user locks what they can open; root's own lock outlasts the first attempt.
    host.run("runuser -u nobody -- flock /run/jit-setup.lock true")?.refused()?;
    host.must("setsid -f runuser -u nobody -- flock /etc/pam.d sleep 150 >/dev/null 2>&1")?;
    host.must("setsid -f flock /run/jit-setup.lock sleep 28 >/dev/null 2>&1")?;
    let pending = "! test -e /var/lib/jit/setup/pending";
    host.wait_until("the setup has gone back", Duration::from_secs(60), pending)?;
    host.must("journalctl -u jit-setup-rollback | grep 'another jitctl setup is at work'")?;
    host.must("rm /etc/pam.d/full && diff -r /srv/pam /etc/pam.d")?;
    host.must("! test -e /etc/ssh/sshd_config.d/00-jit.conf")?;
    plain_login_works(&alice)
}

#[test]
fn a_reboot_takes_an_unconfirmed_setup_back_before_anybody_logs_in() -> Result<()> {
    for release in Release::ALL {
        let (mut host, alice) = installed(release)?;
        let before = host.must(CHECKSUM)?;
        let mut first = answered(&alice, "")?;
        first.type_line("y")?;
        first.expect("Applied.")?;
        host.must("test -e /etc/ssh/sshd_config.d/00-jit.conf")?;
        // Power is lost; nothing had the time to say goodbye.
        host.power_cycle()?;
        assert_eq!(changed(&host, &before)?, "");
        plain_login_works(&alice)?;
        host.must("! test -e /var/lib/jit/setup/pending")?;
        host.run("jitctl audit show")?.ok()?.says("setup.rollback")?;
    }
    Ok(())
}

#[test]
fn what_would_lock_everybody_out_is_not_applied() -> Result<()> {
    let (host, alice) = installed(Release::Bookworm)?;
    let before = host.must(CHECKSUM)?;
    // A module that does not load.
    let module = format!("/usr/lib/{}-linux-gnu/security/pam_jit.so", std::env::consts::ARCH);
    host.must(&format!("cp {module} /srv/good.so"))?;
    let unloadable = format!("head -c 10000 /srv/good.so > {module}");
    // A drop-in that sshd reads first and that says otherwise.
    let key = alice.public_key();
    std::fs::copy(key, host.root().join("srv/alice.pub"))?;
    host.must(&unloadable)?;
    let mut first = alice.terminal("ssh web-1")?;
    first.answer("$ ", "sudo jitctl setup --yes --key /srv/alice.pub")?;
    first.answer("password for alice: ", "correct-horse")?;
    first.expect("otpauth://")?;
    let uri = format!("otpauth://{}", first.expect("\n")?.trim());
    let mut app = Authenticator::from_uri(&uri)?;
    first.answer("Verification code: ", &app.enrolment_code()?)?;
    first.expect("fail  in the trial, sshd did not ask for a code")?;
    first.expect("1 check failed; sshd and PAM were not changed")?;
    host.must(&format!("cp /srv/good.so {module}"))?;

    let earlier = "/etc/ssh/sshd_config.d/00-earlier.conf";
    host.must(&format!("echo 'AuthenticationMethods publickey' > {earlier}"))?;
    host.run("jitctl setup --yes")?.refused()?.says("sshd overrides: AuthenticationMethods")?;
    host.must(&format!("echo 'NoSuchOption 1' > {earlier}"))?;
    host.run("jitctl setup --yes")?.refused()?.says("NoSuchOption")?;
    let from = "Match Address 10.77.0.0/24\nAuthenticationMethods password";
    host.must(&format!("echo '{from}' > {earlier}"))?;
    host.run("jitctl setup --yes")?
        .refused()?
        .says("AuthenticationMethods is password, for alice from 10.77.0.0")?;
    host.must(&format!("rm {earlier}"))?;
    // Lines of included PAM files that jump over ours, and such as libpam can't read.
    host.must(
        "cp -p /etc/pam.d/common-session /srv/ && \
         echo 'session [success=1 default=ignore] pam_unix.so' >> /etc/pam.d/common-session",
    )?;
    host.run("jitctl setup --yes")?.refused()?.says("in session and can jump over it")?;
    host.must("sed 's/$/\\r/' /srv/common-session > /etc/pam.d/common-session")?;
    host.run("jitctl setup --yes")?.refused()?.says("end with a carriage return")?;
    host.must("cp -p /srv/common-session /etc/pam.d/")?;

    host.must(
        "cp -p /etc/pam.d/sudo /srv/sudo && echo 'auth optional pam_x.so' >> /etc/pam.d/sudo",
    )?;
    host.run("jitctl setup --yes")?.refused()?.says("an auth line of its own")?;
    host.must("cp -p /srv/sudo /etc/pam.d/sudo")?;
    host.must("cp -p /etc/jit/policy.toml /srv/ && : > /etc/jit/policy.toml")?;
    host.run("jitctl setup --yes")?.refused()?.says("the policy lets none of alice log in")?;
    host.must("cp -p /srv/policy.toml /etc/jit/")?;
    assert_eq!(changed(&host, &before)?, "");
    plain_login_works(&alice)?;

    // What fails while it is being applied is taken back at once.
    host.must("systemctl mask jit-setup-rollback.timer")?;
    let masked = host.must(CHECKSUM)?;
    host.run("jitctl setup --yes")?.refused()?.says("all is as before")?;
    assert_eq!(changed(&host, &masked)?, "");
    host.must("! test -e /var/lib/jit/setup/pending")?;
    plain_login_works(&alice)
}

#[test]
fn undo_needs_nothing_but_the_files_themselves() -> Result<()> {
    for release in Release::ALL {
        let (host, alice) = installed(release)?;
        // An sshd_config that reads no drop-ins, and an admin's own file among them.
        host.must("sed -i '/^Include/d' /etc/ssh/sshd_config && systemctl reload ssh")?;
        let before = host.must(CHECKSUM)?;
        let mut first = answered(&alice, "")?;
        first.type_line("y")?;
        first.expect("Applied.")?;
        host.run("sshd -T")?
            .ok()?
            .says("authenticationmethods publickey,keyboard-interactive:pam")?;
        // In a session that was there before, sudo goes by the account's name, and asks for a code.
        first.answer("$ ", "sudo -k; sudo id -u")?;
        first.answer("Verification code: ", &alice.code()?)?;
        first.answer("Reason for access (empty to leave): ", "in an old session")?;
        first.answer("For how long? [", "")?;
        first.expect("0\r\n")?;

        host.must("systemctl stop jitd && rm -rf /etc/jit /var/lib/jit")?;
        host.run("jitctl setup --undo")?.ok()?.says("/etc/ssh/sshd_config.d/00-jit.conf")?;
        assert_eq!(changed(&host, &before)?, "");
        host.run("systemctl is-active jit-setup-rollback.timer")?.refused()?;
        plain_login_works(&alice)?;
        host.must("journalctl -t jitctl | grep 'setup.undo.*unrecorded'")?;
    }
    Ok(())
}
