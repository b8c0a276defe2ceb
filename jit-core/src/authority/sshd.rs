//! What sshd asks before PAM: whose keys, and which principals, an account here accepts.

use std::collections::{BTreeMap, BTreeSet};

use super::Authority;
use super::grants::known_grant;
use super::identify::check_issued;
use crate::certificate;
use crate::config::SecondFactor;
use crate::error::{Kind, Result};
use crate::grant::{Action, Permission, Terms};
use crate::host::Host;
use crate::name::{Login, PersonName};
use crate::policy::{Policy, Verdict};
use crate::restriction::Restrictions;
use crate::store::Tx;
use crate::time::Timestamp;

impl Authority {
    /// The principals that sshd may accept for an account here, given the key ID and serial number
    /// of the certificate it was shown: none when its grant is gone or it was never issued.
    ///
    /// # Errors
    /// Unavailable, tampered or misconfigured.
    pub fn principals(&self, login: &Login, key_id: &str, serial: u64) -> Result<Vec<String>> {
        self.read(|tx, now| {
            let host = self.this_host(tx)?;
            let key_id = certificate::KeyId::parse(key_id)?;
            check_issued(tx, &key_id, serial, now)?;
            Ok(certificate::accepted_principals(login, &host))
        })
    }

    /// The lines that sshd may accept as authorized keys for an account here: the identity keys of
    /// those who hold cover for it or, where a second factor stands behind, may ask for it or break
    /// the glass. Each is restricted to what the grants or the policy permit.
    ///
    /// # Errors
    /// Unavailable, tampered or misconfigured.
    pub fn authorized_keys(&self, login: &Login) -> Result<Vec<String>> {
        // Without a policy that can be read nobody may ask; who holds cover keeps their key.
        let policy = match self.config.second_factor {
            SecondFactor::Required => self.policy().ok(),
            SecondFactor::None => None,
        };
        self.read(|tx, now| {
            let host = self.this_host(tx)?;
            let mut lines = Vec::new();
            for person in tx.people()?.iter().filter(|person| !person.suspended) {
                let name = &person.name;
                let held = match self.held(tx, name, login, &host, now) {
                    // One person's edited row keeps nobody else out.
                    Err(error) if error.kind() == Kind::Tampered => {
                        self.syslog.trouble(&format!("keys of {name}: {error}"));
                        continue;
                    }
                    held => held?,
                };
                let ways = match held {
                    Some(ways) => ways,
                    None => match self.asked(tx, policy.as_deref(), name, login, now)? {
                        Some(way) => vec![way],
                        // At the prompt they can break the glass.
                        None if policy.is_some() && self.may_try(tx, name, login)? => {
                            vec![Way::unrestricted()]
                        }
                        None => continue,
                    },
                };
                let keys = match tx.identity_keys(name) {
                    Err(error) if error.kind() == Kind::Tampered => {
                        self.syslog.trouble(&format!("keys of {name}: {error}"));
                        continue;
                    }
                    keys => keys?,
                };
                for key in keys {
                    lines.extend(ways.iter().map(|way| way.line(&key.public_key)));
                }
            }
            Ok(lines)
        })
    }

    /// How those who have cover now may come in; none without cover. Grants that hold the session to
    /// the same permit together what each permits.
    fn held(
        &self,
        tx: &dyn Tx,
        person: &PersonName,
        login: &Login,
        host: &Host,
        now: Timestamp,
    ) -> Result<Option<Vec<Way>>> {
        let Some(cover) = self.cover(tx, person, login, host, Action::Login, now)? else {
            return Ok(None);
        };
        let mut ways = BTreeMap::<Restrictions, BTreeSet<Permission>>::new();
        for id in &cover.grants {
            let grant = known_grant(tx, id)?;
            let Terms { restrictions, permissions, .. } = grant.terms();
            ways.entry(restrictions.clone()).or_default().extend(permissions);
        }
        let mut ways: Vec<_> = ways
            .into_iter()
            .map(|(restrictions, permissions)| Way { restrictions, permissions })
            .collect();
        // sshd takes the first line that lets the key in: one that forces no command is worth more.
        ways.sort_by_key(|way| way.restrictions.force_command.is_some());
        Ok(Some(ways))
    }

    /// Whether somebody could break the glass; codes that were edited by hand let nobody.
    fn may_try(&self, tx: &dyn Tx, person: &PersonName, login: &Login) -> Result<bool> {
        match self.could_break(tx, person, login) {
            Err(error) if error.kind() == Kind::Tampered => {
                self.syslog.trouble(&format!("break-glass codes: {error}"));
                Ok(false)
            }
            could => could,
        }
    }

    /// How those may come in who may ask; none for who may not.
    fn asked(
        &self,
        tx: &dyn Tx,
        policy: Option<&Policy>,
        person: &PersonName,
        login: &Login,
        now: Timestamp,
    ) -> Result<Option<Way>> {
        let Some(policy) = policy else { return Ok(None) };
        let prospect = self.prospect(tx, policy, person, login, Action::Login, now)?;
        let way =
            prospect.filter(|(decision, _)| !matches!(decision.verdict, Verdict::Deny { .. })).map(
                |(decision, restrictions)| Way { restrictions, permissions: decision.permissions },
            );
        Ok(way)
    }
}

/// One way for a key to come in: the options of its line.
struct Way {
    restrictions: Restrictions,
    permissions: BTreeSet<Permission>,
}

impl Way {
    fn unrestricted() -> Self {
        Way { restrictions: Restrictions::default(), permissions: [Permission::Pty].into() }
    }

    fn line(&self, public_key: &str) -> String {
        let permissions = self.permissions.iter().map(|p| format!(",{}", p.key_option()));
        let permissions: String = permissions.collect();
        format!("restrict{permissions}{} {public_key}", self.restrictions.key_options())
    }
}
