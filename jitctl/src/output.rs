//! Everything that is printed. The rules:
//!
//! - People get a sentence or a table, and at the end the next command to type. Times are local,
//!   with the offset. A table has no borders, upper-case heads and one line a row.
//! - Programs (`--json`) get one JSON value on one line. Times are RFC 3339 in UTC.
//! - The answer goes to standard output, everything else to standard error: an error is
//!   `jitctl: what went wrong` and on a second line what to do next.
//! - Text that came from outside is printed escaped. Secrets are printed only where they are what was
//!   asked for.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};
use jit_core::audit::escaped;
use jit_core::{Error, Kind, Result};
use serde_json::{Value, json};

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The answer itself says that something is wrong: `doctor`, `audit verify`.
    Failed,
    /// Approvals are still missing.
    Pending,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Pending => 3,
        })
    }
}

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

    /// Whether a program reads.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// The answer: `text` for people, `value` for programs.
    ///
    /// # Errors
    /// Unavailable when it can't be written.
    pub fn answer(self, text: impl AsRef<str>, value: impl FnOnce() -> Value) -> Result<()> {
        if self.json { print(&value().to_string()) } else { print(text.as_ref()) }
    }

    /// Words for people alone, beside an answer that programs get in one piece.
    ///
    /// # Errors
    /// Unavailable when they can't be written.
    pub fn say(self, text: impl AsRef<str>) -> Result<()> {
        if self.json { Ok(()) } else { print(text.as_ref()) }
    }

    /// What went wrong, and what to do next.
    pub fn error(self, error: &Error) {
        let text = if self.json {
            json!({ "error": {
                "kind": kind(error.kind()), "what": error.what(), "next": error.what_next(),
            }})
            .to_string()
        } else {
            match error.what_next() {
                Some(next) => format!("jitctl: {}\n  {next}", error.what()),
                None => format!("jitctl: {}", error.what()),
            }
        };
        self.remark(&text);
    }

    /// A line beside the answer, on standard error.
    pub fn remark(self, text: &str) {
        // Nobody is left to be told that standard error is closed.
        let _ = writeln!(std::io::stderr(), "{}", safe(text));
    }
}

/// Prints to standard output. A reader who has gone, such as `head`, is no error.
fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    match write!(stdout, "{text}{end}").and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::unavailable(format!("the answer can't be written: {e}")))
        }
        _ => Ok(()),
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

/// A table for people: upper-case heads, no borders, no trailing white space.
pub fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(heads);
    for row in rows {
        table.add_row(row.iter().map(|cell| safe_line(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Lines of a name and a value, the values in one column.
pub fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts.iter().map(|(name, value)| format!("  {name:width$}  {}\n", safe_line(value))).collect()
}

/// `a, b and c`, or `nobody`.
pub fn listed<T: ToString>(items: impl IntoIterator<Item = T>, last: &str) -> String {
    let mut items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.pop() {
        None => "nobody".into(),
        Some(only) if items.is_empty() => only,
        Some(end) => format!("{} {last} {end}", items.join(", ")),
    }
}

/// `a b c`, or `-` where there is none.
pub fn joined<T: ToString>(items: impl IntoIterator<Item = T>, between: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "-".into() } else { items.join(between) }
}

/// A text cut to `most` characters.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Text in which nothing moves the cursor; line ends stay.
pub fn safe(text: &str) -> String {
    text.lines().map(safe_line).collect::<Vec<_>>().join("\n")
}

/// One line in which nothing moves the cursor or ends it.
pub fn safe_line(text: &str) -> String {
    text.chars().flat_map(escaped).collect()
}

/// `1 record`, `2 records`.
pub fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_borders_and_no_trailing_space() {
        let text = table(&["ID", "REASON"], [vec!["a".into(), "b".into()]]);
        assert_eq!(text, "ID  REASON\na   b\n");
    }

    #[test]
    fn hostile_text_stays_on_its_line() {
        let text = table(&["REASON"], [vec!["a\nb\x1b[2J\u{202e}".into()]]);
        assert_eq!(text, "REASON\na\\u{a}b\\u{1b}[2J\\u{202e}\n");
        assert!(!facts(&[("tty", "x\x1b\n".into())]).trim_end().contains(['\x1b', '\n']));
        assert_eq!(safe("one\ntwo\x07"), "one\ntwo\\u{7}");
    }

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(listed(["a"], "or"), "a");
        assert_eq!(listed(["a", "b", "c"], "or"), "a, b or c");
        assert_eq!(listed::<&str>([], "or"), "nobody");
        assert_eq!(cut("größer", 4), "grö…");
        assert_eq!(cut("größer", 6), "größer");
    }
}
