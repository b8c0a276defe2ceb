//! Inviting people and hosts, and their enrolling of keys of their own.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Authority, Done, known_person};
use crate::audit::hex;
use crate::error::{Error, Result};
use crate::factor::{Code, Enrolled, Factors, PersonOrNobody, recovery, totp};
use crate::grant::{Actor, Program};
use crate::host::Host;
use crate::invitation::{Begun, Invitation, Invited};
use crate::link::Link;
use crate::name::{HostName, PersonName};
use crate::person::{IdentityKey, fingerprint, parse_public_key};
use crate::secret::{SecretText, random_bytes};
use crate::store::Tx;
use crate::time::Timestamp;

/// An enrolment that waits for the first code of the new factor.
pub struct Began {
    /// For the authenticator app, plain or as a QR code.
    pub otpauth_uri: SecretText,
    /// For [`Authority::confirm_person`].
    pub confirmation: SecretText,
}

impl Authority {
    /// Invites a person, or a host, to enrol a key of their own; an older invitation is void.
    /// Returns the code, which is shown this once, and when it ends.
    ///
    /// # Errors
    /// Not found; refused when the person is suspended.
    pub fn invite(&self, by: &Actor, invited: &Invited) -> Result<(SecretText, Timestamp)> {
        let (action, object) = match invited {
            Invited::Person(name) => ("person.invite", name.to_string()),
            Invited::Host(name) => ("host.invite", name.to_string()),
        };
        self.change(by, action, &object, |tx, now| {
            match invited {
                Invited::Person(name) => super::acting_person(tx, name).map(drop)?,
                Invited::Host(name) => known_host(tx, name).map(drop)?,
            }
            let (invitation, code) =
                Invitation::new(&self.vault, invited.clone(), by.clone(), now)?;
            tx.put_invitation(&invitation)?;
            let until = invitation.expires_at;
            Ok(Done::new((code, until), json!({ "until": until.rfc3339() })))
        })
    }

    /// The first step of a person's enrolment: the code of their invitation and the key that they
    /// proved to hold. Nothing counts until [`Authority::confirm_person`]. Begun again with the same
    /// key it starts anew.
    ///
    /// # Errors
    /// Refused when it is not the code of an open invitation; five wrong ones end it.
    pub fn enrol_person(&self, name: &PersonName, code: &str, key: &str) -> Result<Began> {
        let line = parse_public_key(key)?;
        let print = fingerprint(line.key_data());
        let invited = Invited::Person(name.clone());
        let began = self.change(&server(), "person.enrol", name.as_str(), |tx, now| {
            let Some(mut invitation) = self.opened(tx, &invited, code, now)? else {
                return Ok(Done::new(None, wrong()).refused());
            };
            if invitation.begun.as_ref().is_some_and(|begun| begun.fingerprint != print) {
                return Err(Error::refused("the code was used for another key")
                    .next("Ask an admin for a new invitation."));
            }
            if tx.identity_key(&print)?.is_some_and(|key| key.person != *name) {
                return Err(Error::refused("the key is enrolled already")
                    .next("Make one for this: ssh-keygen -t ed25519"));
            }
            let secret = totp::generate()?;
            let who = PersonOrNobody::Person(name.clone());
            // The name is for finding the invitation by it; the rest is random.
            let confirmation = format!("{name}/{}", hex(&random_bytes::<16>()?));
            invitation.begun = Some(Begun {
                public_key: key.trim().to_owned(),
                fingerprint: print.clone(),
                sealed: totp::seal(&self.vault, &who, &secret)?,
                confirmation: invitation.confirmation_hash(&self.vault, &confirmation),
            });
            tx.put_invitation(&invitation)?;
            let otpauth_uri = totp::otpauth_uri(self.config.host.as_str(), name, &secret)?;
            let confirmation = SecretText::new(confirmation);
            let began = Began { otpauth_uri, confirmation };
            Ok(Done::new(Some(began), json!({ "fingerprint": print })))
        })?;
        began.ok_or_else(not_right)
    }

    /// The second step: a code of the new factor. Key and factor count from here on, and an older
    /// factor does not. Returns recovery codes, which are shown this once.
    ///
    /// # Errors
    /// Refused when there is no such enrolment or the code is wrong; five wrong ones end it.
    pub fn confirm_person(
        &self,
        confirmation: &str,
        typed: &str,
    ) -> Result<(PersonName, Vec<SecretText>)> {
        let name = confirmation.split_once('/').map(|(name, _)| PersonName::parse(name));
        let Some(Ok(name)) = name else { return Err(not_right()) };
        let invited = Invited::Person(name.clone());
        let codes = self.change(&server(), "person.confirm", name.as_str(), |tx, now| {
            let invitation = tx.invitation(&invited)?.filter(|invitation| {
                invitation.is_open(now) && invitation.is_continued_by(&self.vault, confirmation)
            });
            let Some(mut invitation) = invitation else {
                return Ok(Done::new(None, wrong()).refused());
            };
            let Some(begun) = invitation.begun.clone() else {
                return Ok(Done::new(None, wrong()).refused());
            };
            super::acting_person(tx, &name)?;
            let who = PersonOrNobody::Person(name.clone());
            let secret = totp::unseal(&self.vault, &who, &begun.sealed)?;
            let Some(step) = totp::matching_step(&secret, &Code::parse(typed), now)? else {
                invitation.count_wrong();
                tx.put_invitation(&invitation)?;
                return Ok(Done::new(None, wrong()).refused());
            };
            let (codes, hashes) = recovery::generate(&self.vault, &who)?;
            let factors = Factors {
                totp: Some(Enrolled {
                    sealed: begun.sealed,
                    last_step: Some(step),
                    since: Some(now),
                }),
                recovery: hashes,
                ..Factors::default()
            };
            tx.put_factors(who.key(), &factors)?;
            let key = IdentityKey::parse(name.clone(), &begun.public_key, now)?;
            if tx.identity_key(&key.fingerprint)?.is_none_or(|old| old.person != name) {
                tx.add_identity_key(&key)?;
            }
            tx.remove_invitation(&invited)?;
            let detail = json!({ "fingerprint": key.fingerprint, "invited_by": invitation.by,
                "recovery_codes": recovery::COUNT });
            Ok(Done::new(Some(codes), detail))
        })?;
        codes.map(|codes| (name, codes)).ok_or_else(not_right)
    }

    /// Enrols the key that a host proved to hold, by the code of its invitation.
    ///
    /// # Errors
    /// Refused when it is not the code of an open invitation; five wrong ones end it.
    pub fn enrol_host(&self, name: &HostName, code: &str, key: &str) -> Result<Host> {
        let line = parse_public_key(key)?;
        let print = fingerprint(line.key_data());
        let key = ssh_key::PublicKey::new(line.key_data().clone(), "")
            .to_openssh()
            .map_err(|e| Error::invalid(format!("the key can't be written: {e}")))?;
        let invited = Invited::Host(name.clone());
        let host = self.change(&server(), "host.enrol", name.as_str(), |tx, now| {
            let Some(invitation) = self.opened(tx, &invited, code, now)? else {
                return Ok(Done::new(None, wrong()).refused());
            };
            let mut host = known_host(tx, name)?;
            let before = host.key.replace(key.trim().to_owned());
            // Its log begins anew.
            if let Some(link) = tx.link(name)? {
                let anew = Link { told: 0, sessions: BTreeMap::new(), ..link };
                tx.put_link(&anew)?;
            }
            super::fleet::forget_failures(tx, name)?;
            tx.put_host(&host)?;
            tx.remove_invitation(&invited)?;
            let detail = json!({ "fingerprint": print, "invited_by": invitation.by,
                "had_a_key": before.is_some() });
            Ok(Done::new(Some(host), detail))
        })?;
        host.ok_or_else(not_right)
    }

    /// The open invitation with this code. A wrong code is counted.
    fn opened(
        &self,
        tx: &dyn Tx,
        invited: &Invited,
        code: &str,
        now: Timestamp,
    ) -> Result<Option<Invitation>> {
        let Some(mut invitation) = tx.invitation(invited)?.filter(|one| one.is_open(now)) else {
            return Ok(None);
        };
        if invitation.has_code(&self.vault, code) {
            if let Invited::Person(name) = invited {
                known_person(tx, name)?;
            }
            return Ok(Some(invitation));
        }
        invitation.count_wrong();
        tx.put_invitation(&invitation)?;
        Ok(None)
    }
}

fn known_host(tx: &dyn Tx, name: &HostName) -> Result<Host> {
    tx.host(name)?.ok_or_else(|| {
        Error::not_found(format!("there is no host {name}")).next("jitctl host list")
    })
}

fn server() -> Actor {
    Actor::Program(Program::Server)
}

fn wrong() -> serde_json::Value {
    json!({ "why": "no open invitation has this code" })
}

/// The same for whatever is wrong: names and codes are not to be told apart by guessing.
fn not_right() -> Error {
    Error::refused("that is not the code of an open invitation")
        .next("An invitation is good for a day and once. Ask an admin for a new one.")
}

#[cfg(test)]
mod tests;
