//! An answer that is none, turned back into the error that the authority meant (RFC 9457).

use jit_api::Problem;
use jit_core::{Error, Kind};

use crate::Response;

/// The longest text of a problem that is shown.
const LONGEST: usize = 1000;

/// What the authority said instead of an answer.
pub(crate) fn error(response: &Response, place: &str) -> Error {
    if let Ok(problem) = serde_json::from_slice::<Problem>(&response.body) {
        let (detail, next) = (shown(&problem.detail), problem.next.as_deref().map(shown));
        return Problem { detail, next, ..problem }.into_error();
    }
    // Not one of ours: a proxy's, or a later version's.
    let kind = match response.status {
        401 | 403 => Kind::Refused,
        404 => Kind::NotFound,
        409 => Kind::Conflict,
        400..=428 => Kind::Invalid,
        _ => Kind::Unavailable,
    };
    Error::new(kind, format!("{place} answered with the HTTP status {}", response.status))
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
        error(
            &Response { status, body: body.into(), retry_after: None, signature: None },
            "https://jit",
        )
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
