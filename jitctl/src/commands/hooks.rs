//! `jitctl hooks`: who is told of events, and how far they are. What goes to the network is done by
//! `jit-hooks`, which alone knows how.

use std::path::{Path, PathBuf};
use std::process::Command;

use jit_core::authority::Waiting;
use jit_core::hook::{Channel, Hook, Hooks};
use jit_core::name::HookName;
use jit_core::outbox::Standing;
use jit_core::{Error, Kind, Result};
use serde_json::{Value, json};

use super::Desk;
use crate::cli;
use crate::output::{Exit, count, joined, safe, table};

/// Where the package puts it.
const INSTALLED: &str = "/usr/sbin/jit-hooks";

/// Runs `jitctl hooks`.
pub fn run(desk: &Desk, config: &Path, command: &cli::Hooks) -> Result<Exit> {
    match command {
        cli::Hooks::Check => check(desk, config),
        cli::Hooks::List => list(desk),
        cli::Hooks::Test { name } => test(desk, config, name),
    }
}

/// The program: beside this one, or where the package puts it.
///
/// # Errors
/// Misconfigured where there is none.
pub fn program() -> Result<PathBuf> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("jit-hooks"));
    beside.into_iter().chain([PathBuf::from(INSTALLED)]).find(|file| file.exists()).ok_or_else(
        || {
            Error::misconfigured("jit-hooks is not installed, so nobody is told of events")
                .next("apt-get install jit-hooks")
        },
    )
}

fn check(desk: &Desk, config: &Path) -> Result<Exit> {
    let file = &desk.authority.config().hooks_file;
    let hooks = Hooks::load(file)?;
    if !hooks.0.is_empty() {
        ask(config, &["--check"])?;
    }
    let number = count(hooks.0.len() as u64, "hook");
    let mut text = format!("{} is sound: {number}.", file.display());
    if !file.exists() {
        text = format!("There is no {}: nobody is told of events.", file.display());
    } else if !hooks.0.is_empty() {
        text.push_str("\nA running jit-hooks has read it by now. Next: jitctl hooks test NAME");
    }
    desk.output.answer(text, || json!({ "hooks": hooks.0.len() }))?;
    Ok(Exit::Done)
}

/// What is known of a hook.
struct State<'a> {
    hook: &'a Hook,
    standing: Option<Standing>,
    waiting: Waiting,
}

fn list(desk: &Desk) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let hooks = Hooks::load(&authority.config().hooks_file)?;
    let standings = authority.standings()?;
    let mut states = Vec::new();
    for hook in &hooks.0 {
        let standing = standings.iter().find(|one| one.hook == hook.name).cloned();
        states.push(State { hook, standing, waiting: authority.waiting(hook)? });
    }
    let heads = ["HOOK", "TO", "EVENTS", "LAST TOLD", "WAITING", "TROUBLE"];
    let mut text = table(&heads, states.iter().map(State::row));
    if !states.is_empty() && !authority.hooks_run() {
        text.push_str("jit-hooks does not run: events wait.\nNext: systemctl start jit-hooks\n");
    }
    output.answer(text, || states.iter().map(State::json).collect())?;
    Ok(Exit::Done)
}

impl State<'_> {
    fn to(&self) -> String {
        match &self.hook.channel {
            Channel::Webhook { url, .. } => url.to_string(),
            Channel::Command { run, .. } => run.first().cloned().unwrap_or_default(),
        }
    }

    fn row(&self) -> Vec<String> {
        let told = self.standing.as_ref().and_then(|standing| standing.told_at);
        let failing = self.standing.as_ref().and_then(|standing| standing.failing.as_ref());
        vec![
            self.hook.name.to_string(),
            self.to(),
            joined(&self.hook.events, " "),
            told.map_or_else(|| "-".into(), |at| at.local()),
            self.waiting.events.to_string(),
            failing.map_or_else(
                || "-".into(),
                |failing| {
                    format!(
                        "{}, {} since {}, next {}",
                        failing.trouble,
                        count(u64::from(failing.tries), "failure"),
                        failing.since.local_hour(),
                        failing.next.local_hour()
                    )
                },
            ),
        ]
    }

    fn json(&self) -> Value {
        let standing = self.standing.as_ref();
        let failing = standing.and_then(|standing| standing.failing.as_ref());
        json!({
            "hook": self.hook.name, "to": self.to(),
            "events": self.hook.events.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "after": standing.map(|standing| standing.after),
            "told_at": standing.and_then(|standing| standing.told_at).map(|at| at.rfc3339()),
            "waiting": self.waiting.events, "oldest_seconds": self.waiting.oldest,
            "failing": failing.map(|failing| json!({
                "tries": failing.tries, "since": failing.since.rfc3339(),
                "next": failing.next.rfc3339(), "trouble": failing.trouble,
            })),
        })
    }
}

fn test(desk: &Desk, config: &Path, name: &HookName) -> Result<Exit> {
    let said = ask(config, &["--test", name.as_str()])?;
    desk.output.answer(safe(&said), || json!({ "hook": name, "said": said.trim_end() }))?;
    Ok(Exit::Done)
}

/// Has `jit-hooks` do something with nothing of our environment; what it said. Its error is ours.
fn ask(config: &Path, arguments: &[&str]) -> Result<String> {
    let program = program()?;
    let output = Command::new(&program)
        .arg("--config")
        .arg(config)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .output()
        .map_err(|e| Error::unavailable(format!("{} can't be run: {e}", program.display())))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let mut lines = said.lines();
    let what = lines.next().unwrap_or_default();
    let what = what.strip_prefix("jit-hooks: ").unwrap_or(what);
    let kind = match output.status.code() {
        Some(2) => Kind::Invalid,
        Some(4) => Kind::NotFound,
        Some(5) => Kind::Unavailable,
        _ => Kind::Refused,
    };
    let error = Error::new(kind, what);
    Err(match lines.next() {
        Some(next) => error.next(next.trim()),
        None => error,
    })
}
