//! One request: read, handed to the office, and answered, at once or when what it waits for has come.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use jit_api::{Access, Answered, Asked, Caller, Headers, Office, Peer, Turn, Visit};
use jit_core::Error;
use jit_core::clock::Stopwatch;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::changes::Changes;
use super::clerk::Clerk;
use super::metrics::{self, Metrics};
use crate::daemon::{Ending, ended};
use crate::serve::{ANSWER, PEER, REQUEST_ID};
use crate::{http, problem};

/// Requests that are worked on or stand in line for it; beyond, people are asked to come again.
const IN_LINE: usize = 256;
/// How long one stands in line.
const LINE_WITHIN: Duration = Duration::from_secs(5);
/// Requests that wait for a change.
const WAITING: usize = 8192;

/// By which socket a request came.
#[derive(Clone, Copy)]
pub enum Came {
    /// From this account on this machine.
    Local {
        /// Its user id, from the kernel.
        uid: u32,
    },
    /// From the network, by way of the front.
    Front,
}

/// What all requests share.
pub struct Desk {
    /// Decides.
    pub office: Arc<Office>,
    /// Answers what may change something.
    pub clerk: Clerk,
    metrics: Metrics,
    changes: Changes,
    ending: Ending,
    line: Semaphore,
    waiting: Semaphore,
}

impl Desk {
    /// Puts the office to work.
    ///
    /// # Errors
    /// Unavailable when the system gives no thread.
    pub fn new(
        office: Office,
        metrics: Metrics,
        changes: Changes,
        ending: Ending,
    ) -> jit_core::Result<Self> {
        let (line, waiting) = (Semaphore::new(IN_LINE), Semaphore::new(WAITING));
        let office = Arc::new(office);
        let clerk = Clerk::new(office.clone())?;
        Ok(Desk { office, clerk, metrics, changes, ending, line, waiting })
    }
}

/// A request that was read.
pub struct Question {
    parts: Parts,
    body: Bytes,
    peer: Peer,
}

/// Answers a request.
pub async fn answer(
    State(desk): State<Arc<Desk>>,
    Extension(came): Extension<Came>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Some(peer) = peer(came, &parts.headers) else {
        return problem::of(Error::invalid("the front named no caller"));
    };
    let body = match http::read(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let question = Arc::new(Question { parts, body, peer });
    let (answered, took) = match decide(&desk, &question).await {
        Ok(answered) => answered,
        Err(busy) => return busy,
    };
    desk.metrics.answered(answered.endpoint, answered.status, took);
    tracing::info!(
        request = text(&question.parts.headers, &REQUEST_ID).unwrap_or("local"),
        caller = answered.caller,
        endpoint = answered.endpoint.unwrap_or("none"),
        status = answered.status,
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    response(answered)
}

/// What the office says, and how long it took over it, waiting left out.
async fn decide(
    desk: &Arc<Desk>,
    question: &Arc<Question>,
) -> Result<(Answered, Duration), Response> {
    let busy = |what| problem::of(Error::unavailable(what).next("Ask again in a moment."));
    let mut took = Duration::ZERO;
    let mut waits: Option<(Stopwatch, Duration)> = None;
    let mut place = None;
    let mut visit = Visit::default();
    loop {
        // Before the store is looked at: a change that comes meanwhile is not missed.
        let mut since = desk.changes.since();
        visit.may_wait = !*desk.ending.borrow() && left(waits) > Duration::ZERO;
        let line = timeout(LINE_WITHIN, desk.line.acquire()).await;
        let Ok(Ok(_line)) = line else { return Err(busy("the authority has too much to do")) };
        let watch = Stopwatch::start();
        let turned = if question.looks() {
            let asked = (desk.clone(), question.clone());
            let look = move || (asked.1.put_to(&asked.0, &mut visit), visit);
            spawn_blocking(look).await.ok()
        } else {
            desk.clerk.ask(question.clone(), visit).await
        };
        // A bug of ours; what it was stands in the log.
        let Some((turn, kept)) = turned else { return Err(failed()) };
        visit = kept;
        took += watch.elapsed();
        match turn {
            Turn::Answer(answered) => {
                if changed(question, &answered) {
                    desk.changes.tell();
                }
                return Ok((answered, took));
            }
            Turn::Wait { at_most } => {
                drop(_line);
                if place.is_none() {
                    let free = desk.waiting.try_acquire();
                    let free = free.map_err(|_| busy("too many clients wait"))?;
                    place = Some((free, Counted::new(&desk.metrics.waiting)));
                }
                let waits = waits.get_or_insert_with(|| (Stopwatch::start(), at_most));
                tokio::select! {
                    _ = timeout(left(Some(*waits)), since.changed()) => {}
                    () = ended(desk.ending.clone()) => {}
                }
            }
        }
    }
}

/// Whether something may have changed. All who wait look anew then, so nobody unknown can bring that
/// about; what they did change is seen all the same, a moment later.
fn changed(question: &Question, answered: &Answered) -> bool {
    !question.looks() && answered.status == 200 && answered.caller != Caller::Nobody.to_string()
}

impl Question {
    /// As the office takes it.
    pub fn asked(&self) -> Asked<'_> {
        let Question { parts, body, peer } = self;
        let header = |name| text(&parts.headers, &name);
        Asked {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: Headers {
                authorization: header(AUTHORIZATION),
                proof: header(HeaderName::from_static("jit-proof")),
                idempotency_key: header(HeaderName::from_static("idempotency-key")),
            },
            body,
            peer: *peer,
        }
    }

    /// Whether it changes nothing.
    fn looks(&self) -> bool {
        self.parts.method == Method::GET
    }

    fn put_to(&self, desk: &Desk, visit: &mut Visit) -> Turn {
        let asked = self.asked();
        // Which the office does not know of.
        if asked.path == http::METRICS {
            return Turn::Answer(desk.metrics(&asked));
        }
        desk.office.answer(&asked, visit)
    }
}

impl Desk {
    /// The metrics, for those who look after the server.
    fn metrics(&self, asked: &Asked<'_>) -> Answered {
        let answered = |status, content_type, body, caller| Answered {
            status,
            content_type,
            body,
            retry_after: None,
            allow: None,
            signature: None,
            endpoint: Some("metrics"),
            caller,
        };
        match self.office.admit(asked, Access::Monitor) {
            Ok(caller) => {
                let text = self.metrics.text().into_bytes();
                answered(200, metrics::CONTENT_TYPE, text, caller.to_string())
            }
            Err(failure) => {
                let problem = failure.problem();
                let body = serde_json::to_vec(&problem).unwrap_or_default();
                let (kind, nobody) = ("application/problem+json", Caller::Nobody.to_string());
                let refused = answered(problem.status, kind, body, nobody);
                Answered { retry_after: failure.retry_after, ..refused }
            }
        }
    }
}

/// One more, as long as this lives.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Counted(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What is left of a wait; of one that has not begun, some.
fn left(waits: Option<(Stopwatch, Duration)>) -> Duration {
    waits.map_or(Duration::MAX, |(began, at_most)| at_most.saturating_sub(began.elapsed()))
}

/// Who asks: at their socket local people are who the kernel says, whatever they say.
fn peer(came: Came, headers: &HeaderMap) -> Option<Peer> {
    match came {
        Came::Local { uid } => Some(Peer::Unix { uid }),
        Came::Front => {
            let address: IpAddr = text(headers, &PEER)?.parse().ok()?;
            Some(Peer::Network { address })
        }
    }
}

/// A header's text, if it stands there once.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let only = all.next()?;
    if all.next().is_some() { None } else { only.to_str().ok() }
}

fn response(answered: Answered) -> Response {
    let mut response = Response::new(Body::from(answered.body));
    *response.status_mut() =
        StatusCode::from_u16(answered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answered.content_type));
    if let Some(seconds) = answered.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(allow) = answered.allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
        response.headers_mut().insert(ALLOW, allow);
    }
    if let Some(signature) = answered.signature.and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(ANSWER, signature);
    }
    // RFC 9110 section 11.6.1: a 401 says how.
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("JIT, JIT-Host"));
    }
    response
}

/// The answer where something of ours has a bug; the connection, and all others, go on.
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    failed()
}

fn failed() -> Response {
    problem::of(Error::unavailable("something went wrong; the log of jit-signer says what"))
}
