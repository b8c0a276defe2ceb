//! An answer that is none, turned back into the error that the authority meant (RFC 9457).

use jit_core::{Error, Kind};
use serde::Deserialize;

use crate::Response;

/// The longest text of a problem that is shown.
const LONGEST: usize = 1000;

/// `application/problem+json`, as far as it is used. More fields may come.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
    title: String,
    next: Option<String>,
}

/// What the authority said instead of an answer.
pub(crate) fn error(response: &Response, place: &str) -> Error {
    let problem: Problem = serde_json::from_slice(&response.body).unwrap_or_default();
    let said = if problem.detail.is_empty() { problem.title } else { problem.detail };
    let said = if said.is_empty() {
        format!("{place} answered with the HTTP status {}", response.status)
    } else {
        shown(&said)
    };
    let error = Error::new(kind(&problem.code, response.status), said);
    match problem.next {
        Some(next) => error.next(shown(&next)),
        None => error,
    }
}

fn kind(code: &str, status: u16) -> Kind {
    match (code, status) {
        ("invalid" | "too-large", _) => Kind::Invalid,
        ("unauthenticated" | "forbidden" | "refused", _) => Kind::Refused,
        ("not-found", _) => Kind::NotFound,
        ("conflict", _) => Kind::Conflict,
        ("misconfigured", _) => Kind::Misconfigured,
        ("tampered", _) => Kind::Tampered,
        ("unavailable" | "rate-limited", _) => Kind::Unavailable,
        // Not one of ours: a proxy's, or a later version's.
        (_, 401 | 403) => Kind::Refused,
        (_, 404) => Kind::NotFound,
        (_, 409) => Kind::Conflict,
        (_, 400..=428) => Kind::Invalid,
        _ => Kind::Unavailable,
    }
}

/// Text from outside, bounded and without what moves a cursor.
fn shown(text: &str) -> String {
    let calm = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    text.chars().take(LONGEST).map(calm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Error {
        error(&Response { status, body: body.into(), retry_after: None }, "https://jit")
    }

    #[test]
    fn a_problem_becomes_the_error_it_was() {
        let error = said(
            403,
            r#"{"type":"urn:jit:problem:refused","title":"Refused","status":403,
                "detail":"alice can't approve alice's own request","next":"Somebody else has to.",
                "code":"refused","more":1}"#,
        );
        assert_eq!(error.kind(), Kind::Refused);
        assert_eq!(error.what(), "alice can't approve alice's own request");
        assert_eq!(error.what_next(), Some("Somebody else has to."));
        for (code, kind) in [
            ("invalid", Kind::Invalid),
            ("too-large", Kind::Invalid),
            ("unauthenticated", Kind::Refused),
            ("forbidden", Kind::Refused),
            ("not-found", Kind::NotFound),
            ("conflict", Kind::Conflict),
            ("rate-limited", Kind::Unavailable),
            ("unavailable", Kind::Unavailable),
            ("tampered", Kind::Tampered),
            ("misconfigured", Kind::Misconfigured),
        ] {
            let body = format!(r#"{{"code":"{code}","detail":"x"}}"#);
            assert_eq!(said(500, &body).kind(), kind, "{code}");
        }
    }

    #[test]
    fn what_is_no_problem_of_ours_is_an_error_all_the_same() {
        let error = said(502, "<html>Bad Gateway</html>");
        assert_eq!(error.kind(), Kind::Unavailable);
        assert_eq!(error.what(), "https://jit answered with the HTTP status 502");
        assert_eq!(said(404, "").kind(), Kind::NotFound);
        assert_eq!(said(401, "{}").kind(), Kind::Refused);
        assert!(
            !said(400, r#"{"code":"invalid","detail":"a\u001b[2J"}"#).what().contains('\u{1b}')
        );
    }
}
