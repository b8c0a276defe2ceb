//! Asking: for a code on the terminal without echo, else as one line of standard input; for
//! anything else as one line of it.

use std::io::{BufRead, IsTerminal, Read, Write, stdin};

use jit_core::secret::SecretText;
use jit_core::{Error, Result};

/// The longest line that is read: a recovery code has 19 characters, a path may be long.
const LONGEST: u64 = 4096;

/// Asks for a code with `prompt`.
///
/// # Errors
/// Refused when none is given; unavailable when the terminal can't be read.
pub fn code(prompt: &str) -> Result<SecretText> {
    let typed = if stdin().is_terminal() {
        let typed = rpassword::prompt_password(prompt)
            .map_err(|e| Error::unavailable(format!("the code can't be read: {e}")))?;
        SecretText::new(typed)
    } else {
        line(&mut stdin().lock())?
    };
    if typed.expose().is_empty() {
        return Err(Error::refused("no code was given").next("Nothing was changed."));
    }
    Ok(typed)
}

/// Asks `question`; what is in brackets is what nothing but Enter means.
///
/// # Errors
/// Refused when there is nobody to answer.
pub fn ask(question: &str, default: Option<&str>) -> Result<String> {
    let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
    let mut stderr = std::io::stderr();
    // Nobody is left to be asked where standard error is closed; the answer will be missing.
    let _ = write!(stderr, "{question}{shown}: ").and_then(|()| stderr.flush());
    let mut typed = String::new();
    let read = stdin().lock().take(LONGEST).read_line(&mut typed);
    match (read, typed.trim(), default) {
        (Ok(0), ..) => Err(Error::refused("there was no answer")
            .next("Nothing was changed. Without a terminal: --yes takes every default.")),
        (Ok(_), "", Some(default)) => Ok(default.to_owned()),
        (Ok(_), typed, _) => Ok(typed.to_owned()),
        (Err(e), ..) => Err(Error::invalid(format!("the answer can't be read: {e}"))),
    }
}

/// Asks a question that is answered by yes or no.
///
/// # Errors
/// As [`ask`].
pub fn agrees(question: &str, default: bool) -> Result<bool> {
    let answer = ask(&format!("{question} [{}]", if default { "Y/n" } else { "y/N" }), None)?;
    Ok(match answer.to_ascii_lowercase().as_str() {
        "" => default,
        answer => answer == "y" || answer == "yes",
    })
}

/// One line, without its end.
fn line(input: &mut impl BufRead) -> Result<SecretText> {
    let mut typed = String::with_capacity(LONGEST as usize);
    let read = input.take(LONGEST).read_line(&mut typed);
    while typed.ends_with(['\n', '\r']) {
        typed.pop();
    }
    let typed = SecretText::new(typed);
    match read {
        Ok(_) => Ok(typed),
        Err(e) => Err(Error::invalid(format!("the code can't be read: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_without_its_end_and_the_next_one_stays() {
        let mut input = "123456\r\n654321\n".as_bytes();
        assert_eq!(line(&mut input).unwrap().expose(), "123456");
        assert_eq!(line(&mut input).unwrap().expose(), "654321");
        assert_eq!(line(&mut input).unwrap().expose(), "");
    }

    #[test]
    fn a_line_is_bounded_and_text() {
        let long = "1".repeat(10_000);
        assert_eq!(line(&mut long.as_bytes()).unwrap().expose().len(), LONGEST as usize);
        assert!(line(&mut [0xff, b'\n'].as_slice()).is_err());
    }
}
