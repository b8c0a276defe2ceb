//! Who somebody is: by what sshd reports of their first factor, or by the kernel's session.

use serde_json::json;

use super::grants::known_grant;
use super::{Authority, Done};
use crate::certificate::{self, FirstFactor};
use crate::error::{Error, Kind, Result};
use crate::grant::{Action, Actor, Grant, Phase};
use crate::login::{Attempt, Evidence, Identity};
use crate::name::{Login, PersonName, Place};
use crate::person::fingerprint;
use crate::process::AuditSession;
use crate::store::{CaKind, Issued, Tx};
use crate::time::Timestamp;

/// Who somebody is, and a grant of theirs that nothing here knows but their certificate.
struct Found {
    identity: Identity,
    unknown: Option<Unknown>,
}

/// What a certificate says of its grant, and whether there is a rule about factors that it doesn't say.
struct Unknown {
    grant: Grant,
    rule: bool,
}

impl From<Identity> for Found {
    fn from(identity: Identity) -> Self {
        Found { identity, unknown: None }
    }
}

impl Authority {
    /// See [`crate::login::LoginService::identify`]. Where the authority is elsewhere, a certificate
    /// can be of a grant that is not known here. `refresh` then has this host told, if that can be
    /// done; where nobody can be asked the certificate is its own proof, and its grant is taken up.
    pub(crate) fn identify_by(
        &self,
        evidence: &Evidence<'_>,
        attempt: &Attempt,
        refresh: &dyn Fn() -> bool,
    ) -> Result<Identity> {
        let find = || self.read(|tx, now| self.find(tx, evidence, attempt, now));
        let found = find()?;
        let Some(Unknown { grant, rule }) = found.unknown else { return Ok(found.identity) };
        if refresh() {
            let found = find()?;
            return match found.unknown {
                None => Ok(found.identity),
                Some(Unknown { grant, .. }) => Err(Error::refused(format!(
                    "the authority knows no grant {} for this host",
                    grant.id()
                ))),
            };
        }
        if rule {
            return Err(Error::refused(format!(
                "{} takes certain second factors, and the authority can't be asked which",
                grant.id()
            )));
        }
        let actor = Actor::Person(found.identity.person.clone());
        self.change(&actor, "grant.take-up", grant.id().as_str(), |tx, _| {
            // Another login, or the authority, may have been quicker.
            if tx.grant(grant.id())?.is_none() {
                tx.put_grant(&grant)?;
            }
            let detail = json!({
                "by": found.identity.by, "ask": grant.ask(), "state": grant.state(),
            });
            Ok(Done::new((), detail))
        })?;
        // The grant as it is known now decides.
        let found = find()?;
        match found.unknown {
            None => Ok(found.identity),
            Some(_) => Err(Error::unavailable("the certificate's grant could not be taken up")),
        }
    }

    fn find(
        &self,
        tx: &dyn Tx,
        evidence: &Evidence<'_>,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<Found> {
        let found = match evidence {
            Evidence::Ssh(report) => self.identify_ssh(tx, *report, &attempt.login, now)?,
            Evidence::Local { audit_session } => {
                self.identify_local(tx, *audit_session, &attempt.login)?.into()
            }
        };
        let identity = &found.identity;
        let person = tx.person(&identity.person)?.ok_or_else(|| {
            Error::refused(format!("{} ({}) is no person", identity.person, identity.by))
        })?;
        if person.suspended {
            return Err(Error::refused(format!("{} is suspended", identity.person)));
        }
        Ok(found)
    }

    /// Whose key or certificate sshd authenticated.
    fn identify_ssh(
        &self,
        tx: &dyn Tx,
        report: Option<&str>,
        login: &Login,
        now: Timestamp,
    ) -> Result<Found> {
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
                let by = format!("key {print}");
                Ok(Identity { person: owner.person, by, session: None, factor: None }.into())
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
                let identity = Identity {
                    person: key_id.person.clone(),
                    by: format!("certificate {} of {}", certificate.serial(), key_id.grant),
                    session: None,
                    factor: key_id.factor,
                };
                if self.config.authority.is_some() {
                    let unknown = match check_known(tx, &key_id, now)? {
                        Some(_) => None,
                        None => {
                            let here = Place::Host(host.name);
                            let grant = Grant::certified(&certificate, &key_id, login, here)?;
                            Some(Unknown { grant, rule: key_id.rule })
                        }
                    };
                    return Ok(Found { identity, unknown });
                }
                let issued = check_issued(tx, &key_id, certificate.serial(), now)?;
                if issued.key != fingerprint(certificate.public_key()) {
                    return Err(Error::refused(
                        "the certificate certifies another key than issued",
                    ));
                }
                Ok(identity.into())
            }
        }
    }

    /// Whose the local process is: the recorded session that the kernel says it belongs to; where
    /// there is none, the account itself, if a person has its name.
    fn identify_local(
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
                    let factor = session.certified;
                    return Ok(Identity {
                        person: session.person,
                        by,
                        session: Some(number),
                        factor,
                    });
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
        Ok(Identity { person, by: format!("account {login}"), session: None, factor: None })
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
    check_active(&grant, key_id, now)?;
    Ok(issued)
}

/// A certificate's grant as it is known here, if it is; what is known to be over wins over any
/// certificate.
pub(super) fn check_known(
    tx: &dyn Tx,
    key_id: &certificate::KeyId,
    now: Timestamp,
) -> Result<Option<Grant>> {
    let known = tx.grant(&key_id.grant)?;
    known.iter().try_for_each(|grant| check_active(grant, key_id, now))?;
    Ok(known)
}

fn check_active(grant: &Grant, key_id: &certificate::KeyId, now: Timestamp) -> Result<()> {
    grant.check_window()?;
    if grant.phase(now) != Phase::Active || grant.ask().person != key_id.person {
        return Err(Error::refused(format!(
            "the certificate's grant {} is {}",
            key_id.grant,
            grant.phase(now)
        )));
    }
    Ok(())
}
