//! What the keeper needs: the sessions of this host and how long each may go on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Authority, Done};
use crate::error::{Kind, Result};
use crate::grant::{Action, Actor, Program, State};
use crate::host::Host;
use crate::id::GrantId;
use crate::name::{Login, PersonName};
use crate::session::{End, EndReason, Session};
use crate::stay::Stay;
use crate::store::{GrantFilter, Tx};
use crate::time::Timestamp;

/// A session and the time it has left.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The session.
    pub session: Session,
    /// The end of its cover, or of what systemd was told where that is sooner; none when it has no
    /// cover any more.
    pub deadline: Option<Timestamp>,
    /// The grant to extend if it is to go on.
    pub last: Option<GrantId>,
    /// Milliseconds left; zero is over.
    pub millis_left: u64,
}

impl Authority {
    /// The sessions of this host that are not over.
    ///
    /// A clock that was set back does not stop the keeper: time is then counted by the boot clock.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn watched(&self) -> Result<Vec<Watched>> {
        let boot = self.clock.boot()?;
        let tx = self.store.begin(crate::store::Mode::Read)?;
        let tx = tx.as_ref();
        // Not trusted_now: a refusal here would let every session go on.
        let head = tx.audit_head()?.map(|head| head.time);
        let wall = self.clock.now().ok();
        let Some(now) = wall.max(head) else { return Ok(Vec::new()) };
        let host = self.this_host(tx)?;
        // Many sessions may be of one person and account.
        let mut covers = BTreeMap::new();
        let mut watch = |session: Session| {
            let whose = (session.person.clone(), session.login.clone(), session.action);
            let cover = match covers.get(&whose) {
                Some(cover) => Option::clone(cover),
                None => {
                    let (person, login, action) = &whose;
                    let cover = match self.cover(tx, person, login, &host, *action, now) {
                        // What was edited by hand covers nobody, and keeps nobody else's end up.
                        Err(error) if error.kind() == Kind::Tampered => {
                            self.syslog.trouble(&format!("session {}: {error}", session.id));
                            None
                        }
                        cover => cover?,
                    };
                    covers.insert(whose, cover.clone());
                    cover
                }
            };
            let last = cover.as_ref().map(|cover| cover.last.clone());
            let deadline = cover.map(|cover| cover.deadline);
            let millis_left =
                deadline.map_or(0, |deadline| session.millis_left(deadline, now, &boot));
            let deadline = deadline.map(|deadline| session.ends_at(deadline));
            Ok(Watched { session, deadline, last, millis_left })
        };
        // One edited record keeps nobody else's end up; whoever kept its session misses it.
        let (sessions, damage) = tx.sessions_and_damage(&self.config.host)?;
        damage.iter().for_each(|error| self.syslog.trouble(&error.to_string()));
        sessions.into_iter().map(&mut watch).collect()
    }

    /// The stays on this host that are over: nobody holds cover for the account any more, and no
    /// session of it is left.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn stays_that_are_over(&self) -> Result<Vec<Stay>> {
        let boot = self.clock.boot()?;
        let tx = self.store.begin(crate::store::Mode::Read)?;
        let tx = tx.as_ref();
        let head = tx.audit_head()?.map(|head| head.time);
        let Some(now) = self.clock.now().ok().max(head) else { return Ok(Vec::new()) };
        let stays = tx.stays(&self.config.host)?;
        if stays.is_empty() {
            return Ok(stays);
        }
        let host = self.this_host(tx)?;
        let (sessions, _) = tx.sessions_and_damage(&self.config.host)?;
        let over = |stay: &Stay| {
            if sessions.iter().any(|session| session.login == stay.login) {
                return Ok(false);
            }
            let deadline = self.anybodys_cover(tx, &stay.login, &host, now)?;
            Ok(deadline.is_none_or(|deadline| stay.millis_left(deadline, now, &boot) == 0))
        };
        let mut found = Vec::new();
        for stay in stays {
            if over(&stay)? {
                found.push(stay);
            }
        }
        Ok(found)
    }

    /// The end of the cover of whoever may log in to an account the longest.
    fn anybodys_cover(
        &self,
        tx: &dyn Tx,
        login: &Login,
        host: &Host,
        now: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let alive = GrantFilter { alive_at: Some(now), ..GrantFilter::default() };
        let people: BTreeSet<PersonName> = match tx.grants(&alive) {
            Ok(grants) => grants
                .iter()
                .filter(|grant| grant.ask().login == *login)
                .map(|grant| grant.ask().person.clone())
                .collect(),
            // One edited row keeps nobody else's end up: then everybody is looked at alone.
            Err(error) if error.kind() == Kind::Tampered => {
                tx.people()?.into_iter().map(|person| person.name).collect()
            }
            Err(error) => return Err(error),
        };
        let mut latest = None;
        for person in people {
            match self.cover(tx, &person, login, host, Action::Login, now) {
                Err(error) if error.kind() == Kind::Tampered => {}
                cover => latest = latest.max(cover?.map(|cover| cover.deadline)),
            }
        }
        Ok(latest)
    }

    /// Records that a stay is over, and what was taken away at its end.
    ///
    /// # Errors
    /// Unavailable.
    pub fn stay_ended(&self, stay: &Stay, taken: &[String]) -> Result<()> {
        let object = format!("{}@{}", stay.login, stay.host);
        self.change(&Actor::Program(Program::Jitd), "stay.end", &object, |tx, _| {
            tx.remove_stay(&stay.host, &stay.login)?;
            Ok(Done::new((), json!({ "began": stay.began_at.rfc3339(), "taken_away": taken })))
        })
    }

    /// Why a session lost its cover, as its person may read it: revoked by whom and why, or the end
    /// of the window.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn why_over(&self, session: &Session) -> Result<String> {
        let tx = self.store.begin(crate::store::Mode::Read)?;
        for id in &session.grants {
            if let Some(grant) = tx.grant(id)?
                && let State::Revoked { by, reason, .. } = grant.state()
            {
                let by = match by {
                    Actor::Person(name) => name.to_string(),
                    other => other.to_string(),
                };
                return Ok(format!("was revoked by {by}: {reason}"));
            }
        }
        Ok("has ended".to_owned())
    }

    /// A number that changes whenever somebody else changed the store.
    ///
    /// # Errors
    /// Unavailable.
    pub fn change_marker(&self) -> Result<u64> {
        self.store.change_marker()
    }

    /// Keeps the store's files in shape, for a daemon that holds it open.
    ///
    /// # Errors
    /// Unavailable.
    pub fn checkpoint(&self) -> Result<()> {
        self.store.checkpoint()
    }

    /// Records that a session is over, every process of it.
    ///
    /// # Errors
    /// Unavailable.
    pub fn session_ended(&self, session: &Session, why: EndReason, killed: usize) -> Result<()> {
        let object = format!("{}@{}", session.login, session.host);
        self.change(&Actor::Program(Program::Jitd), "session.end", &object, |tx, now| {
            let ended = Session { ended: Some(End { at: now, why }), ..session.clone() };
            tx.put_session(&ended)?;
            let detail = json!({
                "session": session.id, "person": session.person, "action": session.action,
                "why": why, "processes_ended": killed,
            });
            Ok(Done::new((), detail))
        })
    }
}
