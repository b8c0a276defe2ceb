//! A client that knows the server by its pin, and says what it pleases.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use sha2::{Digest, Sha256};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let start = format!("{name}: ");
        self.headers.lines().find_map(|line| line.strip_prefix(&start))
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// A connection to the server.
pub struct Https(StreamOwned<ClientConnection, TcpStream>);

impl Https {
    /// Connects, and takes the server only by its pin.
    pub fn connect(address: SocketAddr, pin: &str) -> std::io::Result<Self> {
        Https::over(TcpStream::connect(address)?, pin)
    }

    pub fn over(stream: TcpStream, pin: &str) -> std::io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Pinned { pin: pin.to_owned(), provider: provider.clone() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
        let session =
            ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(session, stream);
        // The handshake now, so that a refusal is this call's.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Https(stream))
    }

    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// What comes, as it comes.
    #[cfg(feature = "long")]
    pub fn stream(&mut self) -> &mut impl Read {
        &mut self.0
    }

    /// Asks on this connection, which stays open.
    pub fn ask(&mut self, method: &str, path: &str, more: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{more}\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat()).unwrap();
        self.answer().unwrap()
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "", b"")
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> std::io::Result<Answer> {
        read_answer(&mut self.0)
    }

    /// Whether the other end closes within `limit`.
    pub fn is_closed_within(&mut self, limit: Duration) -> bool {
        self.0.sock.set_read_timeout(Some(limit)).unwrap();
        match self.0.read(&mut [0; 1024]) {
            Ok(read) => read == 0,
            Err(e) => e.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// Reads one answer with a length.
pub fn read_answer(stream: &mut impl Read) -> std::io::Result<Answer> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let mut more = [0; 4096];
        match stream.read(&mut more)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend(&more[..read]),
        }
    };
    let headers = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = headers.split(' ').nth(1).and_then(|word| word.parse().ok());
    let mut answer = Answer { status: status.unwrap_or_default(), headers, body: String::new() };
    let length = answer.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = bytes[end..].to_vec();
    let already = body.len();
    body.resize(length, 0);
    if already < length {
        stream.read_exact(&mut body[already..])?;
    }
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Ok(answer)
}

#[derive(Debug)]
struct Pinned {
    pin: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let spki = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let found = format!("sha256:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(&spki)));
        if found == self.pin {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General(format!("the pin is {found}")))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
