//! Backup and restore: a copy of the store that stands alone, and what a restored past must not
//! give.

use std::path::Path;

use serde_json::json;

use super::grants::{alive, end_all};
use super::{Authority, Done, LogState};
use crate::audit::hex;
use crate::error::Result;
use crate::factor::{Enrolled, Factors, totp};
use crate::grant::{Actor, Grant};
use crate::invitation::Invited;
use crate::name::{PersonName, Reason};
use crate::store::sqlite::{Opener, SqliteStore};
use crate::time::Timestamp;

/// A copy of the store that was looked through.
#[derive(Clone, Debug)]
pub struct Backup {
    /// When it was made.
    pub at: Timestamp,
    /// The log in it.
    pub log: LogState,
}

/// What was taken from a restored past.
#[derive(Clone, Debug)]
pub struct Restored {
    /// When.
    pub at: Timestamp,
    /// Grants that were ended.
    pub ended: Vec<Grant>,
    /// People whose recovery codes are void.
    pub codes_void: Vec<PersonName>,
    /// How many break-glass codes are void.
    pub break_glass_void: usize,
}

impl Authority {
    /// Looks through the whole store: damage, rows edited by hand, the chain of the log.
    ///
    /// # Errors
    /// Tampered, saying what is wrong.
    pub fn verify(&self) -> Result<LogState> {
        self.store.check()?;
        self.verify_log()
    }

    /// Copies the store into the new file `to`, in a private directory, and looks through the copy:
    /// one that could not be restored is none.
    ///
    /// # Errors
    /// Tampered when the store is damaged; misconfigured when the file can't be made.
    pub fn copy_store(&self, to: &Path) -> Result<Backup> {
        let at = self.now()?;
        self.store.snapshot(to)?;
        let copy =
            SqliteStore::open(to, self.vault.clone(), self.config.busy_timeout, Opener::Admin)?;
        let log = self.beside(copy).verify()?;
        Ok(Backup { at, log })
    }

    /// Puts on record that a backup was written.
    ///
    /// # Errors
    /// Unavailable.
    pub fn backed_up(&self, backup: &Backup, file: &str, with_master_key: bool) -> Result<()> {
        let detail = json!({
            "records": backup.log.records, "head": backup.log.head.as_ref().map(|h| hex(&h.hash)),
            "with_master_key": with_master_key,
        });
        self.change(&Actor::Root, "store.backup", file, |_, _| Ok(Done::new((), detail)))
    }

    /// Makes a restored store fit for the present, in one step and on record. Whatever was ended,
    /// used or taken away since the backup would count again, so: living grants end, unless
    /// `keep_grants`; recovery and break-glass codes are void; no code of a time before now is accepted.
    ///
    /// # Errors
    /// Unavailable when the clock stands before the last record of the backup.
    pub fn restored(&self, backup: &Backup, keep_grants: bool) -> Result<Restored> {
        let object = backup.at.rfc3339();
        self.change(&Actor::Root, "store.restore", &object, |tx, now| {
            let mut ended = Vec::new();
            if !keep_grants {
                let reason = Reason::parse("the store was restored from a backup")?;
                ended = end_all(tx, alive(tx, None, now)?, &Actor::Root, &reason, now)?;
            }
            let mut codes_void = Vec::new();
            for person in tx.people()? {
                let Some(factors) = tx.factors(person.name.as_str())? else { continue };
                if !factors.recovery.is_empty() {
                    codes_void.push(person.name.clone());
                }
                tx.put_factors(person.name.as_str(), &without_the_past(factors, now))?;
            }
            // One that was used since would be good again.
            for person in tx.people()? {
                tx.remove_invitation(&Invited::Person(person.name))?;
            }
            for host in tx.hosts()? {
                tx.remove_invitation(&Invited::Host(host.name))?;
            }
            let break_glass_void = self.void_break_glass(tx)?;
            let ids: Vec<_> = ended.iter().map(Grant::id).collect();
            let detail = json!({
                "break_glass_codes_void": break_glass_void, "records": backup.log.records,
                "head": backup.log.head.as_ref().map(|head| hex(&head.hash)),
                "grants_ended": ids, "grants_kept": keep_grants, "recovery_codes_void": codes_void,
            });
            Ok(Done::new(Restored { at: now, ended, codes_void, break_glass_void }, detail))
        })
    }
}

/// Factors of which nothing counts that may have been used since.
fn without_the_past(factors: Factors, now: Timestamp) -> Factors {
    let burned = totp::latest_step(now);
    let totp = factors.totp.map(|enrolled| Enrolled {
        last_step: Some(enrolled.last_step.unwrap_or(0).max(burned)),
        ..enrolled
    });
    Factors { totp, pending: None, recovery: Vec::new(), ..factors }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::testing::{Desk, ask, person, private_dir, reason};
    use crate::authority::{NewRequest, RevokeWhich};
    use crate::grant::{Phase, State};

    /// Another authority on a copy of the desk's store, as a restore makes it.
    fn copied(desk: &Desk) -> (Authority, Backup, tempfile::TempDir) {
        let dir = private_dir();
        let file = dir.path().join("jit.db");
        let backup = desk.authority.copy_store(&file).unwrap();
        let config = &desk.authority.config;
        let store = SqliteStore::open(
            &file,
            desk.authority.vault.clone(),
            config.busy_timeout,
            Opener::Admin,
        );
        (desk.authority.beside(store.unwrap()), backup, dir)
    }

    #[test]
    fn a_restored_past_gives_no_access_and_the_log_goes_on() {
        let desk = Desk::new();
        let authority = &desk.authority;
        let held = authority.grant_alone(&Actor::Root, &ask("alice", 3600)).unwrap();
        let new = NewRequest { ask: ask("bob", 60), by: Actor::Root, origin: None };
        let waiting = authority.request(&new).unwrap();
        let (copy, backup, _dir) = copied(&desk);
        authority.revoke(&RevokeWhich::Id(held.id().clone()), &Actor::Root, &reason()).unwrap();
        let used = desk.code("alice");
        authority.prove(&person("alice"), &used, "approve").unwrap();

        let restored = copy.restored(&backup, false).unwrap();
        assert_eq!(restored.ended.len(), 2);
        assert_eq!(restored.codes_void, ["alice", "bob", "carol"].map(person));
        let (grant, now) = copy.grant(held.id()).unwrap();
        assert_eq!(grant.phase(now), Phase::Revoked);
        assert!(matches!(copy.grant(waiting.id()).unwrap().0.state(), State::Denied { .. }));
        let status = copy.factor_status(&person("alice")).unwrap();
        assert_eq!((status.enrolled, status.recovery_codes), (true, 0));
        let log = copy.verify_log().unwrap();
        assert_eq!(log.records, backup.log.records + 1);
        assert_eq!(copy.last_records(1).unwrap()[0].action, "store.restore");

        let error = copy.prove(&person("alice"), &used, "approve").unwrap_err();
        assert!(error.what().contains("used before"), "{error}");
        desk.clock.pass(60);
        copy.prove(&person("alice"), &desk.code("alice"), "approve").unwrap();
    }

    #[test]
    fn grants_are_kept_on_request_alone() {
        let desk = Desk::new();
        let held = desk.authority.grant_alone(&Actor::Root, &ask("alice", 3600)).unwrap();
        let (copy, backup, _dir) = copied(&desk);
        assert!(copy.restored(&backup, true).unwrap().ended.is_empty());
        let (grant, now) = copy.grant(held.id()).unwrap();
        assert_eq!(grant.phase(now), Phase::Active);
    }
}
