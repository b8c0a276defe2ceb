//! Whose answer a host takes: the authority's alone, whoever carries it.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jit_api::proof::{self, ANSWER, Answer, Proof};
use jit_client::{Failure, Request, Response, SigningKey, Transport};
use jit_core::Kind;
use jit_core::authority::Authority;
use jit_core::config::Config;
use jit_core::factor::Verdict;
use jit_core::link::Code;
use jit_link::{Https, Office, Reach, Step};
use serde_json::json;
use ssh_key::{HashAlg, LineEnding};

use crate::ground::*;

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Unsigned,
    NoSignature,
    Key,
    Namespace,
    Server,
    Host,
    Method,
    Target,
    Nonce,
    Status,
    Body,
    /// It is a refusal, unsigned.
    Refusal,
}

/// All that make an answer somebody else's.
const FORGED: [Wrong; 11] = [
    Wrong::Unsigned,
    Wrong::NoSignature,
    Wrong::Key,
    Wrong::Namespace,
    Wrong::Server,
    Wrong::Host,
    Wrong::Method,
    Wrong::Target,
    Wrong::Nonce,
    Wrong::Status,
    Wrong::Body,
];

/// Carries questions to the authority, and answers back, as far as it likes to.
#[derive(Clone)]
struct Carrier(Arc<(Mutex<Authority>, Mutex<Wrong>)>);

impl Carrier {
    fn new(ground: &Ground) -> Self {
        let authority = ground.there(|office| office.another().unwrap());
        Carrier(Arc::new((Mutex::new(authority), Mutex::new(Wrong::Nothing))))
    }

    fn is(&self, wrong: Wrong) {
        *self.0.1.lock().unwrap() = wrong;
    }
}

impl Transport for Carrier {
    fn send(&self, request: &Request<'_>) -> Result<Response, Failure> {
        let wrong = *self.0.1.lock().unwrap();
        let said = |name| request.headers.iter().find(|(header, _)| *header == name).unwrap();
        assert_eq!(said("Authorization").1, "JIT-Host web-2");
        let nonce = Proof::parse(&said("Jit-Proof").1).unwrap().nonce;
        let body = match request.path {
            "/v1/host/state" => json!(self.0.0.lock().unwrap().host_state(&web_2()).unwrap()),
            "/v1/host/factor" => json!({ "answer": Verdict::Recovery { left: 1 } }),
            path => panic!("nobody asks for {path}"),
        };
        let body = serde_json::to_vec(&body).unwrap();
        let right = Answer {
            server: "jit.example.com",
            host: "web-2",
            method: request.method,
            target: request.path,
            nonce: &nonce,
            status: 200,
            body: &body,
        };
        let signed = match wrong {
            Wrong::Server => Answer { server: "jit.example.org", ..right },
            Wrong::Host => Answer { host: "web-1", ..right },
            Wrong::Method => Answer { method: "PUT", ..right },
            Wrong::Target => Answer { target: "/v1/host/askers", ..right },
            Wrong::Nonce => Answer { nonce: "00112233445566778899aabbccddeeff", ..right },
            Wrong::Status => Answer { status: 403, ..right },
            Wrong::Body => Answer { body: b"{}", ..right },
            _ => right,
        };
        let key = private(if wrong == Wrong::Key { 8 } else { HOST_CA });
        let namespace = if wrong == Wrong::Namespace { proof::REQUEST } else { ANSWER };
        let sshsig = key.sign(namespace, HashAlg::Sha512, signed.text().unwrap().as_bytes());
        let signature = proof::bare(&sshsig.unwrap().to_pem(LineEnding::LF).unwrap());
        let (status, signature) = match wrong {
            Wrong::Refusal => (403, None),
            Wrong::Unsigned => (200, None),
            Wrong::NoSignature => (200, Some("AAAA".to_owned())),
            _ => (200, Some(signature)),
        };
        Ok(Response { status, body, retry_after: None, signature })
    }

    fn place(&self) -> &str {
        "https://jit.example.com"
    }
}

fn config(ground: &Ground) -> Config {
    let mut config = Config::load(&ground.dir.path().join("host/jit.toml")).unwrap();
    config.syslog_socket = Some(ground.dir.path().join("syslog"));
    config
}

fn code() -> Code {
    Code { person: Some(alice()), code: "1".into(), attempt: json!({}), who: "key".into() }
}

#[test]
fn an_answer_that_the_authority_did_not_sign_is_none_and_changes_nothing() {
    let ground = Ground::new();
    let config = config(&ground);
    let syslog = UnixDatagram::bind(config.syslog_socket.as_ref().unwrap()).unwrap();
    SigningKey::make(&config.host_key(), "host web-2").unwrap();
    let carrier = Carrier::new(&ground);
    let office = Https::over(&config, Box::new(carrier.clone())).unwrap();
    let reach = Reach::default();
    let before = ground.grant();
    Step::new(ground.here(), &office, &reach).once(Duration::ZERO).unwrap();
    assert_eq!(ground.here().grant(before.id()).unwrap().0, before);
    assert_eq!(office.factor(&code()).unwrap(), Verdict::Recovery { left: 1 });

    let invented = ground.grant();
    let mut line = [0; 4096];
    for wrong in FORGED {
        carrier.is(wrong);
        let mut step = Step::new(ground.here(), &office, &reach);
        let error = step.once(Duration::ZERO).unwrap_err();
        assert!(error.what().contains("is not the authority's"), "{wrong:?}: {error}");
        assert!(ground.here().grant(invented.id()).is_err(), "{wrong:?}");
        assert_eq!(ground.here().grant(before.id()).unwrap().0, before, "{wrong:?}");
        let error = office.factor(&code()).unwrap_err();
        assert!(jit_core::link::out_of_reach(&config, &error), "{wrong:?}: {error}");
        // What can do without it is told so at once.
        assert!(reach.ask_if_there(ground.here().clock(), || Ok(())).is_err(), "{wrong:?}");
    }
    // Once for all of them, as none was good meanwhile.
    syslog.set_nonblocking(true).unwrap();
    let length = syslog.recv(&mut line).unwrap();
    let text = String::from_utf8_lossy(&line[..length]);
    assert!(text.contains("tampered: what https://jit.example.com answered"), "{text}");
    assert!(syslog.recv(&mut line).is_err());

    carrier.is(Wrong::Nothing);
    Step::new(ground.here(), &office, &reach).once(Duration::ZERO).unwrap();
    assert_eq!(ground.here().grant(invented.id()).unwrap().0, invented);
    carrier.is(Wrong::Unsigned);
    office.factor(&code()).unwrap_err();
    assert!(syslog.recv(&mut line).is_ok(), "it began again");
}

#[test]
fn a_refusal_that_nobody_signed_is_a_refusal_whatever_it_says() {
    let ground = Ground::new();
    let config = config(&ground);
    SigningKey::make(&config.host_key(), "host web-2").unwrap();
    let carrier = Carrier::new(&ground);
    let office = Https::over(&config, Box::new(carrier.clone())).unwrap();
    carrier.is(Wrong::Refusal);
    let grant = ground.grant();
    let reach = Reach::default();
    let error = Step::new(ground.here(), &office, &reach).once(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(ground.here().grant(grant.id()).is_err());
    assert_eq!(office.factor(&code()).unwrap_err().kind(), Kind::Refused);
}
