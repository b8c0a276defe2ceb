//! An authority in a directory of its own, with a person and a host, and the real clock.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use jit_core::authority::Authority;
use jit_core::grant::{Actor, Ask, Grant};
use jit_core::name::{HostName, Label, Login, PersonName, Place, Reason};
use jit_core::rootfile;
use jit_core::seal::Vault;
use jit_core::store::sqlite::Opener;
use jit_core::time::Span;
use tempfile::TempDir;

const POLICY: &str = r#"
[[role]]
name = "debug"
members = ["alice"]
hosts = ["web-1"]
logins = ["deploy"]
max_duration = "1h"
approvals = [{ from = "bob", count = 1 }]
"#;

/// What a test works on. Needs root, as every authority does.
pub struct Desk {
    pub authority: Authority,
    dir: TempDir,
}

impl Desk {
    /// alice and web-1 (`env=prod`), below `parent`, which is root's.
    pub fn below(parent: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("jit-test.")
            .permissions(PermissionsExt::from_mode(0o700))
            .tempdir_in(parent)
            .expect("root can make a directory there");
        let at = dir.path();
        let config = format!(
            "host = 'web-1'\nstate_dir = '{0}/state'\nrun_dir = '{0}/run'\n\
             master_key_file = '{0}/master.key'\npolicy_file = '{0}/policy.toml'\n\
             [log]\nsyslog_socket = '{0}/syslog'\n",
            at.display()
        );
        rootfile::create_public(&at.join("jit.toml"), config.as_bytes()).unwrap();
        rootfile::create_public(&at.join("policy.toml"), POLICY.as_bytes()).unwrap();
        rootfile::create_private_dir(&at.join("state")).unwrap();
        Vault::create_file(&at.join("master.key")).unwrap();
        let authority = Authority::open_path(&at.join("jit.toml"), "test", Opener::Admin).unwrap();
        let labels = BTreeSet::from([Label::parse("env=prod").unwrap()]);
        authority.put_host(&Actor::Root, &HostName::parse("web-1").unwrap(), &labels).unwrap();
        authority.add_person(&Actor::Root, &alice(), &BTreeSet::new(), &[]).unwrap();
        Desk { authority, dir }
    }

    /// Active from now on.
    pub fn grant(&self, place: &str, seconds: u64, sudo: bool) -> Grant {
        self.authority.grant_alone(&Actor::Root, &ask(place, seconds, sudo)).unwrap()
    }

    /// Something in the directory. The measuring example looks at nothing in it.
    #[allow(dead_code)]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

pub fn alice() -> PersonName {
    PersonName::parse("alice").unwrap()
}

pub fn ask(place: &str, seconds: u64, sudo: bool) -> Ask {
    Ask {
        person: alice(),
        login: Login::parse("deploy").unwrap(),
        place: Place::parse(place).unwrap(),
        sudo,
        duration: Span::from_secs(seconds).unwrap(),
        start: None,
        extends: None,
        reason: Reason::parse("INC-1 look at it").unwrap(),
    }
}
