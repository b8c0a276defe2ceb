//! `jitctl join`: becoming somebody to an authority, from one's own machine.

use std::path::{Path, PathBuf};

use jit_client::{Enrolment, Invitation, Invited, Places, Profiles, SigningKey};
use jit_core::secret::SecretText;
use jit_core::{Error, Kind, Result};
use serde_json::json;

use super::{fleet, mfa};
use crate::cli::Join;
use crate::output::{Exit, Output};
use crate::prompt;

/// The keys that are looked for, in the home directory.
const USUAL: [&str; 2] = [".ssh/id_ed25519", ".ssh/id_ed25519_sk"];
/// How often the first code may be mistyped.
const TRIES: usize = 3;

/// Runs `jitctl join`.
pub fn run(config: &Path, join: &Join, output: Output) -> Result<Exit> {
    let invitation = Invitation::parse(&join.invitation)?;
    match &invitation.who {
        Invited::Person(_) => person(&invitation, join.key.as_ref(), output),
        Invited::Host(_) => fleet::join(config, &invitation, output),
    }
}

fn person(invitation: &Invitation, key: Option<&PathBuf>, output: Output) -> Result<Exit> {
    let places = Places::of_user()?;
    let file = match key {
        Some(key) => std::path::absolute(key)
            .map_err(|e| Error::invalid(format!("--key names no file: {e}")))?,
        None => usual_key(&places)?,
    };
    let key = SigningKey::open(&file)?;
    // Looked at before the invitation is used up: what can't be kept must not be given.
    let file = places.client_file();
    let mut profiles = Profiles::load(&file)?;
    let enrolment = Enrolment::begin(invitation, &key)?;
    let profile = enrolment.profile.clone();
    output.answer(
        mfa::sheet(&enrolment.otpauth_uri)?.expose(),
        || json!({ "otpauth_uri": enrolment.otpauth_uri.expose() }),
    )?;
    let codes = confirmed(&enrolment, output)?;
    profiles.put(profile.clone());
    profiles.save(&file)?;
    let head = format!(
        "{} has joined {} with the key {}.\nRecovery codes:",
        profile.person,
        profile.name,
        profile.key.display()
    );
    let sheet = mfa::recovery_sheet(&head, &codes);
    let next =
        "\nNext: jitctl ssh HOST, or jitctl request; jitctl ssh-config --write for plain ssh.";
    let sheet = SecretText::new(format!("{}{next}", sheet.expose()));
    output.answer(sheet.expose(), || mfa::codes_for_programs(&codes))?;
    Ok(Exit::Done)
}

fn usual_key(places: &Places) -> Result<PathBuf> {
    let mut usual = USUAL.iter().map(|name| places.home.join(name));
    usual.find(|file| file.with_extension("pub").exists()).ok_or_else(|| {
        Error::not_found("there is no Ed25519 key in ~/.ssh").next(
            "Make one: ssh-keygen -t ed25519, or -t ed25519-sk on a hardware key. Or --key FILE.",
        )
    })
}

/// Asks for the first code until it is right.
fn confirmed(enrolment: &Enrolment, output: Output) -> Result<Vec<SecretText>> {
    let mut tries = 1;
    loop {
        let typed = prompt::code("Verification code: ")?;
        match enrolment.confirm(&typed) {
            Err(error) if error.kind() == Kind::Refused && tries < TRIES => {
                output.error(&error);
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}
