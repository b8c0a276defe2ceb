//! The file of hooks, `/etc/jit/hooks.toml`: strict, as the others are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{Channel, Filter, Hook, WebhookUrl};
use crate::error::{Error, Result};
use crate::name::{HookName, Login};
use crate::time::{Span, spoken};
use crate::tomlfile::{Keys, TomlFile};

/// What Debian's ca-certificates makes.
const CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The account that commands run as.
const USER: &str = "nobody";
/// How long telling one event may take, in seconds: unless said otherwise, and at most.
const TIMEOUT: (u64, u64) = (10, 60);
/// How old an event may become, in seconds: unless said otherwise, and at most.
const GIVE_UP: (u64, u64) = (3 * 86_400, 31 * 86_400);

/// All hooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks(pub Vec<Hook>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    webhook: Vec<RawWebhook>,
    #[serde(default)]
    command: Vec<RawCommand>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWebhook {
    name: Spanned<String>,
    url: Spanned<String>,
    secret_file: Spanned<PathBuf>,
    ca_file: Option<Spanned<PathBuf>>,
    events: Spanned<Vec<Spanned<String>>>,
    timeout: Option<Spanned<String>>,
    give_up_after: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommand {
    name: Spanned<String>,
    run: Spanned<Vec<String>>,
    user: Option<Spanned<String>>,
    events: Spanned<Vec<Spanned<String>>>,
    timeout: Option<Spanned<String>>,
    give_up_after: Option<Spanned<String>>,
}

const KEYS: &[Keys] = &[
    Keys { table: "", keys: &["webhook", "command"] },
    Keys {
        table: "webhook",
        keys: &["name", "url", "secret_file", "ca_file", "events", "timeout", "give_up_after"],
    },
    Keys { table: "command", keys: &["name", "run", "user", "events", "timeout", "give_up_after"] },
];

impl Hooks {
    /// Reads the file, which only root may write. Where there is none, there are no hooks.
    ///
    /// # Errors
    /// Misconfigured, with file and line.
    pub fn load(path: &Path) -> Result<Self> {
        match path.symlink_metadata() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Hooks::default()),
            _ => Hooks::from_file(&TomlFile::read(path)?),
        }
    }

    /// Checks `text` as the content of the file at `path`.
    ///
    /// # Errors
    /// Misconfigured, with file and line.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        Hooks::from_file(&TomlFile::from_text(path, text))
    }

    /// The hook of this name.
    pub fn named(&self, name: &HookName) -> Option<&Hook> {
        self.0.iter().find(|hook| hook.name == *name)
    }

    fn from_file(file: &TomlFile) -> Result<Self> {
        let raw: Raw = file.parse(KEYS)?;
        let mut names = BTreeSet::new();
        let mut unique = |name: &Spanned<String>| {
            let parsed = file.checked(name, HookName::parse)?;
            if names.insert(parsed.clone()) {
                return Ok(parsed);
            }
            Err(file.error_at(&name.span(), format!("there are two hooks {parsed}")))
        };
        let mut hooks = Vec::new();
        for raw in &raw.webhook {
            hooks.push(Hook {
                name: unique(&raw.name)?,
                events: events(file, &raw.events)?,
                timeout: span(file, &raw.timeout, TIMEOUT)?,
                give_up_after: span(file, &raw.give_up_after, GIVE_UP)?,
                channel: Channel::Webhook {
                    url: file.checked(&raw.url, WebhookUrl::parse)?,
                    secret_file: absolute(file, &raw.secret_file)?,
                    ca_file: match &raw.ca_file {
                        Some(path) => absolute(file, path)?,
                        None => PathBuf::from(CA_FILE),
                    },
                },
            });
        }
        for raw in &raw.command {
            let run = raw.run.get_ref();
            if !run.first().is_some_and(|program| Path::new(program).is_absolute()) {
                let what = "run does not begin with the absolute path of a program";
                return Err(file.error_at(&raw.run.span(), what));
            }
            if run.iter().any(|word| word.contains('\0')) {
                return Err(file.error_at(&raw.run.span(), "run holds a zero byte"));
            }
            hooks.push(Hook {
                name: unique(&raw.name)?,
                events: events(file, &raw.events)?,
                timeout: span(file, &raw.timeout, TIMEOUT)?,
                give_up_after: span(file, &raw.give_up_after, GIVE_UP)?,
                channel: Channel::Command {
                    run: run.clone(),
                    user: match &raw.user {
                        Some(user) => file.checked(user, Login::parse)?,
                        None => Login::parse(USER)?,
                    },
                },
            });
        }
        Ok(Hooks(hooks))
    }
}

fn events(file: &TomlFile, raw: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<Filter>> {
    if raw.get_ref().is_empty() {
        return Err(file.error_at(&raw.span(), "events is empty").next("All of them: [\"*\"]."));
    }
    raw.get_ref().iter().map(|filter| file.checked(filter, Filter::parse)).collect()
}

fn absolute(file: &TomlFile, path: &Spanned<PathBuf>) -> Result<PathBuf> {
    if path.get_ref().is_absolute() {
        return Ok(path.get_ref().clone());
    }
    Err(file.error_at(&path.span(), "the path is not absolute"))
}

fn span(
    file: &TomlFile,
    raw: &Option<Spanned<String>>,
    (default, longest): (u64, u64),
) -> Result<Span> {
    let Some(text) = raw else { return Span::from_secs(default) };
    file.checked(text, |text| {
        let span = Span::parse(text)?;
        if span.secs() > longest {
            let longest = spoken(longest);
            return Err(Error::invalid(format!("`{text}` is longer than {longest}")));
        }
        Ok(span)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBHOOK: &str = "[[webhook]]\nname = 'pager'\nurl = 'https://a/x'\n\
        secret_file = '/etc/jit/pager.secret'\nevents = ['grant.*']\n";
    const COMMAND: &str = "[[command]]\nname = 'chat'\nrun = ['/bin/x', 'y']\nevents = ['*']\n";

    fn parse(text: &str) -> Result<Hooks> {
        Hooks::parse(Path::new("/etc/jit/hooks.toml"), text)
    }

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_short_form_is_enough_and_an_empty_file_is_no_hook() {
        assert_eq!(parse("").unwrap(), Hooks::default());
        let hooks = parse(&format!("{WEBHOOK}{COMMAND}")).unwrap();
        assert_eq!(hooks.0.len(), 2);
        let pager = hooks.named(&HookName::parse("pager").unwrap()).unwrap();
        assert_eq!((pager.timeout.secs(), pager.give_up_after.secs()), (10, 259_200));
        assert!(pager.wants("grant.approve") && !pager.wants("login.open"));
        let Channel::Command { user, .. } = &hooks.0[1].channel else { panic!("no command") };
        assert_eq!(user.as_str(), "nobody");
        let full = format!(
            "{WEBHOOK}ca_file = '/a'\ntimeout = '1m'\ngive_up_after = '31d'\n\
             {COMMAND}user = 'chat'\ntimeout = '1s'\ngive_up_after = '1h'\n"
        );
        parse(&full).unwrap();
        let known: usize = KEYS.iter().map(|keys| keys.keys.len()).sum();
        assert_eq!(known, full.lines().count(), "the known keys are those of the structs");
    }

    #[test]
    fn what_is_wrong_is_an_error_with_its_line() {
        for (text, line, what) in [
            (format!("{WEBHOOK}retrys = 3\n"), 6, "`retrys` is no key in [webhook]"),
            (format!("{COMMAND}usr = 'x'\n"), 5, "Did you mean `user`?"),
            ("[[webhok]]\n".into(), 1, "Did you mean `webhook`?"),
            (format!("{WEBHOOK}{COMMAND}").replace("chat", "pager"), 7, "two hooks pager"),
            (WEBHOOK.replace("https", "http"), 3, "leaves this machine"),
            (WEBHOOK.replace("'grant.*'", ""), 5, "events is empty"),
            (WEBHOOK.replace("grant.*", "grant"), 5, "`grant` names no events"),
            (WEBHOOK.replace("'/etc/jit", "'etc"), 4, "not absolute"),
            (WEBHOOK.replace("pager'\nu", "a b'\nu"), 2, "no name of a hook"),
            (COMMAND.replace("/bin/x", "x"), 3, "absolute path of a program"),
            (COMMAND.replace("['/bin/x', 'y']", "[]"), 3, "absolute path of a program"),
            (COMMAND.replace("['/bin/x', 'y']", "\"/bin/x\""), 3, ""),
            (format!("{COMMAND}timeout = '61s'\n"), 5, "longer than 1m"),
            (format!("{COMMAND}timeout = '0s'\n"), 5, "zero"),
            (format!("{COMMAND}give_up_after = '32d'\n"), 5, "longer than 31d"),
        ] {
            let error = error(&text);
            assert!(error.contains(&format!("hooks.toml:{line}: ")), "{error}\n{text}");
            assert!(error.contains(what), "{error}\n{text}");
        }
        assert!(
            error(&WEBHOOK.replace("secret_file = '/etc/jit/pager.secret'\n", ""))
                .contains("secret_file")
        );
    }
}
