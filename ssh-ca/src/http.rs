//! HTTP/1.1 as both daemons speak it: bounded in size and time, ended in good order.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jit_api::{Failure, LARGEST_BODY};
use jit_core::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service;

use crate::daemon::{Ending, GRACE, ended};
use crate::problem;

/// The largest head: request line and headers.
const LARGEST_HEAD: usize = 32 * 1024;
/// How long a head may take to come, and a connection to stay open between requests.
pub const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// How long a body may take to come.
pub const BODY_WITHIN: Duration = Duration::from_secs(15);

/// Where the metrics are: the signer's, and for whoever comes by way of the front, the front's too.
pub const METRICS: &str = "/metrics";

/// How long a connection may stay open with nothing asked.
#[derive(Clone, Copy)]
pub enum Patience {
    /// As long as a head may take to come.
    Short,
    /// As long as the other end likes.
    Endless,
}

/// Serves the requests of one connection until it is closed, or the daemon ends.
///
/// # Errors
/// What was wrong with what came.
pub async fn serve<I, S>(
    stream: I,
    service: S,
    patience: Patience,
    ending: Ending,
) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(match patience {
            Patience::Short => Some(HEAD_WITHIN),
            Patience::Endless => None,
        })
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    tokio::select! {
        served = connection.as_mut() => return served,
        () = ended(ending) => connection.as_mut().graceful_shutdown(),
    }
    tokio::time::timeout(GRACE, connection).await.unwrap_or(Ok(()))
}

/// Reads a body, or says what is wrong with it.
pub async fn read(body: Body) -> Result<Bytes, Response> {
    let collected = tokio::time::timeout(BODY_WITHIN, Limited::new(body, LARGEST_BODY).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(problem::of(Error::invalid("the body ended before its end"))),
        Err(_) => Err(problem::of(Failure::too_slow("the body took too long to come"))),
    }
}

/// The answer to a body that is too large.
pub fn too_large() -> Response {
    problem::of(Failure::too_large(format!("the body is larger than {} KiB", LARGEST_BODY / 1024)))
}
