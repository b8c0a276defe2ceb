//! The texts that people, hosts and the authority sign, and how a proof stands in its header.
//!
//! Each text has a namespace of its own (PROTOCOL.sshsig of OpenSSH), names the server that it is
//! for, and has one value a line: a signature for one thing or one server is none for another. Sign
//! with `ssh-keygen -Y sign -n NAMESPACE -f KEY`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jit_core::audit::hex;
use jit_core::id::GrantId;
use jit_core::name::{HostName, PersonName};
use jit_core::{Error, Result, sshsig};
use sha2::{Digest, Sha256};
use ssh_key::Fingerprint;

/// Of a proof of each request.
pub const REQUEST: &str = "jit-proof@v1";
/// Of a login.
pub const LOGIN: &str = "jit-login@v1";
/// Of a first enrolment, a person's or a host's.
pub const ENROL: &str = "jit-enrol@v1";
/// Of the possession of a key to be certified that does not sign the request itself.
pub const CERTIFY: &str = "jit-cert@v1";
/// Of an answer to a host, by the host CA's key. Certificates that it signs begin otherwise: what is
/// signed for a namespace begins with SSHSIG.
pub const ANSWER: &str = "jit-answer@v1";

/// For how many seconds before and after the server's clock a proof is taken.
pub const FRESH: u64 = 60;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// Characters of a line of an armoured signature.
const LINE: usize = 70;

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn lines(first: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut text = format!("{first}\n");
    for (name, value) in values {
        if value.contains(['\n', '\r']) {
            return Err(Error::invalid(format!("the {name} has two lines")));
        }
        text.push_str(&format!("{name}: {value}\n"));
    }
    Ok(text)
}

/// What a request is, for its proof.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The server's name.
    pub server: &'a str,
    /// The method.
    pub method: &'a str,
    /// Path and query as they go over the wire.
    pub target: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// The token as it stands in the header; none of a host.
    pub token: Option<&'a str>,
    /// When, in seconds since 1970.
    pub time: u64,
    /// 32 hexadecimal digits.
    pub nonce: &'a str,
}

impl Request<'_> {
    /// What is signed.
    ///
    /// # Errors
    /// Invalid when a value has two lines.
    pub fn text(&self) -> Result<String> {
        let token = self.token.map_or_else(|| "-".to_owned(), |token| sha256(token.as_bytes()));
        lines(
            REQUEST,
            &[
                ("server", self.server),
                ("method", self.method),
                ("path", self.target),
                ("body", &sha256(self.body)),
                ("token", &token),
                ("time", &self.time.to_string()),
                ("nonce", self.nonce),
            ],
        )
    }
}

/// What the authority answers a host, for its signature in the header `Jit-Answer`.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The server's name.
    pub server: &'a str,
    /// Who is answered: another host may have asked with the same nonce.
    pub host: &'a str,
    /// The method of the request.
    pub method: &'a str,
    /// Its path and query as they went over the wire.
    pub target: &'a str,
    /// The nonce of its proof, so that an older answer is none.
    pub nonce: &'a str,
    /// The HTTP status.
    pub status: u16,
    /// The body of the answer.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// What is signed.
    ///
    /// # Errors
    /// Invalid when a value has two lines.
    pub fn text(&self) -> Result<String> {
        lines(
            ANSWER,
            &[
                ("server", self.server),
                ("host", self.host),
                ("method", self.method),
                ("path", self.target),
                ("nonce", self.nonce),
                ("status", &self.status.to_string()),
                ("body", &sha256(self.body)),
            ],
        )
    }

    /// Checks that the key with the fingerprint `ca` signed this answer, as the header has it.
    ///
    /// # Errors
    /// Refused, saying why.
    pub fn check(&self, header: Option<&str>, ca: Fingerprint) -> Result<()> {
        let header = header.ok_or_else(|| Error::refused("it is not signed"))?;
        sshsig::check_by(&armoured(header)?, ANSWER, &self.text()?, ca)
    }
}

/// What is signed by an enrolled key to log in. `proof_key` is the fingerprint of the key that signs
/// the requests.
///
/// # Errors
/// Invalid when a value has two lines.
pub fn login(server: &str, nonce: &str, person: &PersonName, proof_key: &str) -> Result<String> {
    let person = person.as_str();
    lines(
        LOGIN,
        &[("server", server), ("nonce", nonce), ("person", person), ("proof key", proof_key)],
    )
}

/// What is signed by a new key of a person to enrol it.
///
/// # Errors
/// Invalid when a value has two lines.
pub fn enrol_person(server: &str, person: &PersonName, code: &str, key: &str) -> Result<String> {
    let code = sha256(code.as_bytes());
    let person = person.as_str();
    lines(ENROL, &[("server", server), ("person", person), ("code", &code), ("key", key)])
}

/// What is signed by a host's key to enrol it.
///
/// # Errors
/// Invalid when a value has two lines.
pub fn enrol_host(server: &str, host: &HostName, code: &str, key: &str) -> Result<String> {
    let code = sha256(code.as_bytes());
    lines(ENROL, &[("server", server), ("host", host.as_str()), ("code", &code), ("key", key)])
}

/// What is signed by the key to be certified.
///
/// # Errors
/// Invalid when a value has two lines.
pub fn certify(server: &str, grant: &GrantId, key: &str) -> Result<String> {
    lines(CERTIFY, &[("server", server), ("grant", grant.as_str()), ("key", key)])
}

/// What stands in the header `Jit-Proof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// When it was made, in seconds since 1970.
    pub time: u64,
    /// 32 hexadecimal digits.
    pub nonce: String,
    /// The armoured signature.
    pub sshsig: String,
}

impl Proof {
    /// As it stands in the header.
    pub fn header(&self) -> String {
        format!("t={},n={},s={}", self.time, self.nonce, bare(&self.sshsig))
    }

    /// Reads the header.
    ///
    /// # Errors
    /// Invalid when it has another form.
    pub fn parse(header: &str) -> Result<Self> {
        let bad = || Error::invalid("Jit-Proof is not t=SECONDS,n=NONCE,s=SIGNATURE");
        let mut parts = header.split(',');
        let mut part =
            |name: &str| parts.next().and_then(|part| part.strip_prefix(name)).ok_or_else(bad);
        let (time, nonce, signature) = (part("t=")?, part("n=")?, part("s=")?);
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let hexadecimal = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
        if header.matches(',').count() != 2
            || !digits(time)
            || nonce.len() != 32
            || !nonce.bytes().all(hexadecimal)
        {
            return Err(bad());
        }
        Ok(Proof {
            time: time.parse().map_err(|_| bad())?,
            nonce: nonce.to_owned(),
            sshsig: armoured(signature)?,
        })
    }
}

/// An armoured signature without armour and line ends.
pub fn bare(sshsig: &str) -> String {
    sshsig.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect()
}

/// The armour around a bare signature.
///
/// # Errors
/// Invalid when it is not base64.
pub fn armoured(bare: &str) -> Result<String> {
    if bare.len() > 8192 || STANDARD.decode(bare).is_err() {
        return Err(Error::invalid("the signature is not base64"));
    }
    let mut text = format!("{BEGIN}\n");
    // Base64 is ASCII, so no character is cut.
    for line in bare.as_bytes().chunks(LINE) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str(END);
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_these_lines() {
        let request = Request {
            server: "jit.example.com",
            method: "POST",
            target: "/v1/grants/k7q2-m9xd/approve?x=y",
            body: b"{}",
            token: None,
            time: 1_800_000_000,
            nonce: "00112233445566778899aabbccddeeff",
        };
        let text = "jit-proof@v1\nserver: jit.example.com\nmethod: POST\n\
            path: /v1/grants/k7q2-m9xd/approve?x=y\n\
            body: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n\
            token: -\ntime: 1800000000\nnonce: 00112233445566778899aabbccddeeff\n";
        assert_eq!(request.text().unwrap(), text);
        assert!(Request { target: "/a\nbody: x", ..request }.text().is_err());
    }

    #[test]
    fn an_answer_is_signed_as_these_lines() {
        let answer = Answer {
            server: "jit.example.com",
            host: "web-2",
            method: "GET",
            target: "/v1/host/state?wait=20",
            nonce: "00112233445566778899aabbccddeeff",
            status: 200,
            body: b"{}",
        };
        let text = "jit-answer@v1\nserver: jit.example.com\nhost: web-2\nmethod: GET\n\
            path: /v1/host/state?wait=20\nnonce: 00112233445566778899aabbccddeeff\nstatus: 200\n\
            body: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n";
        assert_eq!(answer.text().unwrap(), text);
        assert!(Answer { target: "/a\nnonce: x", ..answer }.text().is_err());
    }

    #[test]
    fn a_header_reads_back_and_no_other_form_is_read() {
        let sshsig = armoured(&STANDARD.encode([7; 200])).unwrap();
        let nonce = "00112233445566778899aabbccddeeff".to_owned();
        let proof = Proof { time: 5, nonce, sshsig };
        assert_eq!(Proof::parse(&proof.header()).unwrap(), proof);
        let n = &proof.nonce;
        for bad in [
            String::new(),
            format!("t=5,n={n}"),
            format!("n={n},t=5,s=AAAA"),
            format!("t=+5,n={n},s=AAAA"),
            format!("t=,n={n},s=AAAA"),
            format!("t=5,n={},s=AAAA", &n[1..]),
            format!("t=5,n={},s=AAAA", n.to_uppercase()),
            format!("t=5,n={n},s=A"),
            format!("t=5,n={n},s=AAAA,x=1"),
        ] {
            assert!(Proof::parse(&bad).is_err(), "{bad}");
        }
    }
}
