//! The host's side: gathers what sshd, PAM, sudo and systemd say and hand it to those who judge it.
//! What can't be read is a finding, too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jit_core::authority::Authority;
use jit_core::certificate::{SSHD_KEY, check_host};
use jit_core::config::Config;
use jit_core::person::parse_public_key;
use jit_core::policy::{LoginPattern, Policy};
use jit_core::store::{CaKind, GrantFilter};
use jit_core::{Error, Result, rootfile};
use ssh_key::{Certificate, HashAlg};

use super::ask::ask;
use super::report::{Finding, Report};
use super::ways_in::Account;
use super::{machine, matches, pam, sshd, sudo, ways_in};

const SSHD: &str = "/usr/sbin/sshd";
const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";
/// More connections than this are not asked about: each takes sshd some milliseconds.
const MOST_CASES: usize = 400;
/// The largest file that is read.
const LARGEST: u64 = 1 << 20;

/// What the checks go by.
pub struct Host<'a> {
    /// The configuration, and where it is.
    pub config: &'a Config,
    pub path: &'a Path,
    /// The store, where it opens.
    pub authority: Option<&'a Authority>,
    /// The policy, where it parses.
    pub policy: Option<&'a Policy>,
}

impl Host<'_> {
    /// Looks at all of it.
    pub fn examine(&self, report: &mut Report) {
        let accounts = ways_in::accounts(&text(Path::new("/etc/passwd")).unwrap_or_default());
        let cases = self.sshd(&accounts, report);
        let service = cases.first().map_or("sshd", |case| case.effective.pam_service()).to_owned();
        let mut services = vec![service.clone()];
        services.extend(sudoers(report));
        self.pam(&services, &service, report);
        report.add(machine::setup(crate::commands::setup::waiting()));
        let failed = ask("systemctl", &["--failed", "--plain", "--no-legend"]);
        report.add(machine::failed_units(&failed));
        report.add([
            machine::systemd(&ask("systemctl", &["is-system-running"])),
            machine::logind(&ask("loginctl", &["--no-legend", "list-sessions"])),
            machine::clock(&ask("timedatectl", &["show", "-p", "NTPSynchronized", "--value"])),
            machine::at_boot(&ask("systemctl", &["is-enabled", "jitd"])),
            machine::lingering(&names(Path::new("/var/lib/systemd/linger"))),
        ]);
        ways(&accounts, &cases, report);
    }

    /// What sshd and PAM would be like with that configuration of sshd's and those PAM services.
    pub fn judge(&self, file: &Path, services: &[&str], read: pam::Read<'_>, report: &mut Report) {
        let accounts = ways_in::accounts(&text(Path::new("/etc/passwd")).unwrap_or_default());
        self.cases(file, &accounts, report);
        let read = |name: &str| read(name).or_else(|| service_text(name));
        for service in services.iter().filter(|service| read(service).is_some()) {
            match pam::lines(service, &read) {
                Ok(lines) => report.add(pam::check(service, &lines, *service == "sshd")),
                Err(how) => report.fail(how, OTHERS, format!("Mend /etc/pam.d/{service}")),
            }
            report.add(pam::line_ends(service, &read));
        }
    }

    /// sshd's configuration for each kind of connection.
    fn cases(&self, file: &Path, accounts: &[Account], report: &mut Report) -> Vec<sshd::Case> {
        let mut cases = Vec::new();
        let blocks = matches::criteria(file, &files);
        let connections = matches::connections(&blocks, &self.logins(accounts), &groups(accounts));
        if connections.len() > MOST_CASES {
            report.warn(
                format!("sshd was asked about {MOST_CASES} of {} connections", connections.len()),
                "What holds for the others was not looked at.",
                "sshd -T -C user=NAME,host=HOST,addr=ADDRESS shows one",
            );
        }
        for connection in connections.into_iter().take(MOST_CASES) {
            let file = file.display().to_string();
            match ask(SSHD, &["-T", "-f", &file, "-C", &connection.specification()]) {
                Ok(said) if said.ok => cases.push(sshd::Case {
                    from: connection.from(),
                    login: connection.user,
                    effective: sshd::Effective::parse(&said.out),
                }),
                Ok(said) => {
                    report.add([sshd::unanswered(&said.trouble)]);
                    break;
                }
                Err(how) => {
                    report.add([sshd::unanswered(&how)]);
                    break;
                }
            }
        }
        let exempt = self.config.exempt_logins.iter().map(|l| l.as_str().to_owned()).collect();
        let config = self.path.display().to_string();
        let needs = sshd::Needs {
            config: &config,
            prompt_wait: self.config.prompt_wait.secs(),
            exempt: &exempt,
            root_is_granted: self.policy.is_some_and(gives_root),
        };
        report.add(sshd::check(&cases, &needs));
        cases
    }

    /// sshd's configuration, and the files that it names.
    fn sshd(&self, accounts: &[Account], report: &mut Report) -> Vec<sshd::Case> {
        let cases = self.cases(Path::new(SSHD_CONFIG), accounts, report);
        let named = |keyword: &str| -> BTreeSet<&str> {
            cases.iter().filter_map(|case| case.effective.names(keyword)).collect()
        };
        for keyword in ["authorizedkeyscommand", "authorizedprincipalscommand"] {
            for program in named(keyword) {
                report.add(root_owned(
                    program,
                    "sshd refuses to run a program that others could change; nobody gets in then.",
                ));
            }
        }
        for file in named("trustedusercakeys") {
            self.trusted(file, report);
        }
        if self.config.authority.is_some() {
            let ours = self.config.host_certificate_file().display().to_string();
            report.add([self.certificate(named("hostcertificate").contains(ours.as_str()))]);
        }
        for file in named("revokedkeys") {
            if !Path::new(file).exists() {
                report.fail(
                    format!("sshd: RevokedKeys names {file}, which is not there"),
                    "sshd then refuses every key and certificate.",
                    format!("touch {file}"),
                );
            }
        }
        for (file, _) in files(Path::new(SSHD_CONFIG)).into_iter().chain(drop_ins()) {
            report.add(root_owned(&file.display().to_string(), OTHERS));
        }
        cases
    }

    /// Whether sshd trusts the CA of the store, and no other.
    fn trusted(&self, file: &str, report: &mut Report) {
        report.add(root_owned(file, OTHERS));
        let Some(keys) = self.authority.and_then(|a| a.ca_keys(CaKind::User).ok()) else { return };
        let text = text(Path::new(file)).unwrap_or_default();
        let ours: Vec<&str> = keys.iter().map(|key| key.public_key.as_str()).collect();
        let mend = match &self.config.authority {
            None => format!("ssh-ca public-key > {file}"),
            Some(_) if Path::new(file) == self.config.trusted_ca_file() => {
                "jit-link keeps it: journalctl -u jit-link -n 20".to_owned()
            }
            Some(_) => "jitctl setup, which names the file that jit-link keeps".to_owned(),
        };
        report.add([sshd::trusted(file, &text, &ours, &mend)]);
    }

    /// Whether sshd shows a certificate by which people know this host.
    fn certificate(&self, shown: bool) -> Finding {
        const WHY: &str = "People who come here for the first time are asked whether they know it.";
        if !shown {
            return Finding::warn("sshd shows no certificate of this host", WHY, "jitctl setup");
        }
        let read = |path: &Path| text(path).unwrap_or_default();
        let checked = || -> Result<bool> {
            let key = parse_public_key(&read(Path::new(SSHD_KEY)))?;
            let file = read(&self.config.host_certificate_file());
            let certificate = Certificate::from_openssh(file.trim())
                .map_err(|_| Error::refused("the certificate of this host's key is not there"))?;
            let authority =
                self.authority.ok_or_else(|| Error::unavailable("the store does not open"))?;
            let cas = authority.ca_keys(CaKind::Host)?;
            let cas = cas.iter().filter_map(|ca| parse_public_key(&ca.public_key).ok());
            let trusted: Vec<_> = cas.map(|ca| ca.fingerprint(HashAlg::Sha256)).collect();
            let now = authority.wall_clock()?;
            check_host(&certificate, key.key_data(), &self.config.host, &trusted, now)
        };
        match checked() {
            Ok(_) => Finding::ok("sshd shows a certificate by which people know this host"),
            Err(error) => Finding::warn(error.what(), WHY, "journalctl -u jit-link -n 20"),
        }
    }

    /// Everybody whom sshd is asked about: accounts with a shell, and what policy and grants name.
    fn logins(&self, accounts: &[Account]) -> BTreeSet<String> {
        let mut logins: BTreeSet<String> =
            accounts.iter().filter(|a| a.has_shell()).map(|a| a.name.clone()).collect();
        logins.insert("root".into());
        logins.extend(self.config.exempt_logins.iter().map(|login| login.as_str().to_owned()));
        let roles = self.policy.iter().flat_map(|policy| &policy.roles);
        for pattern in roles.flat_map(|role| &role.logins) {
            if let LoginPattern::Login(login) = pattern {
                logins.insert(login.as_str().to_owned());
            }
        }
        let Some(authority) = self.authority else { return logins };
        // Who may ask for an account of their own name.
        logins.extend(authority.people().into_iter().flatten().map(|p| p.name.as_str().to_owned()));
        let filter = GrantFilter { alive_at: authority.now().ok(), ..GrantFilter::default() };
        if let Ok((grants, _)) = authority.grants(&filter) {
            logins.extend(grants.iter().map(|grant| grant.ask().login.as_str().to_owned()));
        }
        logins
    }

    /// The PAM services of sshd and sudo, and the module they load.
    fn pam(&self, services: &[String], of_sshd: &str, report: &mut Report) {
        let mut modules = BTreeSet::new();
        for service in services {
            let lines = match pam::lines(service, &service_text) {
                Ok(lines) => lines,
                Err(how) => {
                    report.fail(
                        how,
                        "libpam then goes by the service `other`, which asks for no grant.",
                        format!("jitctl setup writes /etc/pam.d/{service}"),
                    );
                    continue;
                }
            };
            report.add(pam::check(service, &lines, service == of_sshd));
            report.add(pam::line_ends(service, &service_text));
            let config = self.path.display().to_string();
            report.add(pam::other_configuration(service, &lines, &config));
            modules.extend(pam::modules(&lines).into_iter().map(module_path));
            report.add(root_owned(&format!("/etc/pam.d/{service}"), OTHERS));
        }
        for module in modules {
            match module {
                Ok(path) => report.add(root_owned(
                    &path.display().to_string(),
                    "It runs as root in every sshd and sudo: whoever can change it is root.",
                )),
                Err(name) => report.fail(
                    format!("there is no PAM module {name}"),
                    "Every login and every sudo is denied without it.",
                    "apt-get install --reinstall libpam-jit",
                ),
            }
        }
    }
}

/// Why a file that decides who gets in has to be root's.
const OTHERS: &str = "Whoever can change it decides who gets in.";

/// A finding if somebody but root could change the file.
fn root_owned(file: &str, why: &'static str) -> Option<Finding> {
    rootfile::check_file(Path::new(file)).err().map(|error| Finding::error(&error, why))
}

fn gives_root(policy: &Policy) -> bool {
    let root = |pattern: &LoginPattern| matches!(pattern, LoginPattern::Login(login) if login.as_str() == "root");
    policy.roles.iter().any(|role| role.logins.iter().any(root))
}

/// Checks sudoers; the PAM services that sudo asks.
fn sudoers(report: &mut Report) -> BTreeSet<String> {
    let installed = ["/usr/bin/sudo", "/usr/bin/sudo-rs", "/usr/lib/cargo/bin/sudo"];
    if !installed.iter().any(|program| Path::new(program).exists()) {
        report.ok("sudo is not installed".into());
        return BTreeSet::new();
    }
    let read = |path: &str| sudoers_files(Path::new(path));
    let mut settings = sudo::settings("/etc/sudoers", &read);
    // sudo-rs goes by a file of its own where there is one.
    settings.extend(sudo::settings("/etc/sudoers-rs", &read));
    report.add(sudo::check(&settings));
    for file in ["/etc/sudoers", "/etc/sudoers-rs", "/etc/sudoers.d"] {
        if Path::new(file).exists() {
            report.add(root_owned(file, "Whoever can change it decides who may use sudo."));
        }
    }
    sudo::services(&settings)
}

/// Ways in that no grant stands before.
fn ways(accounts: &[Account], cases: &[sshd::Case], report: &mut Report) {
    let mut doors = names(Path::new("/etc/pam.d"));
    doors.retain(|service| {
        pam::lines(service, &service_text).is_ok_and(|lines| pam::modules(&lines).is_empty())
    });
    let shadow = text(Path::new("/etc/shadow")).unwrap_or_default();
    report.add(ways_in::passwords(accounts, &shadow, &doors));
    report.add(ways_in::other_roots(accounts));
    let mut keys = Vec::new();
    for account in accounts {
        let Some(case) = cases.iter().find(|case| case.login == account.name) else { continue };
        for pattern in case.effective.value("authorizedkeysfile").split_whitespace() {
            if pattern == "none" {
                continue;
            }
            let name = pattern
                .replace("%h", &account.home)
                .replace("%u", &account.name)
                .replace("%U", &account.uid.to_string());
            if let Some(text) = text(&Path::new(&account.home).join(name)) {
                keys.push((account.name.clone(), text));
            }
        }
    }
    report.add(ways_in::authorized_keys(&keys));
    let owner = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        let uid = std::fs::symlink_metadata(path).ok()?.uid();
        accounts.iter().find(|account| account.uid == uid).map(|account| account.name.clone())
    };
    let at = Path::new("/var/spool/cron/atjobs");
    let at: Vec<String> = names(at)
        .iter()
        // .SEQ counts the jobs, and is nobody's.
        .filter(|name| !name.starts_with('.'))
        .filter_map(|name| owner(&at.join(name)))
        .filter(|name| name != "daemon")
        .collect();
    report.add([ways_in::jobs(&names(Path::new("/var/spool/cron/crontabs")), &at)]);
}

/// The groups of this host, with those whose own group it is.
fn groups(accounts: &[Account]) -> Vec<matches::Group> {
    let text = text(Path::new("/etc/group")).unwrap_or_default();
    let group = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, listed] = fields.as_slice() else { return None };
        let gid: u32 = gid.parse().ok()?;
        let mut members: Vec<String> =
            listed.split(',').filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect();
        members.extend(accounts.iter().filter(|a| a.gid == gid).map(|a| a.name.clone()));
        Some(matches::Group { name: (*name).to_owned(), members })
    };
    text.lines().filter_map(group).collect()
}

/// The text of a PAM service; a name with a path in it is taken as it is, as libpam does.
fn service_text(service: &str) -> Option<String> {
    if service.starts_with('/') {
        return text(Path::new(service));
    }
    ["/etc/pam.d", "/usr/lib/pam.d"].iter().find_map(|d| text(&Path::new(d).join(service)))
}

/// Where libpam finds a module.
fn module_path(module: &str) -> std::result::Result<PathBuf, String> {
    if module.starts_with('/') {
        let path = PathBuf::from(module);
        return if path.exists() { Ok(path) } else { Err(module.to_owned()) };
    }
    let mut places = vec![PathBuf::from("/lib/security"), PathBuf::from("/usr/lib/security")];
    for multiarch in names(Path::new("/usr/lib")) {
        places.push(Path::new("/usr/lib").join(multiarch).join("security"));
    }
    let found = places.into_iter().map(|place| place.join(module)).find(|path| path.exists());
    found.ok_or_else(|| module.to_owned())
}

/// The files that a path with patterns in its last part leads to, in order, with their texts.
fn files(path: &Path) -> Vec<(PathBuf, String)> {
    let Some(last) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    if !last.contains(['*', '?']) {
        return text(path).map(|text| (path.to_owned(), text)).into_iter().collect();
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    let chosen = names(directory).into_iter().filter(|name| matches::matches(last, name));
    let chosen = chosen.map(|name| directory.join(name));
    chosen.filter_map(|path| text(&path).map(|text| (path, text))).collect()
}

fn drop_ins() -> Vec<(PathBuf, String)> {
    files(Path::new("/etc/ssh/sshd_config.d/*.conf"))
}

/// A file of sudoers, or those of a directory (with `/` at its end) whose names sudo takes.
fn sudoers_files(path: &Path) -> Vec<(String, String)> {
    let name = path.display().to_string();
    if !name.ends_with('/') {
        return text(path).map(|text| (name, text)).into_iter().collect();
    }
    let taken = names(path).into_iter().filter(|n| !n.contains('.') && !n.ends_with('~'));
    let file = |name: String| {
        let path = path.join(name);
        text(&path).map(|text| (path.display().to_string(), text))
    };
    taken.filter_map(file).collect()
}

/// The names in a directory, in order; none where there is no such directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The text of a plain file that is not larger than such files are.
fn text(path: &Path) -> Option<String> {
    let meta = std::fs::metadata(path).ok()?;
    if !meta.is_file() || meta.len() > LARGEST {
        return None;
    }
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
