//! `jitctl mfa`: second factors.

use std::io::IsTerminal;

use jit_api::endpoints::factors;
use jit_api::wire::{FirstCode, ProveAgain};
use jit_core::name::PersonName;
use jit_core::secret::SecretText;
use jit_core::{Error, Kind, Result};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::{Value, json};

use super::user::by_name;
use crate::cli::Mfa as Command;
use crate::line::{Line, NOTHING};
use crate::output::{Exit, safe_line};
use crate::prompt;

/// How often the first code may be mistyped.
const TRIES: usize = 3;

/// Runs `jitctl mfa`.
pub fn run(line: &Line, command: &Command) -> Result<Exit> {
    let Line { way, output } = line;
    match command {
        Command::Enroll { name } => enroll(line, name)?,
        Command::Reset { name } => {
            way.call::<factors::Reset>(&by_name(name), &NOTHING, &NOTHING)?;
            let next = line.enrol(name);
            let text = format!("{name} has no second factor now.\nNext: {next}");
            output.answer(text, || json!({ "name": name, "enrolled": false }))?;
        }
        Command::Codes { name } => {
            let proof = proved(line, name)?;
            let codes = way.call::<factors::Codes>(&by_name(name), &NOTHING, &proof)?;
            let codes = secrets(codes.recovery_codes);
            let head = format!("{name}'s new recovery codes; the old ones are void:");
            output.answer(recovery_sheet(&head, &codes).expose(), || codes_for_programs(&codes))?;
        }
    }
    Ok(Exit::Done)
}

/// Enrols an authenticator app, and has a code of it given back.
pub(super) fn enroll(line: &Line, name: &PersonName) -> Result<()> {
    let Line { way, output } = line;
    let proof = proved(line, name)?;
    let begun = way.call::<factors::Begin>(&by_name(name), &NOTHING, &proof)?;
    let uri = SecretText::new(begun.otpauth_uri);
    output.answer(sheet(&uri)?.expose(), || json!({ "otpauth_uri": uri.expose() }))?;
    let codes = confirmed(line, name)?;
    let head = format!("{name}'s second factor is in use. Recovery codes:");
    output.answer(recovery_sheet(&head, &codes).expose(), || codes_for_programs(&codes))
}

/// A code of the factor in use, which somebody gives for another one of theirs. Root gives none.
fn proved(line: &Line, name: &PersonName) -> Result<ProveAgain> {
    // Of somebody else it would be asked in vain; the authority says so.
    if line.way.me() != Some(name) {
        return Ok(ProveAgain::default());
    }
    let typed = prompt::code(&format!("Verification code for {name}, of the app in use: "))?;
    Ok(ProveAgain { code: Some(typed.expose().to_owned()) })
}

fn secrets(codes: Vec<String>) -> Vec<SecretText> {
    codes.into_iter().map(SecretText::new).collect()
}

/// What an authenticator app takes, as a QR code and as text.
pub(super) fn sheet(uri: &SecretText) -> Result<SecretText> {
    Ok(SecretText::new(format!(
        "{}\nScan this with an authenticator app, or give it this address:\n{}\n",
        qr(uri, std::io::stdout().is_terminal())?.expose(),
        plain(uri).expose()
    )))
}

/// As it is printed: a server that was broken into moves no cursor.
fn plain(text: &SecretText) -> SecretText {
    SecretText::new(safe_line(text.expose()))
}

/// Asks for the first code until it is right.
fn confirmed(line: &Line, name: &PersonName) -> Result<Vec<SecretText>> {
    let mut tries = 1;
    loop {
        let typed = prompt::code("Verification code: ")?;
        let first = FirstCode { code: typed.expose().to_owned() };
        match line.way.call::<factors::Confirm>(&by_name(name), &NOTHING, &first) {
            Err(error) if error.kind() == Kind::Refused && tries < TRIES => {
                line.output.error(&error);
                tries += 1;
            }
            Err(error) if error.kind() == Kind::Refused => {
                return Err(Error::refused(error.what())
                    .next(format!("Begin again: jitctl mfa enroll {name}")));
            }
            outcome => return Ok(secrets(outcome?.recovery_codes)),
        }
    }
}

/// The QR code of `uri`, with its quiet zone. On a terminal it is black on white whatever the
/// terminal's own colours are; elsewhere it is drawn for a dark background.
fn qr(uri: &SecretText, on_terminal: bool) -> Result<SecretText> {
    let code = QrCode::with_error_correction_level(uri.expose().as_bytes(), EcLevel::L)
        .map_err(|e| Error::unavailable(format!("the QR code can't be made: {e}")))?;
    let mut render = code.render::<Dense1x2>();
    let render = render.quiet_zone(true);
    if on_terminal {
        let drawn = SecretText::new(render.build());
        let lines = drawn.expose().lines().map(|line| format!("\x1b[30;107m{line}\x1b[0m\n"));
        return Ok(SecretText::new(lines.collect()));
    }
    Ok(SecretText::new(render.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()))
}

/// The codes on lines of their own, below `head`.
pub(super) fn recovery_sheet(head: &str, codes: &[SecretText]) -> SecretText {
    let mut sheet = format!("{head}\n");
    // Room for all of it at once: growing would leave copies behind.
    sheet.reserve(codes.len() * 32 + 128);
    for code in codes {
        sheet.push_str("  ");
        sheet.push_str(plain(code).expose());
        sheet.push('\n');
    }
    sheet.push_str(
        "Each replaces the app once. They are shown this once: keep them in a safe place.",
    );
    SecretText::new(sheet)
}

pub(super) fn codes_for_programs(codes: &[SecretText]) -> Value {
    json!({ "recovery_codes": codes.iter().map(SecretText::expose).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qr_code_is_square_and_has_its_quiet_zone() {
        let drawn =
            qr(&SecretText::new("otpauth://totp/web-1:alice?secret=ABC".into()), false).unwrap();
        let lines: Vec<_> = drawn.expose().lines().collect();
        let width = lines[0].chars().count();
        assert_eq!(width.div_ceil(2), lines.len());
        // Four modules of light on each side, two of them a character high.
        assert!(lines[0].chars().all(|c| c == '█') && lines[1].chars().all(|c| c == '█'));
        assert!(lines.iter().all(|line| line.starts_with('█') || line.starts_with('▀')));
        assert!(lines[2].starts_with("████ ▄▄▄▄▄"), "the finder pattern: {}", lines[2]);
    }
}
