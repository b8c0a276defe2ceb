//! One request and its answer, over HTTPS or over the authority's Unix socket: bounded in time and
//! size, without redirects, cookies or proxies.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jit_core::{Error, Result};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, TcpConnector};
use ureq::{Agent, Timeout};

use crate::Trust;
use crate::connect::{Tls, Unix};

/// The largest answer that is read.
const LARGEST: u64 = 16 << 20;
/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// What a Unix socket is called in an address: ureq wants one, and nobody looks it up.
const NOWHERE: &str = "http://127.0.0.1";

/// A request as it goes out.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// With the query.
    pub path: &'a str,
    /// Beside those that HTTP needs.
    pub headers: &'a [(&'static str, String)],
    /// In JSON; nothing is sent where it is empty.
    pub body: &'a [u8],
    /// How long the answer may take.
    pub timeout: Duration,
}

/// An answer as it comes in.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// When to ask again, in seconds.
    pub retry_after: Option<u64>,
    /// `Jit-Answer`: the authority's signature, without armour.
    pub signature: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Nobody was reached: it was not sent.
    Unreached(String),
    /// It may have been sent; what came of it is unknown.
    Broken(String),
    /// The server is not the one that is believed, or the request can't be sent at all.
    Never(Error),
}

/// What carries requests.
pub trait Transport: Send + Sync {
    /// Sends one and waits for the answer.
    ///
    /// # Errors
    /// See [`Failure`].
    fn send(&self, request: &Request<'_>) -> Result<Response, Failure>;

    /// Where to, for people.
    fn place(&self) -> &str;
}

/// HTTP/1.1.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
    base: String,
    place: String,
}

impl Http {
    /// To `url`, such as `https://jit.example.com:8443`.
    ///
    /// # Errors
    /// Invalid when it is not https; misconfigured when nobody can be believed.
    pub fn https(url: &str, trust: &Trust) -> Result<Self> {
        let base = url.trim_end_matches('/');
        let host = base.strip_prefix("https://").unwrap_or_default();
        if host.is_empty() || host.contains(['/', '@', '?', '#', ' ']) {
            return Err(Error::invalid(format!("`{url}` is no address of an authority"))
                .next("Give it as https://HOST or https://HOST:PORT."));
        }
        let connector = TcpConnector::default().chain(Tls(Arc::new(trust.tls()?)));
        Ok(Http { agent: agent(connector), base: base.to_owned(), place: base.to_owned() })
    }

    /// To a socket on this machine.
    pub fn unix(socket: &Path) -> Self {
        let agent = agent(Unix(socket.to_owned()));
        Http { agent, base: NOWHERE.to_owned(), place: socket.display().to_string() }
    }
}

fn agent(connector: impl Connector) -> Agent {
    let config = Agent::config_builder()
        // From the environment, it would be.
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .max_response_header_size(16 * 1024)
        .user_agent(concat!("jit/", env!("CARGO_PKG_VERSION")))
        .build();
    Agent::with_parts(config, connector, DefaultResolver::default())
}

impl Transport for Http {
    fn send(&self, request: &Request<'_>) -> Result<Response, Failure> {
        let mut builder = ureq::http::Request::builder()
            .method(request.method)
            .uri(format!("{}{}", self.base, request.path));
        for (name, value) in request.headers {
            builder = builder.header(*name, value);
        }
        if !request.body.is_empty() {
            builder = builder.header("Content-Type", "application/json");
        }
        let malformed =
            |e: &dyn std::fmt::Display| Failure::Never(Error::invalid(format!("no request: {e}")));
        let sent = if request.body.is_empty() && request.method != "POST" {
            let built = builder.body(()).map_err(|e| malformed(&e))?;
            self.agent.run(self.timed(built, request.timeout))
        } else {
            let built = builder.body(request.body).map_err(|e| malformed(&e))?;
            self.agent.run(self.timed(built, request.timeout))
        };
        let mut answer = sent.map_err(|e| self.failure(&e))?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = header("retry-after").and_then(|value| value.trim().parse().ok());
        let signature = header("jit-answer").map(str::to_owned);
        let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
        let body = body.map_err(|e| self.failure(&e))?;
        Ok(Response { status: answer.status().as_u16(), body, retry_after, signature })
    }

    fn place(&self) -> &str {
        &self.place
    }
}

impl Http {
    fn timed<B: ureq::AsSendBody>(
        &self,
        request: ureq::http::Request<B>,
        timeout: Duration,
    ) -> ureq::http::Request<B> {
        let configured = self.agent.configure_request(request);
        // Methods such as DELETE may carry a body here.
        configured.timeout_global(Some(timeout)).allow_non_standard_methods(true).build()
    }

    fn failure(&self, error: &ureq::Error) -> Failure {
        let place = &self.place;
        match error {
            ureq::Error::Rustls(tls) => self.tls_failure(tls),
            ureq::Error::Io(io) => {
                if let Some(tls) = io.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
                    return self.tls_failure(tls);
                }
                match io.kind() {
                    ErrorKind::ConnectionRefused
                    | ErrorKind::NotFound
                    | ErrorKind::HostUnreachable
                    | ErrorKind::NetworkUnreachable
                    | ErrorKind::NetworkDown
                    | ErrorKind::AddrNotAvailable => Failure::Unreached(io.to_string()),
                    ErrorKind::PermissionDenied => {
                        Failure::Never(Error::refused(format!("{place} can't be opened: {io}")))
                    }
                    _ => Failure::Broken(io.to_string()),
                }
            }
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                Failure::Unreached("no answer in time".to_owned())
            }
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
                Failure::Unreached(error.to_string())
            }
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Failure::Never(Error::invalid(format!("{place}: {error}")))
            }
            other => Failure::Broken(other.to_string()),
        }
    }

    fn tls_failure(&self, error: &rustls::Error) -> Failure {
        let rustls::Error::InvalidCertificate(why) = error else {
            return Failure::Broken(error.to_string());
        };
        let why = match why {
            rustls::CertificateError::ApplicationVerificationFailure => {
                "its key is not the one that is pinned".to_owned()
            }
            other => other.to_string(),
        };
        Failure::Never(
            Error::refused(format!("{} is not the server that is expected: {why}", self.place))
                .next(
                    "Nothing was sent to it. If the authority has a new key, ask its admin for \
                     the pin over another way.",
                ),
        )
    }
}
