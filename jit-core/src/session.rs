//! A recorded session: whose it is, which processes are its own, and how long it may go on.

use serde::{Deserialize, Serialize};

use crate::clock::BootMoment;
use crate::factor::Proof;
use crate::grant::Action;
use crate::id::GrantId;
use crate::name::{HostName, Login, PersonName};
use crate::process::Anchor;
use crate::time::{Span, Timestamp};

/// One ssh session, or one sudo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Unique in the store; 0 before it is stored.
    pub id: u64,
    /// An ssh session, or a sudo inside one.
    pub action: Action,
    /// Whose.
    pub person: PersonName,
    /// As which account.
    pub login: Login,
    /// That account's user id.
    pub uid: u32,
    /// Where.
    pub host: HostName,
    /// Its processes.
    pub anchor: Anchor,
    /// The boot it belongs to.
    pub boot_id: String,
    /// When it was opened, by the wall clock.
    pub opened_at: Timestamp,
    /// When it was opened, in milliseconds since boot.
    pub opened_boot_ms: u64,
    /// From which address.
    pub rhost: Option<String>,
    /// On which terminal.
    pub tty: Option<String>,
    /// The grants that let it in.
    pub grants: Vec<GrantId>,
    /// The second factor that was proved last in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<Proof>,
    /// When systemd ends it whatever its cover, in milliseconds since boot: it was told so when the
    /// session opened, and can't be told otherwise later.
    pub limit_boot_ms: Option<u64>,
    /// When its connection was closed. What it left running is still kept to the deadline.
    pub closed_at: Option<Timestamp>,
    /// When and why it was over, every process of it.
    pub ended: Option<End>,
}

/// How a session came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: EndReason,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// The person left, and left nothing running.
    Left,
    /// The cover ended: by the window, or by revocation.
    CoverEnded,
    /// The machine was booted since.
    Reboot,
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            EndReason::Left => "left",
            EndReason::CoverEnded => "cover ended",
            EndReason::Reboot => "reboot",
        })
    }
}

impl Session {
    /// Milliseconds left until `deadline`: by the boot clock, on which setting the wall clock has
    /// no influence, and by the wall clock, whichever is sooner. Nobody stays longer because a
    /// clock was set. Sessions of another boot have none.
    pub fn millis_left(&self, deadline: Timestamp, now: Timestamp, boot: &BootMoment) -> u64 {
        if boot.boot_id != self.boot_id {
            return 0;
        }
        let limit = self.limit_boot_ms.map_or(u64::MAX, |limit| limit.saturating_sub(boot.millis));
        millis_left((self.opened_at, self.opened_boot_ms), deadline, now, boot).min(limit)
    }

    /// The end of the session by the wall clock, given that of its cover: no later than systemd's.
    pub fn ends_at(&self, deadline: Timestamp) -> Timestamp {
        let limit = self.limit_boot_ms.and_then(|limit| {
            let allowed = limit.saturating_sub(self.opened_boot_ms) / 1000;
            self.opened_at.after(Span::from_secs(allowed.max(1)).ok()?).ok()
        });
        limit.map_or(deadline, |limit| limit.min(deadline))
    }
}

/// Milliseconds from `now` to `deadline` for what began at a moment of both clocks: by either of
/// them, whichever is sooner, so that setting the wall clock prolongs nothing.
pub fn millis_left(
    (began_at, began_boot_ms): (Timestamp, u64),
    deadline: Timestamp,
    now: Timestamp,
    boot: &BootMoment,
) -> u64 {
    let by_wall = deadline.since(now).saturating_mul(1000);
    let allowed = deadline.since(began_at).saturating_mul(1000);
    let by_boot = began_boot_ms.saturating_add(allowed).saturating_sub(boot.millis);
    by_wall.min(by_boot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;

    fn session() -> Session {
        Session {
            id: 1,
            action: Action::Login,
            person: PersonName::parse("alice").unwrap(),
            login: Login::parse("deploy").unwrap(),
            uid: 1000,
            host: HostName::parse("web-1").unwrap(),
            anchor: Anchor {
                pid: 1,
                started: 1,
                audit_session: Some(1),
                scope: None,
                started_in: None,
                cgroup: None,
                audit_uid: Some(1000),
            },
            boot_id: "b".into(),
            opened_at: at(10_000),
            opened_boot_ms: 500_000,
            rhost: None,
            tty: None,
            grants: vec![],
            factor: None,
            limit_boot_ms: None,
            closed_at: None,
            ended: None,
        }
    }

    fn boot(millis: u64) -> BootMoment {
        BootMoment { boot_id: "b".into(), millis }
    }

    #[test]
    fn what_systemd_was_told_ends_it_whatever_the_cover() {
        let session = Session { limit_boot_ms: Some(530_000), ..session() };
        assert_eq!(session.millis_left(at(10_060), at(10_020), &boot(520_000)), 10_000);
        assert_eq!(session.ends_at(at(10_060)), at(10_030));
        assert_eq!(session.ends_at(at(10_020)), at(10_020));
    }

    #[test]
    fn a_clock_that_is_set_lets_nobody_stay_longer() {
        let session = session();
        // 60 s of cover, 20 s gone on both clocks.
        assert_eq!(session.millis_left(at(10_060), at(10_020), &boot(520_000)), 40_000);
        // The wall clock was set back an hour, to the epoch: the boot clock decides.
        assert_eq!(session.millis_left(at(10_060), at(6_420), &boot(520_000)), 40_000);
        assert_eq!(session.millis_left(at(10_060), at(0), &boot(561_000)), 0);
        // Set forward: it ends sooner, never later.
        assert_eq!(session.millis_left(at(10_060), at(13_620), &boot(520_000)), 0);
        let other_boot = BootMoment { boot_id: "c".into(), millis: 0 };
        assert_eq!(session.millis_left(at(10_060), at(10_020), &other_boot), 0);
    }
}
