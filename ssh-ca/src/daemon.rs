//! What both daemons have in common: logs, signals, what systemd is told, and an end in good order.

use std::future::Future;
use std::time::Duration;

use jit_core::{Error, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing_subscriber::filter::LevelFilter;

/// How long requests that run may take to end once the daemon is told to.
pub const GRACE: Duration = Duration::from_secs(10);

/// Turns true when the daemon is to end.
pub type Ending = watch::Receiver<bool>;

/// Logs go to standard error, a line of JSON each; journald keeps them.
pub fn log() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(LevelFilter::INFO)
        // Saying that a line was lost, to where it was lost, would end the request.
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .init();
}

/// Runs `daemon` until it ends.
///
/// # Errors
/// Those of the daemon; unavailable when the system gives no threads.
pub fn run<F: Future<Output = Result<()>>>(daemon: F) -> Result<()> {
    raise_open_files();
    // What there is to do between two waits is short: handing it to another thread costs more.
    let runtime = tokio::runtime::Builder::new_current_thread()
        // The store is one; more threads than this would only wait for each other.
        .max_blocking_threads(8)
        .enable_all()
        .build()
        .map_err(|e| Error::unavailable(format!("no threads can be started: {e}")))?;
    let done = runtime.block_on(daemon);
    // What still waits for the store was acknowledged to nobody.
    runtime.shutdown_timeout(Duration::from_secs(2));
    done
}

/// A connection is an open file, and systemd starts services with room for 1024 unless told.
fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // As many as there were do for a start.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Waits for SIGTERM or SIGINT, and has everybody end who holds the other end of `ending`.
///
/// # Errors
/// Unavailable when signals can't be had.
pub async fn until_told(ending: &watch::Sender<bool>) -> Result<()> {
    let (mut term, mut int) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("ending");
    tell(&[NotifyState::Stopping]);
    ending.send_replace(true);
    Ok(())
}

/// Counts what runs, to wait for it at the end.
pub struct Running {
    mark: mpsc::Sender<()>,
    gone: mpsc::Receiver<()>,
}

impl Running {
    /// Nothing runs yet.
    pub fn new() -> Self {
        let (mark, gone) = mpsc::channel(1);
        Running { mark, gone }
    }

    /// `task`, counted until it is done.
    pub fn count<F: Future>(&self, task: F) -> impl Future<Output = ()> + use<F> {
        let mark = self.mark.clone();
        async move {
            let _ = task.await;
            drop(mark);
        }
    }

    /// Waits until all is done, or the time is over.
    pub async fn wait(mut self, at_most: Duration) {
        drop(self.mark);
        let _ = tokio::time::timeout(at_most, self.gone.recv()).await;
    }
}

/// Resolves once `ending` is true.
pub async fn ended(mut ending: Ending) {
    // A sender that is gone has ended, too.
    let _ = ending.wait_for(|ending| *ending).await;
}

/// Deliveries of a signal.
///
/// # Errors
/// Unavailable when signals can't be had.
pub fn on(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|e| Error::unavailable(format!("signals can't be had: {e}")))
}

/// Tells systemd that the daemon serves.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells systemd that the daemon is well.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often systemd wants to hear that, if it does.
pub fn watchdog() -> Option<Duration> {
    let mut micros = 0;
    sd_notify::watchdog_enabled(false, &mut micros).then(|| Duration::from_micros(micros / 3))
}

fn tell(state: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(false, state);
}
