//! What `jitctl setup` changes about a host, on the log; and its confirmation, which takes a
//! session that came in through what was set up.

use serde_json::{Value, json};

use super::{Authority, Done};
use crate::clock::BootMoment;
use crate::error::{Error, Result};
use crate::grant::{Action, Actor};
use crate::process::AuditSession;
use crate::session::Session;

/// What is done to a host's sshd and PAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupDeed {
    /// They ask us from now on, until further notice.
    Apply,
    /// They ask us no more.
    Undo,
    /// Nobody confirmed it: they are as before.
    Rollback,
}

impl SetupDeed {
    /// Its name on the log.
    pub fn action(self) -> &'static str {
        match self {
            SetupDeed::Apply => "setup.apply",
            SetupDeed::Undo => "setup.undo",
            SetupDeed::Rollback => "setup.rollback",
        }
    }
}

impl Authority {
    /// Records what is done to this host's sshd and PAM.
    ///
    /// # Errors
    /// Unavailable.
    pub fn note_setup(&self, deed: SetupDeed, detail: Value) -> Result<()> {
        let host = self.config.host.as_str();
        self.change(&Actor::Root, deed.action(), host, |_, _| Ok(Done::new((), detail)))
    }

    /// Records that the setup of the moment `applied` is confirmed from the kernel's audit session
    /// `audit_session`: one that was opened through it since. What keeps everybody out is confirmed
    /// by nobody.
    ///
    /// # Errors
    /// Refused from any other session.
    pub fn confirm_setup(
        &self,
        audit_session: Option<AuditSession>,
        applied: &BootMoment,
    ) -> Result<Session> {
        let host = &self.config.host;
        self.change(&Actor::Root, "setup.confirm", host.as_str(), |tx, _| {
            let recorded = match audit_session {
                Some(number) => tx.sessions_of(host, number)?,
                None => Vec::new(),
            };
            let since = |session: &Session| {
                session.action == Action::Login
                    && session.ended.is_none()
                    && session.boot_id == applied.boot_id
                    && session.opened_boot_ms >= applied.millis
            };
            let session = recorded.into_iter().find(since).ok_or_else(|| {
                Error::refused("this session did not come in through the new configuration")
                    .next("From a new terminal: ssh in with key and code, and confirm it there.")
            })?;
            let detail = json!({ "session": session.id, "person": session.person });
            Ok(Done::new(session, detail))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::authority::testing::*;
    use crate::clock::Clock;
    use crate::grant::Action;
    use crate::login::{Evidence, LoginService};
    use crate::process::Anchor;

    #[test]
    fn only_a_session_that_came_in_since_can_confirm() {
        let desk = Desk::new();
        let lock = std::fs::File::create(desk.authority.config().keeper_lock()).unwrap();
        let exclusive = nix::fcntl::FlockArg::LockExclusiveNonblock;
        let _keeper = nix::fcntl::Flock::lock(lock, exclusive).unwrap();
        desk.authority.grant_alone(&crate::grant::Actor::Root, &ask("alice", 600)).unwrap();
        let come_in = |audit_session| {
            let attempt = attempt("deploy", Action::Login);
            let report = Desk::report(1);
            let who = desk.authority.identify(&Evidence::Ssh(Some(&report)), &attempt).unwrap();
            let anchor = Anchor {
                audit_session: Some(audit_session),
                audit_uid: Some(1000),
                ..Anchor::here().unwrap()
            };
            desk.authority.session_opened(&who, &attempt, 1000, anchor, None).unwrap();
        };
        come_in(11);
        desk.clock.pass(10);
        let applied = desk.clock.boot().unwrap();
        desk.clock.pass(10);
        come_in(12);
        for other in [None, Some(11), Some(13)] {
            let error = desk.authority.confirm_setup(other, &applied).unwrap_err();
            assert!(error.what().contains("new configuration"), "{other:?}: {error}");
        }
        let mut elsewhen = applied.clone();
        elsewhen.boot_id.push('x');
        assert!(desk.authority.confirm_setup(Some(12), &elsewhen).is_err());
        let session = desk.authority.confirm_setup(Some(12), &applied).unwrap();
        assert_eq!(session.person, person("alice"));
        let last = desk.authority.last_records(1).unwrap();
        assert_eq!(last[0].action, "setup.confirm");
    }
}
