//! The embedded engine: SQLite in WAL mode with `synchronous = FULL`, so that what was committed
//! survives the loss of power. `BEGIN IMMEDIATE` makes a writing transaction the only one.

mod scope;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Row, Transaction,
    TransactionBehavior, params,
};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use self::scope::{Scope, Together};
use super::migrations::MIGRATIONS;
use super::{CaKey, CaKind, GrantFilter, Issued, Mode, Store, Tx};
use crate::audit::{Event, Head, Record};
use crate::breakglass::Glass;
use crate::error::{Error, Kind, Result};
use crate::factor::Factors;
use crate::grant::{Grant, State};
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
use crate::rootfile;
use crate::seal::Vault;
use crate::secret::equal;
use crate::session::Session;
use crate::stay::Stay;
use crate::time::{Span, Timestamp};

/// Who opens the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// A login: short-lived, must be quick, neither makes nor migrates nor checkpoints.
    Login,
    /// An administrator's command or a daemon: makes and migrates the store as needed.
    Admin,
}

/// The store in one SQLite file.
pub struct SqliteStore {
    connection: Connection,
    vault: Arc<Vault>,
    together: Together,
}

/// How many statements are kept prepared: more than any one program runs again and again.
const PREPARED: usize = 64;

impl SqliteStore {
    /// Opens the store in `path`, whose directory must be root's and private.
    ///
    /// # Errors
    /// Misconfigured when owner or mode of the directory is wrong; unavailable when it can't be
    /// opened; tampered when the file is no database of ours.
    pub fn open(path: &Path, vault: Arc<Vault>, patience: Span, opener: Opener) -> Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        rootfile::check_private_dir(directory)?;
        // SQLite's own flag refuses links anywhere on the path, /var/run among them; what matters is
        // the file itself, in a directory that only root can write.
        if path.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
            return Err(Error::misconfigured(format!("{} is no plain file", path.display())));
        }
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if opener == Opener::Admin {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let connection = Connection::open_with_flags(path, flags).map_err(|e| {
            failed(e)
                .context(path.display())
                .next("jitctl setup makes a store where there is none.")
        })?;
        Self::prepare(&connection, patience, opener).map_err(|e| e.context(path.display()))?;
        let store = SqliteStore { connection, vault, together: Together::default() };
        store.bring_up_to_date(opener).map_err(|e| e.context(path.display()))?;
        Ok(store)
    }

    fn prepare(connection: &Connection, patience: Span, opener: Opener) -> Result<()> {
        connection.set_prepared_statement_cache_capacity(PREPARED);
        connection.busy_timeout(Duration::from_secs(patience.secs())).map_err(failed)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(failed)?;
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)
            .map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        // Where temporary files go, SQLite asks the environment, which under sudo is the caller's.
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(failed)?;
        if opener == Opener::Login {
            // jitd checkpoints; a login neither does so on the way nor when it closes.
            connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(failed)?;
            connection
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
                .map_err(failed)?;
        }
        Ok(())
    }

    fn bring_up_to_date(&self, opener: Opener) -> Result<()> {
        let newest = MIGRATIONS.len();
        let version = self.version()?;
        if version > newest {
            return Err(Error::unavailable(format!(
                "the store has version {version}, this program knows {newest}"
            ))
            .next("Install the version that wrote it, or a later one."));
        }
        if version == newest {
            return Ok(());
        }
        if opener == Opener::Login {
            return Err(Error::unavailable(format!("the store has version {version} of {newest}"))
                .next("jitctl setup brings it up to date."));
        }
        let tx = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .map_err(failed)?;
        // Read again: another process may have migrated while this one waited for the lock.
        for (number, sql) in MIGRATIONS.iter().enumerate().skip(self.version()?) {
            tx.execute_batch(sql).map_err(failed)?;
            tx.pragma_update(None, "user_version", number + 1).map_err(failed)?;
        }
        tx.commit().map_err(failed)
    }

    fn version(&self) -> Result<usize> {
        let version: i64 = self
            .connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(failed)?;
        usize::try_from(version).map_err(|_| Error::tampered("the store has a negative version"))
    }
}

impl Store for SqliteStore {
    fn begin(&self, mode: Mode) -> Result<Box<dyn Tx + '_>> {
        let tx = self.together.begin(&self.connection, mode)?;
        Ok(Box::new(SqliteTx { tx, vault: &self.vault }))
    }

    fn together(&self, act: &mut dyn FnMut()) -> Result<()> {
        self.together.run(&self.connection, act)
    }

    fn change_marker(&self) -> Result<u64> {
        let version: i64 = self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(failed)?;
        Ok(version.unsigned_abs())
    }

    fn checkpoint(&self) -> Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(failed)
    }

    fn check(&self) -> Result<()> {
        let found: String = self
            .connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(failed)?;
        if found != "ok" {
            return Err(damaged(&found));
        }
        let tx = SqliteTx { tx: Scope::read(&self.connection)?, vault: &self.vault };
        TAGGED.iter().try_for_each(|(table, sql)| tx.check_tags(table, sql))
    }

    fn snapshot(&self, to: &Path) -> Result<()> {
        let path = to.to_str().ok_or_else(|| {
            Error::invalid(format!("{} can't be named to the engine", to.display()))
        })?;
        // The engine writes into an empty file, and leaves its mode as it is.
        rootfile::create_private(to, b"")?;
        self.connection.execute("VACUUM INTO ?1", [path]).map_err(failed).map(drop)
    }
}

/// Every table whose rows carry a tag, under the name that the tag is over.
const TAGGED: [(&str, &str); 15] = [
    ("person", "SELECT key, body, tag FROM person"),
    ("identity_key", "SELECT key, body, tag FROM identity_key"),
    ("factors", "SELECT key, body, tag FROM factors"),
    ("host", "SELECT key, body, tag FROM host"),
    ("grant", "SELECT key, body, tag FROM grant_"),
    ("issued", "SELECT serial, body, tag FROM issued"),
    ("ca_key", "SELECT key, body, tag FROM ca_key"),
    ("session", "SELECT id, body, tag FROM session"),
    ("stay", "SELECT key, body, tag FROM stay"),
    ("break_glass", "SELECT key, body, tag FROM break_glass"),
    ("hook", "SELECT key, body, tag FROM hook"),
    ("policy", "SELECT key, body, tag FROM policy"),
    ("invitation", "SELECT key, body, tag FROM invitation"),
    ("kept", "SELECT key, body, tag FROM kept"),
    ("link", "SELECT key, body, tag FROM link"),
];

/// The key of the one row of its table.
const ACCEPTED: &str = "accepted";
/// The sessions of a host that are not over.
const GOING_ON: &str = "SELECT id, body, tag FROM session WHERE host = ?1 AND over = 0 ORDER BY id";

struct SqliteTx<'a> {
    tx: Scope<'a>,
    vault: &'a Vault,
}

impl SqliteTx<'_> {
    fn run(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.tx.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(failed)
    }

    fn number(&self, sql: &str, params: impl Params) -> Result<Option<i64>> {
        self.tx
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row(params, |row| row.get(0)).optional())
            .map_err(failed)
    }

    /// Reads rows of `key, body, tag`.
    fn rows<T: DeserializeOwned>(
        &self,
        table: &str,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<T>> {
        self.each_row(table, sql, params)?.into_iter().collect()
    }

    /// As [`SqliteTx::rows`], with each row's own damage in its place.
    fn each_row<T: DeserializeOwned>(
        &self,
        table: &str,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<Result<T>>> {
        let mut statement = self.tx.prepare_cached(sql).map_err(failed)?;
        let rows = statement.query_map(params, key_body_tag).map_err(failed)?;
        rows.map(|row| {
            let (key, body, tag) = row.map_err(failed)?;
            Ok(self.open_row(table, &key, &body, &tag))
        })
        .collect()
    }

    fn row<T: DeserializeOwned>(
        &self,
        table: &str,
        sql: &str,
        params: impl Params,
    ) -> Result<Option<T>> {
        Ok(self.rows(table, sql, params)?.pop())
    }

    /// Looks for a row of `table` that was edited by hand.
    fn check_tags(&self, table: &str, sql: &str) -> Result<()> {
        let mut statement = self.tx.prepare(sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let (key, body, tag) = key_body_tag(row).map_err(failed)?;
            self.open_row::<IgnoredAny>(table, &key, &body, &tag)?;
        }
        Ok(())
    }

    fn open_row<T: DeserializeOwned>(
        &self,
        table: &str,
        key: &str,
        body: &str,
        tag: &[u8],
    ) -> Result<T> {
        if !equal(&self.vault.tag(table, key, body), tag) {
            return Err(edited(table, key));
        }
        serde_json::from_str(body).map_err(|_| edited(table, key))
    }

    fn seal_row(
        &self,
        table: &str,
        key: &str,
        value: &impl Serialize,
    ) -> Result<(String, [u8; 32])> {
        let body = serde_json::to_string(value)
            .map_err(|e| Error::unavailable(format!("the {table} can't be written: {e}")))?;
        let tag = self.vault.tag(table, key, &body);
        Ok((body, tag))
    }

    /// Writes a row of a table that has nothing but `key, body, tag`.
    fn put_row(&self, table: &str, key: &str, value: &impl Serialize) -> Result<()> {
        let (body, tag) = self.seal_row(table, key, value)?;
        let sql = format!("REPLACE INTO {table} (key, body, tag) VALUES (?1, ?2, ?3)");
        self.run(&sql, params![key, body, tag]).map(drop)
    }

    fn head_row(row: &Row<'_>) -> rusqlite::Result<(i64, i64, [u8; 32])> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    }
}

fn key_body_tag(row: &Row<'_>) -> rusqlite::Result<(String, String, Vec<u8>)> {
    // Serial numbers and ids are integers; their key is their text.
    let key = match row.get_ref(0)? {
        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
        _ => row.get(0)?,
    };
    Ok((key, row.get(1)?, row.get(2)?))
}

/// Until when a grant can still matter: to the end of its window, or of its waiting.
fn alive_until(grant: &Grant) -> u64 {
    match grant.state() {
        State::Requested => grant.lapses_at().unix(),
        State::Approved { window, .. } => window.not_after.unix(),
        State::Denied { .. }
        | State::Cancelled { .. }
        | State::Lapsed { .. }
        | State::Revoked { .. } => 0,
    }
}

/// Until when a certificate of a grant can be valid.
fn certified_until(grant: &Grant) -> u64 {
    grant.certified_until().map_or(0, Timestamp::unix)
}

impl Tx for SqliteTx<'_> {
    fn commit(self: Box<Self>) -> Result<()> {
        self.tx.commit()
    }

    fn person(&self, name: &PersonName) -> Result<Option<Person>> {
        self.row("person", "SELECT key, body, tag FROM person WHERE key = ?1", [name.as_str()])
    }

    fn people(&self) -> Result<Vec<Person>> {
        self.rows("person", "SELECT key, body, tag FROM person ORDER BY key", [])
    }

    fn put_person(&self, person: &Person) -> Result<()> {
        let key = person.name.as_str();
        self.put_row("person", key, person)
    }

    fn remove_person(&self, name: &PersonName) -> Result<()> {
        self.run("DELETE FROM identity_key WHERE person = ?1", [name.as_str()])?;
        self.run("DELETE FROM factors WHERE key = ?1", [name.as_str()])?;
        self.run("DELETE FROM person WHERE key = ?1", [name.as_str()]).map(drop)
    }

    fn identity_key(&self, fingerprint: &str) -> Result<Option<IdentityKey>> {
        let sql = "SELECT key, body, tag FROM identity_key WHERE key = ?1";
        self.row("identity_key", sql, [fingerprint])
    }

    fn identity_keys(&self, person: &PersonName) -> Result<Vec<IdentityKey>> {
        let sql = "SELECT key, body, tag FROM identity_key WHERE person = ?1 ORDER BY rowid";
        let keys: Vec<IdentityKey> = self.rows("identity_key", sql, [person.as_str()])?;
        // The column is there to find rows by; whose a key is, the tagged body says.
        match keys.iter().find(|key| key.person != *person) {
            Some(key) => Err(edited("identity_key", &key.fingerprint)),
            None => Ok(keys),
        }
    }

    fn add_identity_key(&self, key: &IdentityKey) -> Result<()> {
        let (body, tag) = self.seal_row("identity_key", &key.fingerprint, key)?;
        let sql =
            "INSERT OR IGNORE INTO identity_key (key, person, body, tag) VALUES (?1, ?2, ?3, ?4)";
        match self.run(sql, params![key.fingerprint, key.person.as_str(), body, tag])? {
            0 => Err(Error::refused(format!("the key {} is enrolled already", key.fingerprint))),
            _ => Ok(()),
        }
    }

    fn remove_identity_key(&self, fingerprint: &str) -> Result<bool> {
        Ok(self.run("DELETE FROM identity_key WHERE key = ?1", [fingerprint])? > 0)
    }

    fn factors(&self, key: &str) -> Result<Option<Factors>> {
        self.row("factors", "SELECT key, body, tag FROM factors WHERE key = ?1", [key])
    }

    fn put_factors(&self, key: &str, factors: &Factors) -> Result<()> {
        self.put_row("factors", key, factors)
    }

    fn host(&self, name: &HostName) -> Result<Option<Host>> {
        self.row("host", "SELECT key, body, tag FROM host WHERE key = ?1", [name.as_str()])
    }

    fn hosts(&self) -> Result<Vec<Host>> {
        self.rows("host", "SELECT key, body, tag FROM host ORDER BY key", [])
    }

    fn put_host(&self, host: &Host) -> Result<()> {
        let key = host.name.as_str();
        self.put_row("host", key, host)
    }

    fn remove_host(&self, name: &HostName) -> Result<()> {
        self.run("DELETE FROM host WHERE key = ?1", [name.as_str()]).map(drop)
    }

    fn grant(&self, id: &GrantId) -> Result<Option<Grant>> {
        self.row("grant", "SELECT key, body, tag FROM grant_ WHERE key = ?1", [id.as_str()])
    }

    fn grants(&self, filter: &GrantFilter) -> Result<Vec<Grant>> {
        let person = filter.person.as_ref().map(PersonName::as_str);
        let alive = filter.alive_at.map(|at| signed(at.unix())).transpose()?;
        let limit = filter.limit.map_or(-1, i64::from);
        // One statement for each shape of filter, so that each has its index.
        let head = "SELECT key, body, tag FROM grant_";
        let tail = "ORDER BY number DESC LIMIT ?1";
        match (person, alive) {
            (None, None) => self.rows("grant", &format!("{head} {tail}"), [limit]),
            (None, Some(alive)) => {
                let sql = format!("{head} WHERE alive_until > ?2 {tail}");
                self.rows("grant", &sql, params![limit, alive])
            }
            (Some(person), None) => {
                let sql = format!("{head} WHERE person = ?2 {tail}");
                self.rows("grant", &sql, params![limit, person])
            }
            (Some(person), Some(alive)) => {
                let sql = format!("{head} WHERE person = ?2 AND alive_until > ?3 {tail}");
                self.rows("grant", &sql, params![limit, person, alive])
            }
        }
    }

    fn add_grant(&self, grant: &Grant) -> Result<()> {
        let (body, tag) = self.seal_row("grant", grant.id().as_str(), grant)?;
        let sql = "INSERT OR IGNORE INTO grant_
                   (key, version, person, alive_until, certified_until, body, tag)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let added = self.run(
            sql,
            params![
                grant.id().as_str(),
                signed(grant.version())?,
                grant.ask().person.as_str(),
                signed(alive_until(grant))?,
                signed(certified_until(grant))?,
                body,
                tag
            ],
        )?;
        match added {
            0 => Err(Error::new(Kind::Conflict, format!("the id {} is taken", grant.id()))),
            _ => Ok(()),
        }
    }

    fn replace_grant(&self, grant: &Grant) -> Result<()> {
        let (body, tag) = self.seal_row("grant", grant.id().as_str(), grant)?;
        // What was shortened twice can have a certificate of before.
        let sql = "UPDATE grant_ SET version = ?2, alive_until = ?3, body = ?4, tag = ?5,
                   certified_until = max(certified_until, ?6)
                   WHERE key = ?1 AND version = ?2 - 1";
        let changed = self.run(
            sql,
            params![
                grant.id().as_str(),
                signed(grant.version())?,
                signed(alive_until(grant))?,
                body,
                tag,
                signed(certified_until(grant))?
            ],
        )?;
        match changed {
            0 => Err(Error::new(
                Kind::Conflict,
                format!("somebody else decided on {} first", grant.id()),
            )
            .next(format!("jitctl show {}", grant.id()))),
            _ => Ok(()),
        }
    }

    fn put_grant(&self, grant: &Grant) -> Result<()> {
        let (body, tag) = self.seal_row("grant", grant.id().as_str(), grant)?;
        let sql = "INSERT INTO grant_
                   (key, version, person, alive_until, certified_until, body, tag)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                   ON CONFLICT (key) DO UPDATE SET version = ?2, person = ?3, alive_until = ?4,
                   certified_until = max(certified_until, ?5), body = ?6, tag = ?7";
        self.run(
            sql,
            params![
                grant.id().as_str(),
                signed(grant.version())?,
                grant.ask().person.as_str(),
                signed(alive_until(grant))?,
                signed(certified_until(grant))?,
                body,
                tag
            ],
        )
        .map(drop)
    }

    fn certified_grants(&self, at: Timestamp) -> Result<Vec<Grant>> {
        let sql = "SELECT key, body, tag FROM grant_ WHERE certified_until > ?1 ORDER BY number";
        self.rows("grant", sql, [signed(at.unix())?])
    }

    fn next_serial(&self) -> Result<u64> {
        let last = self.number("SELECT coalesce(max(serial), 0) FROM issued", [])?.unwrap_or(0);
        u64::try_from(last).map(|last| last + 1).map_err(|_| edited("issued", "serial"))
    }

    fn add_issued(&self, issued: &Issued) -> Result<()> {
        let (body, tag) = self.seal_row("issued", &issued.serial.to_string(), issued)?;
        let sql = "INSERT OR IGNORE INTO issued (serial, body, tag) VALUES (?1, ?2, ?3)";
        match self.run(sql, params![signed(issued.serial)?, body, tag])? {
            0 => Err(Error::new(Kind::Conflict, format!("serial {} is taken", issued.serial))),
            _ => Ok(()),
        }
    }

    fn issued(&self, serial: u64) -> Result<Option<Issued>> {
        let Ok(serial) = i64::try_from(serial) else { return Ok(None) };
        self.row("issued", "SELECT serial, body, tag FROM issued WHERE serial = ?1", [serial])
    }

    fn ca_keys(&self, kind: CaKind) -> Result<Vec<CaKey>> {
        let sql = "SELECT key, body, tag FROM ca_key WHERE kind = ?1 ORDER BY number DESC";
        let keys: Vec<CaKey> = self.rows("ca_key", sql, [kind.to_string()])?;
        match keys.iter().find(|key| key.kind != kind) {
            Some(key) => Err(edited("ca_key", &key.fingerprint)),
            None => Ok(keys),
        }
    }

    fn add_ca_key(&self, key: &CaKey) -> Result<()> {
        let (body, tag) = self.seal_row("ca_key", &key.fingerprint, key)?;
        let sql = "INSERT INTO ca_key (kind, key, body, tag) VALUES (?1, ?2, ?3, ?4)";
        self.run(sql, params![key.kind.to_string(), key.fingerprint, body, tag]).map(drop)
    }

    fn put_ca_keys(&self, kind: CaKind, keys: &[CaKey]) -> Result<()> {
        self.run("DELETE FROM ca_key WHERE kind = ?1", [kind.to_string()])?;
        // The newest is the one that was added last.
        keys.iter().rev().try_for_each(|key| self.add_ca_key(key))
    }

    fn add_session(&self, session: &Session) -> Result<u64> {
        let last = self.number("SELECT seq FROM sqlite_sequence WHERE name = 'session'", [])?;
        let id = last.unwrap_or(0) + 1;
        let id = u64::try_from(id).map_err(|_| edited("session", "id"))?;
        self.put_session(&Session { id, ..session.clone() })?;
        Ok(id)
    }

    fn put_session(&self, session: &Session) -> Result<()> {
        let (body, tag) = self.seal_row("session", &session.id.to_string(), session)?;
        let sql = "REPLACE INTO session (id, host, over, audit_session, body, tag)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.run(
            sql,
            params![
                signed(session.id)?,
                session.host.as_str(),
                session.ended.is_some(),
                session.anchor.audit_session,
                body,
                tag
            ],
        )
        .map(drop)
    }

    fn sessions(&self, host: &HostName) -> Result<Vec<Session>> {
        self.rows("session", GOING_ON, [host.as_str()])
    }

    fn sessions_and_damage(&self, host: &HostName) -> Result<(Vec<Session>, Vec<Error>)> {
        let (mut sessions, mut damage) = (Vec::new(), Vec::new());
        for row in self.each_row("session", GOING_ON, [host.as_str()])? {
            match row {
                Ok(session) => sessions.push(session),
                Err(error) => damage.push(error),
            }
        }
        Ok((sessions, damage))
    }

    fn sessions_of(&self, host: &HostName, audit_session: AuditSession) -> Result<Vec<Session>> {
        let sql = "SELECT id, body, tag FROM session
                   WHERE host = ?1 AND audit_session = ?2 ORDER BY id DESC";
        let sessions: Vec<Session> =
            self.rows("session", sql, params![host.as_str(), audit_session])?;
        match sessions.iter().find(|s| s.anchor.audit_session != Some(audit_session)) {
            Some(session) => Err(edited("session", &session.id.to_string())),
            None => Ok(sessions),
        }
    }

    fn stay(&self, host: &HostName, login: &Login) -> Result<Option<Stay>> {
        let sql = "SELECT key, body, tag FROM stay WHERE key = ?1";
        self.row("stay", sql, [stay_key(host, login)])
    }

    fn stays(&self, host: &HostName) -> Result<Vec<Stay>> {
        let sql = "SELECT key, body, tag FROM stay WHERE host = ?1 ORDER BY key";
        self.rows("stay", sql, [host.as_str()])
    }

    fn put_stay(&self, stay: &Stay) -> Result<()> {
        let key = stay_key(&stay.host, &stay.login);
        let (body, tag) = self.seal_row("stay", &key, stay)?;
        let sql = "REPLACE INTO stay (key, host, body, tag) VALUES (?1, ?2, ?3, ?4)";
        self.run(sql, params![key, stay.host.as_str(), body, tag]).map(drop)
    }

    fn remove_stay(&self, host: &HostName, login: &Login) -> Result<()> {
        self.run("DELETE FROM stay WHERE key = ?1", [stay_key(host, login)]).map(drop)
    }

    fn glass(&self, host: &HostName) -> Result<Option<Glass>> {
        let sql = "SELECT key, body, tag FROM break_glass WHERE key = ?1";
        self.row("break_glass", sql, [host.as_str()])
    }

    fn put_glass(&self, glass: &Glass) -> Result<()> {
        let key = glass.host.as_str();
        self.put_row("break_glass", key, glass)
    }

    fn standing(&self, hook: &HookName) -> Result<Option<Standing>> {
        self.row("hook", "SELECT key, body, tag FROM hook WHERE key = ?1", [hook.as_str()])
    }

    fn standings(&self) -> Result<Vec<Standing>> {
        self.rows("hook", "SELECT key, body, tag FROM hook ORDER BY key", [])
    }

    fn put_standing(&self, standing: &Standing) -> Result<()> {
        let key = standing.hook.as_str();
        self.put_row("hook", key, standing)
    }

    fn remove_standing(&self, hook: &HookName) -> Result<()> {
        self.run("DELETE FROM hook WHERE key = ?1", [hook.as_str()]).map(drop)
    }

    fn policy(&self) -> Result<Option<Accepted>> {
        self.row("policy", "SELECT key, body, tag FROM policy WHERE key = ?1", [ACCEPTED])
    }

    fn put_policy(&self, policy: &Accepted) -> Result<()> {
        self.put_row("policy", ACCEPTED, policy)
    }

    fn invitation(&self, invited: &Invited) -> Result<Option<Invitation>> {
        let sql = "SELECT key, body, tag FROM invitation WHERE key = ?1";
        self.row("invitation", sql, [invited.to_string()])
    }

    fn put_invitation(&self, invitation: &Invitation) -> Result<()> {
        let key = invitation.invited.to_string();
        self.put_row("invitation", &key, invitation)
    }

    fn remove_invitation(&self, invited: &Invited) -> Result<()> {
        self.run("DELETE FROM invitation WHERE key = ?1", [invited.to_string()]).map(drop)
    }

    fn kept(&self, key: &str) -> Result<Option<Kept>> {
        self.row("kept", "SELECT key, body, tag FROM kept WHERE key = ?1", [key])
    }

    fn count_kept(&self, caller: &str) -> Result<usize> {
        let count = self.number("SELECT count(*) FROM kept WHERE caller = ?1", [caller])?;
        Ok(usize::try_from(count.unwrap_or(0)).unwrap_or(0))
    }

    fn put_kept(&self, kept: &Kept) -> Result<()> {
        let (body, tag) = self.seal_row("kept", &kept.key, kept)?;
        self.run(
            "REPLACE INTO kept (key, caller, at, body, tag) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![kept.key, kept.caller, kept.at.unix(), body, tag],
        )
        .map(drop)
    }

    fn remove_kept(&self, key: &str) -> Result<()> {
        self.run("DELETE FROM kept WHERE key = ?1", [key]).map(drop)
    }

    fn forget_kept(&self, before: Timestamp) -> Result<()> {
        self.run("DELETE FROM kept WHERE at < ?1", [before.unix()]).map(drop)
    }

    fn link(&self, host: &HostName) -> Result<Option<Link>> {
        self.row("link", "SELECT key, body, tag FROM link WHERE key = ?1", [host.as_str()])
    }

    fn put_link(&self, link: &Link) -> Result<()> {
        let key = link.host.as_str();
        self.put_row("link", key, link)
    }

    fn audit_head(&self) -> Result<Option<Head>> {
        let sql = "SELECT sequence, time, hash FROM audit ORDER BY sequence DESC LIMIT 1";
        let row = self
            .tx
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row([], Self::head_row).optional())
            .map_err(failed)?;
        row.map(|(sequence, time, hash)| {
            Ok(Head { sequence: unsigned(sequence)?, time: time_column(time)?, hash })
        })
        .transpose()
    }

    fn append(&self, event: &Event, time: Timestamp) -> Result<Record> {
        let record = Record::after(self.audit_head()?.as_ref(), event, time);
        let sql = "INSERT INTO audit (sequence, time, actor, action, object, outcome, detail,
                   previous, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.run(
            sql,
            params![
                signed(record.sequence)?,
                signed(record.time.unix())?,
                record.actor,
                record.action,
                record.object,
                record.outcome.to_string(),
                record.detail,
                record.previous,
                record.hash
            ],
        )?;
        Ok(record)
    }

    fn records(&self, from: u64, limit: u32) -> Result<Vec<Record>> {
        let sql = "SELECT sequence, time, actor, action, object, outcome, detail, previous, hash
                   FROM audit WHERE sequence >= ?1 ORDER BY sequence LIMIT ?2";
        let mut statement = self.tx.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(params![signed(from)?, limit]).map_err(failed)?;
        let mut records = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let outcome: String = row.get(5).map_err(failed)?;
            records.push(Record {
                sequence: unsigned(row.get(0).map_err(failed)?)?,
                time: time_column(row.get(1).map_err(failed)?)?,
                actor: row.get(2).map_err(failed)?,
                action: row.get(3).map_err(failed)?,
                object: row.get(4).map_err(failed)?,
                outcome: outcome.parse()?,
                detail: row.get(6).map_err(failed)?,
                previous: row.get(7).map_err(failed)?,
                hash: row.get(8).map_err(failed)?,
            });
        }
        Ok(records)
    }
}

fn stay_key(host: &HostName, login: &Login) -> String {
    format!("{login}@{host}")
}

fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::invalid("a number is too large to be stored"))
}

fn unsigned(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| Error::tampered("a stored number is negative"))
}

fn time_column(unix: i64) -> Result<Timestamp> {
    Timestamp::from_unix(unsigned(unix)?)
        .map_err(|_| Error::tampered("a stored time is impossible"))
}

fn edited(table: &str, key: &str) -> Error {
    Error::tampered(format!("the stored {table} {key} was damaged or edited by hand"))
        .next(format!("jitctl audit verify says whether the log is whole. To restore: {RESTORE}"))
}

fn damaged(how: &str) -> Error {
    Error::tampered(format!("the store is damaged: {how}")).next(RESTORE)
}

/// What to type when the store is of no use any more; what is there is moved aside, not deleted.
const RESTORE: &str = "systemctl stop jitd; jitctl restore FILE --replace; systemctl start jitd";

/// What an SQLite error means to us.
fn failed(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::unavailable("the store is locked by another process")
                .next("Try again; fuser on the database file names the process.")
        }
        Some(ErrorCode::DiskFull) => {
            Error::unavailable("the disk of the store is full").next("Make room: df -h.")
        }
        Some(ErrorCode::SystemIoFailure) => {
            Error::unavailable(format!("the disk of the store failed or is full: {error}"))
                .next("df -h says whether there is room, dmesg whether the disk is failing.")
        }
        Some(ErrorCode::ReadOnly) => {
            Error::unavailable("the store can't be written").next("Is its file system read-only?")
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => damaged(&error.to_string()),
        // A column of the wrong type, which our schema can't hold.
        None => damaged(&error.to_string()),
        Some(_) => Error::unavailable(format!("the store failed: {error}")),
    }
}

#[cfg(test)]
mod tests;
