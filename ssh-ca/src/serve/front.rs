//! One request: counted, read, passed on, logged.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE,
    RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use http_body_util::Full;
use jit_api::{Failure, LARGEST_BODY};
use jit_core::Error;
use jit_core::clock::Stopwatch;
use jit_core::secret::random_bytes;

use super::From;
use super::limits::Addresses;
use super::metrics::{Metrics, Reason};
use super::upstream::{No, Upstream};
use crate::daemon::{Ending, ended};
use crate::{http, problem};

/// What is passed on of a request's headers. All else stays here: nobody but the front says where a
/// request came from.
const PASSED_ON: [HeaderName; 5] = [
    AUTHORIZATION,
    ACCEPT,
    CONTENT_TYPE,
    HeaderName::from_static("jit-proof"),
    HeaderName::from_static("idempotency-key"),
];
/// What is passed back.
const PASSED_BACK: [HeaderName; 5] = [CONTENT_TYPE, RETRY_AFTER, ALLOW, WWW_AUTHENTICATE, ANSWER];

/// The signature over an answer to a host.
pub const ANSWER: HeaderName = HeaderName::from_static("jit-answer");
/// Says the caller's address to the signer.
pub const PEER: HeaderName = HeaderName::from_static("jit-peer");
/// Names a request in both logs and in the answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a signer that is away is waited for: as long as a restart takes.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that a client may wait for, and some.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// As long as an answer takes that nobody waits for.
const USUAL: Duration = Duration::from_secs(2);
/// The longest path and query.
const LONGEST_URI: usize = 4096;

/// What all requests share.
pub struct Front {
    upstream: Upstream,
    addresses: Arc<Addresses>,
    metrics: Arc<Metrics>,
    ending: Ending,
}

impl Front {
    /// Passes on to the signer's `socket`.
    pub fn new(
        socket: PathBuf,
        addresses: Arc<Addresses>,
        metrics: Arc<Metrics>,
        ending: Ending,
    ) -> Self {
        Front { upstream: Upstream::new(socket), addresses, metrics, ending }
    }
}

/// What is not passed on, why, and the answer.
struct Refused(Reason, Response);

/// Answers a request.
pub async fn answer(
    State(front): State<Arc<Front>>,
    Extension(from): Extension<From>,
    request: Request,
) -> Response {
    let took = Stopwatch::start();
    let id = request_id();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let handled = handle(&front, from, &id, request).await;
    let mut response = handled.unwrap_or_else(|Refused(reason, response)| {
        front.metrics.refused(reason);
        response
    });
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    tracing::info!(
        request = id.to_str().unwrap_or_default(),
        peer = %from.0,
        method = method.as_str(),
        path = uri.path(),
        status = response.status().as_u16(),
        micros = u64::try_from(took.elapsed().as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}

async fn handle(
    front: &Front,
    from: From,
    id: &HeaderValue,
    request: Request,
) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    let claim = parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    front.addresses.ask(from.0, claim).map_err(|(reason, seconds)| {
        let what = match reason {
            Reason::RateOfPerson => "there are too many requests of yours",
            _ => "there are too many requests from your address",
        };
        let failure = Failure::rate_limited(what, seconds).next("Ask more slowly.");
        Refused(reason, closing(problem::of(failure)))
    })?;
    let path = path(&parts.uri).map_err(|error| Refused(Reason::Path, problem::of(error)))?;
    if announced(&parts.headers).is_some_and(|length| length > LARGEST_BODY as u64) {
        return Err(Refused(Reason::BodyLarge, closing(http::too_large())));
    }
    let body = http::read(body).await.map_err(|response| {
        let reason = match response.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Reason::BodyLarge,
            StatusCode::REQUEST_TIMEOUT => Reason::BodySlow,
            _ => Reason::BodyCut,
        };
        Refused(reason, closing(response))
    })?;
    let passed_on = passed_on(&parts.method, path, &parts.headers, from, id, body);
    let patience = if parts.uri.path() == "/healthz" { Duration::ZERO } else { PATIENCE };
    let asked = tokio::time::timeout(ANSWER_WITHIN, front.upstream.ask(passed_on, patience));
    let answer = tokio::select! {
        answer = asked => answer.unwrap_or(Err(No::Unknown)),
        // A client that waits for a change asks the next server.
        () = nearly_over(front) => Err(No::Unknown),
    };
    let answer = answer.map_err(|no| {
        let what = match no {
            No::Away => "the authority is being restarted; nothing was done",
            No::Unknown => "the authority went away before it answered; it may have been done",
        };
        let error = Error::unavailable(what).next("Ask again in a moment.");
        Refused(Reason::Signer, problem::of(error))
    })?;
    let (answered, mut body) = answer.into_parts();
    // The signer has said that they may see them.
    if parts.uri.path() == http::METRICS && answered.status == StatusCode::OK {
        body = front.metrics.added_to(&body).into();
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = answered.status;
    for name in PASSED_BACK {
        if let Some(value) = answered.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    Ok(response)
}

/// Resolves when the front is ending, and what takes no longer than usual has had its time.
async fn nearly_over(front: &Front) {
    ended(front.ending.clone()).await;
    tokio::time::sleep(USUAL).await;
}

/// The request as the signer sees it.
fn passed_on(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    from: From,
    id: &HeaderValue,
    body: Bytes,
) -> axum::http::Request<Full<Bytes>> {
    let mut request = axum::http::Request::new(Full::new(body));
    *request.method_mut() = method.clone();
    // It was one until now.
    *request.uri_mut() = path.parse().unwrap_or_default();
    let passed = request.headers_mut();
    for name in PASSED_ON {
        // Two of one name are for the signer to refuse.
        for value in headers.get_all(&name) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed.insert("host", HeaderValue::from_static("jit"));
    if let Ok(peer) = HeaderValue::try_from(from.0.to_string()) {
        passed.insert(PEER, peer);
    }
    passed.insert(REQUEST_ID, id.clone());
    request
}

/// Path and query, as they were written: they are part of what the caller signed.
fn path(uri: &Uri) -> Result<&str, Error> {
    let bad = |what: &str| Err(Error::invalid(what));
    match uri.path_and_query().map(axum::http::uri::PathAndQuery::as_str) {
        Some(path) if path.len() > LONGEST_URI => bad("the path is too long"),
        Some(path) if path.starts_with('/') => Ok(path),
        _ => bad("the path does not begin with a slash"),
    }
}

/// How long the body is said to be.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Ends the connection after the answer: its client is not doing well.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// 16 hexadecimal digits, unlikely to come twice in a log.
fn request_id() -> HeaderValue {
    let random = random_bytes::<8>().map(u64::from_be_bytes).unwrap_or_default();
    HeaderValue::try_from(format!("{random:016x}")).unwrap_or(HeaderValue::from_static("-"))
}
