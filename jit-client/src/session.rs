//! A login: the token that the authority gave, and the key that it is bound to, kept for the next
//! call in files that nobody else can read.

use std::path::{Path, PathBuf};

use jit_core::name::PersonName;
use jit_core::secret::SecretText;
use jit_core::time::Timestamp;
use jit_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::proof::lines;
use crate::{Caller, Client, Manner, Places, Profile, SigningKey, private};

/// The namespace of logins.
const NAMESPACE: &str = "jit-login@v1";
/// The largest token file.
const LARGEST: u64 = 64 * 1024;
/// So much before its end a token is not used any more, in seconds: the call has to arrive.
const SPARE: u64 = 10;

/// A login that lasts.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    token: String,
    /// Whose.
    pub person: PersonName,
    /// Whether they are an admin.
    pub admin: bool,
    /// Until when.
    pub expires_at: Timestamp,
    /// The key that proves each call.
    proof_key: PathBuf,
}

/// What the authority answers.
#[derive(Deserialize)]
struct Challenge {
    nonce: String,
    server: String,
}

/// What a login gives.
#[derive(Deserialize)]
struct Given {
    token: String,
    expires_at: Timestamp,
    person: PersonName,
    #[serde(default)]
    admin: bool,
}

impl Session {
    /// The last login, if it lasts.
    ///
    /// # Errors
    /// Misconfigured when its file can be read by others.
    pub fn load(profile: &Profile, places: &Places, now: Timestamp) -> Result<Option<Session>> {
        let file = token_file(profile, places)?;
        let Some(text) = private::read(&file, LARGEST)? else { return Ok(None) };
        // One of another version is as good as none.
        let session: Option<Session> = serde_json::from_str(&text).ok();
        Ok(session.filter(|session| {
            session.person == profile.person && session.expires_at.since(now) > SPARE
        }))
    }

    /// Logs in: a signature with the person's key, and a code. Where signing needs somebody each
    /// time, a key is made that proves the calls of this login, and the signature says so.
    ///
    /// # Errors
    /// Refused, without a word on whether it was the key or the code; unavailable.
    pub fn log_in(
        profile: &Profile,
        places: &Places,
        code: impl FnOnce() -> Result<SecretText>,
    ) -> Result<Session> {
        let client = Client::new(Box::new(profile.transport()?), &profile.name, Caller::Unproved);
        let key = SigningKey::open(&profile.key)?;
        let directory = profile.state(places)?;
        private::directory(&directory)?;
        let proof = if key.needs_person()? {
            SigningKey::make(&directory.join("proof"), "jit proof of one login")?
        } else {
            key.clone()
        };
        // Asked before the challenge, which does not wait for anybody to find their phone.
        let code = code()?;
        let challenge: Challenge =
            client.post("/v1/login/challenge", &json!({}), Manner::default())?;
        // Signed for the server that was joined: another one can't use it there.
        if challenge.server != profile.name {
            return Err(Error::refused(format!(
                "the authority calls itself {}, not {}",
                challenge.server, profile.name
            ))
            .next("If it was renamed, join it again: ask an admin for an invitation."));
        }
        let text = lines(
            NAMESPACE,
            &[
                ("server", &profile.name),
                ("nonce", &challenge.nonce),
                ("person", profile.person.as_str()),
                ("proof key", &proof.fingerprint()),
            ],
        )?;
        let body = json!({
            "person": profile.person,
            "nonce": challenge.nonce,
            "public_key": key.line()?,
            "proof_key": proof.line()?,
            "signature": key.sign(NAMESPACE, &text)?,
            "code": code.expose(),
        });
        let given: Given = client.post("/v1/login", &body, Manner::once())?;
        let session = Session {
            token: given.token,
            person: given.person,
            admin: given.admin,
            expires_at: given.expires_at,
            proof_key: proof.file().to_owned(),
        };
        let text = serde_json::to_string(&session)
            .map_err(|e| Error::invalid(format!("the login can't be kept: {e}")))?;
        private::write(&token_file(profile, places)?, &text)?;
        Ok(session)
    }

    /// Forgets the last login: token and key.
    ///
    /// # Errors
    /// Misconfigured when they can't be removed.
    pub fn forget(profile: &Profile, places: &Places) -> Result<()> {
        private::remove(&token_file(profile, places)?)?;
        let directory = profile.state(places)?;
        ["proof", "proof.pub"].iter().try_for_each(|name| private::remove(&directory.join(name)))
    }

    /// Who calls with it.
    ///
    /// # Errors
    /// Not found when the key is gone.
    pub fn caller(&self) -> Result<Caller> {
        let key = SigningKey::open(Path::new(&self.proof_key))?;
        Ok(Caller::Person { token: SecretText::new(self.token.clone()), key })
    }
}

fn token_file(profile: &Profile, places: &Places) -> Result<PathBuf> {
    Ok(profile.state(places)?.join("token"))
}
