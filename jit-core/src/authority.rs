//! The one door. Every verb that decides or changes anything goes through [`Authority`], from the
//! command line, from PAM and later from the network alike.
//!
//! A verb runs in one transaction that also holds its audit record: what can't be recorded does not
//! happen. A refusal leaves nothing behind but the record of it.

mod beforehand;
mod bounds;
mod breakglass;
mod certificates;
mod change;
mod elsewhere;
mod evidence;
mod extend;
mod factor_rules;
mod factors;
mod fleet;
mod grants;
mod hosts;
mod identify;
mod in_force;
mod inbox;
mod invitations;
mod keeper;
mod kept;
mod known;
mod log;
mod login;
mod network;
mod outbox;
mod people;
mod recovery;
mod reexamine;
mod replica;
mod room;
mod setup;
mod sshd;

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

pub use beforehand::Deed;
pub use certificates::CaPublicKey;
pub use elsewhere::Elsewhere;
pub use factors::{Enrolment, FactorStatus};
pub use fleet::{Heard, MOST_TOLD};
pub use grants::{Explanation, NewRequest, RevokeWhich};
pub use invitations::Began;
pub use keeper::Watched;
pub use log::{LogState, Which};
pub use outbox::{Pending, Waiting};
pub use recovery::{Backup, Restored};
pub use setup::SetupDeed;

use crate::audit::{CLOCK_ACCEPT, Event, Outcome, Record};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::grant::Actor;
use crate::host::Host;
use crate::name::{PersonName, Reason};
use crate::person::Person;
use crate::policy::Policy;
use crate::seal::Vault;
use crate::store::sqlite::{Opener, SqliteStore};
use crate::store::{Mode, Store, Tx};
use crate::syslog::Syslog;
use crate::time::Timestamp;

/// How far the clock may stand behind the last record without being distrusted, in seconds: what
/// adjusting a clock in step amounts to. Time then stands still until it has caught up.
const CLOCK_TOLERANCE: u64 = 5;

/// What a host does not change whose authority is elsewhere: it would be undone the next moment.
const ELSEWHERE: [&str; 24] = [
    "person.add",
    "person.groups",
    "person.suspend",
    "person.resume",
    "person.remove",
    "key.add",
    "key.remove",
    "factor.enroll",
    "factor.confirm",
    "factor.reset",
    "factor.codes",
    "host.remove",
    "grant.request",
    "grant.alone",
    "grant.approve",
    "grant.withdraw",
    "grant.deny",
    "grant.cancel",
    "grant.edit",
    "grant.shorten",
    "ca.add",
    "ca.rotate",
    "certificate.issue",
    "certificate.issue-host",
];

/// The one door.
pub struct Authority {
    config: Config,
    store: Box<dyn Store>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    syslog: Syslog,
    /// The policy that was parsed last.
    parsed: Mutex<Option<Arc<Policy>>>,
    /// What syslog is told once it is durable, while changes are made together.
    untold: RefCell<Option<Vec<Record>>>,
}

impl Authority {
    /// Opens the authority that the configuration file describes, in the name of `process`.
    ///
    /// # Errors
    /// Misconfigured, unavailable or tampered: see [`Config::load`], [`Vault::open_file`] and
    /// [`SqliteStore::open`].
    pub fn open(config: Config, process: &'static str, opener: Opener) -> Result<Self> {
        Authority::open_by(Arc::new(SystemClock::default()), config, process, opener)
    }

    /// As [`Authority::open`], by another clock than the machine's as it is seen from here.
    ///
    /// # Errors
    /// As there.
    pub fn open_by(
        clock: Arc<dyn Clock>,
        config: Config,
        process: &'static str,
        opener: Opener,
    ) -> Result<Self> {
        let vault = Arc::new(Vault::open_file(&config.master_key_file)?);
        let store =
            SqliteStore::open(&config.database(), vault.clone(), config.busy_timeout, opener)?;
        let syslog = Syslog::new(process, config.syslog_socket.clone());
        Ok(Authority {
            config,
            store: Box::new(store),
            vault,
            clock,
            syslog,
            parsed: Mutex::default(),
            untold: RefCell::default(),
        })
    }

    /// As [`Authority::open`], with the configuration read from `path`.
    ///
    /// # Errors
    /// As there.
    pub fn open_path(path: &Path, process: &'static str, opener: Opener) -> Result<Self> {
        Authority::open(Config::load(path)?, process, opener)
    }

    /// The same once more, with a connection to the store of its own: for another thread.
    ///
    /// # Errors
    /// As [`Authority::open`].
    pub fn another(&self) -> Result<Self> {
        let store = SqliteStore::open(
            &self.config.database(),
            self.vault.clone(),
            self.config.busy_timeout,
            Opener::Admin,
        )?;
        Ok(self.beside(store))
    }

    /// An authority like this one, on another store.
    pub(super) fn beside(&self, store: SqliteStore) -> Authority {
        Authority {
            config: self.config.clone(),
            store: Box::new(store),
            vault: self.vault.clone(),
            clock: self.clock.clone(),
            syslog: self.syslog.clone(),
            parsed: Mutex::default(),
            untold: RefCell::default(),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The clocks.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Where copies of the log go.
    pub fn syslog(&self) -> &Syslog {
        &self.syslog
    }

    /// What seals secrets.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The time now, as far as the clock can be trusted.
    ///
    /// # Errors
    /// Unavailable when the clock was set back.
    pub fn now(&self) -> Result<Timestamp> {
        self.read(|_, now| Ok(now))
    }

    /// Runs `look` in a reading transaction.
    fn read<T>(&self, look: impl FnOnce(&dyn Tx, Timestamp) -> Result<T>) -> Result<T> {
        let tx = self.store.begin(Mode::Read)?;
        let now = self.trusted_now(tx.as_ref())?;
        look(tx.as_ref(), now)
    }

    /// Runs `act` in a writing transaction and records what came of it in the same one. When a rule
    /// says no, what `act` did is undone and the refusal is recorded.
    fn change<T>(
        &self,
        actor: &Actor,
        action: &'static str,
        object: &str,
        act: impl FnOnce(&dyn Tx, Timestamp) -> Result<Done<T>>,
    ) -> Result<T> {
        if let Some(upstream) = &self.config.authority
            && ELSEWHERE.contains(&action)
        {
            return Err(Error::refused(format!("{} decides that, not this host", upstream.name))
                .next("Type it on the authority, or on a machine that joined it."));
        }
        let tx = self.store.begin(Mode::Write)?;
        let now = self.trusted_now(tx.as_ref())?;
        let mut event = Event {
            actor: actor.clone(),
            action,
            object: object.to_owned(),
            outcome: Outcome::Done,
            detail: json!({}),
        };
        match act(tx.as_ref(), now) {
            Ok(done) => {
                event.outcome = done.outcome;
                event.detail = done.detail;
                if let Some(object) = done.object {
                    event.object = object;
                }
                let record = tx.append(&event, now)?;
                tx.commit()?;
                self.tell(&record);
                Ok(done.value)
            }
            Err(error) => {
                drop(tx);
                if matches!(error.kind(), Kind::Refused | Kind::Conflict) {
                    event.outcome = Outcome::Refused;
                    event.detail = json!({ "why": error.what() });
                    self.record(&event)?;
                } else {
                    // Input that makes no sense is no event; a store that fails can't take one.
                    self.syslog.trouble(&format!("{action} {object}: {error}"));
                }
                Err(error)
            }
        }
    }

    /// Records an event that changes nothing else.
    fn record(&self, event: &Event) -> Result<Record> {
        let tx = self.store.begin(Mode::Write)?;
        let now = self.trusted_now(tx.as_ref())?;
        let record = tx.append(event, now)?;
        tx.commit()?;
        self.tell(&record);
        Ok(record)
    }

    /// Copies a record to syslog, as soon as it is durable.
    fn tell(&self, record: &Record) {
        match &mut *self.untold.borrow_mut() {
            Some(untold) => untold.push(record.clone()),
            None => self.syslog.records(std::slice::from_ref(record)),
        }
    }

    /// Runs `act`. Changes that are made in it become durable together when it is done, all of them or
    /// none; until then nobody may be told that one was made. For many that come at the same time: one
    /// write to the disk serves them all. Within another one it is part of that.
    ///
    /// # Errors
    /// Unavailable; none of them was made then.
    pub fn together(&self, act: &mut dyn FnMut()) -> Result<()> {
        if self.untold.borrow().is_some() {
            return self.store.together(act);
        }
        self.untold.replace(Some(Vec::new()));
        let done = self.store.together(act);
        let untold = self.untold.take().unwrap_or_default();
        done.map(|()| self.syslog.records(&untold))
    }

    /// The clock, unless it stands before what is on the log: then a code could be used again and a
    /// window that has ended could open again.
    fn trusted_now(&self, tx: &dyn Tx) -> Result<Timestamp> {
        let now = self.clock.now()?;
        match tx.audit_head()? {
            Some(head) if now < head.time && head.time.since(now) <= CLOCK_TOLERANCE => {
                Ok(head.time)
            }
            Some(head) if now < head.time => Err(Error::unavailable(format!(
                "the clock stands at {}, before the last record at {}",
                now.local(),
                head.time.local()
            ))
            .next(
                "Set the clock. If the last record's time is the wrong one: jitctl clock accept.",
            )),
            _ => Ok(now),
        }
    }

    /// Accepts the clock as it stands although it is before the last record, because that one was
    /// written while the clock was ahead. Windows and codes of the time between can then come
    /// again, which is why a person has to decide it.
    ///
    /// # Errors
    /// Refused when the clock is not behind.
    pub fn accept_clock(&self, reason: &Reason) -> Result<Timestamp> {
        let tx = self.store.begin(Mode::Write)?;
        let now = self.clock.now()?;
        let last = tx.audit_head()?.map(|head| head.time);
        let Some(last) = last.filter(|last| now < *last) else {
            return Err(Error::refused("the clock is not behind the last record"));
        };
        let event = Event {
            actor: Actor::Root,
            action: CLOCK_ACCEPT,
            object: now.rfc3339(),
            outcome: Outcome::Done,
            detail: json!({ "last_record": last.rfc3339(), "reason": reason.as_str() }),
        };
        let record = tx.append(&event, now)?;
        tx.commit()?;
        self.tell(&record);
        Ok(now)
    }

    /// Looks for damage in the whole store.
    ///
    /// # Errors
    /// Tampered, saying what is damaged.
    pub fn check_store(&self) -> Result<()> {
        self.store.check()
    }

    /// The host this machine is.
    fn this_host(&self, tx: &dyn Tx) -> Result<Host> {
        tx.host(&self.config.host)?.ok_or_else(|| {
            Error::misconfigured(format!("the host {} is not enrolled", self.config.host))
                .next(format!("jitctl host add {}", self.config.host))
        })
    }
}

/// What a change did, and what to record of it.
struct Done<T> {
    value: T,
    outcome: Outcome,
    object: Option<String>,
    detail: Value,
}

impl<T> Done<T> {
    fn new(value: T, detail: Value) -> Self {
        Done { value, outcome: Outcome::Done, object: None, detail }
    }

    fn refused(mut self) -> Self {
        self.outcome = Outcome::Refused;
        self
    }

    fn about(mut self, object: impl ToString) -> Self {
        self.object = Some(object.to_string());
        self
    }
}

fn known_person(tx: &dyn Tx, name: &PersonName) -> Result<Person> {
    tx.person(name)?.ok_or_else(|| {
        Error::not_found(format!("there is no person {name}")).next("jitctl user list")
    })
}

/// A person who may act.
fn acting_person(tx: &dyn Tx, name: &PersonName) -> Result<Person> {
    let person = known_person(tx, name)?;
    if person.suspended {
        return Err(Error::refused(format!("{name} is suspended"))
            .next(format!("jitctl user resume {name}")));
    }
    Ok(person)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
