//! Everything that is printed. The answer goes to standard output: text for people, with the next
//! command to type, or one line of JSON. An error goes to standard error, as `ssh-ca: what went
//! wrong` and a second line that says what to do next.

use std::io::{ErrorKind, Write};

use jit_core::audit::escaped;
use jit_core::{Error, Kind, Result};
use serde_json::{Value, json};

/// Prints for people or for programs.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// For programs when `json`.
    pub fn new(json: bool) -> Self {
        Output { json }
    }

    /// The answer: `text` for people, `value` for programs.
    ///
    /// # Errors
    /// Unavailable when it can't be written.
    pub fn answer(self, text: &str, value: impl FnOnce() -> Value) -> Result<()> {
        let text = if self.json { format!("{}\n", value()) } else { text.to_owned() };
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            // A reader who has gone, such as `head`, is no error.
            Err(e) if e.kind() != ErrorKind::BrokenPipe => {
                Err(Error::unavailable(format!("the answer can't be written: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// What went wrong, and what to do next.
    pub fn error(self, error: &Error) {
        let safe = |text: &str| text.chars().flat_map(escaped).collect::<String>();
        let text = if self.json {
            json!({ "error": {
                "kind": kind(error.kind()), "what": error.what(), "next": error.what_next(),
            }})
            .to_string()
        } else {
            let next = error.what_next().map(|next| format!("\n  {}", safe(next)));
            format!("ssh-ca: {}{}", safe(error.what()), next.unwrap_or_default())
        };
        // Nobody is left to be told that standard error is closed.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "invalid",
        Kind::Refused => "refused",
        Kind::NotFound => "not-found",
        Kind::Conflict => "conflict",
        Kind::Misconfigured => "misconfigured",
        Kind::Unavailable => "unavailable",
        Kind::Tampered => "tampered",
    }
}
