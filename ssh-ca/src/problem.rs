//! Errors that the daemons answer themselves, as problem details (RFC 9457).

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::json;

/// The answer `status` for the reason `code`; `what` is a sentence without a full stop.
pub fn of(status: StatusCode, code: &str, what: &str, next: Option<&str>) -> Response {
    let body = json!({
        "type": format!("urn:jit:problem:{code}"),
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": what,
        "next": next,
        "code": code,
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The same, good to ask again after so many seconds.
pub fn later(status: StatusCode, code: &str, what: &str, seconds: u32) -> Response {
    let mut response = of(status, code, what, Some("Ask again in a moment."));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}
