//! `jitctl login`, `logout` and `whoami`.

use jit_api::endpoints::me;
use jit_api::wire::Nothing;
use jit_client::{Manner, Places, Profile, Session};
use jit_core::time::Timestamp;
use jit_core::{Error, Result};
use serde_json::json;

use crate::line::There;
use crate::output::{Exit, Output, facts, joined};
use crate::reach::{self, Reach};

/// Runs `jitctl login`.
pub fn login(reach: &Reach, output: Output) -> Result<Exit> {
    let profile = joined_one(reach)?;
    let places = Places::of_user()?;
    let session = Session::log_in(profile, &places, || {
        crate::prompt::code(&format!(
            "Verification code for {} at {}: ",
            profile.person, profile.name
        ))
    })?;
    let role = if session.admin { ", as an admin" } else { "" };
    let text = format!(
        "{} is logged in to {}{role}, until {}.",
        session.person,
        profile.name,
        session.expires_at.local()
    );
    output.answer(text, || {
        json!({
            "person": session.person, "server": profile.name, "admin": session.admin,
            "expires_at": session.expires_at.rfc3339(),
        })
    })?;
    Ok(Exit::Done)
}

/// Runs `jitctl logout`.
pub fn logout(reach: &Reach, output: Output) -> Result<Exit> {
    let profile = joined_one(reach)?;
    Session::forget(profile, &Places::of_user()?)?;
    let text = format!("The login to {} is forgotten.", profile.name);
    output.answer(text, || json!({ "server": profile.name }))?;
    Ok(Exit::Done)
}

/// Runs `jitctl whoami`.
pub fn whoami(reach: &Reach, output: Output) -> Result<Exit> {
    let (there, server, until) = match reach {
        Reach::Socket(socket, me) => {
            (reach::by_socket(socket, me), socket.display().to_string(), None)
        }
        Reach::Joined(profile) => {
            let there: There = reach::joined(profile, output, false)?;
            let last = reach::last_login(profile, &Places::of_user()?)?;
            (there, format!("{} ({})", profile.name, profile.url), last.map(|s| s.expires_at))
        }
        Reach::Here | Reach::Nowhere(_) => {
            joined_one(reach)?;
            return Ok(Exit::Failed);
        }
    };
    let nothing = Nothing {};
    let me = there.client().call::<me::Me>(&nothing, &nothing, &nothing, Manner::default())?;
    let name = me.person.as_ref().map_or_else(|| "root".to_owned(), ToString::to_string);
    let lines = [
        ("authority", server.clone()),
        ("groups", joined(&me.groups, " ")),
        ("admin", if me.admin { "yes" } else { "no" }.to_owned()),
        ("factor", me.factor_at.map_or_else(|| "not given".to_owned(), Timestamp::local)),
        ("logged in", until.map_or_else(|| "-".to_owned(), |at| format!("until {}", at.local()))),
        ("keys", joined(&me.keys, " ")),
        ("recovery", format!("{} codes left", me.recovery_codes)),
    ];
    output.answer(format!("{name}\n{}", facts(&lines)), || {
        json!({
            "person": me.person, "server": server, "groups": me.groups, "admin": me.admin,
            "factor_at": me.factor_at.map(Timestamp::rfc3339),
            "expires_at": until.map(Timestamp::rfc3339),
            "keys": me.keys, "recovery_codes_left": me.recovery_codes,
        })
    })?;
    Ok(Exit::Done)
}

/// The authority that was joined.
///
/// # Errors
/// Refused where none is meant.
pub fn joined_one(reach: &Reach) -> Result<&Profile> {
    match reach {
        Reach::Joined(profile) => Ok(profile),
        Reach::Nowhere(error) => Err(error.clone()),
        Reach::Here | Reach::Socket(..) => {
            Err(Error::refused("this is for machines that have joined an authority elsewhere")
                .next("jitctl join 'jit://…', as yourself and not as root."))
        }
    }
}
