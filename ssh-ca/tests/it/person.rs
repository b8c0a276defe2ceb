//! A person with a key and a second factor, who logs in and signs each request.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jit_api::proof::{self, Proof};
use jit_core::audit::hex;
use jit_core::authority::Authority;
use jit_core::grant::Actor;
use jit_core::id::GrantId;
use jit_core::invitation::Invited;
use jit_core::name::{HostName, PersonName};
use jit_core::person::fingerprint;
use jit_core::secret::random_bytes;
use serde_json::{Value, json};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use crate::https::{Answer, Https};

/// What clients of the tests know the server by.
pub const SERVER: &str = "localhost";

pub struct Person {
    pub name: PersonName,
    key: PrivateKey,
    codes: Vec<String>,
    pub token: String,
}

impl Person {
    /// Gives somebody who is there a key and a second factor.
    pub fn enrolled(authority: &Authority, name: &str) -> Self {
        let name = PersonName::parse(name).unwrap();
        let key = new_key();
        authority.add_key(&Actor::Root, &name, &line(&key)).unwrap();
        let enrolment = authority.begin_enrolment(&Actor::Root, &name).unwrap();
        let code = totp(enrolment.otpauth_uri.expose());
        let codes = authority.confirm_enrolment(&Actor::Root, &name, &code).unwrap();
        let codes = codes.iter().map(|code| code.expose().to_owned()).collect();
        Person { name, key, codes, token: String::new() }
    }

    /// Logs in with a recovery code.
    #[track_caller]
    pub fn log_in(&mut self, https: &mut Https) {
        let challenge = https.ask("POST", "/v1/login/challenge", "", b"{}");
        let challenge = challenge.json();
        let nonce = challenge["nonce"].as_str().unwrap();
        let print = fingerprint(self.key.public_key().key_data());
        let text = proof::login(SERVER, nonce, &self.name, &print).unwrap();
        let login = json!({
            "person": self.name, "nonce": nonce, "public_key": line(&self.key),
            "proof_key": line(&self.key), "signature": self.sign(proof::LOGIN, &text),
            "code": self.codes.pop().unwrap(),
        });
        let answer = https.ask("POST", "/v1/login", "", login.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        self.token = answer.json()["token"].as_str().unwrap().to_owned();
    }

    /// The headers that prove a request.
    pub fn headers(&self, method: &str, target: &str, body: &[u8]) -> String {
        let proof = proved(&self.key, Some(&self.token), method, target, body);
        format!("authorization: JIT {}\r\njit-proof: {proof}\r\n", self.token)
    }

    pub fn ask(&self, https: &mut Https, method: &str, target: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = self.headers(method, target, body.as_bytes());
        https.ask(method, target, &headers, body.as_bytes())
    }

    /// What asks for a certificate over the person's key, which signs the request, too.
    pub fn certify(&self, grant: &GrantId) -> Value {
        json!({ "grant": grant, "public_key": line(&self.key) })
    }

    pub fn sign(&self, namespace: &str, text: &str) -> String {
        sign(&self.key, namespace, text)
    }
}

/// A host with a key.
#[allow(dead_code)]
pub struct Host {
    name: HostName,
    key: PrivateKey,
}

#[allow(dead_code)]
impl Host {
    /// Gives a host that is there a key.
    pub fn enrolled(authority: &Authority, name: &str) -> Self {
        let (name, key) = (HostName::parse(name).unwrap(), new_key());
        let (code, _) = authority.invite(&Actor::Root, &Invited::Host(name.clone())).unwrap();
        authority.enrol_host(&name, code.expose(), &line(&key)).unwrap();
        Host { name, key }
    }

    pub fn headers(&self, method: &str, target: &str, body: &[u8]) -> String {
        let proof = proved(&self.key, None, method, target, body);
        format!("authorization: JIT-Host {}\r\njit-proof: {proof}\r\n", self.name)
    }
}

/// The proof of a request, as its header.
fn proved(
    key: &PrivateKey,
    token: Option<&str>,
    method: &str,
    target: &str,
    body: &[u8],
) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nonce = hex(&random_bytes::<16>().unwrap());
    let time = now.unwrap().as_secs();
    let request =
        proof::Request { server: SERVER, method, target, body, token, time, nonce: &nonce };
    let sshsig = sign(key, proof::REQUEST, &request.text().unwrap());
    Proof { time, nonce, sshsig }.header()
}

fn sign(key: &PrivateKey, namespace: &str, text: &str) -> String {
    let signature = key.sign(namespace, HashAlg::Sha512, text.as_bytes()).unwrap();
    signature.to_pem(LineEnding::LF).unwrap()
}

fn new_key() -> PrivateKey {
    let pair = Ed25519Keypair::from_seed(&random_bytes().unwrap());
    PrivateKey::new(KeypairData::Ed25519(pair), "").unwrap()
}

fn line(key: &PrivateKey) -> String {
    let blob = STANDARD.encode(key.public_key().to_bytes().unwrap());
    format!("ssh-ed25519 {blob}")
}

/// The code that an authenticator app with the secret of `uri` shows now.
fn totp(uri: &str) -> String {
    let secret = uri.split_once("secret=").unwrap().1.split('&').next().unwrap();
    let output = Command::new("oathtool").args(["--totp", "-b", secret]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
