//! What sshd asks before PAM: whose keys, and which principals, an account here accepts.

use std::collections::BTreeSet;

use super::Authority;
use super::grants::known_grant;
use super::identify::check_issued;
use crate::certificate;
use crate::config::SecondFactor;
use crate::error::{Kind, Result};
use crate::grant::{Action, Permission};
use crate::host::Host;
use crate::link::Asker;
use crate::name::{Login, PersonName};
use crate::policy::Policy;
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
            match self.config.authority {
                // sshd has checked that it is our CA's; PAM looks at all of it.
                Some(_) => drop(super::identify::check_known(tx, &key_id, now)?),
                None => drop(check_issued(tx, &key_id, serial, now)?),
            }
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
        self.authorized_keys_with(login, &[])
    }

    /// As [`Authority::authorized_keys`], where the authority is elsewhere and lets these ask.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn authorized_keys_with(
        &self,
        login: &Login,
        askers: &[Asker],
    ) -> Result<Vec<String>> {
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
                let permissions = match held {
                    Some(permissions) => permissions,
                    None => match self
                        .asked(tx, policy.as_ref(), name, login, now)?
                        .or_else(|| asker(askers, name))
                    {
                        Some(permissions) => permissions,
                        // At the prompt they can break the glass.
                        None if policy.is_some() && self.may_try(tx, name, login)? => {
                            [Permission::Pty].into()
                        }
                        None => continue,
                    },
                };
                let options: String =
                    permissions.iter().map(|p| format!(",{}", p.key_option())).collect();
                for key in tx.identity_keys(name)? {
                    lines.push(format!("restrict{options} {}", key.public_key));
                }
            }
            Ok(lines)
        })
    }

    /// What the grants that cover somebody now permit together; none without cover.
    fn held(
        &self,
        tx: &dyn Tx,
        person: &PersonName,
        login: &Login,
        host: &Host,
        now: Timestamp,
    ) -> Result<Option<BTreeSet<Permission>>> {
        let Some(cover) = self.cover(tx, person, login, host, Action::Login, now)? else {
            return Ok(None);
        };
        let mut permissions = BTreeSet::new();
        for id in &cover.grants {
            permissions.extend(&known_grant(tx, id)?.terms().permissions);
        }
        Ok(Some(permissions))
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

    /// What the policy would permit somebody who may ask; none for who may not.
    fn asked(
        &self,
        tx: &dyn Tx,
        policy: Option<&Policy>,
        person: &PersonName,
        login: &Login,
        now: Timestamp,
    ) -> Result<Option<BTreeSet<Permission>>> {
        let Some(policy) = policy else { return Ok(None) };
        let offer = self.offer(tx, policy, person, login, Action::Login, now)?;
        Ok(offer.map(|decision| decision.permissions))
    }
}

/// What somebody whom an authority elsewhere lets ask is permitted.
fn asker(askers: &[Asker], name: &PersonName) -> Option<BTreeSet<Permission>> {
    askers.iter().find(|asker| asker.person == *name).map(|asker| asker.permissions.clone())
}
