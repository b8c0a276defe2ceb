//! Asking for a code: on the terminal without echo, else as one line of standard input.

use std::io::{BufRead, IsTerminal, Read, stdin};

use jit_core::secret::SecretText;
use jit_core::{Error, Result};

/// The longest line that is read: a recovery code has 19 characters.
const LONGEST: u64 = 256;

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
