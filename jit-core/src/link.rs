//! The link between a host and its authority: what the host is told, what it tells, and what each
//! keeps of it.

mod budget;
mod call;
mod elsewhere;
mod linked;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::audit::{Outcome, Record, hex};
use crate::error::{Error, Result};
use crate::grant::Grant;
use crate::host::Host;
use crate::name::HostName;
use crate::person::{IdentityKey, Person};
use crate::store::CaKind;
use crate::time::Timestamp;

pub use budget::Budget;
pub(crate) use budget::Room;
pub use call::{Answer, Ask, Asker, Code, Filing, LONGEST_LINE, Question};
pub use elsewhere::HostSession;
pub use linked::{Linked, authorized_keys, open, out_of_reach};

/// What a host needs to know to let the right people in while nobody can be asked: no secret, and
/// nothing of other hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostState {
    /// Another one whenever anything but `now` is.
    pub version: String,
    /// The authority's time.
    pub now: Timestamp,
    /// The host and its labels.
    pub host: Host,
    /// People with a key, and those who have access.
    pub people: Vec<KnownPerson>,
    /// Grants for this host of which a certificate may still be valid, those taken away among them.
    pub grants: Vec<Grant>,
    /// The CAs' public keys, the newest of each first.
    pub ca_keys: Vec<CaPublic>,
}

/// A person, as a host knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownPerson {
    /// Who.
    pub person: Person,
    /// Their keys, oldest first.
    pub keys: Vec<IdentityKey>,
}

/// A CA's key, without its private part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaPublic {
    /// Which CA.
    pub kind: CaKind,
    /// `SHA256:…`
    pub fingerprint: String,
    /// In OpenSSH form.
    pub public_key: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl HostState {
    /// With the version that follows from the rest.
    ///
    /// # Errors
    /// Unavailable when it can't be written.
    pub fn versioned(self) -> Result<Self> {
        let text = serde_json::to_vec(&(&self.host, &self.people, &self.grants, &self.ca_keys))
            .map_err(|e| Error::unavailable(format!("the host's state can't be written: {e}")))?;
        Ok(HostState { version: hex(&Sha256::digest(text)[..16]), ..self })
    }
}

/// How a host and its authority stand to each other, as each of them keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The host.
    pub host: HostName,
    /// The last record of the host's log that the authority was told.
    pub told: u64,
    /// When they last spoke.
    pub contact_at: Option<Timestamp>,
    /// By how many seconds the authority's clock was ahead then; known to the host alone.
    pub ahead: i64,
    /// What kept them apart since; known to the host alone.
    pub trouble: Option<String>,
    /// The host's sessions that are not over, by their number there; known to the authority alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sessions: BTreeMap<u64, HostSession>,
    /// How much the host has told of late; known to the authority alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

impl Link {
    /// That of a host which never spoke to its authority.
    pub fn new(host: HostName) -> Self {
        let sessions = BTreeMap::new();
        Link { host, told: 0, contact_at: None, ahead: 0, trouble: None, sessions, budget: None }
    }
}

/// The deeds of a host that its authority is told of: who came and went, and what was changed there.
/// What the authority itself decided or checked it knows.
const TOLD: [&str; 14] = [
    "session.open",
    "session.close",
    "session.end",
    "stay.end",
    "login.check",
    "sudo.check",
    "login.exempt",
    "factor.certificate",
    "grant.take-up",
    crate::audit::BREAK_GLASS,
    "break-glass.create",
    "setup.apply",
    "setup.confirm",
    "setup.undo",
];

/// An action of a host as the authority's log has it; none for one that is not told.
pub fn told_action(action: &str) -> Option<&'static str> {
    TOLD.into_iter().find(|told| *told == action)
}

/// As much of a host's words as is kept: so many characters, none of which moves a cursor.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(longest).collect()
}

/// A record of a host's log, as its authority is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Its number in the host's log.
    pub sequence: u64,
    /// When, by the host's clock.
    pub time: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// How it came out.
    pub outcome: Outcome,
    /// The facts.
    pub detail: serde_json::Value,
    /// Its hash in the host's chain, in hexadecimal.
    pub hash: String,
}

impl Told {
    /// A record as it is told.
    pub fn of(record: &Record) -> Self {
        Told {
            sequence: record.sequence,
            time: record.time,
            actor: record.actor.clone(),
            action: record.action.clone(),
            object: record.object.clone(),
            outcome: record.outcome,
            detail: serde_json::from_str(&record.detail).unwrap_or_default(),
            hash: hex(&record.hash),
        }
    }
}
