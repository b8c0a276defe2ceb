//! What several tests need.

use jit_core::grant::Action;
use jit_core::name::{HostName, Login, PersonName};
use jit_core::process::Anchor;
use jit_core::session::Session;
use jit_core::time::Timestamp;

/// One of alice's, as deploy on web-1.
pub(crate) fn session(action: Action, anchor: Anchor) -> Session {
    Session {
        id: 1,
        action,
        person: PersonName::parse("alice").unwrap(),
        login: Login::parse("deploy").unwrap(),
        uid: 0,
        host: HostName::parse("web-1").unwrap(),
        anchor,
        boot_id: "b".into(),
        opened_at: Timestamp::from_unix(1).unwrap(),
        opened_boot_ms: 1,
        rhost: None,
        tty: None,
        grants: vec![],
        factor: None,
        certified: None,
        limit_boot_ms: None,
        closed_at: None,
        ended: None,
    }
}
