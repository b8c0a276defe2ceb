//! One error type. It says what went wrong and, apart from that, what to do next; its [`Kind`]
//! says who is to blame and which outcome follows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who is to blame, and so what follows. No kind ever means "let them in".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The caller's input is malformed. Nothing was changed.
    Invalid,
    /// A rule said no. Nothing was changed, and the refusal is on the log.
    Refused,
    /// The named thing does not exist.
    NotFound,
    /// Somebody else decided first. Nothing was changed by the loser.
    Conflict,
    /// A file of ours is missing, unreadable, malformed or writable by others.
    Misconfigured,
    /// The store is locked, full or out of reach, or the clock can't be trusted. Try again later.
    Unavailable,
    /// Stored data fails its check: it was damaged or edited by hand.
    Tampered,
}

impl Kind {
    /// The exit code of a command that ends with this error.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Refused | Kind::Conflict | Kind::Misconfigured => 1,
            Kind::Invalid => 2,
            Kind::NotFound => 4,
            Kind::Unavailable | Kind::Tampered => 5,
        }
    }
}

/// What went wrong, and what to do next.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    what: String,
    next: Option<String>,
}

impl Error {
    /// An error of `kind`; `what` is one sentence without a full stop.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Error { kind, what: what.into(), next: None }
    }

    /// Malformed input.
    pub fn invalid(what: impl Into<String>) -> Self {
        Error::new(Kind::Invalid, what)
    }

    /// A rule said no.
    pub fn refused(what: impl Into<String>) -> Self {
        Error::new(Kind::Refused, what)
    }

    /// The named thing does not exist.
    pub fn not_found(what: impl Into<String>) -> Self {
        Error::new(Kind::NotFound, what)
    }

    /// Out of reach for now.
    pub fn unavailable(what: impl Into<String>) -> Self {
        Error::new(Kind::Unavailable, what)
    }

    /// A file of ours is wrong.
    pub fn misconfigured(what: impl Into<String>) -> Self {
        Error::new(Kind::Misconfigured, what)
    }

    /// Stored data fails its check.
    pub fn tampered(what: impl Into<String>) -> Self {
        Error::new(Kind::Tampered, what)
    }

    /// Adds what to do next: a sentence, usually with a command to type.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Puts words before what went wrong, such as the file it went wrong in.
    #[must_use]
    pub fn context(mut self, before: impl fmt::Display) -> Self {
        self.what = format!("{before}: {}", self.what);
        self
    }

    /// Who is to blame.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What went wrong.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do next, if there is something.
    pub fn what_next(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.next {
            Some(next) => write!(f, ". {next}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

impl std::error::Error for Error {}
