//! What the machine must have: root, a few Debian packages, audit session ids in the kernel.

use crate::error::{Context, Failed, Result, ensure};
use crate::run::{must, run, run_within};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// A program or file, and the Debian package that brings it.
const PACKAGES: &[(&str, &str)] = &[
    ("/usr/sbin/sshd", "openssh-server"),
    ("/usr/bin/ssh", "openssh-client"),
    ("/usr/bin/sudo", "sudo"),
    ("/usr/bin/pamtester", "pamtester"),
    ("/usr/bin/oathtool", "oathtool"),
    ("/usr/sbin/useradd", "passwd"),
    ("/usr/bin/setsid", "util-linux"),
    ("/usr/bin/curl", "curl"),
    ("/usr/bin/cc", "gcc"),
    ("/usr/bin/nm", "binutils"),
    ("/usr/include/security/pam_modules.h", "libpam0g-dev"),
];

/// What only the packages need.
const PACKAGING: &[(&str, &str)] = &[
    ("/usr/bin/cc", "gcc"),
    ("/usr/include/security/pam_modules.h", "libpam0g-dev"),
    ("/usr/bin/dh", "debhelper"),
    ("/usr/bin/dpkg-buildpackage", "dpkg-dev"),
    ("/usr/bin/lintian", "lintian"),
];

/// What only the comparison with other modules needs.
const PEERS: &[(&str, &str)] = &[("google_authenticator", "libpam-google-authenticator")];

/// Makes sure that the machine has what the harness needs; installs packages that are missing.
/// Done once in a process.
pub fn everything() -> Result<()> {
    static DONE: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    DONE.get_or_init(|| check().map_err(|error| error.to_string())).clone().map_err(Failed::new)
}

/// What only test hosts need.
const HOST_PACKAGES: &[(&str, &str)] = &[
    ("/usr/sbin/debootstrap", "debootstrap"),
    ("/usr/bin/ip", "iproute2"),
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/bin/openssl", "openssl"),
    ("/usr/bin/python3", "python3"),
];

/// What people have on their own machines, and use over ssh.
const LAPTOP_PACKAGES: &[(&str, &str)] =
    &[("/usr/bin/rsync", "rsync"), ("/usr/bin/git", "git"), ("/usr/bin/ansible", "ansible-core")];

/// Makes sure that people have what they use over ssh.
pub fn laptops() -> Result<()> {
    static DONE: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    DONE.get_or_init(|| packages(LAPTOP_PACKAGES).map_err(|error| error.to_string()))
        .clone()
        .map_err(Failed::new)
}

/// Makes sure that test hosts can be made.
pub fn test_hosts() -> Result<()> {
    static DONE: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    let check = || {
        everything()?;
        packages(HOST_PACKAGES)
    };
    DONE.get_or_init(|| check().map_err(|error: Failed| error.to_string()))
        .clone()
        .map_err(Failed::new)
}

/// Makes sure that the modules of the comparison are installed, too.
pub fn peers() -> Result<()> {
    everything()?;
    let missing: Vec<_> = PEERS
        .iter()
        .filter(|(module, _)| module_path(&format!("pam_{module}.so")).is_none())
        .map(|(_, package)| *package)
        .collect();
    install(&missing)
}

/// Makes sure that the machine can build Debian packages.
pub fn packaging() -> Result<()> {
    packages(PACKAGING)
}

/// Makes sure that a Python environment can be made.
pub fn python() -> Result<()> {
    packages(&[("/usr/bin/python3", "python3")])?;
    let pip = run(Command::new("/usr/bin/python3").args(["-c", "import ensurepip"]), "")?;
    if pip.code == 0 { Ok(()) } else { install(&["python3-venv"]) }
}

/// Where libpam finds the module called `name`.
pub fn module_path(name: &str) -> Option<std::path::PathBuf> {
    let beside = ["/lib/x86_64-linux-gnu/security", "/lib/aarch64-linux-gnu/security"];
    beside
        .iter()
        .chain(&["/lib/security", "/usr/lib/security"])
        .map(|directory| std::path::Path::new(directory).join(name))
        .find(|path| path.exists())
}

/// Fails unless this process is root.
pub fn root() -> Result<()> {
    ensure(nix::unistd::geteuid().is_root(), || {
        "this makes accounts and runs a private sshd, so it must be root; run it again with sudo"
            .to_owned()
    })
}

fn check() -> Result<()> {
    root()?;
    packages(PACKAGES)?;
    sudoers_directory()?;
    audit_sessions()
}

/// Installs what is missing of `needed`: files, each with the package it is in.
pub fn packages(needed: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<_> = needed
        .iter()
        .filter(|(path, _)| !std::path::Path::new(path).exists())
        .map(|(_, package)| *package)
        .collect();
    install(&missing)?;
    for (path, package) in needed {
        ensure(std::path::Path::new(path).exists(), || {
            format!("{path} is missing although the package {package} is installed")
        })?;
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    eprintln!("Installing with apt-get: {}", packages.join(" "));
    let limit = Duration::from_secs(600);
    // apt-get waits for no other apt that updates the lists: it is asked again.
    crate::process::wait_until("apt-get update", limit, || {
        let update = run_within(Command::new("apt-get").args(["-q", "update"]), "", limit);
        update.is_ok_and(|said| said.code == 0)
    })?;
    let mut apt = Command::new("apt-get");
    apt.args(["-q", "-y", "-o", "DPkg::Lock::Timeout=300", "--no-install-recommends", "install"])
        .args(packages);
    // Installing must start no daemon: the machine's own login configuration stays as it is.
    apt.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    run_within(&mut apt, "", limit)?.ok().context("installing packages")?;
    Ok(())
}

fn sudoers_directory() -> Result<()> {
    let read = must("cat", &["/etc/sudoers"])?;
    ensure(read.contains("includedir /etc/sudoers.d"), || {
        "/etc/sudoers does not include /etc/sudoers.d, where the private rules of an instance \
         would stand; add the line: @includedir /etc/sudoers.d"
            .to_owned()
    })
}

/// Tries what pam_loginuid does, in a child of its own: who sets the login uid gets a new session.
fn audit_sessions() -> Result<()> {
    let script = "echo 0 > /proc/self/loginuid && cat /proc/self/sessionid";
    let tried = run(Command::new("sh").args(["-c", script]), "")?;
    ensure(tried.code == 0 && !tried.stdout.starts_with("4294967295"), || {
        format!(
            "this kernel gives no audit session ids, by which sessions are told apart without \
             systemd; use a kernel with CONFIG_AUDIT and a container that may write \
             /proc/self/loginuid\n{}",
            tried.told()
        )
    })
}
