//! Which second factor somebody gave, and whether the roles by which they come in take it.

use super::grants::known_grant;
use super::{Authority, known_person};
use crate::cover::Cover;
use crate::error::Result;
use crate::factor::{Given, Proof};
use crate::grant::Action;
use crate::login::{Attempt, Identity};
use crate::session::Session;
use crate::store::Tx;
use crate::time::Timestamp;

impl Authority {
    /// Keeps what was proved: for the process that goes on with it, and for the session that it is in.
    pub(super) fn proved(
        &self,
        tx: &dyn Tx,
        who: &Identity,
        attempt: &Attempt,
        proof: Proof,
    ) -> Result<()> {
        let name = known_person(tx, &who.person)?.name;
        let mut factors = tx.factors(name.as_str())?.unwrap_or_default();
        factors.remember(Given {
            proof,
            action: attempt.action,
            login: attempt.login.clone(),
            pid: attempt.pid,
            by: who.by.clone(),
        });
        tx.put_factors(name.as_str(), &factors)?;
        if let Some(session) = self.session_of(tx, who)? {
            tx.put_session(&Session { factor: Some(proof), ..session })?;
        }
        Ok(())
    }

    /// What the roles of `cover` ask for, where none of them takes what was given: in this very
    /// process, or at sudo in this session.
    pub(super) fn wanted_factor(
        &self,
        tx: &dyn Tx,
        who: &Identity,
        attempt: &Attempt,
        cover: &Cover,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let rules = cover
            .grants
            .iter()
            .map(|id| Ok(known_grant(tx, id)?.terms().factors.clone()))
            .collect::<Result<Vec<_>>>()?;
        if rules.iter().any(|rule| rule.is_met(attempt.action, &[], now)) {
            return Ok(None);
        }
        let factors = tx.factors(who.person.as_str())?.unwrap_or_default();
        let mut proofs: Vec<Proof> = factors
            .given(now)
            .filter(|given| {
                given.pid == attempt.pid
                    && given.action == attempt.action
                    && given.login == attempt.login
                    && given.by == who.by
            })
            .map(|given| given.proof)
            .collect();
        if attempt.action == Action::Sudo {
            proofs.extend(self.session_of(tx, who)?.and_then(|session| session.factor));
        }
        if rules.iter().any(|rule| rule.is_met(attempt.action, &proofs, now)) {
            return Ok(None);
        }
        Ok(rules.first().map(|rule| rule.wanted(attempt.action)))
    }

    /// What was proved on the way into a session that opens: in a process before this one, of the
    /// same connection or another of the same person with the same key.
    pub(super) fn brought(
        &self,
        tx: &dyn Tx,
        who: &Identity,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<Option<Proof>> {
        let factors = tx.factors(who.person.as_str())?.unwrap_or_default();
        let here = |given: &&Given| {
            given.action == attempt.action && given.login == attempt.login && given.by == who.by
        };
        Ok(factors.given(now).filter(here).last().map(|given| given.proof))
    }

    /// The recorded session that somebody is in.
    fn session_of(&self, tx: &dyn Tx, who: &Identity) -> Result<Option<Session>> {
        let Some(number) = who.session else { return Ok(None) };
        let boot = self.clock.boot()?;
        let recorded = tx.sessions_of(&self.config.host, number)?;
        Ok(recorded.into_iter().find(|session| {
            session.action == Action::Login
                && session.boot_id == boot.boot_id
                && session.ended.is_none()
                && session.person == who.person
        }))
    }
}
