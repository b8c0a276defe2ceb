//! An instance: its configuration, directories, master key, policy, store and host. Makes what is
//! missing, and changes nothing that is there.

use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use jit_core::authority::Authority;
use jit_core::config::{Config, DEFAULT_PATH};
use jit_core::grant::Actor;
use jit_core::name::HostName;
use jit_core::seal::Vault;
use jit_core::store::sqlite::Opener;
use jit_core::{Error, Kind, Result, rootfile};
use serde_json::json;

use crate::commands::PROCESS;
use crate::output::{Exit, Output};

/// The configuration as it is written; the host stands for `@HOST@`.
const CONFIG: &str = include_str!("../../../../packaging/etc/jit.toml");
/// The policy as it is written.
pub const POLICY: &str = include_str!("../../../../packaging/etc/policy.toml");

/// What sshd needs, with the usual paths.
const SSHD: &str = include_str!("../../../../packaging/sshd/jit.conf");
/// The PAM services, with the usual paths.
const PAM_SSHD: &str = include_str!("../../../../packaging/pam/sshd");
const PAM_SUDO: &str = include_str!("../../../../packaging/pam/sudo");

/// Makes an instance and says what else it needs: all of `jitctl setup` where the machine's own
/// sshd is none of our business.
pub fn run(path: &Path, host: Option<&HostName>, output: Output) -> Result<Exit> {
    let (authority, made) = make(path, host)?;
    // Said last: a policy that does not parse is no reason to leave the rest undone.
    authority.policy()?;
    let host = &authority.config().host;
    let next = next(path);
    let mut text = match made.as_slice() {
        [] => format!("Nothing had to be changed; this machine is {host}.\n"),
        _ => made.iter().map(|what| format!("made  {what}\n")).collect(),
    };
    text.push_str(&format!("\nNext:\n{next}"));
    let config = path.display().to_string();
    output.answer(text, || json!({ "host": host, "config": config, "made": made }))?;
    Ok(Exit::Done)
}

/// Makes what is missing of an instance, and opens it; what was made.
///
/// # Errors
/// Whatever can't be made.
pub fn make(path: &Path, host: Option<&HostName>) -> Result<(Authority, Vec<String>)> {
    let mut made = Vec::new();
    let config = configuration(path, host, &mut made)?;
    for directory in [&config.state_dir, &config.run_dir] {
        let there = directory.exists();
        rootfile::create_private_dir(directory)?;
        note(&mut made, there, format!("directory {}", directory.display()));
    }
    master_key(&config, &mut made)?;
    let there = config.policy_file.exists();
    if !there {
        rootfile::create_public(&config.policy_file, POLICY.as_bytes())?;
    }
    note(&mut made, there, format!("policy {}", config.policy_file.display()));
    let there = config.database().exists();
    note(&mut made, there, format!("store {}", config.database().display()));
    let authority = Authority::open(config, PROCESS, Opener::Admin)?;
    let host = &authority.config().host;
    match authority.host(host) {
        Ok(_) => {}
        Err(error) if error.kind() == Kind::NotFound => {
            authority.put_host(&Actor::Root, host, &BTreeSet::new())?;
            made.push(format!("host {host}"));
        }
        Err(error) => return Err(error),
    }
    Ok((authority, made))
}

fn note(made: &mut Vec<String>, there: bool, what: String) {
    if !there {
        made.push(what);
    }
}

/// Reads the configuration; writes it first where there is none.
fn configuration(path: &Path, host: Option<&HostName>, made: &mut Vec<String>) -> Result<Config> {
    if path.symlink_metadata().is_ok() {
        let config = Config::load(path)?;
        if let Some(host) = host.filter(|host| **host != config.host) {
            return Err(Error::refused(format!(
                "{} says that this machine is {}, not {host}",
                path.display(),
                config.host
            ))
            .next("Change `host` there, or leave out --host."));
        }
        return Ok(config);
    }
    let host = match host {
        Some(host) => host.clone(),
        None => own_name()?,
    };
    let text = written(path, &host)?;
    Config::parse(path, &text)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
        .map_err(|e| Error::misconfigured(format!("{} can't be made: {e}", directory.display())))?;
    rootfile::create_public(path, text.as_bytes())?;
    let config = Config::load(path).inspect_err(|_| {
        // A place that only root can write to is needed; this one is left as it was.
        let _ = std::fs::remove_file(path);
    })?;
    made.push(format!("configuration {}", path.display()));
    Ok(config)
}

/// The configuration for `host`. One that lies elsewhere than usual keeps everything beside it.
fn written(path: &Path, host: &HostName) -> Result<String> {
    let text = CONFIG.replace("@HOST@", host.as_str());
    if path == Path::new(DEFAULT_PATH) {
        return Ok(text);
    }
    let beside = |name: &str| {
        let file = path.with_file_name(name);
        let file = file.to_str().filter(|text| !text.contains(['"', '\\', '\n']));
        file.map(ToOwned::to_owned).ok_or_else(|| {
            Error::invalid(format!("{} can't stand in a configuration file", path.display()))
                .next("Choose a plain path for --config.")
        })
    };
    let mut text = text;
    for (key, name) in [
        ("state_dir", "state"),
        ("run_dir", "run"),
        ("master_key_file", "master.key"),
        ("policy_file", "policy.toml"),
        ("hooks_file", "hooks.toml"),
    ] {
        let lines = text.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(&format!("{key} = ")) => {
                Ok(format!("{key} = \"{}\"\n", beside(name)?))
            }
            _ => Ok(format!("{line}\n")),
        });
        text = lines.collect::<Result<String>>()?;
    }
    Ok(text)
}

/// What the machine calls itself.
fn own_name() -> Result<HostName> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    HostName::parse(name.trim())
        .map_err(|e| Error::invalid(e.what()).next("Name the machine: jitctl setup --host NAME."))
}

fn master_key(config: &Config, made: &mut Vec<String>) -> Result<()> {
    let file = &config.master_key_file;
    if file.exists() {
        return Vault::open_file(file).map(drop);
    }
    if config.database().exists() {
        return Err(Error::misconfigured(format!(
            "the master key {} of the store {} is missing",
            file.display(),
            config.database().display()
        ))
        .next("Restore it from your backup: a new key can't open what the old one sealed."));
    }
    Vault::create_file(file)?;
    made.push(format!("master key {} (keep a copy off this machine)", file.display()));
    Ok(())
}

/// What to type, and what to put where.
fn next(path: &Path) -> String {
    let (option, argument) = if path == Path::new(DEFAULT_PATH) {
        (String::new(), String::new())
    } else {
        (format!(" --config {}", path.display()), format!(" config={}", path.display()))
    };
    // Beside this program, where packages and builds put it.
    let programs = std::env::current_exe().ok();
    let programs = programs.as_deref().and_then(Path::parent).unwrap_or(Path::new("/usr/bin"));
    let authorized = format!("{}{option}", programs.join("jit-authorized").display());
    let ca = path.with_file_name("user_ca.pub").display().to_string();
    let sshd =
        SSHD.replace("/usr/sbin/jit-authorized", &authorized).replace("/etc/jit/user_ca.pub", &ca);
    let pam = |service: &str| service.replace("pam_jit.so", &format!("pam_jit.so{argument}"));
    format!(
        "  ssh-ca{option} init
  ssh-ca{option} public-key > {ca}
  jitctl{option} user add NAME --group GROUP --key FILE.pub
  jitctl{option} mfa enroll NAME
  jitd{option}                  (the service that ends sessions)
  jitctl{option} doctor

Into sshd_config:
{}
Into /etc/pam.d/sshd, in place of its auth, account and session lines of the same modules:
{}
Into /etc/pam.d/sudo:
{}
Keep a root shell open until a login has worked.
",
        lines(&sshd),
        lines(&pam(PAM_SSHD)),
        lines(&pam(PAM_SUDO)),
    )
}

/// The lines that say something, indented.
fn lines(file: &str) -> String {
    let said = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    said.map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::policy::Policy;

    fn config(text: &str) -> Config {
        Config::parse(Path::new(DEFAULT_PATH), text).unwrap()
    }

    /// Takes the `#` off every line that shows a value.
    fn uncommented(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn the_commented_configuration_shows_every_key_with_its_default() {
        let host = HostName::parse("web-1").unwrap();
        let text = written(Path::new(DEFAULT_PATH), &host).unwrap();
        let bare = config("host = 'web-1'");
        assert_eq!(config(&text), bare);
        assert_eq!(config(&uncommented(&text)), bare);
        for key in [
            "host",
            "state_dir",
            "run_dir",
            "master_key_file",
            "policy_file",
            "hooks_file",
            "exempt_logins",
            "second_factor",
            "attempts",
            "period",
            "lockout",
            "expires",
            "default_duration",
            "prompt_wait",
            "clock_skew",
            "leftovers",
            "syslog_socket",
            "busy_timeout",
        ] {
            let shown = uncommented(&text).lines().any(|l| l.starts_with(&format!("{key} = ")));
            assert!(shown, "{key}");
        }
    }

    /// sshd 9.2 silently ignores AuthorizedPrincipalsCommand after AuthorizedKeysCommand.
    #[test]
    fn sshd_is_told_of_principals_before_it_is_told_of_keys() {
        let text = next(Path::new(DEFAULT_PATH));
        let at = |word: &str| text.find(word).unwrap();
        assert!(at("AuthorizedPrincipalsCommand ") < at("AuthorizedKeysCommand "));
    }

    #[test]
    fn another_place_keeps_everything_beside_it() {
        let host = HostName::parse("test-1").unwrap();
        let config = config(&written(Path::new("/srv/jit-2/jit.toml"), &host).unwrap());
        assert_eq!(config.database(), Path::new("/srv/jit-2/state/jit.db"));
        assert_eq!(config.run_dir, Path::new("/srv/jit-2/run"));
        assert_eq!(config.master_key_file, Path::new("/srv/jit-2/master.key"));
        assert_eq!(config.policy_file, Path::new("/srv/jit-2/policy.toml"));
        assert!(written(Path::new("/srv/a\"b/jit.toml"), &host).is_err());
    }

    #[test]
    fn the_commented_policy_gives_nothing_and_its_example_parses() {
        let path = Path::new("/p");
        assert_eq!(Policy::parse(path, POLICY).unwrap().roles, []);
        let example = Policy::parse(path, &uncommented(POLICY)).unwrap();
        assert_eq!((example.roles.len(), example.denies.len()), (1, 1));
    }
}
