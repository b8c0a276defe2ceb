//! `jitctl doctor` on real hosts: quiet where all is well, and for each thing that is broken a line
//! that names it and the command that mends it.

use tests::error::{Result, ensure};
use tests::{Release, Site, TestHost};

/// What is broken, by what, what the doctor says of it, and what it says to do; then how it is mended.
struct Mishap {
    breaks: &'static str,
    level: &'static str,
    found: &'static str,
    mend: &'static str,
    mends: &'static str,
}

const MISHAPS: &[Mishap] = &[
    Mishap {
        breaks: "sed -i 's/^UsePAM yes/UsePAM no/' /etc/ssh/sshd_config.d/00-jit.conf",
        level: "fail",
        found: "UsePAM is not yes",
        mend: "Set UsePAM yes",
        mends: "sed -i 's/^UsePAM no/UsePAM yes/' /etc/ssh/sshd_config.d/00-jit.conf",
    },
    Mishap {
        breaks: "printf 'Match User deploy Address 10.9.0.0/16\\n  AuthenticationMethods any\\n' \
                 > /etc/ssh/sshd_config.d/zz.conf; sed -i '/^AuthenticationMethods/d' \
                 /etc/ssh/sshd_config.d/00-jit.conf; printf 'Match all\\n AuthenticationMethods \
                 publickey,keyboard-interactive:pam\\n' >> /etc/ssh/sshd_config",
        level: "fail",
        found: "AuthenticationMethods is any, for deploy from 10.9.0.0",
        mend: "grep -rni AuthenticationMethods /etc/ssh/sshd_config",
        mends: "rm /etc/ssh/sshd_config.d/zz.conf; head -n -2 /etc/ssh/sshd_config > /root/c && \
                cat /root/c > /etc/ssh/sshd_config; echo AuthenticationMethods \
                publickey,keyboard-interactive:pam >> /etc/ssh/sshd_config.d/00-jit.conf",
    },
    Mishap {
        breaks: "sed -i 's/^LoginGraceTime.*/LoginGraceTime 40/' /etc/ssh/sshd_config.d/00-jit.conf",
        level: "fail",
        found: "LoginGraceTime is 40 s",
        mend: "Set LoginGraceTime 60",
        mends: "sed -i 's/^LoginGraceTime.*/LoginGraceTime 60/' /etc/ssh/sshd_config.d/00-jit.conf",
    },
    Mishap {
        breaks: "sed -i 's/^AuthorizedKeysFile none/#&/' /etc/ssh/sshd_config.d/00-jit.conf; mkdir -m \
                 700 /home/deploy/.ssh; echo cert-authority $(cat /root/alice.pub) > \
                 /home/deploy/.ssh/authorized_keys",
        level: "warn",
        found: "those of deploy trust a CA of their own",
        mend: "AuthorizedKeysFile none",
        mends: "rm -r /home/deploy/.ssh; sed -i 's/^#\\(AuthorizedKeysFile none\\)/\\1/' \
                /etc/ssh/sshd_config.d/00-jit.conf",
    },
    Mishap {
        breaks: "echo RevokedKeys /etc/ssh/revoked >> /etc/ssh/sshd_config.d/00-jit.conf",
        level: "fail",
        found: "RevokedKeys names /etc/ssh/revoked, which is not there",
        mend: "touch /etc/ssh/revoked",
        mends: "sed -i '/^RevokedKeys/d' /etc/ssh/sshd_config.d/00-jit.conf",
    },
    Mishap {
        breaks: "echo Nonsense yes > /etc/ssh/sshd_config.d/zz.conf",
        level: "fail",
        found: "sshd does not tell its configuration",
        mend: "sshd -t",
        mends: "rm /etc/ssh/sshd_config.d/zz.conf",
    },
    Mishap {
        breaks: "cp /etc/jit/user_ca.pub /root/ca; cut -d' ' -f1,2 /root/alice.pub > \
                 /etc/jit/user_ca.pub",
        level: "fail",
        found: "/etc/jit/user_ca.pub does not hold the user CA key",
        mend: "ssh-ca public-key > /etc/jit/user_ca.pub",
        mends: "ssh-ca public-key > /etc/jit/user_ca.pub",
    },
    Mishap {
        breaks: "chmod o+w /usr/sbin/jit-authorized",
        level: "fail",
        found: "others can write /usr/sbin/jit-authorized",
        mend: "chmod go-w /usr/sbin/jit-authorized",
        mends: "chmod go-w /usr/sbin/jit-authorized",
    },
    Mishap {
        breaks: "cp /etc/pam.d/sshd /root/pam; grep -v '^account.*pam_jit' /root/pam > /etc/pam.d/sshd; \
                 echo 'account required pam_jit.so' >> /etc/pam.d/sshd",
        level: "fail",
        found: "pam_unix.so stands before pam_jit.so in account",
        mend: "before `@include common-account` in /etc/pam.d/sshd",
        mends: "cat /root/pam > /etc/pam.d/sshd",
    },
    Mishap {
        breaks: "cp /etc/pam.d/sudo /root/pam; sed -i '/pam_jit/d' /etc/pam.d/sudo",
        level: "fail",
        found: "PAM service sudo: no pam_jit.so in account",
        mend: "/etc/pam.d/sudo",
        mends: "cat /root/pam > /etc/pam.d/sudo",
    },
    Mishap {
        breaks: "chmod o+w /usr/lib/*/security/pam_jit.so",
        level: "fail",
        found: "security/pam_jit.so (mode",
        mend: "chmod go-w /",
        mends: "chmod 644 /usr/lib/*/security/pam_jit.so",
    },
    Mishap {
        breaks: "mv /usr/lib/*/security/pam_jit.so /root/",
        level: "fail",
        found: "there is no PAM module pam_jit.so",
        mend: "apt-get install --reinstall libpam-jit",
        mends: "mv /root/pam_jit.so $(ls -d /usr/lib/*/security)/",
    },
    Mishap {
        breaks: "echo 'Defaults:alice !pam_acct_mgmt' > /etc/sudoers.d/x",
        level: "fail",
        found: "`!pam_acct_mgmt` in /etc/sudoers.d/x",
        mend: "visudo -f /etc/sudoers.d/x",
        mends: "rm /etc/sudoers.d/x",
    },
    Mishap {
        breaks: "systemctl stop jitd",
        level: "fail",
        found: "jitd does not run",
        mend: "systemctl start jitd",
        mends: "systemctl start jitd; until jitctl status | grep -q 'jitd .*runs'; do sleep 0.1; done",
    },
    Mishap {
        breaks: "systemctl disable -q jitd",
        level: "warn",
        found: "jitd does not start at boot",
        mend: "systemctl enable jitd",
        mends: "systemctl enable -q jitd",
    },
    Mishap {
        breaks: "systemctl mask -q --runtime systemd-logind; systemctl stop systemd-logind",
        level: "fail",
        found: "loginctl did not answer within 5 s|logind does not answer",
        mend: "systemctl restart systemd-logind",
        mends: "systemctl unmask -q --runtime systemd-logind; systemctl start systemd-logind",
    },
    Mishap {
        breaks: "mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/deploy",
        level: "warn",
        found: "lingering users: deploy",
        mend: "loginctl disable-linger deploy",
        mends: "rm /var/lib/systemd/linger/deploy",
    },
    Mishap {
        breaks: "echo '0 0 1 1 * true' | crontab -u alice -",
        level: "warn",
        found: "jobs of cron or at: alice",
        mend: "crontab -r -u NAME",
        mends: "crontab -r -u alice",
    },
    Mishap {
        breaks: "passwd -d deploy",
        level: "fail",
        found: "accounts that need no password: deploy",
        mend: "passwd -l deploy",
        mends: "passwd -l deploy",
    },
];

/// What it says, each finding with the lines below it as one.
fn findings(host: &TestHost) -> Result<(i32, Vec<String>)> {
    let said = host.run("jitctl doctor")?;
    let mut found: Vec<String> = Vec::new();
    for line in said.stdout.lines() {
        match (line.strip_prefix("      "), found.last_mut()) {
            (Some(more), Some(last)) => {
                last.push('\n');
                last.push_str(more);
            }
            _ => found.push(line.to_owned()),
        }
    }
    Ok((said.code, found))
}

fn bad(findings: &[String]) -> Vec<&String> {
    findings.iter().filter(|f| f.starts_with("fail") || f.starts_with("warn")).collect()
}

#[test]
fn the_doctor_is_quiet_on_a_sound_host_and_names_what_is_broken() -> Result<()> {
    for release in Release::ALL {
        let site = Site::set_up(release)?;
        let host = &site.host;
        let (_, found) = findings(host)?;
        let waits = found.iter().any(|f| f.contains("a setup waits for its confirmation"));
        ensure(waits, || format!("{found:#?}"))?;
        // As if it were confirmed.
        host.must("rm /var/lib/jit/setup/pending")?;
        let (code, sound) = findings(host)?;
        let warnings = bad(&sound);
        // Nothing keeps the clock of a test host in step.
        ensure(code == 0 && warnings.iter().all(|w| w.contains("clock in step")), || {
            format!("{}: {sound:#?}", release.name())
        })?;
        for mishap in MISHAPS {
            host.must(mishap.breaks)?;
            let (code, found) = findings(host)?;
            let named = found.iter().any(|finding| {
                finding.starts_with(mishap.level)
                    && mishap.found.split('|').any(|words| finding.contains(words))
                    && finding.contains(mishap.mend)
            });
            ensure(named && code == i32::from(mishap.level == "fail"), || {
                format!("{}: {}: ended with {code}: {found:#?}", release.name(), mishap.breaks)
            })?;
            host.must(mishap.mends)?;
            let (_, mended) = findings(host)?;
            ensure(bad(&mended) == warnings, || {
                format!("{}: {}: {mended:#?}", release.name(), mishap.mends)
            })?;
        }
    }
    Ok(())
}
