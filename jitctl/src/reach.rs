//! Which authority a command is for: the one of this machine, or one that was joined.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use jit_client::{Caller, Client, Http, Places, Profile, Profiles, Session, SigningKey};
use jit_core::config::{Config, DEFAULT_PATH};
use jit_core::name::PersonName;
use jit_core::secret::SecretText;
use jit_core::{Error, Result};
use nix::unistd::{User, geteuid};

use crate::line::There;
use crate::output::Output;
use crate::prompt;

/// Where the socket is, unless the configuration says otherwise.
const SOCKET: &str = "/run/jit-signer/api.sock";

/// Where a command goes.
#[derive(Clone, Debug)]
pub enum Reach {
    /// The authority of this machine, in this process: for root.
    Here,
    /// The authority of this machine, by its socket: for everybody else.
    Socket(PathBuf, PersonName),
    /// One that was joined.
    Joined(Box<Profile>),
    /// None: why, and what to do.
    Nowhere(Error),
}

/// What has to be known of the command line before it is read: who acts by default depends on it.
#[derive(Clone, Debug, Default)]
pub struct Early {
    server: Option<String>,
    config: Option<PathBuf>,
}

impl Early {
    /// Looks through the arguments.
    pub fn of(arguments: &[OsString]) -> Self {
        let mut early = Early::default();
        let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_ref(), None),
            };
            match name {
                "--" => break,
                "--server" => early.server = value.or_else(|| Some(arguments.next()?.into())),
                "--config" => {
                    let file = value.or_else(|| Some(arguments.next()?.into()));
                    early.config = file.map(PathBuf::from);
                }
                _ => {}
            }
        }
        early
    }
}

impl Reach {
    /// Decides it. Root goes to this machine's authority where there is one; anybody else to the one
    /// they joined, else to this machine's by its socket.
    ///
    /// # Errors
    /// Not found when the server named was not joined; misconfigured when `client.toml` is.
    pub fn of(early: &Early) -> Result<Reach> {
        let root = geteuid().is_root();
        let config = early.config.as_deref();
        if early.server.is_none() && root && (config.is_some() || Path::new(DEFAULT_PATH).exists())
        {
            return Ok(Reach::Here);
        }
        if early.server.is_some() {
            let profiles = Profiles::load(&Places::of_user()?.client_file())?;
            return Ok(Reach::Joined(Box::new(profiles.choose(early.server.as_deref())?.clone())));
        }
        // Who has no home has joined nothing.
        if config.is_none()
            && let Ok(places) = Places::of_user()
            && let Ok(profile) = Profiles::load(&places.client_file())?.choose(None)
        {
            return Ok(Reach::Joined(Box::new(profile.clone())));
        }
        if root {
            return Ok(Reach::Here);
        }
        let path = config.unwrap_or(Path::new(DEFAULT_PATH));
        let socket =
            Config::load(path).map_or_else(|_| SOCKET.into(), |config| config.api_socket());
        if socket.exists() {
            return Ok(Reach::Socket(socket, account()?));
        }
        let next = if path.exists() {
            "Put sudo before it."
        } else {
            "Put sudo before it. On your own machine: jitctl join 'jit://…'"
        };
        Ok(Reach::Nowhere(Error::refused("jitctl has to be run by root").next(next)))
    }

    /// Who acts unless somebody is named.
    pub fn me(&self) -> Option<&PersonName> {
        match self {
            Reach::Socket(_, name) => Some(name),
            Reach::Joined(profile) => Some(&profile.person),
            Reach::Here | Reach::Nowhere(_) => None,
        }
    }
}

/// The account that runs this, as a person.
fn account() -> Result<PersonName> {
    let user = User::from_uid(geteuid())
        .ok()
        .flatten()
        .ok_or_else(|| Error::refused("the account that runs this has no name"))?;
    PersonName::parse(&user.name)
}

/// A line to an authority by its socket.
pub fn by_socket(socket: &Path, me: &PersonName) -> There {
    let client = Client::new(Box::new(Http::unix(socket)), "", Caller::Unproved);
    There::new(client, me.clone(), None)
}

/// A line to an authority that was joined; logs in first where the last login is over. `quiet` asks
/// for nothing.
///
/// # Errors
/// Refused when a code would have to be asked for, or the login is refused.
pub fn joined(profile: &Profile, output: Output, quiet: bool) -> Result<There> {
    let places = Places::of_user()?;
    let session = match last_login(profile, &places)? {
        Some(session) => session,
        None if quiet => {
            return Err(
                Error::refused(format!("{} is not logged in", profile.person)).next("jitctl login")
            );
        }
        None => log_in(profile, &places, output)?,
    };
    let client = Client::new(Box::new(profile.transport()?), &profile.name, session.caller()?);
    Ok(There::new(client, profile.person.clone(), Some(SigningKey::open(&profile.key)?)))
}

/// The last login, if it lasts.
///
/// # Errors
/// Misconfigured when its file can be read by others.
pub fn last_login(profile: &Profile, places: &Places) -> Result<Option<Session>> {
    use jit_core::clock::{Clock, SystemClock};
    Session::load(profile, places, SystemClock::default().now()?)
}

/// Logs in: asks for a code.
///
/// # Errors
/// Refused.
pub fn log_in(profile: &Profile, places: &Places, output: Output) -> Result<Session> {
    let question = format!("Verification code for {} at {}: ", profile.person, profile.name);
    let code = || -> Result<SecretText> { prompt::code(&question) };
    let session = Session::log_in(profile, places, code)?;
    if !output.is_json() {
        output.remark(&format!("Logged in until {}.", session.expires_at.local()));
    }
    Ok(session)
}
