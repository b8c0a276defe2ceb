//! A test host on which everything was put in place by hand, as the README says, with its own sshd,
//! sudo and systemd.

use std::path::Path;
use std::time::Duration;

use tests::error::{Context, Result};
use tests::{Person, Release, TestHost, product};

const POLICY: &str = r#"
[[role]]
name = "debug"
members = ["@dev"]
hosts = ["web-1"]
logins = ["{person}", "deploy"]
sudo = true
max_duration = "1h"
auto_approve = "always"
"#;

/// Puts our lines into the PAM services of Debian.
const PAM: &str = r"set -e; cd /etc/pam.d
sed -i -e 's/^@include common-auth$/auth required pam_jit.so/' \
    -e 's/^@include common-account$/account required pam_jit.so\n&/' \
    -e 's/^@include common-session\(-noninteractive\)\?$/&\nsession required pam_jit.so/' \
    sshd sudo sudo-i";

/// Boots a host and puts programs, sshd's and PAM's lines in place; nothing of `/etc/jit` yet.
pub fn bare(release: Release) -> Result<TestHost> {
    let built = product::build()?;
    let host = TestHost::boot(release, "web-1")?;
    let root = host.root();
    let put = |from: &Path, to: &str| -> Result<()> {
        std::fs::copy(from, root.join(to)).context(format!("putting {to} in place")).map(drop)
    };
    for (program, directory) in
        [("jitctl", "bin"), ("ssh-ca", "bin"), ("jitd", "sbin"), ("jit-authorized", "sbin")]
    {
        put(&built.join(program), &format!("usr/{directory}/{program}"))?;
    }
    let arch = host.must("ls -d /usr/lib/*/security")?;
    put(
        &built.join("libpam_jit.so"),
        &format!("{}/pam_jit.so", arch.trim().trim_start_matches('/')),
    )?;
    let packaging = product::workspace().join("packaging");
    put(&packaging.join("sshd/jit.conf"), "etc/ssh/sshd_config.d/00-jit.conf")?;
    put(&packaging.join("systemd/jitd.service"), "etc/systemd/system/jitd.service")?;
    host.must("chmod 644 /usr/lib/*/security/pam_jit.so; useradd -m -s /bin/bash alice")?;
    host.must("useradd -m -s /bin/bash deploy; systemctl daemon-reload")?;
    host.must(PAM)?;
    Ok(host)
}

/// The same with a store, a CA, and alice, who is enrolled and may ask for herself and deploy.
pub fn ready(release: Release) -> Result<(TestHost, Person)> {
    let host = bare(release)?;
    let etc = host.root().join("etc/jit");
    host.must("mkdir -m 755 /etc/jit")?;
    std::fs::write(etc.join("jit.toml"), "host = \"web-1\"\n")?;
    std::fs::write(etc.join("policy.toml"), POLICY)?;
    // jitd makes the store where there is none; the host it is for is enrolled after.
    host.must("umask 077; od -An -tx1 -N32 /dev/urandom | tr -d ' \\n' > /etc/jit/master.key")?;
    host.must("systemctl enable --now jitd")?;
    let made = "the store is made";
    host.wait_until(made, Duration::from_secs(10), "test -s /var/lib/jit/jit.db")?;
    host.wait_until("web-1 is enrolled", Duration::from_secs(10), "jitctl host add web-1")?;
    host.must("ssh-ca init && ssh-ca public-key > /etc/jit/user_ca.pub")?;
    host.must("sshd -t && systemctl restart ssh")?;
    let alice = host.person("alice")?;
    std::fs::copy(alice.public_key(), host.root().join("root/alice.pub"))?;
    host.must("jitctl user add alice --group dev --key /root/alice.pub")?;
    alice.enrol(host.command("jitctl"))?;
    Ok((host, alice))
}
