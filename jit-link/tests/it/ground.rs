//! Two stores, and an authority that can be out of reach.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use jit_core::authority::{Authority, Heard};
use jit_core::certificate::HostSpecification;
use jit_core::config::Config;
use jit_core::factor::Verdict;
use jit_core::grant::{Action, Actor, Ask as Asked, Grant};
use jit_core::id::GrantId;
use jit_core::link::{Ask, Asker, Code, Filing, HostState, Told};
use jit_core::login::{Attempt, Offer, Standing};
use jit_core::name::{GroupName, HostName, Login, PersonName, Place, Reason};
use jit_core::person::parse_public_key;
use jit_core::seal::Vault;
use jit_core::secret::SecretText;
use jit_core::store::CaKind;
use jit_core::store::sqlite::Opener;
use jit_core::time::Span;
use jit_core::{Error, Result};
use jit_link::Office;
use ssh_key::certificate::{Builder, CertType};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, PrivateKey};
use tempfile::TempDir;

const POLICY: &str = r#"
[[role]]
name = "oncall"
members = ["alice"]
hosts = ["web-2"]
logins = ["deploy"]
max_duration = "1h"
auto_approve = "always"
"#;

const AUTHORITY: &str = "[authority]\nurl = 'https://jit.example.com'\nname = 'jit.example.com'\n\
    pin = 'sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'\n";

/// The public key of nobody who could log in with it.
pub const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

pub struct Ground {
    pub dir: TempDir,
    pub office: Near,
    pub codes: Mutex<Vec<SecretText>>,
}

/// The authority, asked without a network.
pub struct Near {
    pub authority: Mutex<Authority>,
    pub away: AtomicBool,
    pub asked: AtomicU32,
    /// For which host it certifies keys.
    pub called: Mutex<HostName>,
}

impl Ground {
    /// web-2, in the fleet of an authority that knows alice.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("jit-link-test.")
            .permissions(PermissionsExt::from_mode(0o755))
            .tempdir_in("/run")
            .expect("these tests run as root");
        let office = instance(&dir.path().join("office"), "jit", "");
        std::fs::write(dir.path().join("office/policy.toml"), POLICY).unwrap();
        let authority = format!("{AUTHORITY}ca = '{}'\n", fingerprint(HOST_CA));
        let host = instance(&dir.path().join("host"), "web-2", &authority);
        std::fs::write(dir.path().join("host/policy.toml"), "").unwrap();
        drop(host);
        let root = Actor::Root;
        office.put_host(&root, &web_2(), &[].into()).unwrap();
        let groups = [GroupName::parse("dev").unwrap()].into();
        office.add_person(&root, &alice(), &groups, &[KEY.to_owned()]).unwrap();
        let (host_ca, line) = (fingerprint(HOST_CA), public(HOST_CA));
        office.add_ca_key(&root, CaKind::Host, &host_ca, &line, "sealed").unwrap();
        let codes = enrol(&office);
        let near = Near {
            authority: Mutex::new(office),
            away: AtomicBool::new(false),
            asked: AtomicU32::new(0),
            called: Mutex::new(web_2()),
        };
        Ground { dir, office: near, codes: Mutex::new(codes) }
    }

    /// Adds to the role of the authority's policy.
    pub fn set_policy(&self, more: &str) {
        std::fs::write(self.dir.path().join("office/policy.toml"), format!("{POLICY}{more}"))
            .unwrap();
    }

    /// The host's own store.
    pub fn here(&self) -> Authority {
        let config = Config::load(&self.dir.path().join("host/jit.toml")).unwrap();
        Authority::open(config, "test", Opener::Admin).unwrap()
    }

    /// The authority's.
    pub fn there<T>(&self, act: impl FnOnce(&Authority) -> T) -> T {
        act(&self.office.authority.lock().unwrap())
    }

    pub fn code(&self) -> String {
        self.codes.lock().unwrap().pop().unwrap().expose().to_owned()
    }

    pub fn grant(&self) -> Grant {
        let ask = Asked {
            person: alice(),
            login: login(),
            place: Place::Host(web_2()),
            sudo: false,
            duration: Span::from_secs(600).unwrap(),
            start: None,
            extends: None,
            reason: Reason::parse("a test").unwrap(),
        };
        self.there(|office| office.grant_alone(&Actor::Root, &ask)).unwrap()
    }
}

fn instance(dir: &Path, host: &str, more: &str) -> Authority {
    std::fs::create_dir(dir).unwrap();
    let at = dir.display();
    let text = format!(
        "host = '{host}'\nstate_dir = '{at}/state'\nrun_dir = '{at}/run'\n\
         master_key_file = '{at}/key'\npolicy_file = '{at}/policy.toml'\n\
         [log]\nsyslog_socket = ''\n{more}"
    );
    std::fs::write(dir.join("jit.toml"), text).unwrap();
    for private in ["state", "run"] {
        jit_core::rootfile::create_private_dir(&dir.join(private)).unwrap();
    }
    Vault::create_file(&dir.join("key")).unwrap();
    let config = Config::load(&dir.join("jit.toml")).unwrap();
    Authority::open(config, "test", Opener::Admin).unwrap()
}

fn enrol(office: &Authority) -> Vec<SecretText> {
    let enrolment = office.begin_enrolment(&Actor::Root, &alice()).unwrap();
    let uri = enrolment.otpauth_uri.expose();
    let secret = uri.split("secret=").nth(1).unwrap().split('&').next().unwrap();
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let code = totp.generate(office.now().unwrap().unix()).to_string();
    office.confirm_enrolment(&Actor::Root, &alice(), &code).unwrap()
}

/// The host CA's key, and of nobody else.
pub const HOST_CA: u8 = 9;

pub fn private(seed: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
}

/// The public key made of a seed.
pub fn public(seed: u8) -> String {
    private(seed).public_key().to_openssh().unwrap().trim().to_owned()
}

/// Its fingerprint.
pub fn fingerprint(seed: u8) -> String {
    private(seed).public_key().fingerprint(HashAlg::Sha256).to_string()
}

fn certified(wanted: &HostSpecification) -> String {
    let (opens, ends) = (wanted.validity.not_before.unix(), wanted.validity.not_after.unix());
    let mut builder = Builder::new([1; 32], wanted.public_key.clone(), opens, ends).unwrap();
    builder.serial(wanted.serial).unwrap().cert_type(CertType::Host).unwrap();
    builder.key_id(wanted.key_id()).unwrap();
    builder.valid_principal(wanted.host.as_str()).unwrap();
    builder.sign(&private(HOST_CA)).unwrap().to_openssh().unwrap()
}

pub fn web_2() -> HostName {
    HostName::parse("web-2").unwrap()
}

pub fn alice() -> PersonName {
    PersonName::parse("alice").unwrap()
}

pub fn login() -> Login {
    Login::parse("deploy").unwrap()
}

pub fn attempt() -> Attempt {
    Attempt {
        pid: std::process::id(),
        action: Action::Login,
        login: login(),
        service: "sshd".into(),
        rhost: Some("192.0.2.1".into()),
        tty: Some("ssh".into()),
    }
}

impl Near {
    fn ask<T>(&self, act: impl FnOnce(&Authority) -> Result<T>) -> Result<T> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("no route to the authority"));
        }
        act(&self.authority.lock().unwrap())
    }
}

impl Office for Near {
    fn state(&self, _: Option<&str>, _: Duration) -> Result<HostState> {
        self.ask(|office| office.host_state(&web_2()))
    }
    fn factor(&self, code: &Code) -> Result<Verdict> {
        self.ask(|office| office.host_factor(&web_2(), code))
    }
    fn askers(&self, login: &Login) -> Result<Vec<Asker>> {
        self.ask(|office| office.host_askers(&web_2(), login))
    }
    fn offer(&self, ask: &Ask) -> Result<Option<Offer>> {
        self.ask(|office| office.host_offer(&web_2(), ask))
    }
    fn request(&self, filing: &Filing) -> Result<Standing> {
        self.ask(|office| office.host_request(&web_2(), filing))
    }
    fn standing(&self, id: &GrantId) -> Result<Standing> {
        self.ask(|office| office.host_standing(&web_2(), id))
    }
    fn certificate(&self, key: &str) -> Result<String> {
        let key = parse_public_key(key)?;
        let ca = fingerprint(HOST_CA);
        let name = self.called.lock().unwrap().clone();
        self.ask(|office| {
            office.issue_host(&web_2(), key.key_data(), &ca, |wanted| {
                Ok(certified(&HostSpecification { host: name, ..wanted.clone() }))
            })
        })
    }
    fn log(&self, records: &[Told]) -> Result<u64> {
        match self.ask(|office| office.host_log(&web_2(), records))? {
            Heard::Until(last) => Ok(last),
            Heard::Later { .. } => Err(Error::refused("the host tells more than a host may")),
        }
    }
}
