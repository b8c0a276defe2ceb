//! The texts of an instance's configuration files.

use std::path::Path;

/// What the instance's `jit.toml` says; the fields are what tests vary.
#[derive(Clone)]
pub struct Settings {
    /// Second factor: `required` or `none`.
    pub second_factor: String,
    /// Failures allowed for a person within `period`.
    pub attempts: u32,
    /// Where failures are counted.
    pub period: String,
    /// How long a login waits for an approval.
    pub prompt_wait: String,
    /// Logins that pass without a grant.
    pub exempt_logins: Vec<String>,
    /// Further lines at the end of the file.
    pub more: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            second_factor: "required".to_owned(),
            attempts: 5,
            period: "5m".to_owned(),
            prompt_wait: "50s".to_owned(),
            exempt_logins: Vec::new(),
            more: String::new(),
        }
    }
}

impl Settings {
    /// `jit.toml` of the host `host` of the instance in `directory`.
    pub fn jit_toml(&self, directory: &Path, host: &str) -> String {
        let d = directory.display();
        let Self { second_factor, attempts, period, prompt_wait, exempt_logins, more } = self;
        format!(
            r#"host = "{host}"
state_dir = "{d}/state"
run_dir = "{d}/run/{host}"
master_key_file = "{d}/master.key"
policy_file = "{d}/policy.toml"
hooks_file = "{d}/hooks.toml"
exempt_logins = {exempt_logins:?}

[factor]
second_factor = "{second_factor}"
attempts = {attempts}
period = "{period}"

[request]
prompt_wait = "{prompt_wait}"

[log]
syslog_socket = "{d}/syslog.socket"
{more}"#
        )
    }
}

/// PAM files of an instance's sshd: what an administrator of a real host would write.
pub fn pam_sshd(module: &Path, config: &Path) -> String {
    let (module, config) = (module.display(), config.display());
    format!(
        "auth     required {module} config={config}
account  required {module} config={config}
account  required pam_unix.so
session  required pam_loginuid.so
session  required {module} config={config}
session  required pam_unix.so
"
    )
}

/// PAM file of an instance's sudo.
pub fn pam_sudo(module: &Path, config: &Path) -> String {
    let (module, config) = (module.display(), config.display());
    format!(
        "auth     required {module} config={config}
account  required {module} config={config}
account  required pam_unix.so
session  required {module} config={config}
session  required pam_unix.so
"
    )
}

/// sudo rules for `accounts`, with a PAM service of our own and nothing else changed for anyone.
pub fn sudoers(tag: &str, accounts: &[String], options: &str, rule: &str) -> String {
    let lines = accounts.iter().map(|account| {
        format!(
            "Defaults:{account} pam_service=jit-{tag}-sudo, !lecture, {options}\n{account} {rule}\n"
        )
    });
    lines.collect()
}
