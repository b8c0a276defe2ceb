//! Where everything is kept: a narrow trait of domain verbs with transactions, and the embedded
//! engine behind it. An SQL statement stands below this module only.

mod migrations;
pub mod sqlite;

#[cfg(test)]
mod conformance;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::audit::{Event, Head, Record};
use crate::breakglass::Glass;
use crate::error::{Error, Result};
use crate::factor::Factors;
use crate::grant::Grant;
use crate::host::Host;
use crate::id::GrantId;
use crate::invitation::{Invitation, Invited};
use crate::kept::Kept;
use crate::link::Link;
use crate::name::{HookName, HostName, Login, PersonName};
use crate::outbox::Standing;
use crate::person::{IdentityKey, Person};
use crate::policy::Accepted;
use crate::process::AuditSession;
use crate::session::Session;
use crate::stay::Stay;
use crate::time::Timestamp;

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sees one consistent state; changes nothing.
    Read,
    /// The only writer from its first moment on: what it reads is still so when it commits.
    Write,
}

/// A store. Every engine is run through one conformance suite.
pub trait Store: Send {
    /// Starts a transaction. Dropped without commit, it leaves nothing behind.
    ///
    /// # Errors
    /// Unavailable when the store stays locked for longer than its patience.
    fn begin(&self, mode: Mode) -> Result<Box<dyn Tx + '_>>;

    /// Runs `act`. What is committed in it is committed together when it is done, all of it or
    /// nothing: durable and seen by others only then, but by those who come later in `act` at once.
    /// What is dropped in it leaves nothing behind, as ever. The store is locked from the first
    /// writing transaction in it to the end. Within another one it is part of that.
    ///
    /// # Errors
    /// Unavailable; nothing of it was changed then.
    fn together(&self, act: &mut dyn FnMut()) -> Result<()>;

    /// A number that changes whenever another connection has committed something.
    ///
    /// # Errors
    /// Unavailable.
    fn change_marker(&self) -> Result<u64>;

    /// Moves what was committed into the main file, for whoever holds the store open for long.
    ///
    /// # Errors
    /// Unavailable.
    fn checkpoint(&self) -> Result<()>;

    /// Looks for damage in the whole store, edits by hand included.
    ///
    /// # Errors
    /// Tampered, saying what is damaged.
    fn check(&self) -> Result<()>;

    /// Copies one consistent state of everything that was committed into a new file, from which the
    /// engine can open it again. Others go on reading and writing meanwhile.
    ///
    /// # Errors
    /// Misconfigured when the file exists; tampered when the store is too damaged to be copied.
    fn snapshot(&self, to: &Path) -> Result<()>;
}

/// Which CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaKind {
    /// Signs people's certificates.
    User,
    /// Signs hosts' certificates; never the same key.
    Host,
}

impl std::fmt::Display for CaKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            CaKind::User => "user",
            CaKind::Host => "host",
        })
    }
}

/// A CA's key pair, the private key sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaKey {
    /// Which CA.
    pub kind: CaKind,
    /// `SHA256:…`
    pub fingerprint: String,
    /// In OpenSSH form.
    pub public_key: String,
    /// The sealed private key, in base64.
    pub sealed_private_key: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An issued certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// Its serial number, unique and never 0.
    pub serial: u64,
    /// The grant it was issued for.
    pub grant: GrantId,
    /// To whom.
    pub person: PersonName,
    /// Fingerprint of the key it certifies.
    pub key: String,
    /// Fingerprint of the CA key that signed it.
    pub ca: String,
    /// When it was issued.
    pub at: Timestamp,
}

/// Which grants to list.
#[derive(Clone, Debug, Default)]
pub struct GrantFilter {
    /// Only this person's.
    pub person: Option<PersonName>,
    /// Only those that could still be active or decided at this time or later.
    pub alive_at: Option<Timestamp>,
    /// At most so many, the newest first.
    pub limit: Option<u32>,
}

/// A transaction. `put_*` replaces what has the same key. Rows are tagged with a key that the
/// database doesn't hold: reading one that was edited by hand is an error.
pub trait Tx {
    /// Makes everything since the begin durable, all of it or nothing.
    ///
    /// # Errors
    /// Unavailable; nothing was changed then.
    fn commit(self: Box<Self>) -> Result<()>;

    /// One person.
    fn person(&self, name: &PersonName) -> Result<Option<Person>>;
    /// All people, by name.
    fn people(&self) -> Result<Vec<Person>>;
    /// Adds or replaces a person.
    fn put_person(&self, person: &Person) -> Result<()>;
    /// Removes a person with their keys and factors. What they did stays.
    fn remove_person(&self, name: &PersonName) -> Result<()>;

    /// The identity key with this fingerprint.
    fn identity_key(&self, fingerprint: &str) -> Result<Option<IdentityKey>>;
    /// A person's identity keys, oldest first.
    fn identity_keys(&self, person: &PersonName) -> Result<Vec<IdentityKey>>;
    /// Adds an identity key. Refused when the store has it already, whosever it is.
    fn add_identity_key(&self, key: &IdentityKey) -> Result<()>;
    /// Removes an identity key; whether there was one.
    fn remove_identity_key(&self, fingerprint: &str) -> Result<bool>;

    /// The factors kept under `key`, a person's name or that of nobody.
    fn factors(&self, key: &str) -> Result<Option<Factors>>;
    /// Adds or replaces factors.
    fn put_factors(&self, key: &str, factors: &Factors) -> Result<()>;

    /// One host.
    fn host(&self, name: &HostName) -> Result<Option<Host>>;
    /// All hosts, by name.
    fn hosts(&self) -> Result<Vec<Host>>;
    /// Adds or replaces a host.
    fn put_host(&self, host: &Host) -> Result<()>;
    /// Removes a host.
    fn remove_host(&self, name: &HostName) -> Result<()>;

    /// One grant.
    fn grant(&self, id: &GrantId) -> Result<Option<Grant>>;
    /// Grants, the newest first.
    fn grants(&self, filter: &GrantFilter) -> Result<Vec<Grant>>;
    /// Adds a grant. Conflict when the id is taken.
    fn add_grant(&self, grant: &Grant) -> Result<()>;
    /// Replaces a grant by its next version, if the store still holds the version before it.
    /// Conflict otherwise: somebody else decided first.
    fn replace_grant(&self, grant: &Grant) -> Result<()>;

    /// Adds a grant, or replaces whatever version of it is there: for what was decided elsewhere.
    fn put_grant(&self, grant: &Grant) -> Result<()>;
    /// The grants of which a certificate may still be valid at this time, also those taken away.
    fn certified_grants(&self, at: Timestamp) -> Result<Vec<Grant>>;

    /// The next unused certificate serial number, never 0.
    fn next_serial(&self) -> Result<u64>;
    /// Records a certificate. Conflict when its serial number is taken.
    fn add_issued(&self, issued: &Issued) -> Result<()>;
    /// The certificate with this serial number.
    fn issued(&self, serial: u64) -> Result<Option<Issued>>;

    /// A CA's keys, the newest first.
    fn ca_keys(&self, kind: CaKind) -> Result<Vec<CaKey>>;
    /// Adds a CA key.
    fn add_ca_key(&self, key: &CaKey) -> Result<()>;
    /// Replaces all keys of a CA, the newest first: for those of an authority elsewhere.
    fn put_ca_keys(&self, kind: CaKind, keys: &[CaKey]) -> Result<()>;

    /// Adds a session, and says the id it was given.
    fn add_session(&self, session: &Session) -> Result<u64>;
    /// Replaces a session.
    fn put_session(&self, session: &Session) -> Result<()>;
    /// The sessions of a host that are not over, oldest first.
    fn sessions(&self, host: &HostName) -> Result<Vec<Session>>;
    /// As [`Tx::sessions`], but a record that was damaged hides no other: those that can be read,
    /// and what is wrong with the rest.
    fn sessions_and_damage(&self, host: &HostName) -> Result<(Vec<Session>, Vec<Error>)>;
    /// Those in this audit session of the kernel, over or not, the newest first.
    fn sessions_of(&self, host: &HostName, audit_session: AuditSession) -> Result<Vec<Session>>;

    /// The stay of an account on a host.
    fn stay(&self, host: &HostName, login: &Login) -> Result<Option<Stay>>;
    /// All stays on a host.
    fn stays(&self, host: &HostName) -> Result<Vec<Stay>>;
    /// Adds or replaces a stay.
    fn put_stay(&self, stay: &Stay) -> Result<()>;
    /// Removes a stay.
    fn remove_stay(&self, host: &HostName, login: &Login) -> Result<()>;

    /// The break-glass codes of a host, and their uses.
    fn glass(&self, host: &HostName) -> Result<Option<Glass>>;
    /// Adds or replaces them.
    fn put_glass(&self, glass: &Glass) -> Result<()>;
    /// How far a hook is.
    fn standing(&self, hook: &HookName) -> Result<Option<Standing>>;
    /// How far all hooks are, by name.
    fn standings(&self) -> Result<Vec<Standing>>;
    /// Adds or replaces how far a hook is.
    fn put_standing(&self, standing: &Standing) -> Result<()>;
    /// Forgets a hook.
    fn remove_standing(&self, hook: &HookName) -> Result<()>;

    /// The last policy that took effect.
    fn policy(&self) -> Result<Option<Accepted>>;
    /// Replaces it.
    fn put_policy(&self, policy: &Accepted) -> Result<()>;

    /// The invitation of a person or a host.
    fn invitation(&self, invited: &Invited) -> Result<Option<Invitation>>;
    /// Adds or replaces an invitation.
    fn put_invitation(&self, invitation: &Invitation) -> Result<()>;
    /// Removes an invitation.
    fn remove_invitation(&self, invited: &Invited) -> Result<()>;

    /// What is kept under a key.
    fn kept(&self, key: &str) -> Result<Option<Kept>>;
    /// How much is kept of a caller.
    fn count_kept(&self, caller: &str) -> Result<usize>;
    /// Adds or replaces what is kept under a key.
    fn put_kept(&self, kept: &Kept) -> Result<()>;
    /// Forgets what is kept under a key.
    fn remove_kept(&self, key: &str) -> Result<()>;
    /// Forgets what came before then.
    fn forget_kept(&self, before: Timestamp) -> Result<()>;

    /// How a host and its authority stand to each other.
    fn link(&self, host: &HostName) -> Result<Option<Link>>;
    /// Adds or replaces that.
    fn put_link(&self, link: &Link) -> Result<()>;

    /// The end of the audit log.
    fn audit_head(&self) -> Result<Option<Head>>;
    /// Appends a record of `event` to the audit log.
    fn append(&self, event: &Event, time: Timestamp) -> Result<Record>;
    /// Records from number `from` on, at most `limit`.
    fn records(&self, from: u64, limit: u32) -> Result<Vec<Record>>;
}
