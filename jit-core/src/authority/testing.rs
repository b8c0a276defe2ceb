//! An authority on a store of its own, with a clock that the test sets.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::Authority;
use crate::audit::{Event, Outcome};
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::error::Result;
use crate::factor::{PersonOrNobody, totp};
use crate::grant::{Action, Actor, Ask, Evidence, Grant, Yes};
use crate::id::GrantId;
use crate::login::Attempt;
use crate::name::{GroupName, HostName, Login, PersonName, Place, Reason};
use crate::policy::Decision;
use crate::seal::Vault;
use crate::store::Mode;
use crate::store::sqlite::{Opener, SqliteStore};
use crate::syslog::Syslog;
use crate::time::Span;

pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) const POLICY: &str = r#"
[[role]]
name = "debug"
members = ["alice", "bob", "@oncall"]
hosts = ["web-1"]
logins = ["{person}", "deploy"]
sudo = true
max_duration = "1h"
approvals = [{ from = "@leads", count = 1 }]
"#;

/// A directory that only root can write, on whose path nobody else can either.
pub(crate) fn private_dir() -> TempDir {
    tempfile::Builder::new()
        .prefix("jit-test.")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .tempdir_in("/run")
        .expect("the tests run as root, who can make a directory in /run")
}

pub(crate) struct Desk {
    pub(crate) authority: Authority,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) dir: TempDir,
}

impl Desk {
    /// alice, bob and carol (both leads), on web-1, with keys and factors.
    pub(crate) fn new() -> Self {
        let desk = Desk::empty();
        let root = Actor::Root;
        desk.authority
            .put_host(&root, &HostName::parse("web-1").unwrap(), &BTreeSet::new())
            .unwrap();
        for (seed, (name, group)) in
            [("alice", "dev"), ("bob", "leads"), ("carol", "leads")].into_iter().enumerate()
        {
            let groups = [GroupName::parse(group).unwrap()].into();
            let key = public_key(u8::try_from(seed).unwrap() + 1);
            desk.authority.add_person(&root, &person(name), &groups, &[key]).unwrap();
            desk.enroll(name);
        }
        desk
    }

    pub(crate) fn empty() -> Self {
        let dir = private_dir();
        let clock = Arc::new(ManualClock::at(NOW));
        let authority = Desk::open(dir.path(), clock.clone());
        Desk { authority, clock, dir }
    }

    /// As [`Desk::again`], but it waits for a locked store no longer than a second.
    pub(crate) fn impatient(&self) -> Authority {
        let mut authority = self.again();
        authority.config.busy_timeout = Span::from_secs(1).unwrap();
        let (path, vault) = (authority.config.database(), authority.vault.clone());
        let patience = authority.config.busy_timeout;
        let store = SqliteStore::open(&path, vault, patience, Opener::Login).unwrap();
        authority.store = Box::new(store);
        authority
    }

    /// Another process' view of the same store.
    pub(crate) fn again(&self) -> Authority {
        Desk::open(self.dir.path(), self.clock.clone())
    }

    fn open(dir: &Path, clock: Arc<ManualClock>) -> Authority {
        let at = dir.display();
        let text = format!(
            "host = 'web-1'\nstate_dir = '{at}'\nrun_dir = '{at}'\nmaster_key_file = '{at}/key'\n\
             policy_file = '{at}/policy.toml'\n[log]\nsyslog_socket = ''\n\
             [store]\nbusy_timeout = '10s'\n"
        );
        let config = Config::parse(Path::new("/test/jit.toml"), &text).unwrap();
        let policy = dir.join("policy.toml");
        if !policy.exists() {
            std::fs::write(policy, POLICY).unwrap();
        }
        let vault = Arc::new(Vault::from_master_key(&[5; 32]));
        let store = SqliteStore::open(
            &config.database(),
            vault.clone(),
            config.busy_timeout,
            Opener::Admin,
        )
        .unwrap();
        let syslog = Syslog::new("test", None);
        Authority {
            config,
            store: Box::new(store),
            vault,
            clock,
            syslog,
            parsed: std::sync::Mutex::default(),
            untold: std::cell::RefCell::default(),
        }
    }

    pub(crate) fn enroll(&self, name: &str) {
        let name = person(name);
        self.authority.begin_enrolment(&Actor::Root, &name).unwrap();
        let who = PersonOrNobody::Person(name.clone());
        let tx = self.authority.store.begin(crate::store::Mode::Read).unwrap();
        let sealed = tx.factors(who.key()).unwrap().unwrap().pending.unwrap().sealed;
        drop(tx);
        let secret = totp::unseal(&self.authority.vault, &who, &sealed).unwrap();
        let code = totp::code_at(&secret, self.clock.now().unwrap()).unwrap();
        self.authority.confirm_enrolment(&Actor::Root, &name, &code).unwrap();
        self.clock.pass(60);
    }

    /// A user CA whose key has this fingerprint, and is nobody's.
    pub(crate) fn add_ca(&self, fingerprint: &str) {
        let (kind, key) = (crate::store::CaKind::User, public_key(9));
        self.authority.add_ca_key(&Actor::Root, kind, fingerprint, &key, "sealed").unwrap();
    }

    /// The code that `name`'s authenticator shows now.
    pub(crate) fn code(&self, name: &str) -> String {
        let who = PersonOrNobody::Person(person(name));
        let tx = self.authority.store.begin(crate::store::Mode::Read).unwrap();
        let sealed = tx.factors(who.key()).unwrap().unwrap().totp.unwrap().sealed;
        let secret = totp::unseal(&self.authority.vault, &who, &sealed).unwrap();
        totp::code_at(&secret, self.clock.now().unwrap()).unwrap()
    }

    /// `by`'s yes to a request as it is now, proved by a code that this desk makes up.
    pub(crate) fn approve(&self, id: &GrantId, by: &str) -> Result<(Grant, Decision)> {
        approve(&self.authority, id, by)
    }

    /// sshd's report of `name`'s key.
    pub(crate) fn report(seed: u8) -> String {
        format!("publickey {}\n", public_key(seed))
    }
}

pub(crate) fn person(name: &str) -> PersonName {
    PersonName::parse(name).unwrap()
}

pub(crate) fn public_key(seed: u8) -> String {
    use ssh_key::private::{Ed25519Keypair, KeypairData};
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32]));
    let key = ssh_key::PrivateKey::new(pair, "").unwrap();
    key.public_key().to_openssh().unwrap().trim().to_owned()
}

pub(crate) fn ask(name: &str, seconds: u64) -> Ask {
    Ask {
        person: person(name),
        login: Login::parse("deploy").unwrap(),
        place: Place::parse("web-1").unwrap(),
        sudo: false,
        duration: Span::from_secs(seconds).unwrap(),
        start: None,
        extends: None,
        reason: Reason::parse("INC-1 look at it").unwrap(),
    }
}

pub(crate) fn attempt(login: &str, action: Action) -> Attempt {
    Attempt {
        action,
        login: Login::parse(login).unwrap(),
        service: "sshd".into(),
        rhost: Some("192.0.2.1".into()),
        tty: Some("ssh".into()),
        pid: 42,
    }
}

pub(crate) fn reason() -> Reason {
    Reason::parse("because of a test").unwrap()
}

/// What [`Desk::approve`] does, through any view of the store.
pub(crate) fn approve(authority: &Authority, id: &GrantId, by: &str) -> Result<(Grant, Decision)> {
    let (grant, _) = authority.grant(id)?;
    let yes = yes(authority, &grant, by, None);
    authority.approve(id, &person(by), &yes)
}

/// A yes with the record of a code that was never asked for.
pub(crate) fn yes(authority: &Authority, grant: &Grant, by: &str, most: Option<Span>) -> Yes {
    let to = grant.digest(most).unwrap();
    let event = Event {
        actor: Actor::Person(person(by)),
        action: "factor.verify",
        object: person(by).to_string(),
        outcome: Outcome::Done,
        detail: serde_json::json!({ "approves": to }),
    };
    let tx = authority.store.begin(Mode::Write).unwrap();
    let now = authority.trusted_now(tx.as_ref()).unwrap();
    let record = tx.append(&event, now).unwrap().sequence;
    tx.commit().unwrap();
    Yes { to, most, evidence: Evidence::Factor { record } }
}
