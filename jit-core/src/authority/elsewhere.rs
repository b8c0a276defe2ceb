//! What the authority knows of sessions on the other hosts of its fleet.

use super::Authority;
use crate::error::Result;
use crate::id::GrantId;
use crate::link::HostSession;
use crate::name::HostName;
use crate::time::Timestamp;

/// A session on another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Which host.
    pub host: HostName,
    /// Its number there.
    pub id: u64,
    /// The session, as the host told it.
    pub session: HostSession,
    /// The end of its cover as the authority has it; none when it has none any more and its host,
    /// which ends it, has not said so yet.
    pub deadline: Option<Timestamp>,
    /// The grant to extend if it is to go on.
    pub last: Option<GrantId>,
}

impl Authority {
    /// The sessions on the other hosts that are not over, as far as their hosts have told.
    ///
    /// # Errors
    /// Unavailable or tampered.
    pub fn sessions_elsewhere(&self) -> Result<(Vec<Elsewhere>, Timestamp)> {
        self.read(|tx, now| {
            let mut found = Vec::new();
            for host in tx.hosts()? {
                let Some(link) = tx.link(&host.name)? else { continue };
                for (id, session) in link.sessions {
                    let HostSession { person, login, action, .. } = &session;
                    let cover = self.cover(tx, person, login, &host, *action, now)?;
                    let last = cover.as_ref().map(|cover| cover.last.clone());
                    // A grant that the host itself gave, by a break-glass code, is known there alone.
                    let known = session.grants.iter().map(|id| tx.grant(id));
                    let known = known.collect::<Result<Vec<_>>>()?.iter().any(Option::is_some);
                    let deadline = match cover {
                        Some(cover) => Some(cover.deadline),
                        None => (!known && session.until > now).then_some(session.until),
                    };
                    let host = host.name.clone();
                    found.push(Elsewhere { host, id, session, deadline, last });
                }
            }
            Ok((found, now))
        })
    }
}
