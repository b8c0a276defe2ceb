//! Errors as they go over the wire (RFC 9457), and back.

use jit_core::{Error, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The stable code of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The request is malformed.
    Invalid,
    /// It is not proved who asks.
    Unauthenticated,
    /// It is not theirs to ask.
    Forbidden,
    /// A rule said no; that is on the log.
    Refused,
    /// There is no such thing, or it is not theirs to see.
    NotFound,
    /// There is no such method on it.
    MethodNotAllowed,
    /// Somebody else decided first, or the same key was used for something else.
    Conflict,
    /// The request did not come in time.
    TooSlow,
    /// The body is too large.
    TooLarge,
    /// Too many of late.
    RateLimited,
    /// Out of reach for now.
    Unavailable,
    /// A file of the server's is wrong.
    Misconfigured,
    /// Stored data fails its check.
    Tampered,
}

impl Code {
    /// All of them.
    pub const ALL: [Code; 13] = [
        Code::Invalid,
        Code::Unauthenticated,
        Code::Forbidden,
        Code::Refused,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::Conflict,
        Code::TooSlow,
        Code::TooLarge,
        Code::RateLimited,
        Code::Unavailable,
        Code::Misconfigured,
        Code::Tampered,
    ];

    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Code::Invalid => 400,
            Code::Unauthenticated => 401,
            Code::Forbidden | Code::Refused => 403,
            Code::NotFound => 404,
            Code::MethodNotAllowed => 405,
            Code::TooSlow => 408,
            Code::Conflict => 409,
            Code::TooLarge => 413,
            Code::RateLimited => 429,
            Code::Misconfigured | Code::Tampered => 500,
            Code::Unavailable => 503,
        }
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Invalid => "invalid",
            Code::Unauthenticated => "unauthenticated",
            Code::Forbidden => "forbidden",
            Code::Refused => "refused",
            Code::NotFound => "not-found",
            Code::MethodNotAllowed => "method-not-allowed",
            Code::Conflict => "conflict",
            Code::TooSlow => "too-slow",
            Code::TooLarge => "too-large",
            Code::RateLimited => "rate-limited",
            Code::Unavailable => "unavailable",
            Code::Misconfigured => "misconfigured",
            Code::Tampered => "tampered",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Code::Invalid => "The request is malformed",
            Code::Unauthenticated => "It is not proved who asks",
            Code::Forbidden => "This is not yours to ask",
            Code::Refused => "A rule says no",
            Code::NotFound => "There is no such thing",
            Code::MethodNotAllowed => "There is no such method here",
            Code::Conflict => "Something else came first",
            Code::TooSlow => "The request did not come in time",
            Code::TooLarge => "The request is too large",
            Code::RateLimited => "Too many requests of late",
            Code::Unavailable => "Out of reach for now",
            Code::Misconfigured => "The server is not set up right",
            Code::Tampered => "Stored data fails its check",
        }
    }

    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Invalid => Code::Invalid,
            Kind::Refused => Code::Refused,
            Kind::NotFound => Code::NotFound,
            Kind::Conflict => Code::Conflict,
            Kind::Misconfigured => Code::Misconfigured,
            Kind::Unavailable => Code::Unavailable,
            Kind::Tampered => Code::Tampered,
        }
    }

    /// What kind of error it is to whoever asked.
    pub fn kind(self) -> Kind {
        match self {
            Code::Invalid | Code::TooSlow | Code::TooLarge | Code::MethodNotAllowed => {
                Kind::Invalid
            }
            Code::Unauthenticated | Code::Forbidden | Code::Refused | Code::RateLimited => {
                Kind::Refused
            }
            Code::NotFound => Kind::NotFound,
            Code::Conflict => Kind::Conflict,
            Code::Unavailable => Kind::Unavailable,
            Code::Misconfigured => Kind::Misconfigured,
            Code::Tampered => Kind::Tampered,
        }
    }
}

/// A problem as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `urn:jit:problem:CODE`
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong.
    pub detail: String,
    /// What to do next, if there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The code.
    pub code: Code,
}

impl Problem {
    /// The error that it was, for whoever asked.
    pub fn into_error(self) -> Error {
        let error = Error::new(self.code.kind(), self.detail);
        match self.next {
            Some(next) => error.next(next),
            None => error,
        }
    }
}

/// Why a request fails: an error, and what only the wire knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code.
    pub code: Code,
    /// What went wrong, and what to do next.
    pub error: Error,
    /// In how many seconds to try again.
    pub retry_after: Option<u32>,
    /// The methods that there are, where it was another one.
    pub allow: Option<String>,
}

impl Failure {
    fn new(code: Code, what: impl Into<String>) -> Self {
        Failure { code, error: Error::new(code.kind(), what), retry_after: None, allow: None }
    }

    /// It is not proved who asks.
    pub fn unauthenticated(what: impl Into<String>) -> Self {
        Failure::new(Code::Unauthenticated, what)
    }

    /// It is not theirs to ask.
    pub fn forbidden(what: impl Into<String>) -> Self {
        Failure::new(Code::Forbidden, what)
    }

    /// The request did not come in time.
    pub fn too_slow(what: impl Into<String>) -> Self {
        Failure::new(Code::TooSlow, what)
    }

    /// The body is too large.
    pub fn too_large(what: impl Into<String>) -> Self {
        Failure::new(Code::TooLarge, what)
    }

    /// There is no such method on it, but these.
    pub fn method_not_allowed(allow: String) -> Self {
        let what = format!("there is no such method on this path, but {allow}");
        Failure { allow: Some(allow), ..Failure::new(Code::MethodNotAllowed, what) }
    }

    /// Too many of late.
    pub fn rate_limited(what: impl Into<String>, retry_after: u32) -> Self {
        Failure { retry_after: Some(retry_after), ..Failure::new(Code::RateLimited, what) }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.error = self.error.next(next);
        self
    }

    /// As it goes over the wire.
    pub fn problem(&self) -> Problem {
        Problem {
            kind: format!("urn:jit:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status(),
            detail: self.error.what().to_owned(),
            next: self.error.what_next().map(str::to_owned),
            code: self.code,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = Code::of(error.kind());
        let retry_after = (code == Code::Unavailable).then_some(1);
        Failure { code, error, retry_after, allow: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_status_and_its_spelling() {
        let expected = [
            ("invalid", 400),
            ("unauthenticated", 401),
            ("forbidden", 403),
            ("refused", 403),
            ("not-found", 404),
            ("method-not-allowed", 405),
            ("conflict", 409),
            ("too-slow", 408),
            ("too-large", 413),
            ("rate-limited", 429),
            ("unavailable", 503),
            ("misconfigured", 500),
            ("tampered", 500),
        ];
        for (code, (name, status)) in Code::ALL.into_iter().zip(expected) {
            let problem = Failure::new(code, "x").next("do y").problem();
            assert_eq!(serde_json::to_value(code).unwrap(), name);
            assert_eq!((code.as_str(), code.status(), problem.status), (name, status, status));
            assert_eq!(problem.kind, format!("urn:jit:problem:{name}"));
            let text = serde_json::to_string(&problem).unwrap();
            assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
        }
    }

    #[test]
    fn an_error_comes_back_as_the_same_error() {
        for kind in [
            Kind::Invalid,
            Kind::Refused,
            Kind::NotFound,
            Kind::Conflict,
            Kind::Misconfigured,
            Kind::Unavailable,
            Kind::Tampered,
        ] {
            let error = Error::new(kind, "what").next("next");
            assert_eq!(Failure::from(error.clone()).problem().into_error(), error);
        }
    }
}
