//! Real TLS against a server in this process: which is believed, and what a restart does to a call.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jit_client::{Caller, Client, Http, Manner, Trust, pin};
use jit_core::Kind;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

const ANSWER: &str = r#"{"name":"jit.example.com"}"#;

struct Server {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Server {
    /// Certified for `name`, on a port of its own.
    fn new(name: &str) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let certificate = cert.der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Server { listener, config: Arc::new(config), certificate, pem: cert.pem() }
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.listener.local_addr().unwrap().port())
    }

    /// Serves `connections`, the first `broken` of which end before any answer.
    fn serve(&self, connections: usize, broken: usize) -> thread::JoinHandle<Vec<String>> {
        let (listener, config) = (self.listener.try_clone().unwrap(), self.config.clone());
        thread::spawn(move || {
            let mut seen = Vec::new();
            for number in 0..connections {
                let (tcp, _) = listener.accept().unwrap();
                if number < broken {
                    continue;
                }
                seen.extend(tls_answer(tcp, &config));
            }
            seen
        })
    }
}

/// Reads one request over TLS and answers it; its first line, or nothing where there is none.
fn tls_answer(tcp: TcpStream, config: &Arc<ServerConfig>) -> Option<String> {
    tcp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let connection = ServerConnection::new(config.clone()).unwrap();
    answer(StreamOwned::new(connection, tcp))
}

fn answer(stream: impl Read + Write) -> Option<String> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let told = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    stream.get_mut().write_all(told.as_bytes()).ok()?;
    stream.get_mut().flush().ok()?;
    Some(format!("{} {}", first.trim_end(), String::from_utf8(body).unwrap()))
}

fn call(url: &str, trust: &Trust) -> jit_core::Result<Value> {
    let http = Http::https(url, trust)?;
    let client = Client::new(Box::new(http), "jit.example.com", Caller::Unproved);
    client.get("/v1/server", Manner { patience: Duration::ZERO, ..Manner::default() })
}

#[test]
fn a_pinned_key_is_believed_whatever_the_name_and_another_key_never() {
    let server = Server::new("some.other.name");
    let pin = Trust::Pin(pin::of(&server.certificate).unwrap());
    let serving = server.serve(1, 0);
    assert_eq!(call(&server.url("127.0.0.1"), &pin).unwrap()["name"], "jit.example.com");
    assert_eq!(serving.join().unwrap(), ["GET /v1/server HTTP/1.1 "]);

    let foreign = Server::new("some.other.name");
    let serving = foreign.serve(1, 0);
    let said = call(&foreign.url("127.0.0.1"), &pin).unwrap_err();
    assert_eq!(said.kind(), Kind::Refused, "{said}");
    assert!(said.what().contains("its key is not the one that is pinned"), "{said}");
    assert!(serving.join().unwrap().is_empty(), "it got a request");
}

#[test]
fn without_a_pin_an_authority_has_to_vouch_for_the_name() {
    let server = Server::new("localhost");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, &server.pem).unwrap();
    let trust = Trust::Authorities(Some(file));
    let serving = server.serve(1, 0);
    call(&server.url("localhost"), &trust).unwrap();
    serving.join().unwrap();
    for (server, host) in [(Server::new("localhost"), "localhost"), (server, "127.0.0.1")] {
        let serving = server.serve(1, 0);
        let said = call(&server.url(host), &trust).unwrap_err();
        assert_eq!(said.kind(), Kind::Refused, "{said}");
        assert!(serving.join().unwrap().is_empty(), "it got a request");
    }
}

#[test]
fn a_call_outlives_connections_that_break() {
    let server = Server::new("x");
    let trust = Trust::Pin(pin::of(&server.certificate).unwrap());
    let serving = server.serve(3, 2);
    let http = Http::https(&server.url("127.0.0.1"), &trust).unwrap();
    let client = Client::new(Box::new(http), "jit.example.com", Caller::Unproved);
    let said: Value = client.post("/v1/x", &json!({ "a": 1 }), Manner::default()).unwrap();
    assert_eq!(said["name"], "jit.example.com");
    assert_eq!(serving.join().unwrap(), [r#"POST /v1/x HTTP/1.1 {"a":1}"#]);
}

#[test]
fn a_unix_socket_carries_the_same_calls() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let client = || Client::new(Box::new(Http::unix(&socket)), "jit", Caller::Unproved);
    let none = Manner { patience: Duration::ZERO, ..Manner::default() };
    let said = client().get::<Value>("/v1/me", none).unwrap_err();
    assert_eq!(said.kind(), Kind::Unavailable, "{said}");
    let listener = UnixListener::bind(&socket).unwrap();
    let serving = thread::spawn(move || answer(listener.accept().unwrap().0));
    assert_eq!(client().get::<Value>("/v1/me", none).unwrap()["name"], "jit.example.com");
    assert_eq!(serving.join().unwrap().unwrap(), "GET /v1/me HTTP/1.1 ");
}

#[test]
fn only_https_is_an_address() {
    let trust = Trust::Authorities(None);
    for bad in
        ["http://jit.example.com", "jit.example.com", "https://", "https://a@b", "https://a/b"]
    {
        assert_eq!(Http::https(bad, &trust).unwrap_err().kind(), Kind::Invalid, "{bad}");
    }
}
