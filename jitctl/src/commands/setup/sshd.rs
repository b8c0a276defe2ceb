//! sshd's configuration: a drop-in of ours, which must come first, for the first value wins.

use std::path::{Path, PathBuf};

use jit_core::{Error, Result, rootfile};

use super::{files, marks, system};

/// sshd's own file.
pub const MAIN: &str = "/etc/ssh/sshd_config";
/// Ours.
pub const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-jit.conf";
/// Where drop-ins are.
const DROP_INS: &str = "/etc/ssh/sshd_config.d";
/// The program.
pub const SSHD: &str = "/usr/sbin/sshd";

/// What sshd needs, with the usual paths.
const TEXT: &str = include_str!("../../../../packaging/sshd/jit.conf");

/// Files that sshd goes by.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The user CA's public keys, where there is one.
    pub user_ca: Option<PathBuf>,
    /// The certificate of sshd's own key, where something keeps one.
    pub certificate: Option<PathBuf>,
}

/// The drop-in. Without a CA it says nothing of certificates.
pub fn drop_in(authorized: &Path, files: &Files) -> String {
    let mut text = TEXT.replace("/usr/sbin/jit-authorized", &authorized.display().to_string());
    if let Some(certificate) = &files.certificate {
        let own = "# The host's own, by which people know it; jit-link renews it.";
        text.push_str(&format!("\n{own}\nHostCertificate {}\n", certificate.display()));
    }
    if let Some(ca) = &files.user_ca {
        return text.replace(super::CA_FILE, &ca.display().to_string());
    }
    let certificates = ["# Certificates.", "TrustedUserCAKeys", "AuthorizedPrincipals"];
    let kept = text.lines().filter(|line| !certificates.iter().any(|c| line.starts_with(c)));
    kept.map(|line| format!("{line}\n")).collect::<String>().replace("\n\n\n", "\n\n")
}

/// `text` of sshd's own file, with our drop-in read before anything else.
pub fn with_include(text: &str) -> String {
    let original = marks::original(text);
    let first =
        original.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    if first.is_some_and(includes_drop_ins) {
        return original;
    }
    format!("{}\n{original}", marks::added(&format!("Include {DROP_IN}")))
}

fn includes_drop_ins(line: &str) -> bool {
    let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
    words.next().is_some_and(|word| word.eq_ignore_ascii_case("include"))
        && words
            .map(|word| word.trim_matches('"'))
            .any(|word| word == "sshd_config.d/*.conf" || word == "/etc/ssh/sshd_config.d/*.conf")
}

/// The configuration as it shall be, laid out apart from the one in use, to be tried.
pub struct Candidate {
    directory: PathBuf,
}

impl Candidate {
    /// Lays it out below `directory`: `main` and all drop-ins, with ours being `drop_in`.
    ///
    /// # Errors
    /// Refused when a file can't be read, unavailable when one can't be written.
    pub fn lay_out(directory: &Path, main: &str, drop_in: &str) -> Result<Self> {
        let drop_ins = directory.join("sshd_config.d");
        rootfile::create_private_dir(&drop_ins)?;
        let failed = |e: std::io::Error| Error::refused(format!("{DROP_INS} can't be read: {e}"));
        for entry in std::fs::read_dir(DROP_INS).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|ending| ending == "conf")
                && let Some(text) = std::fs::read_to_string(&path).ok()
                && let Some(name) = path.file_name()
            {
                files::replace(&drop_ins.join(name), &text)?;
            }
        }
        files::replace(&drop_ins.join("00-jit.conf"), drop_in)?;
        let candidate = Candidate { directory: directory.to_owned() };
        let here = format!("{}/", drop_ins.display());
        let line = |line: &str| {
            let is_include = line.trim_start().to_ascii_lowercase().starts_with("include");
            match is_include {
                true => line
                    .replace(&format!("{DROP_INS}/"), "sshd_config.d/")
                    .replace("sshd_config.d/", &here),
                false => line.to_owned(),
            }
        };
        let main = main.lines().map(|l| line(l) + "\n").collect::<String>();
        files::replace(&candidate.file(), &main)?;
        Ok(candidate)
    }

    /// Its file.
    pub fn file(&self) -> PathBuf {
        self.directory.join("sshd_config")
    }

    /// What sshd makes of it for an account: `keyword value` in lower case.
    ///
    /// # Errors
    /// Refused, with what sshd says is wrong.
    pub fn effective(&self, login: &str) -> Result<Vec<String>> {
        let file = self.file().display().to_string();
        let whose = format!("user={login},host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22");
        let said = system::must(SSHD, &["-T", "-f", &file, "-C", &whose])?;
        Ok(said.lines().map(str::to_ascii_lowercase).collect())
    }
}

/// What of our drop-in is not in force, given sshd's effective configuration.
pub fn not_in_force(drop_in: &str, effective: &[String]) -> Vec<String> {
    let directives = drop_in.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    directives
        .filter(|line| !effective.contains(&line.to_ascii_lowercase()))
        .map(ToOwned::to_owned)
        .collect()
}

/// Has a running sshd read its configuration, once that is known to be good. Sessions go on.
///
/// # Errors
/// Refused, with what sshd says is wrong.
pub fn reload() -> Result<()> {
    // At boot it does not run yet; where systemd listens for it, each connection reads it anew.
    if !system::succeeds("systemctl", &["is-active", "--quiet", "ssh.service"]) {
        return Ok(());
    }
    system::must(SSHD, &["-t"])?;
    // As the unit reloads it. A reload job would wait for the unit that takes setups back, which
    // comes before ssh.service, while that waits for the job.
    let signal = ["kill", "--kill-whom=main", "--signal=HUP", "ssh.service"];
    system::must("systemctl", &signal).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_file_is_left_alone_and_one_without_the_drop_ins_gets_ours_first() {
        let debian = "# Comment\n\nInclude /etc/ssh/sshd_config.d/*.conf\n\nUsePAM yes\n";
        assert_eq!(with_include(debian), debian);
        for other in [
            "UsePAM yes\nInclude /etc/ssh/sshd_config.d/*.conf\n",
            "Include /etc/ssh/other/*.conf\n",
            "UsePAM yes",
            "",
        ] {
            let edited = with_include(other);
            assert!(edited.starts_with("Include /etc/ssh/sshd_config.d/00-jit.conf # jit\n"));
            assert_eq!(marks::original(&edited), other);
            assert_eq!(with_include(&edited), edited);
        }
        assert!(includes_drop_ins("include = \"sshd_config.d/*.conf\""));
    }

    #[test]
    fn without_a_ca_nothing_is_said_of_certificates() {
        let program = Path::new("/usr/sbin/jit-authorized");
        let files = |ca: Option<&str>, certificate: Option<&str>| Files {
            user_ca: ca.map(PathBuf::from),
            certificate: certificate.map(PathBuf::from),
        };
        let whole = drop_in(program, &files(Some("/etc/jit/user_ca.pub"), None));
        assert!(whole.contains("\nTrustedUserCAKeys /etc/jit/user_ca.pub\n"));
        let bare = drop_in(program, &files(None, None));
        assert!(!bare.contains("TrustedUserCAKeys") && !bare.contains("Principals"), "{bare}");
        assert!(bare.contains("\nAuthorizedKeysCommand /usr/sbin/jit-authorized keys %u\n"));
        assert_eq!(bare.lines().count() + 5, whole.lines().count());
        let linked = drop_in(program, &files(Some("/var/lib/jit/user_ca.pub"), Some("/c.pub")));
        assert!(linked.contains("\nTrustedUserCAKeys /var/lib/jit/user_ca.pub\n"));
        assert!(!linked.contains("/etc/jit/user_ca.pub"), "{linked}");
        assert!(linked.ends_with("\nHostCertificate /c.pub\n"), "{linked}");
    }

    #[test]
    fn what_another_file_overrides_is_found() {
        let effective = ["usepam yes".to_owned(), "maxauthtries 6".to_owned()];
        let missing = not_in_force("# x\n\nUsePAM yes\nMaxAuthTries 4\n", &effective);
        assert_eq!(missing, ["MaxAuthTries 4"]);
    }
}
