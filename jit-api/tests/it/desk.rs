//! An office with people who can sign, and an authenticator app for each.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use jit_api::proof::{self, Proof};
use jit_api::{Answered, Asked, Headers, Issuer, Office, Peer, Turn, Visit};
use jit_core::authority::Authority;
use jit_core::clock::{Clock, ManualClock};
use jit_core::config::Config;
use jit_core::factor::ProvedFactor;
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::name::{GroupName, HostName, PersonName};
use jit_core::rootfile;
use jit_core::seal::Vault;
use jit_core::secret::random_bytes;
use jit_core::store::CaKind;
use jit_core::store::sqlite::Opener;
use serde_json::{Value, json};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use tempfile::TempDir;

pub const SERVER: &str = "jit.example.com";
pub const NOW: i64 = 1_800_000_000;

const POLICY: &str = r#"
[[role]]
name = "debug"
members = ["alice", "bob"]
hosts = ["web-1"]
logins = ["{person}", "deploy"]
sudo = true
max_duration = "1h"
approvals = [{ from = "@leads", count = 1 }]
"#;

/// The CA that signs, by its name.
const CA: &str = "SHA256:ca";
const HOST_CA: &str = "SHA256:host-ca";

/// Signs nothing, but records what a certificate would be issued for.
struct Recorder;

impl Issuer for Recorder {
    fn issue(
        &self,
        authority: &Authority,
        actor: &Actor,
        grant: &GrantId,
        key: &KeyData,
        factor: Option<ProvedFactor>,
    ) -> jit_core::Result<String> {
        let sign = |wanted: &jit_core::certificate::Specification| Ok(wanted.key_id.to_string());
        authority.issue(actor, grant, key, factor, CA, sign).map(|(_, text)| text)
    }

    fn issue_host(
        &self,
        authority: &Authority,
        host: &HostName,
        key: &KeyData,
    ) -> jit_core::Result<String> {
        authority.issue_host(host, key, HOST_CA, |wanted| Ok(wanted.key_id()))
    }

    fn sign_answer(&self, _: &Authority, text: &str) -> jit_core::Result<String> {
        Ok(sign(&key("ca"), proof::ANSWER, text))
    }
}

pub struct Desk {
    pub office: Office,
    /// Another process' view of the same store.
    pub authority: Authority,
    pub clock: Arc<ManualClock>,
    _dir: TempDir,
}

/// What a desk is made of, without a directory.
pub struct Files {
    all: [(&'static str, Vec<u8>); 4],
    now: i64,
}

impl Desk {
    /// alice and daemon may ask; bob and carol are leads; ada is an admin; dave is nobody special.
    pub fn new() -> Self {
        let dir = directory();
        let at = dir.path();
        rootfile::create_public(&at.join("policy.toml"), POLICY.as_bytes()).unwrap();
        rootfile::create_private_dir(&at.join("state")).unwrap();
        Vault::create_file(&at.join("master.key")).unwrap();
        let desk = Desk::at(dir, Arc::new(ManualClock::at(NOW)));
        let root = Actor::Root;
        desk.authority.put_host(&root, &host("web-1"), &BTreeSet::new()).unwrap();
        for (kind, name) in [(CaKind::User, CA), (CaKind::Host, HOST_CA)] {
            desk.authority.add_ca_key(&root, kind, name, &line(&key("ca")), "").unwrap();
        }
        for (name, group) in [
            ("alice", "dev"),
            ("bob", "leads"),
            ("carol", "leads"),
            ("ada", "admins"),
            ("dave", "dev"),
            ("daemon", "dev"),
        ] {
            let groups = [GroupName::parse(group).unwrap()].into();
            let keys = [line(&key(name))];
            desk.authority.add_person(&root, &person(name), &groups, &keys).unwrap();
        }
        desk
    }

    /// All that it is made of.
    pub fn files(&self) -> Files {
        let read = |name| (name, std::fs::read(self._dir.path().join(name)).unwrap());
        let names = ["policy.toml", "master.key", "state/jit.db", "state/jit.db-wal"];
        Files { all: names.map(read), now: self.clock.now().unwrap().unix().cast_signed() }
    }

    /// Another one of the same.
    pub fn of(files: &Files) -> Self {
        let dir = directory();
        rootfile::create_private_dir(&dir.path().join("state")).unwrap();
        for (name, content) in &files.all {
            rootfile::create_private(&dir.path().join(name), content).unwrap();
        }
        Desk::at(dir, Arc::new(ManualClock::at(files.now)))
    }

    fn at(dir: TempDir, clock: Arc<ManualClock>) -> Self {
        let authority = open(dir.path(), clock.clone(), SERVER);
        let office = Office::new(authority.another().unwrap(), Box::new(Recorder));
        Desk { office, authority, clock, _dir: dir }
    }

    /// The server once more, restarted, on the same store.
    pub fn restarted(&self) -> Office {
        Office::new(self.authority.another().unwrap(), Box::new(Recorder))
    }

    /// A server of another name on the same store and master key.
    pub fn of_name(&self, name: &str) -> Office {
        let authority = open(self._dir.path(), self.clock.clone(), name);
        Office::new(authority, Box::new(Recorder))
    }

    /// An authenticator app, enrolled.
    pub fn app(&self, name: &str) -> App {
        let begun = self.authority.begin_enrolment(&Actor::Root, &person(name)).unwrap();
        let app = App::of(begun.otpauth_uri.expose());
        let code = app.code(self);
        self.authority.confirm_enrolment(&Actor::Root, &person(name), &code).unwrap();
        self.clock.pass(60);
        app
    }

    /// Somebody who is logged in.
    pub fn logged_in(&self, name: &str) -> Client {
        let app = self.app(name);
        let (status, answer) = self.login(name, &key(name), &app.code(self));
        assert_eq!(status, 200, "{answer}");
        self.clock.pass(60);
        let token = answer["token"].as_str().unwrap().to_owned();
        Client::token(name, token)
    }

    /// A login, signed by `key`.
    pub fn login(&self, name: &str, key: &PrivateKey, code: &str) -> (u16, Value) {
        let body = self.login_body(name, key, code);
        self.ask(&Client::nobody(), "POST", "/v1/login", body)
    }

    pub fn login_body(&self, name: &str, key: &PrivateKey, code: &str) -> Value {
        let anybody = Client::nobody();
        let (_, challenge) = self.ask(&anybody, "POST", "/v1/login/challenge", json!({}));
        let nonce = challenge["nonce"].as_str().unwrap();
        let print = key.fingerprint(HashAlg::Sha256).to_string();
        let text = proof::login(SERVER, nonce, &person(name), &print).unwrap();
        json!({
            "person": name, "nonce": nonce, "public_key": line(key), "proof_key": line(key),
            "signature": sign(key, proof::LOGIN, &text), "code": code,
        })
    }

    pub fn ask(&self, client: &Client, method: &str, target: &str, body: Value) -> (u16, Value) {
        let answered = self.answered(&self.office, &client.prepared(self, method, target, body));
        (answered.status, read(&answered))
    }

    pub fn answered(&self, office: &Office, request: &Request) -> Answered {
        match office.answer(&request.asked(), &mut Visit::default()) {
            Turn::Answer(answered) => answered,
            Turn::Wait { .. } => panic!("it may not wait"),
        }
    }

    /// web-1, with a key.
    pub fn enrolled_host(&self) -> Client {
        let invited = jit_core::invitation::Invited::Host(host("web-1"));
        let (code, _) = self.authority.invite(&Actor::Root, &invited).unwrap();
        self.authority.enrol_host(&host("web-1"), code.expose(), &line(&key("web-1"))).unwrap();
        Client::host("web-1")
    }

    /// alice's request, undecided.
    pub fn request(&self, alice: &Client) -> Value {
        let ask = json!({
            "login": "deploy", "place": "web-1", "duration": 600, "reason": "INC-1 look at it",
        });
        let (status, answer) = self.ask(alice, "POST", "/v1/requests", ask);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// `by`'s signed yes to what a view shows.
    pub fn yes(&self, view: &Value, by: &str) -> Value {
        let grant: jit_core::grant::Grant = serde_json::from_value(view["grant"].clone()).unwrap();
        let text = grant.canonical(None).unwrap();
        let sshsig = sign(&key(by), jit_core::grant::NAMESPACE, &text);
        json!({ "digest": grant.digest(None).unwrap(), "evidence": { "signature": sshsig } })
    }

    /// The last records' actions and outcomes.
    pub fn last_record(&self) -> (String, String, String) {
        let record = self.authority.last_records(1).unwrap().remove(0);
        (record.actor, record.action, record.outcome.to_string())
    }
}

fn directory() -> TempDir {
    tempfile::Builder::new()
        .prefix("jit-test.")
        .permissions(PermissionsExt::from_mode(0o700))
        .tempdir_in("/run")
        .expect("the tests run as root, who can make a directory in /run")
}

fn open(at: &Path, clock: Arc<ManualClock>, name: &str) -> Authority {
    let text = format!(
        "host = 'web-1'\nstate_dir = '{0}/state'\nrun_dir = '{0}/run'\n\
         master_key_file = '{0}/master.key'\npolicy_file = '{0}/policy.toml'\n\
         [log]\nsyslog_socket = ''\n[serve]\nname = '{name}'\nadmins = ['@admins']\n\
         [break_glass]\nmembers = ['alice', 'ada']\nlogins = ['root']\n",
        at.display()
    );
    let config = Config::parse(Path::new("/test/jit.toml"), &text).unwrap();
    Authority::open_by(clock, config, "test", Opener::Admin).unwrap()
}

/// A request with its headers, to be sent once or more.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub authorization: Option<String>,
    pub proof: Option<String>,
    pub idempotency_key: Option<String>,
    pub body: Vec<u8>,
    pub peer: Peer,
}

impl Request {
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: Headers {
                authorization: self.authorization.as_deref(),
                proof: self.proof.as_deref(),
                idempotency_key: self.idempotency_key.as_deref(),
            },
            body: &self.body,
            peer: self.peer,
        }
    }
}

/// Somebody who asks.
#[derive(Clone)]
pub struct Client {
    pub token: Option<String>,
    pub host: Option<String>,
    pub key: PrivateKey,
    pub peer: Peer,
    pub server: String,
}

impl Client {
    pub fn nobody() -> Self {
        Client {
            token: None,
            host: None,
            key: key("x"),
            peer: Peer::Network { address: [192, 0, 2, 1].into() },
            server: SERVER.into(),
        }
    }

    pub fn token(name: &str, token: String) -> Self {
        Client { token: Some(token), key: key(name), ..Client::nobody() }
    }

    pub fn host(name: &str) -> Self {
        Client { host: Some(name.into()), key: key(name), ..Client::nobody() }
    }

    pub fn root() -> Self {
        Client { peer: Peer::Process, ..Client::nobody() }
    }

    pub fn unix(uid: u32) -> Self {
        Client { peer: Peer::Unix { uid }, ..Client::nobody() }
    }

    pub fn prepared(&self, desk: &Desk, method: &str, target: &str, body: Value) -> Request {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(&body).unwrap() };
        self.signed(desk, method, target, body)
    }

    /// With any body.
    pub fn signed(&self, desk: &Desk, method: &str, target: &str, body: Vec<u8>) -> Request {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target.to_owned(), None),
        };
        let authorization = match (&self.token, &self.host) {
            (Some(token), _) => Some(format!("JIT {token}")),
            (None, Some(host)) => Some(format!("JIT-Host {host}")),
            (None, None) => None,
        };
        let proof = authorization.as_ref().map(|_| {
            let time = desk.clock.now().unwrap().unix();
            let nonce = hex(&random_bytes::<16>().unwrap());
            let text = proof::Request {
                server: &self.server,
                method,
                target,
                body: &body,
                token: self.token.as_deref(),
                time,
                nonce: &nonce,
            };
            let sshsig = sign(&self.key, proof::REQUEST, &text.text().unwrap());
            Proof { time, nonce, sshsig }.header()
        });
        Request {
            method: method.into(),
            path,
            query,
            authorization,
            proof,
            idempotency_key: None,
            body,
            peer: self.peer,
        }
    }
}

/// An authenticator app with one secret.
pub struct App(Vec<u8>);

impl App {
    /// Reads the QR code.
    pub fn of(uri: &str) -> Self {
        let secret = uri.split("secret=").nth(1).unwrap().split('&').next().unwrap();
        let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
        for c in secret.bytes().filter(|b| *b != b'=') {
            let value = if c.is_ascii_uppercase() { c - b'A' } else { c - b'2' + 26 };
            bits = (bits << 5) | u32::from(value);
            count += 5;
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from((bits >> count) & 0xff).unwrap());
            }
        }
        App(bytes)
    }

    pub fn code(&self, desk: &Desk) -> String {
        let totp = totp_rs::Builder::new()
            .with_algorithm(totp_rs::Algorithm::SHA1)
            .with_digits(6)
            .with_step_duration(30)
            .with_secret(totp_rs::Secret::new(self.0.clone().into()))
            .build()
            .unwrap();
        totp.generate(desk.clock.now().unwrap().unix()).to_string()
    }
}

pub fn read(answered: &Answered) -> Value {
    serde_json::from_slice(&answered.body).unwrap()
}

/// A key that is the same for the same name.
pub fn key(name: &str) -> PrivateKey {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)), "").unwrap()
}

pub fn line(key: &PrivateKey) -> String {
    key.public_key().to_openssh().unwrap().trim().to_owned()
}

pub fn sign(key: &PrivateKey, namespace: &str, text: &str) -> String {
    let signature = key.sign(namespace, HashAlg::Sha512, text.as_bytes()).unwrap();
    signature.to_pem(LineEnding::LF).unwrap()
}

/// What asks for a certificate over somebody's key.
pub fn certify(id: &str, by: &str) -> Value {
    let print = key(by).fingerprint(HashAlg::Sha256).to_string();
    let id = GrantId::parse(id).unwrap();
    let text = proof::certify(SERVER, &id, &print).unwrap();
    let signature = sign(&key(by), proof::CERTIFY, &text);
    json!({ "grant": id, "public_key": line(&key(by)), "signature": signature })
}

pub fn person(name: &str) -> PersonName {
    PersonName::parse(name).unwrap()
}

pub fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

pub fn hex(bytes: &[u8]) -> String {
    jit_core::audit::hex(bytes)
}
