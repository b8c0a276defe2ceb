//! `ssh-ca signer`: the authority as a process. The only one that holds the store, the master key
//! and the CA's private key. It has no network: who is local asks at one socket, where the kernel says
//! who it is; the front passes on at another what the network asks. It checks every proof itself.

mod answer;
mod changes;
mod clerk;
mod issuer;
mod locals;
mod metrics;
mod sockets;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use jit_api::Office;
use jit_core::authority::Authority;
use jit_core::config::Config;
use jit_core::store::sqlite::Opener;
use jit_core::{Result, lockfile, rootfile};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;

use self::answer::{Came, Desk};
use self::changes::Changes;
use self::issuer::CaIssuer;
use self::locals::Locals;
use self::metrics::Metrics;
use self::sockets::Sockets;
use crate::daemon::{self, Ending, Running};
use crate::{http, serve};

/// The name under which events go to syslog.
const PROCESS: &str = "ssh-ca";

/// Answers until it is ended.
///
/// # Errors
/// Misconfigured without `[serve]`; unavailable when another signer runs.
pub fn run(path: &Path) -> Result<()> {
    let config = Config::load(path)?;
    let served = serve::section(&config)?.clone();
    rootfile::create_private_dir(&config.run_dir)?;
    // A second one would take the first one's sockets away.
    let _lock = lockfile::hold(&config.signer_lock(), "ssh-ca signer", "jit-signer")?;
    let sockets = Sockets::bind(&config)?;
    let metrics = Metrics::default();
    let issuer = CaIssuer::new(metrics.issued.clone());
    let office = Office::new(Authority::open(config, PROCESS, Opener::Admin)?, Box::new(issuer))
        .pinned(move || serve::pin(&served));
    daemon::log();
    daemon::run(answer_all(office, metrics, sockets))
}

async fn answer_all(office: Office, metrics: Metrics, sockets: Sockets) -> Result<()> {
    let (told, ending) = watch::channel(false);
    let changes = Changes::new();
    let desk = Arc::new(Desk::new(office, metrics, changes.clone(), ending.clone())?);
    let app = Router::new()
        .fallback(answer::answer)
        .layer(CatchPanicLayer::custom(answer::panicked))
        .with_state(desk.clone());
    let (api, front) = sockets.listen()?;
    tracing::info!("answering");
    let looking = tokio::spawn(look_for_changes(desk, changes));
    daemon::ready("Answering");

    let (running, locals) = (Running::new(), Locals::default());
    let accept = async {
        loop {
            let (accepted, came) = tokio::select! {
                accepted = api.accept() => (accepted, None),
                accepted = front.accept() => (accepted, Some(Came::Front)),
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    continue;
                }
            };
            let (came, place) = match came {
                Some(came) => (came, None),
                None => {
                    // Who does not say who they are is not answered, and neither is who has too many.
                    let Ok(uid) = stream.peer_cred().map(|peer| peer.uid()) else { continue };
                    let Some(place) = locals.place(uid) else { continue };
                    (Came::Local { uid }, Some(place))
                }
            };
            let app = app.clone().map_request(move |mut request: Request<_>| {
                request.extensions_mut().insert(came);
                request
            });
            let answers = connection(stream, app, came, ending.clone());
            tokio::spawn(running.count(async move {
                answers.await;
                drop(place);
            }));
        }
    };
    tokio::select! {
        () = accept => {}
        done = daemon::until_told(&told) => done?,
    }
    looking.abort();
    drop((api, front));
    running.wait(daemon::GRACE).await;
    Ok(())
}

async fn connection<S>(stream: tokio::net::UnixStream, app: S, came: Came, ending: Ending)
where
    S: tower::Service<
            Request<hyper::body::Incoming>,
            Response = axum::response::Response,
            Error = std::convert::Infallible,
        > + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let patience = match came {
        // The front keeps its connections; it is the one that has time limits.
        Came::Front => http::Patience::Endless,
        Came::Local { .. } => http::Patience::Short,
    };
    // What went wrong on a connection is its client's to know.
    let _ = http::serve(stream, app, patience, ending).await;
}

/// Tells those who wait when another process has changed the store, and systemd that all is well:
/// the store can be asked, and the clerk is there to change it.
async fn look_for_changes(desk: Arc<Desk>, changes: Changes) {
    let mut last = None;
    let mut trouble = String::new();
    loop {
        let asked = desk.clone();
        match spawn_blocking(move || asked.office.change_marker()).await {
            Ok(Ok(marker)) => {
                if last.replace(marker).is_some_and(|last| last != marker) {
                    changes.tell();
                }
                if desk.clerk.works() {
                    daemon::alive();
                }
                trouble.clear();
            }
            Ok(Err(error)) if error.to_string() != trouble => {
                trouble = error.to_string();
                tracing::error!(error = trouble, "the store can't be asked");
            }
            Ok(Err(_)) => {}
            Err(error) => tracing::error!(error = %error, "the store can't be asked"),
        }
        tokio::time::sleep(changes::LOOK).await;
    }
}
