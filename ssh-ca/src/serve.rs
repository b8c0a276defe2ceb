//! `ssh-ca serve`: the front. It speaks TLS with the network, keeps to the limits, and passes each
//! request on to the signer. It holds no secret but its TLS key, and proves nothing for anybody: a
//! front that was broken into can forge no request and no answer that matters.

pub mod certificate;
mod front;
mod limits;
mod metrics;
pub mod setup;
pub mod tls;
mod upstream;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use jit_core::config::{Config, Serve};
use jit_core::{Error, Result};
use tokio::net::TcpStream;
use tokio::signal::unix::SignalKind;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

pub use self::front::{ANSWER, PEER, REQUEST_ID};

use self::front::Front;
use self::limits::{Addresses, Limits, Place};
use self::metrics::{Metrics, Reason};
use self::tls::{Files, Identity};
use crate::daemon::{self, Ending};
use crate::http;

/// How long a TLS handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Where a request came from.
#[derive(Clone, Copy)]
pub struct From(pub IpAddr);

/// Serves until it is ended.
///
/// # Errors
/// Misconfigured without `[serve]`, or when the certificate or the address is not good.
pub fn run(config: &Config) -> Result<()> {
    let serve = section(config)?;
    let identity = Arc::new(Identity::load(files(serve))?);
    let tls = tls::config(identity.clone())?;
    let listener = listen(serve)?;
    daemon::log();
    daemon::run(accept_all(config, serve, identity, tls, listener))
}

/// What `[serve]` says.
///
/// # Errors
/// Misconfigured when it is missing, saying what to write.
pub fn section(config: &Config) -> Result<&Serve> {
    config.serve.as_ref().ok_or_else(|| {
        Error::misconfigured("the configuration has no [serve]").next(
            "Write it: ssh-ca init --serve NAME, NAME being that by which clients reach this machine.",
        )
    })
}

/// What `[serve]` names, or else what `ssh-ca init` makes.
/// What clients pin, by the certificate as it is now; none where there is no good one.
pub fn pin(serve: &Serve) -> Option<String> {
    certificate::pin_of(&files(serve).certificate)
}

fn files(serve: &Serve) -> Files {
    Files { certificate: serve.certificate(), key: serve.key() }
}

/// The socket that systemd hands over, or else one of our own.
fn listen(serve: &Serve) -> Result<TcpListener> {
    let handed = listenfd::ListenFd::from_env().take_tcp_listener(0);
    let bound = handed.and_then(|handed| match handed {
        Some(listener) => Ok(listener),
        None => TcpListener::bind(serve.listen),
    });
    let ready = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    ready.map_err(|e| {
        Error::unavailable(format!("{} can't be listened on: {e}", serve.listen))
            .next("`listen` in [serve] says where.")
    })
}

async fn accept_all(
    config: &Config,
    serve: &Serve,
    identity: Arc<Identity>,
    tls: Arc<rustls::ServerConfig>,
    listener: TcpListener,
) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)
        .map_err(|e| Error::unavailable(format!("the socket can't be used: {e}")))?;
    let (told, ending) = watch::channel(false);
    let addresses = Arc::new(Addresses::new(Limits {
        connections: serve.connections as usize,
        connections_per_address: serve.connections_per_address as usize,
        rate: serve.rate,
        rate_per_claim: serve.each.rate,
    }));
    let metrics = Arc::new(Metrics::default());
    let socket = config.front_socket();
    let front = Front::new(socket, addresses.clone(), metrics.clone(), ending.clone());
    let front = Arc::new(front);
    let app = Router::new().fallback(front::answer).with_state(front);
    let place = listener.local_addr().map_or_else(|_| serve.listen.to_string(), |a| a.to_string());
    tracing::info!(listen = place, pin = identity.pin(), "serving");
    tokio::spawn(identity.keep_up(daemon::on(SignalKind::hangup())?));
    tokio::spawn(watchdog());
    daemon::ready(&format!("Serving on {place}"));

    let shared = Shared { acceptor: TlsAcceptor::from(tls), app, metrics, ending };
    let running = daemon::Running::new();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => match addresses.connect(from.ip()) {
                    Ok(place) => {
                        tokio::spawn(running.count(shared.clone().serve(stream, from, place)));
                    }
                    Err(reason) => shared.metrics.refused(reason),
                },
                Err(error) => {
                    // Out of open files, or a client that has gone again.
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        done = daemon::until_told(&told) => done?,
    }
    drop(listener);
    running.wait(daemon::GRACE).await;
    Ok(())
}

/// What all connections share.
#[derive(Clone)]
struct Shared {
    acceptor: TlsAcceptor,
    app: Router,
    metrics: Arc<Metrics>,
    ending: Ending,
}

impl Shared {
    /// A connection, from its handshake to its end.
    async fn serve(self, stream: TcpStream, from: SocketAddr, place: Place) {
        self.metrics.connections.inc();
        let ended = tokio::select! {
            ended = self.requests(stream, from.ip()) => ended,
            () = place.make_room.notified() => Err(Reason::MadeRoom),
        };
        self.metrics.connections.dec();
        if let Err(reason) = ended {
            self.metrics.refused(reason);
        }
    }

    async fn requests(&self, stream: TcpStream, from: IpAddr) -> Result<(), Reason> {
        // Small answers go out at once.
        let _ = stream.set_nodelay(true);
        let handshake = tokio::time::timeout(HANDSHAKE_WITHIN, self.acceptor.accept(stream));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) => return Err(Reason::Handshake),
            Err(_) => return Err(Reason::HandshakeSlow),
        };
        let app = self.app.clone().map_request(move |mut request: Request<_>| {
            request.extensions_mut().insert(From(from.to_canonical()));
            request
        });
        let served = http::serve(stream, app, http::Patience::Short, self.ending.clone()).await;
        match served {
            Err(error) if error.is_timeout() => Err(Reason::HeadSlow),
            Err(error) if error.is_parse_too_large() => Err(Reason::HeadLarge),
            Err(error) if error.is_parse() => Err(Reason::HeadInvalid),
            // A client that has gone.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// As long as this runs, tasks do.
async fn watchdog() {
    let Some(every) = daemon::watchdog() else { return };
    loop {
        daemon::alive();
        tokio::time::sleep(every).await;
    }
}
