//! `jitctl ssh-config`: what has plain ssh, and all that runs it, get a certificate by itself.

use std::path::Path;

use jit_client::{Caller, Client, Places, Profile, private};
use jit_core::{Error, Result};
use serde_json::json;

use super::login::joined_one;
use super::{access, cert};
use crate::cli::SshConfig;
use crate::output::{Exit, Output};
use crate::reach::Reach;

/// The largest file that is changed.
const LARGEST: u64 = 4 << 20;

/// Runs `jitctl ssh-config`.
pub fn run(reach: &Reach, wanted: &SshConfig, output: Output) -> Result<Exit> {
    let profile = joined_one(reach)?;
    let hosts = patterns(&wanted.hosts)?;
    let client = Client::new(Box::new(profile.transport()?), &profile.name, Caller::Unproved);
    let block = block(profile, &hosts)?;
    let mark = format!("jit:{}", profile.name);
    // For these hosts alone, not for whatever else somebody connects to.
    let known = access::known_hosts(&client, profile, &hosts)?;
    let known: Vec<String> = known.iter().map(|line| format!("{line} {mark}")).collect();
    let places = Places::of_user()?;
    let (config_file, known_file) =
        (places.home.join(".ssh/config"), places.home.join(".ssh/known_hosts"));
    if wanted.write {
        private::directory(&places.home.join(".ssh"))?;
        let name = &profile.name;
        replace(&config_file, &block, |text| without_block(text, name))?;
        replace(&known_file, &(known.join("\n") + "\n"), |text| without_lines(text, &mark))?;
    }
    let text = if wanted.write {
        format!(
            "{} and {} are written. Next: ssh LOGIN@HOST",
            config_file.display(),
            known_file.display()
        )
    } else {
        format!(
            "# Into {}:\n{block}# Into {}:\n{}\n",
            config_file.display(),
            known_file.display(),
            known.join("\n")
        )
    };
    output.answer(
        text,
        || json!({ "ssh_config": block, "known_hosts": known, "written": wanted.write }),
    )?;
    Ok(Exit::Done)
}

/// ssh's patterns, with commas between them.
fn patterns(text: &str) -> Result<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-*?!".contains(c);
    let patterns: Vec<&str> = text.split([' ', ',']).filter(|part| !part.is_empty()).collect();
    if patterns.is_empty() || !patterns.iter().all(|part| part.chars().all(fits)) {
        return Err(Error::invalid(format!("`{text}` are no patterns of hosts"))
            .next("Such as: --hosts 'web-* db-1'"));
    }
    Ok(patterns.join(","))
}

fn block(profile: &Profile, hosts: &str) -> Result<String> {
    let program = std::env::current_exe()
        .map_err(|e| Error::unavailable(format!("where jitctl is can't be told: {e}")))?;
    let certificates = cert::directory(profile)?;
    let [program, certificates, key] = [&program, &certificates, &profile.key].map(|path| {
        let text = path.display().to_string();
        // In ssh_config and in the shell that runs the line.
        let fits = |c: char| c.is_alphanumeric() || "/._-@+,".contains(c);
        if text.chars().all(fits) {
            return Ok(text);
        }
        Err(Error::invalid(format!("ssh_config can't hold the path {text}"))
            .next("Move it to a path of letters, digits and /._-@+,"))
    });
    let (program, certificates, key, name) = (program?, certificates?, key?, &profile.name);
    Ok(format!(
        "# jit {name}: begin\n\
         Match originalhost {hosts} exec \"{program} --server {name} cert --quiet '%r@%n'\"\n    \
             IdentityFile {key}\n    \
             CertificateFile {certificates}/%r@%n-cert.pub\n\
         # jit {name}: end\n"
    ))
}

/// Writes a file with `ours` at its end, in place of what was ours.
fn replace(file: &Path, ours: &str, without: impl FnOnce(&str) -> String) -> Result<()> {
    let unreadable =
        |e: std::io::Error| Error::misconfigured(format!("{} can't be read: {e}", file.display()));
    let old = match std::fs::metadata(file) {
        Ok(meta) if meta.len() > LARGEST => {
            return Err(Error::misconfigured(format!("{} is larger than 4 MiB", file.display())));
        }
        Ok(_) => std::fs::read_to_string(file).map_err(unreadable)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(unreadable(e)),
    };
    let mut text = without(&old);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(ours);
    // A link to it stays one.
    let target = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    private::write(&target, &text)
}

fn without_block(text: &str, name: &str) -> String {
    let (begin, end) = (format!("# jit {name}: begin"), format!("# jit {name}: end"));
    let mut inside = false;
    let mut kept = String::new();
    for line in text.lines() {
        inside |= line == begin;
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
        inside &= line != end;
    }
    kept
}

fn without_lines(text: &str, mark: &str) -> String {
    let ours = |line: &&str| line.rsplit(' ').next() == Some(mark);
    text.lines().filter(|line| !ours(line)).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_and_what_was_ours_is_replaced() {
        let text = "Host a\n  User b\n# jit one: begin\nMatch x\n# jit one: end\nHost c\n";
        assert_eq!(without_block(text, "one"), "Host a\n  User b\nHost c\n");
        assert_eq!(without_block(text, "two"), text);
        let known = "web-1 ssh-ed25519 AAAA\n@cert-authority * ssh-ed25519 AAAA jit:one\n";
        assert_eq!(without_lines(known, "jit:one"), "web-1 ssh-ed25519 AAAA\n");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        for round in ["first", "second"] {
            let ours = format!("# jit one: begin\n{round}\n# jit one: end\n");
            std::fs::write(&file, std::fs::read_to_string(&file).unwrap_or("Host a".into()))
                .unwrap();
            replace(&file, &ours, |text| without_block(text, "one")).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("Host a\n{ours}"));
        }
    }

    #[test]
    fn only_patterns_are_patterns() {
        assert_eq!(patterns("web-* db-1").unwrap(), "web-*,db-1");
        for bad in ["", " ", "a\"b", "a;b", "$(id)", "a\nb", "a%b"] {
            assert!(patterns(bad).is_err(), "{bad:?}");
        }
    }
}
