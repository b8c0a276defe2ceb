//! What is said on `jit-link`'s socket: a question and an answer, each one line of JSON.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::factor::Verdict;
use crate::grant::{Origin, Permission};
use crate::id::GrantId;
use crate::login::{Offer, Standing};
use crate::name::{Login, PersonName};
use crate::restriction::Restrictions;
use crate::time::Span;

/// The longest line that is read from the socket, in bytes.
pub const LONGEST_LINE: u64 = 1024 * 1024;

/// How long an answer is waited for: longer than `jit-link` waits for the authority.
const PATIENCE: Duration = Duration::from_secs(15);

/// What PAM and sshd have asked, by way of `jit-link`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Question {
    /// Bring this host's knowledge up to date now.
    Refresh,
    /// Does this code prove somebody's second factor?
    Factor(Code),
    /// Who may ask for this account?
    Askers {
        /// The account.
        login: Login,
    },
    /// For how long may somebody ask for this?
    Offer(Ask),
    /// Files a request.
    Request(Filing),
    /// Where does a request stand?
    Standing {
        /// Its id.
        id: GrantId,
    },
}

/// A code, as it was typed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Whose it is to be; none for somebody unknown, who causes the same work.
    pub person: Option<PersonName>,
    /// What was typed.
    pub code: String,
    /// What for, as the log has it.
    pub attempt: serde_json::Value,
    /// How it is known who they are, or why not.
    pub who: String,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("person", &self.person).finish_non_exhaustive()
    }
}

/// What may be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// By whom.
    pub person: PersonName,
    /// As which account of this host.
    pub login: Login,
    /// Whether sudo is wanted too.
    pub sudo: bool,
}

/// A request from a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filing {
    /// For what.
    pub ask: Ask,
    /// Why.
    pub reason: String,
    /// For how long.
    pub duration: Span,
    /// Where it was filed.
    pub origin: Origin,
}

/// Somebody who may ask for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asker {
    /// Who.
    pub person: PersonName,
    /// What sshd would let their session do.
    pub permissions: BTreeSet<Permission>,
    /// What sshd must hold the session to in which they ask.
    pub restrictions: Restrictions,
}

/// What `jit-link` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// It is up to date.
    Fresh,
    /// What came of a code.
    Verdict(Verdict),
    /// Those who may ask.
    Askers(Vec<Asker>),
    /// For how long; none where they may not ask.
    Offer(Option<Offer>),
    /// A request as it stands.
    Standing(Standing),
    /// What went wrong.
    Failed {
        /// Which kind of error.
        kind: Kind,
        /// What.
        what: String,
        /// What to do.
        next: Option<String>,
    },
}

impl Answer {
    /// The answer that an error is.
    pub fn failed(error: &Error) -> Self {
        Answer::Failed {
            kind: error.kind(),
            what: error.what().to_owned(),
            next: error.what_next().map(str::to_owned),
        }
    }

    /// What is said where an answer is to something else than was asked.
    pub(super) fn unexpected() -> Error {
        Error::unavailable("jit-link answers something else than it was asked")
            .next("systemctl restart jit-link")
    }
}

/// Asks `jit-link`.
pub(super) fn ask(socket: &Path, question: &Question) -> Result<Answer> {
    let out_of_reach = |e: std::io::Error| {
        Error::unavailable(format!("jit-link does not answer: {e}"))
            .next("systemctl status jit-link, and jitctl doctor")
    };
    let mut line = serde_json::to_string(question)
        .map_err(|e| Error::invalid(format!("the question can't be written: {e}")))?;
    line.push('\n');
    let mut stream = UnixStream::connect(socket).map_err(out_of_reach)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(out_of_reach)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(out_of_reach)?;
    stream.write_all(line.as_bytes()).map_err(out_of_reach)?;
    let mut said = String::new();
    BufReader::new(stream.take(LONGEST_LINE)).read_line(&mut said).map_err(out_of_reach)?;
    match serde_json::from_str(&said).map_err(|_| Answer::unexpected())? {
        Answer::Failed { kind, what, next } => {
            let error = Error::new(kind, what);
            Err(match next {
                Some(next) => error.next(next),
                None => error,
            })
        }
        answer => Ok(answer),
    }
}
