//! Configuration, `/etc/jit/jit.toml`: from the raw file, in which unknown keys are errors, to
//! checked values. A bad value is an error with its line, never a warning and a default.

mod serve;
mod upstream;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

pub use upstream::{FactorFrom, Pin, Upstream, url as authority_url};

use crate::breakglass::Rules;
use crate::error::{Error, Result};
use crate::name::{HostName, Login};
use crate::policy::{login_pattern, member};
use crate::time::Span;
use crate::tomlfile::{Keys, TomlFile};

pub use serve::{Quota, Serve};

/// Where the configuration is unless `--config` or `config=` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/jit/jit.toml";

/// The checked configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The enrolled host this machine is.
    pub host: HostName,
    /// Where the store is; root-owned, 0700.
    pub state_dir: PathBuf,
    /// Where `jitd` leaves its lock; root-owned, 0700.
    pub run_dir: PathBuf,
    /// The master key.
    pub master_key_file: PathBuf,
    /// The policy.
    pub policy_file: PathBuf,
    /// Who is told of events; there need not be one.
    pub hooks_file: PathBuf,
    /// Accounts that need no grant and no factor.
    pub exempt_logins: Vec<Login>,
    /// Whether a login needs a second factor.
    pub second_factor: SecondFactor,
    /// How many wrong codes are too many.
    pub factor: FactorLimits,
    /// How long a request waits for a decision.
    pub request_expires: Span,
    /// How long access lasts when asked for at a prompt.
    pub default_duration: Span,
    /// How long a login waits at its prompt for a decision. sshd's LoginGraceTime must be longer.
    pub prompt_wait: Span,
    /// What becomes of living grants that the policy no longer gives, or whose person is suspended.
    pub on_change: OnChange,
    /// How much earlier than now a certificate opens, for hosts whose clock is behind.
    pub clock_skew: Span,
    /// What becomes of what an account set to run on its own, once nobody has cover for it.
    pub leftovers: Leftovers,
    /// Who may break the glass.
    pub break_glass: Rules,
    /// The syslog socket, if any.
    pub syslog_socket: Option<PathBuf>,
    /// How long to wait for a store that another process holds.
    pub busy_timeout: Span,
    /// The authority, where that is another machine.
    pub authority: Option<Upstream>,
    /// The authority over the network, where this machine is one.
    pub serve: Option<Serve>,
}

/// Whether a login needs a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// Always.
    Required,
    /// The key or certificate and a live grant are enough.
    None,
}

/// What becomes of user services, lingering, at jobs and crontab entries of a stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// They are taken away.
    End,
    /// They stay.
    Keep,
}

/// What becomes of living grants when the policy changes so that it would not give them any more, or
/// their person is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// They are revoked.
    End,
    /// They run to their end; those of a suspended person cover nothing until they may act again.
    Keep,
}

/// How many wrong codes are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorLimits {
    /// Failures allowed to a person within `period`.
    pub attempts: u32,
    /// See `attempts`.
    pub period: Span,
    /// Failures in a row after which an admin has to reset the factor; at most 100 (NIST SP
    /// 800-63B section 5.2.2).
    pub lockout: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    host: Spanned<String>,
    #[serde(default)]
    state_dir: Option<Spanned<PathBuf>>,
    #[serde(default)]
    run_dir: Option<Spanned<PathBuf>>,
    #[serde(default)]
    master_key_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    policy_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    hooks_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    exempt_logins: Vec<Spanned<String>>,
    #[serde(default)]
    factor: RawFactor,
    #[serde(default)]
    request: RawRequest,
    #[serde(default)]
    grant: RawGrant,
    #[serde(default)]
    certificate: RawCertificate,
    #[serde(default)]
    session: RawSession,
    #[serde(default)]
    break_glass: RawBreakGlass,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    store: RawStore,
    authority: Option<upstream::RawUpstream>,
    serve: Option<serve::RawServe>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawFactor {
    second_factor: Option<Spanned<String>>,
    attempts: Option<Spanned<i64>>,
    period: Option<Spanned<String>>,
    lockout: Option<Spanned<i64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    expires: Option<Spanned<String>>,
    default_duration: Option<Spanned<String>>,
    prompt_wait: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawGrant {
    on_change: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawCertificate {
    clock_skew: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawSession {
    leftovers: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawBreakGlass {
    members: Option<Vec<Spanned<String>>>,
    logins: Option<Vec<Spanned<String>>>,
    window: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawLog {
    syslog_socket: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawStore {
    busy_timeout: Option<Spanned<String>>,
}

const KEYS: &[Keys] = &[
    Keys {
        table: "",
        keys: &[
            "host",
            "state_dir",
            "run_dir",
            "master_key_file",
            "policy_file",
            "hooks_file",
            "exempt_logins",
            "factor",
            "request",
            "grant",
            "certificate",
            "session",
            "break_glass",
            "log",
            "store",
            "authority",
            "serve",
        ],
    },
    Keys { table: "factor", keys: &["second_factor", "attempts", "period", "lockout"] },
    Keys { table: "request", keys: &["expires", "default_duration", "prompt_wait"] },
    Keys { table: "grant", keys: &["on_change"] },
    Keys { table: "certificate", keys: &["clock_skew"] },
    Keys { table: "session", keys: &["leftovers"] },
    Keys { table: "break_glass", keys: &["members", "logins", "window"] },
    Keys { table: "log", keys: &["syslog_socket"] },
    Keys { table: "store", keys: &["busy_timeout"] },
    upstream::KEYS,
    serve::KEYS,
];

impl Config {
    /// Reads and checks the file, which only root may write.
    ///
    /// # Errors
    /// Misconfigured, with file and line.
    pub fn load(path: &Path) -> Result<Self> {
        Config::from_file(&TomlFile::read(path)?)
    }

    /// Checks `text` as the content of the file at `path`.
    ///
    /// # Errors
    /// Misconfigured, with file and line.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        Config::from_file(&TomlFile::from_text(path, text))
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.state_dir.join("jit.db")
    }

    /// The directory of the sockets on which the signer listens: beside `run_dir`, which is root's.
    pub fn socket_dir(&self) -> PathBuf {
        let mut beside = self.run_dir.clone().into_os_string();
        beside.push("-signer");
        beside.into()
    }

    /// The socket at which local people ask the authority; the kernel says who asks.
    pub fn api_socket(&self) -> PathBuf {
        self.socket_dir().join("api.sock")
    }

    /// The socket at which the front passes on what the network asks.
    pub fn front_socket(&self) -> PathBuf {
        self.socket_dir().join("front.sock")
    }

    /// The file on which the signer holds a lock while it runs.
    pub fn signer_lock(&self) -> PathBuf {
        self.run_dir.join("signer.lock")
    }

    /// The file on which `jitd` holds a lock while it runs.
    pub fn keeper_lock(&self) -> PathBuf {
        self.run_dir.join("jitd.lock")
    }

    /// The private key by which this host is known to its authority.
    pub fn host_key(&self) -> PathBuf {
        self.state_dir.join("host.key")
    }

    /// What sshd takes for the user CA's keys on a host whose authority is elsewhere.
    pub fn trusted_ca_file(&self) -> PathBuf {
        self.state_dir.join("user_ca.pub")
    }

    /// The certificate of sshd's key there, by the host CA.
    pub fn host_certificate_file(&self) -> PathBuf {
        self.state_dir.join("ssh_host_ed25519_key-cert.pub")
    }

    /// Where `jit-link` listens.
    pub fn link_socket(&self) -> PathBuf {
        self.run_dir.join("link.sock")
    }

    /// The file on which `jit-link` holds a lock while it runs.
    pub fn link_lock(&self) -> PathBuf {
        self.run_dir.join("jit-link.lock")
    }

    /// The file on which `jit-hooks` holds a lock while it runs.
    pub fn hooks_lock(&self) -> PathBuf {
        self.run_dir.join("jit-hooks.lock")
    }

    fn from_file(file: &TomlFile) -> Result<Self> {
        let raw: Raw = file.parse(KEYS)?;
        let path = |value: &Option<Spanned<PathBuf>>, default: &str| match value {
            Some(path) if path.get_ref().is_absolute() => Ok(path.get_ref().clone()),
            Some(path) => Err(file.error_at(&path.span(), "the path is not absolute")),
            None => Ok(PathBuf::from(default)),
        };
        let read = Reader { file };
        let span = |value: &Option<Spanned<String>>, default: u64, longest: u64| {
            read.span(value.as_ref(), default, longest)
        };
        let count = |value: &Option<Spanned<i64>>, default: u32, most: u32| match value {
            Some(number) => u32::try_from(*number.get_ref())
                .ok()
                .filter(|n| (1..=most).contains(n))
                .ok_or_else(|| {
                    file.error_at(
                        &number.span(),
                        format!("{} is not between 1 and {most}", number.get_ref()),
                    )
                }),
            None => Ok(default),
        };

        Ok(Config {
            host: file.checked(&raw.host, HostName::parse)?,
            state_dir: path(&raw.state_dir, "/var/lib/jit")?,
            run_dir: path(&raw.run_dir, "/run/jit")?,
            master_key_file: path(&raw.master_key_file, "/etc/jit/master.key")?,
            policy_file: path(&raw.policy_file, "/etc/jit/policy.toml")?,
            hooks_file: path(&raw.hooks_file, "/etc/jit/hooks.toml")?,
            exempt_logins: raw
                .exempt_logins
                .iter()
                .map(|login| file.checked(login, Login::parse))
                .collect::<Result<_>>()?,
            second_factor: match &raw.factor.second_factor {
                None => SecondFactor::Required,
                Some(word) => match word.get_ref().as_str() {
                    "required" => SecondFactor::Required,
                    "none" => SecondFactor::None,
                    _ => {
                        let what = "second_factor of [factor] is \"required\" or \"none\"; \
                                    \"ask\" and \"certificate\" are words of [authority]";
                        return Err(file.error_at(&word.span(), what));
                    }
                },
            },
            factor: FactorLimits {
                attempts: count(&raw.factor.attempts, 5, 100)?,
                period: span(&raw.factor.period, 300, 86_400)?,
                lockout: count(&raw.factor.lockout, 100, 100)?,
            },
            request_expires: span(&raw.request.expires, 3600, 31 * 86_400)?,
            default_duration: span(&raw.request.default_duration, 1800, 31 * 86_400)?,
            prompt_wait: span(&raw.request.prompt_wait, 50, 600)?,
            on_change: match &raw.grant.on_change {
                None => OnChange::End,
                Some(word) => match word.get_ref().as_str() {
                    "end" => OnChange::End,
                    "keep" => OnChange::Keep,
                    _ => {
                        return Err(
                            file.error_at(&word.span(), "on_change is neither end nor keep")
                        );
                    }
                },
            },
            clock_skew: span(&raw.certificate.clock_skew, 30, 300)?,
            leftovers: match &raw.session.leftovers {
                None => Leftovers::End,
                Some(word) => match word.get_ref().as_str() {
                    "end" => Leftovers::End,
                    "keep" => Leftovers::Keep,
                    _ => {
                        return Err(
                            file.error_at(&word.span(), "leftovers is neither end nor keep")
                        );
                    }
                },
            },
            break_glass: Rules {
                members: list(file, raw.break_glass.members.as_deref(), &[], member)?,
                logins: list(
                    file,
                    raw.break_glass.logins.as_deref(),
                    &["{person}"],
                    login_pattern,
                )?,
                window: span(&raw.break_glass.window, 1800, 4 * 3600)?,
            },
            syslog_socket: match &raw.log.syslog_socket {
                Some(path) if path.get_ref().as_os_str().is_empty() => None,
                socket => Some(path(socket, "/dev/log")?),
            },
            busy_timeout: span(&raw.store.busy_timeout, 5, 10)?,
            authority: raw.authority.map(|authority| authority.checked(&read)).transpose()?,
            serve: raw.serve.map(|raw| raw.checked(file)).transpose()?,
        })
    }
}

/// Reads values of a file.
struct Reader<'a> {
    file: &'a TomlFile,
}

impl Reader<'_> {
    /// A duration, `default` seconds where none is given, of at most `longest`.
    fn span(&self, value: Option<&Spanned<String>>, default: u64, longest: u64) -> Result<Span> {
        let Some(text) = value else { return Span::from_secs(default) };
        self.file.checked(text, |text| {
            let span = Span::parse(text)?;
            if span.secs() > longest {
                let longest = crate::time::spoken(longest);
                return Err(Error::invalid(format!("`{text}` is longer than {longest}")));
            }
            Ok(span)
        })
    }
}

fn list<T>(
    file: &TomlFile,
    raw: Option<&[Spanned<String>]>,
    default: &[&str],
    check: fn(&str) -> Result<T>,
) -> Result<Vec<T>> {
    match raw {
        Some(items) => items.iter().map(|item| file.checked(item, check)).collect(),
        None => default.iter().map(|item| check(item)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(Path::new("/etc/jit/jit.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn one_line_is_enough() {
        let config = Config::parse(Path::new("/x"), "host = 'web-1'").unwrap();
        assert_eq!(config.second_factor, SecondFactor::Required);
        assert_eq!(config.database(), Path::new("/var/lib/jit/jit.db"));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest_one() {
        let text = error("host = 'web-1'\n\n[factor]\natempts = 3\n");
        assert_eq!(
            text,
            "/etc/jit/jit.toml:4: `atempts` is no key in [factor]. Did you mean `attempts`?"
        );
        assert!(
            error("hots = 'web-1'").contains(":1: `hots` is no key here. Did you mean `host`?")
        );
        assert!(error("host = 'a'\n[sotre]\n").contains("Did you mean `store`?"));
    }

    #[test]
    fn zero_negative_and_overflowing_limits_are_refused() {
        for bad in ["0", "-1", "101", "4294967297", "9223372036854775807"] {
            let text = error(&format!("host = 'a'\n[factor]\nattempts = {bad}\n"));
            assert!(text.contains(":3:"), "{text}");
            error(&format!("host = 'a'\n[factor]\nlockout = {bad}\n"));
        }
        for bad in ["0s", "-5m", "5", "99d", ""] {
            let text = error(&format!("host = 'a'\n[factor]\nperiod = '{bad}'\n"));
            assert!(text.contains(":3:"), "{text}");
        }
    }

    #[test]
    fn a_missing_host_a_bad_name_or_a_relative_path_is_an_error() {
        assert!(error("").contains("host"));
        assert!(error("host = 'a b'").contains(":1:"));
        assert!(error("host = 'a'\nstate_dir = 'var'").contains(":2: the path is not absolute"));
        assert!(error("host = 'a'\nexempt_logins = ['Root ']").contains(":2:"));
        assert!(error("host = ").contains(":1:"));
        assert!(error("host = 'a'\n[break_glass]\nwindow = '5h'").contains(":3:"));
        assert!(error("host = 'a'\n[break_glass]\nmembers = ['@a b']").contains(":3:"));
        assert!(error("host = 'a'\n[session]\nleftovers = 'maybe'").contains(":3:"));
        assert!(error("host = 'a'\n[grant]\non_change = 'ask'").contains(":3:"));
        assert!(error("host = 'a'\n[authority]\nurl = 'https://a'\n").contains("name"));
        let link = "host = 'a'\n[authority]\nname = 'a'\npin = 'x'\nca = 'x'\nurl = 'http://a'\n";
        assert!(error(link).contains(":6:"), "{}", error(link));
        assert!(error(&link.replace("http:", "https:")).contains(":4: that is no pin"));
    }

    /// There is a key of that name in two sections, each with words of its own.
    #[test]
    fn a_word_of_the_other_section_is_sent_there() {
        for word in ["ask", "certificate", "optional"] {
            let text = error(&format!("host = 'a'\n[factor]\nsecond_factor = '{word}'"));
            assert!(text.contains(":3: second_factor of [factor] is \"required\" or"), "{text}");
            assert!(text.contains("\"certificate\" are words of [authority]"), "{text}");
        }
        let link = "host = 'a'\n[authority]\nurl = 'https://a'\nname = 'a'\n\
            pin = 'sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'\n\
            ca = 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'\n";
        for word in ["required", "none", "optional"] {
            let text = error(&format!("{link}second_factor = '{word}'"));
            assert!(text.contains(":7: second_factor of [authority] is \"ask\" or"), "{text}");
            assert!(text.contains("\"none\" are words of [factor]"), "{text}");
        }
    }

    /// Each table's keys are those its struct has: a key of the one that the other lacks would be
    /// refused, or accepted and then refused with worse words.
    #[test]
    fn the_known_keys_are_those_of_the_structs() {
        let full = "host='a'\nstate_dir='/a'\nrun_dir='/a'\nmaster_key_file='/a'\npolicy_file='/a'\nhooks_file='/a'\n\
            exempt_logins=['a']\n[factor]\nsecond_factor='none'\nattempts=1\nperiod='1s'\nlockout=1\n\
            [request]\nexpires='1s'\ndefault_duration='1s'\nprompt_wait='1s'\n\
            [grant]\non_change='keep'\n[certificate]\nclock_skew='1s'\n[session]\nleftovers='keep'\n\
            [break_glass]\nmembers=['@a']\nlogins=['root']\nwindow='1s'\n[log]\nsyslog_socket=''\n[store]\nbusy_timeout='1s'\n\
            [authority]\nurl='https://a'\nname='a'\npin='sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'\n\
            ca='SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'\nsecond_factor='ask'\nfresh='1s'\n\
            [serve]\nname='a'\nlisten='[::1]:1'\nadmins=['@a']\ntoken_lifetime='1h'\ncert_file='/a'\nkey_file='/a'\n\
            connections=100\nconnections_per_address=10\nrate=10\n\
            rate_per_person=5\nrequests_per_person=2\nwaiting_per_person=2\n";
        Config::parse(Path::new("/x"), full).unwrap();
        let known: usize = KEYS.iter().map(|keys| keys.keys.len()).sum();
        let used = full.lines().filter(|line| !line.is_empty()).count();
        assert_eq!(known, used);
    }
}
