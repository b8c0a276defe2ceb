//! Who is told of events: a hook is a webhook or a local command, and the actions it wants to hear
//! of. Any record of the audit log whose action matches is an event.

mod file;
mod url;

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::name::{HookName, Login};
use crate::time::Span;

pub use file::Hooks;
pub use url::WebhookUrl;

/// The action by which a hook that was not reached for too long goes on without an event.
pub const GAVE_UP: &str = "hook.gave-up";

/// A hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What it is called.
    pub name: HookName,
    /// What it wants to hear of.
    pub events: Vec<Filter>,
    /// How long telling it one event may take.
    pub timeout: Span,
    /// How old an event may become before it is given up.
    pub give_up_after: Span,
    /// How it is told.
    pub channel: Channel,
}

/// How a hook is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// By a signed POST.
    Webhook {
        /// Where to.
        url: WebhookUrl,
        /// What signs it.
        secret_file: PathBuf,
        /// Whose certificates are trusted.
        ca_file: PathBuf,
    },
    /// By a program of this machine.
    Command {
        /// The program, by its absolute path, and its arguments.
        run: Vec<String>,
        /// The account it runs as.
        user: Login,
    },
}

impl Hook {
    /// Whether it wants to hear of an action.
    pub fn wants(&self, action: &str) -> bool {
        self.events.iter().any(|filter| filter.matches(action))
    }
}

/// Which actions: `grant.approve`, `grant.*`, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// Invalid when it has another form.
    pub fn parse(text: &str) -> Result<Self> {
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        };
        let verb = |text: &str| text == "*" || word(text);
        let good = text == "*"
            || text.len() <= 64
                && text.split_once('.').is_some_and(|(noun, rest)| word(noun) && verb(rest));
        if good {
            return Ok(Filter(text.to_owned()));
        }
        let shown: String = text.chars().take(40).collect();
        Err(Error::invalid(format!("`{}` names no events", shown.escape_debug())).next(
            "Write them as grant.approve, grant.*, or * for all; jitctl audit show has them.",
        ))
    }

    /// Whether it takes this action.
    pub fn matches(&self, action: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => action.starts_with(start),
            None => self.0 == action,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_one_action_all_of_a_noun_or_all() {
        for (filter, action, takes) in [
            ("*", "grant.approve", true),
            ("grant.*", "grant.approve", true),
            ("grant.*", "grants.approve", false),
            ("grant.*", "grant", false),
            ("grant.approve", "grant.approve", true),
            ("grant.approve", "grant.approved", false),
            ("break-glass.*", "break-glass.use", true),
            ("break-glass.*", "break.use", false),
        ] {
            assert_eq!(Filter::parse(filter).unwrap().matches(action), takes, "{filter} {action}");
        }
        for bad in [
            "",
            "grant",
            "grant.",
            ".approve",
            "grant*",
            "g*.approve",
            "grant.a*",
            "**",
            "grant.*.x",
            "Grant.approve",
            "grant.approve ",
            "grant\n.x",
        ] {
            assert!(Filter::parse(bad).is_err(), "{bad:?}");
        }
    }
}
