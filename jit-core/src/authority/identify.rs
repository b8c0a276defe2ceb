//! Who somebody is: by what sshd reports of their first factor, or by the kernel's session.

use super::Authority;
use super::grants::known_grant;
use crate::certificate::{self, FirstFactor};
use crate::error::{Error, Kind, Result};
use crate::grant::{Action, Phase};
use crate::login::Identity;
use crate::name::{Login, PersonName};
use crate::person::fingerprint;
use crate::process::AuditSession;
use crate::store::{CaKind, Issued, Tx};
use crate::time::Timestamp;

impl Authority {
    /// Whose key or certificate sshd authenticated.
    pub(super) fn identify_ssh(
        &self,
        tx: &dyn Tx,
        report: Option<&str>,
        login: &Login,
        now: Timestamp,
    ) -> Result<Identity> {
        let nothing = || {
            Error::refused("sshd reports no authenticated key")
                .next("AuthenticationMethods must be publickey,keyboard-interactive:pam.")
        };
        let first = certificate::parse_auth_info(report.ok_or_else(nothing)?)
            .map_err(|error| Error::refused(error.what()))?;
        match first.ok_or_else(nothing)? {
            FirstFactor::Key(key) => {
                let print = fingerprint(&key);
                let owner = tx
                    .identity_key(&print)?
                    .ok_or_else(|| Error::refused(format!("the key {print} is nobody's")))?;
                Ok(Identity { person: owner.person, by: format!("key {print}"), session: None })
            }
            FirstFactor::Certificate(certificate) => {
                let host = self.this_host(tx)?;
                let mut trusted = Vec::new();
                for key in tx.ca_keys(CaKind::User)? {
                    trusted.push(key.fingerprint.parse().map_err(|_| {
                        Error::tampered("the fingerprint of a CA key can't be read")
                    })?);
                }
                let key_id = certificate::check(&certificate, &trusted, login, &host, now)?;
                let issued = check_issued(tx, &key_id, certificate.serial(), now)?;
                if issued.key != fingerprint(certificate.public_key()) {
                    return Err(Error::refused(
                        "the certificate certifies another key than issued",
                    ));
                }
                Ok(Identity {
                    person: key_id.person,
                    by: format!("certificate {} of {}", certificate.serial(), key_id.grant),
                    session: None,
                })
            }
        }
    }

    /// Whose the local process is: the recorded session that the kernel says it belongs to; where
    /// there is none, the account itself, if a person has its name.
    pub(super) fn identify_local(
        &self,
        tx: &dyn Tx,
        audit_session: Option<AuditSession>,
        login: &Login,
    ) -> Result<Identity> {
        let boot = self.clock.boot()?;
        if let Some(number) = audit_session {
            let recorded = tx.sessions_of(&self.config.host, number)?;
            let session = recorded
                .into_iter()
                .find(|s| s.action == Action::Login && s.boot_id == boot.boot_id);
            match session {
                Some(session) if session.ended.is_some() => {
                    // Something escaped its end. It is not whoever the account is named like.
                    return Err(Error::refused(format!("session {} is over", session.id)));
                }
                Some(session) => {
                    let by = format!("session {}", session.id);
                    return Ok(Identity { person: session.person, by, session: Some(number) });
                }
                None => {}
            }
        }
        let person = PersonName::parse(login.as_str())
            .map_err(|_| Error::refused(format!("the account {login} belongs to no person")))?;
        // What somebody else left running in there, such as a user service, is of no session on record.
        let others = tx
            .stay(&self.config.host, login)?
            .is_some_and(|stay| stay.people.iter().any(|one| *one != person));
        if others {
            return Err(Error::refused(format!(
                "somebody else has been in the account {login}, and this is of no session on record"
            ))
            .next("Log in anew by ssh."));
        }
        Ok(Identity { person, by: format!("account {login}"), session: None })
    }
}

/// Whether a certificate was issued by us, for this grant and person, and the grant is still good.
pub(super) fn check_issued(
    tx: &dyn Tx,
    key_id: &certificate::KeyId,
    serial: u64,
    now: Timestamp,
) -> Result<Issued> {
    let issued = tx
        .issued(serial)?
        .filter(|issued| issued.grant == key_id.grant && issued.person == key_id.person)
        .ok_or_else(|| Error::refused(format!("no certificate {serial} was issued for this")))?;
    let grant = known_grant(tx, &key_id.grant).map_err(|error| match error.kind() {
        Kind::NotFound => Error::refused(error.what()),
        _ => error,
    })?;
    grant.check_window()?;
    if grant.phase(now) != Phase::Active || grant.ask().person != key_id.person {
        return Err(Error::refused(format!(
            "the certificate's grant {} is {}",
            key_id.grant,
            grant.phase(now)
        )));
    }
    Ok(issued)
}
