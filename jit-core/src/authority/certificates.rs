//! CA keys and the certificates they sign. The keys are sealed here and opened by the CA's own
//! program; this crate never holds one in the clear.

use serde_json::json;

use super::evidence::check_approvals;
use super::fleet::enrolled;
use super::grants::known_grant;
use super::{Authority, Done, acting_person};
use crate::certificate::{HostSpecification, KeyId, Specification, principal};
use crate::error::{Error, Kind, Result};
use crate::factor::ProvedFactor;
use crate::grant::{Actor, Phase, Window};
use crate::id::GrantId;
use crate::name::HostName;
use crate::person::fingerprint;
use crate::store::{CaKey, CaKind, Issued, Tx};
use ssh_key::public::KeyData;

/// A CA's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaPublicKey {
    /// `SHA256:…`
    pub fingerprint: String,
    /// In OpenSSH form.
    pub public_key: String,
}

impl Authority {
    /// Stores the key pair of a CA that has none, its private key sealed by the caller.
    ///
    /// # Errors
    /// Refused when that CA has a key, or the same key serves as the other CA.
    pub fn add_ca_key(
        &self,
        actor: &Actor,
        kind: CaKind,
        fingerprint: &str,
        public_key: &str,
        sealed_private_key: &str,
    ) -> Result<()> {
        self.change(actor, "ca.add", &kind.to_string(), |tx, now| {
            if !tx.ca_keys(kind)?.is_empty() {
                return Err(Error::refused(format!("there is a {kind} CA key already"))
                    .next("ssh-ca public-key shows it."));
            }
            not_the_other_cas(tx, kind, fingerprint)?;
            tx.add_ca_key(&CaKey {
                kind,
                fingerprint: fingerprint.to_owned(),
                public_key: public_key.to_owned(),
                sealed_private_key: sealed_private_key.to_owned(),
                created_at: now,
            })?;
            Ok(Done::new((), json!({ "fingerprint": fingerprint })))
        })
    }

    /// Has another key pair sign people's certificates from now on, its private key sealed by the
    /// caller. The one that signed so far stays trusted, so that what it signed lasts to its end, or
    /// not, `at_once`; any older one is no longer. Returns the fingerprints of those.
    ///
    /// # Errors
    /// Refused where there is no user CA, or the host CA has that key.
    pub fn rotate_user_ca(
        &self,
        actor: &Actor,
        fingerprint: &str,
        public_key: &str,
        sealed_private_key: &str,
        at_once: bool,
    ) -> Result<Vec<String>> {
        let kind = CaKind::User;
        self.change(actor, "ca.rotate", &kind.to_string(), |tx, now| {
            let mut keys = tx.ca_keys(kind)?;
            if keys.is_empty() {
                return Err(Error::refused("there is no user CA key yet").next("ssh-ca init"));
            }
            not_the_other_cas(tx, kind, fingerprint)?;
            let gone = keys.split_off(if at_once { 0 } else { 1 });
            keys.insert(
                0,
                CaKey {
                    kind,
                    fingerprint: fingerprint.to_owned(),
                    public_key: public_key.to_owned(),
                    sealed_private_key: sealed_private_key.to_owned(),
                    created_at: now,
                },
            );
            tx.put_ca_keys(kind, &keys)?;
            let gone: Vec<String> = gone.into_iter().map(|key| key.fingerprint).collect();
            let kept: Vec<_> = keys.iter().skip(1).map(|key| &key.fingerprint).collect();
            let detail = json!({ "fingerprint": fingerprint, "kept": kept, "gone": gone });
            Ok(Done::new(gone, detail))
        })
    }

    /// Issues the certificate of a host's sshd, which the host asked for by its enrolled key. It is
    /// on record before it is handed out.
    ///
    /// # Errors
    /// Not found when there is no such host; refused for a key that is none of a host; conflict when
    /// `ca` is not the key that signs any more; whatever `sign` fails with.
    pub fn issue_host<C>(
        &self,
        name: &HostName,
        public_key: &KeyData,
        ca: &str,
        sign: impl FnOnce(&HostSpecification) -> Result<C>,
    ) -> Result<C> {
        let actor = Actor::Host(name.clone());
        self.change(&actor, "certificate.issue-host", name.as_str(), |tx, now| {
            enrolled(tx, name)?;
            let keys = tx.ca_keys(CaKind::Host)?;
            if keys.first().is_none_or(|key| key.fingerprint != ca) {
                return Err(Error::new(Kind::Conflict, "another host CA key signs by now"));
            }
            let opens = now.before(self.config.clock_skew);
            let specification = HostSpecification::new(tx.next_serial()?, public_key, name, opens)?;
            let certificate = sign(&specification)?;
            let detail = json!({
                "serial": specification.serial, "key": fingerprint(public_key), "ca": ca,
                "valid_after": specification.validity.not_before.rfc3339(),
                "valid_before": specification.validity.not_after.rfc3339(),
            });
            Ok(Done::new(certificate, detail))
        })
    }

    /// A CA's keys, the one that signs first.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn ca_keys(&self, kind: CaKind) -> Result<Vec<CaKey>> {
        self.read(|tx, _| tx.ca_keys(kind))
    }

    /// The record of the certificate with this serial number, if one was issued.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn issued(&self, serial: u64) -> Result<Option<Issued>> {
        self.read(|tx, _| tx.issued(serial))
    }

    /// Issues a certificate over `public_key` for a live grant. What it says is made here from the
    /// grant, `sign` only signs it; the record is committed before the certificate is handed out, so
    /// one that could not be recorded is never seen. It names the second factor that whoever asks for
    /// it has proved, if they did.
    ///
    /// # Errors
    /// Not found when it is not the actor's, who is not root; refused when the grant is not active, an approval of it is not proved any more, or the person
    /// is suspended; conflict when `ca` is not the key that signs any more; whatever `sign` fails with.
    pub fn issue<C>(
        &self,
        actor: &Actor,
        id: &GrantId,
        public_key: &KeyData,
        factor: Option<ProvedFactor>,
        ca: &str,
        sign: impl FnOnce(&Specification) -> Result<C>,
    ) -> Result<(Specification, C)> {
        self.change(actor, "certificate.issue", id.as_str(), |tx, now| {
            let grant = known_grant(tx, id)?;
            // Whoever may see it, only its person connects with it.
            if matches!(actor, Actor::Person(name) if *name != grant.ask().person) {
                return Err(Error::not_found(format!("there is no grant {id} of yours"))
                    .next("jitctl list"));
            }
            acting_person(tx, &grant.ask().person)?;
            let phase = grant.phase(now);
            let (Phase::Active | Phase::Scheduled, Some(window)) = (phase, grant.window()) else {
                return Err(Error::refused(format!(
                    "{id} is {phase}, so there is no window to sign"
                ))
                .next(format!("jitctl show {id}")));
            };
            check_approvals(tx, &grant)?;
            if tx.ca_keys(CaKind::User)?.first().is_none_or(|key| key.fingerprint != ca) {
                return Err(Error::new(Kind::Conflict, "another CA key signs by now")
                    .next("ssh-ca public-key shows it."));
            }
            if factor.is_some_and(|factor| factor.at > now) {
                return Err(Error::refused("a factor of the future was proved by nobody"));
            }
            // A host whose clock is a little behind lets the person in; the end is never moved.
            let opens = window.not_before.before(self.config.clock_skew);
            let specification = Specification {
                serial: tx.next_serial()?,
                public_key: public_key.clone(),
                key_id: KeyId {
                    grant: id.clone(),
                    person: grant.ask().person.clone(),
                    sudo: grant.ask().sudo,
                    factor,
                    rule: !grant.terms().factors.is_default(),
                },
                principals: vec![principal(&grant.ask().login, &grant.ask().place)],
                validity: Window::new(opens, window.not_after)?,
                permissions: grant.terms().permissions.clone(),
                restrictions: grant.terms().restrictions.clone(),
            };
            let certificate = sign(&specification)?;
            let issued = Issued {
                serial: specification.serial,
                grant: id.clone(),
                person: grant.ask().person.clone(),
                key: fingerprint(public_key),
                ca: ca.to_owned(),
                at: now,
            };
            tx.add_issued(&issued)?;
            let detail = json!({
                "serial": issued.serial, "person": issued.person, "key": issued.key,
                "ca": issued.ca, "factor": factor.map(|factor| factor.to_string()),
                "principals": specification.principals,
                "restrictions": specification.restrictions,
                "valid_after": specification.validity.not_before.rfc3339(),
                "valid_before": specification.validity.not_after.rfc3339(),
            });
            Ok(Done::new((specification, certificate), detail))
        })
    }
}

/// That a new key of one CA is none of the other's.
fn not_the_other_cas(tx: &dyn Tx, kind: CaKind, fingerprint: &str) -> Result<()> {
    let other = if kind == CaKind::User { CaKind::Host } else { CaKind::User };
    if tx.ca_keys(other)?.iter().any(|key| key.fingerprint == fingerprint) {
        return Err(Error::refused("user and host CA must not share a key"));
    }
    Ok(())
}
