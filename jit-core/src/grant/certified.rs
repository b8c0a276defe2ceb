//! A grant that is known by nothing but a certificate.

use ssh_key::Certificate;

use super::{Actor, Ask, Grant, Permission, State, Terms, Way, Window};
use crate::certificate::{self, KeyId};
use crate::error::{Error, Result};
use crate::name::{Login, Place, Reason};
use crate::time::{Span, Timestamp};

impl Grant {
    /// What a certificate that was checked says of its grant, for an account on a host. The window is
    /// the certificate's: at its start that may be earlier than the grant's by the clock skew that it
    /// was issued with.
    ///
    /// # Errors
    /// Invalid when its times leave the calendar.
    pub(crate) fn certified(
        certificate: &Certificate,
        key_id: &KeyId,
        login: &Login,
        place: Place,
    ) -> Result<Self> {
        let opens = Timestamp::from_unix(certificate.valid_after())?;
        let ends = Timestamp::from_unix(certificate.valid_before())?;
        let window = Window::new(opens, ends)?;
        let permissions = Permission::ALL
            .into_iter()
            .filter(|p| certificate.extensions().contains_key(p.extension()))
            .collect();
        let restrictions = certificate::restrictions(certificate)
            .ok_or_else(|| Error::refused("it has a critical option that we never issue"))?;
        Ok(Grant {
            id: key_id.grant.clone(),
            version: 1,
            revision: 1,
            ask: Ask {
                person: key_id.person.clone(),
                login: login.clone(),
                place,
                sudo: key_id.sudo,
                duration: Span::from_secs(ends.since(opens))?,
                start: None,
                extends: None,
                reason: Reason::parse(&format!("certificate {}", certificate.serial()))?,
            },
            terms: Terms { permissions, restrictions, ..Terms::of_root() },
            requested_by: Actor::Person(key_id.person.clone()),
            requested_at: opens,
            origin: None,
            lapses_at: ends,
            approvals: Vec::new(),
            state: State::Approved { window, way: Way::Certificate },
            shortened: None,
        })
    }

    /// Until when a certificate of it can be valid: to the end of the window that it has, or had
    /// before it was shortened or revoked.
    pub fn certified_until(&self) -> Option<Timestamp> {
        let (State::Approved { window, .. } | State::Revoked { window, .. }) = &self.state else {
            return None;
        };
        Some(self.shortened.as_ref().map_or(window.not_after, |s| s.from.max(window.not_after)))
    }
}
