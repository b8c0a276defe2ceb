//! What the keeper needs: the sessions of this host and how long each may go on.

use serde_json::json;

use super::{Authority, Done};
use crate::error::{Kind, Result};
use crate::grant::{Actor, Program};
use crate::session::{End, EndReason, Session};
use crate::time::Timestamp;

/// A session and the time it has left.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The session.
    pub session: Session,
    /// The end of its cover; none when it has no cover any more.
    pub deadline: Option<Timestamp>,
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
        let watch = |session: Session| {
            let cover =
                match self.cover(tx, &session.person, &session.login, &host, session.action, now) {
                    // What was edited by hand covers nobody, and keeps nobody else's end up.
                    Err(error) if error.kind() == Kind::Tampered => {
                        self.syslog.trouble(&format!("session {}: {error}", session.id));
                        None
                    }
                    cover => cover?,
                };
            let deadline = cover.map(|cover| cover.deadline);
            let millis_left =
                deadline.map_or(0, |deadline| session.millis_left(deadline, now, &boot));
            Ok(Watched { session, deadline, millis_left })
        };
        tx.sessions(&self.config.host)?.into_iter().map(watch).collect()
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
