//! Prepares the machine for an instance: its directory with the programs, its accounts, sshd's empty
//! directory, its syslog.

use crate::error::{Context, Result, ensure};
use crate::run::run;
use crate::syslog::Syslog;
use crate::undo::{self, Guard};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Writes an executable file.
pub fn write_program(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text)?;
    Ok(std::fs::set_permissions(file, PermissionsExt::from_mode(0o755))?)
}

/// What makes the names of an instance its own. It is short, as it goes into names of accounts and
/// paths of sockets; one that is taken is not given.
pub fn random_tag() -> Result<String> {
    loop {
        let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let tag: String = uuid.chars().take(5).collect();
        let taken = |name: &str| Path::new(undo::HOME).join(format!("{name}{tag}")).exists();
        if !taken("jit-throwaway.") && !taken("jit-throwaway.host-") {
            return Ok(tag);
        }
    }
}

/// Makes the directory and starts the guard, or fails if anything is in the way.
pub fn claim(dir: &Path, tag: &str, accounts: &[String]) -> Result<Guard> {
    let _lock = undo::machine_lock()?;
    ensure(!dir.exists(), || {
        format!("{} exists: stop that instance first: cargo xtask demo --stop", dir.display())
    })?;
    for account in accounts {
        let taken = run(Command::new("getent").args(["passwd", account]), "")?.code == 0;
        ensure(!taken, || {
            format!("the account {account} exists on this machine; run this where it does not")
        })?;
    }
    std::fs::create_dir(dir).context(format!("making {}", dir.display()))?;
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755))?;
    Guard::start(dir, tag, accounts)
}

/// Copies the programs in and puts those that people call on a path.
pub fn install(release: &Path, dir: &Path) -> Result<()> {
    for program in ["jitctl", "jitd", "jit-hooks", "jit-link", "ssh-ca", "jit-authorized"] {
        std::fs::copy(release.join(program), dir.join("bin").join(program))?;
    }
    std::fs::copy(release.join("libpam_jit.so"), dir.join("lib/pam_jit.so"))?;
    let d = dir.display();
    for program in ["jitctl", "ssh-ca"] {
        let text = format!("#!/bin/sh\nexec {d}/bin/{program} --config {d}/jit.toml \"$@\"\n");
        write_program(&dir.join("sh").join(program), &text)?;
    }
    Ok(())
}

/// What programs of an instance have around them; `path` comes before the usual directories.
pub fn environment(dir: &Path, home: &str, path: &str) -> Vec<(String, String)> {
    let pairs = [
        ("PATH", format!("{path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")),
        ("HOME", home.to_owned()),
        ("TERM", "dumb".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("JIT_INSTANCE", dir.display().to_string()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

/// sshd does not start without its empty directory, which an unused Debian machine lacks.
pub fn run_sshd_directory() -> Result<()> {
    let _lock = undo::machine_lock()?;
    if !Path::new("/run/sshd").exists() {
        std::fs::write("/run/jit-throwaway.made-run-sshd", "")?;
        std::fs::create_dir("/run/sshd")?;
    }
    Ok(())
}

/// Makes the accounts, marked as this instance's.
pub fn make_accounts(dir: &Path, accounts: &[String]) -> Result<()> {
    let _lock = undo::machine_lock()?;
    for account in accounts {
        let mark = undo::mark(dir);
        let mut useradd = Command::new("useradd");
        // `*`: no password fits, and the account is not locked.
        useradd.args(["--create-home", "--shell", "/bin/bash", "--password", "*"]);
        run(useradd.args(["--comment", &mark, account]), "")?.ok()?;
        let home = Path::new("/home").join(account);
        std::fs::write(home.join(".bashrc"), "PS1='\\u@web-1:\\w\\$ '\n")?;
        std::fs::write(home.join(".bash_profile"), ". ~/.bashrc\n")?;
    }
    Ok(())
}

/// Starts the private syslog: a thread, or the collector if there is one.
pub fn start_syslog(dir: &Path, collector: Option<&(PathBuf, Vec<String>)>) -> Result<Syslog> {
    let (socket, file) = (dir.join("syslog.socket"), dir.join("log/syslog"));
    let Some((program, arguments)) = collector else { return Syslog::listen(&socket, &file) };
    let child = Command::new("setsid")
        .arg(program)
        .args(arguments)
        .args([&socket, &file])
        .stdin(std::process::Stdio::null())
        .current_dir("/")
        .spawn()
        .context("starting the log collector")?;
    std::fs::write(dir.join("pid/syslog"), format!("{}\n", child.id()))?;
    crate::process::wait_until("the log socket", Duration::from_secs(5), || socket.exists())?;
    Ok(Syslog::of_file(&file))
}
