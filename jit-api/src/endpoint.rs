//! One endpoint is one type that implements [`Endpoint`], and one line in the table.

use std::net::IpAddr;
use std::time::Duration;

use jit_core::Error;
use jit_core::authority::Authority;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ssh_key::public::KeyData;

use crate::access::Access;
use crate::caller::Caller;
use crate::office::Office;
use crate::problem::Failure;

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// What a handler works with.
pub struct Desk<'a> {
    /// The authority, with a connection to the store of its own for this request.
    pub authority: &'a Authority,
    /// What is shared by all requests.
    pub office: &'a Office,
    /// Where the request came from, if over the network.
    pub from: Option<IpAddr>,
    /// The key that signed this very request, if it was signed.
    pub signed_by: Option<KeyData>,
}

impl Desk<'_> {
    /// Counts an attempt of somebody unknown.
    ///
    /// # Errors
    /// Rate-limited when their address had too many of late.
    pub(crate) fn limit(&self) -> Result<(), Failure> {
        let Some(address) = self.from else { return Ok(()) };
        let now = self.authority.now()?;
        self.office.limits().attempt(address, now).map_err(|seconds| {
            Failure::rate_limited("there are too many attempts from this address", seconds)
        })
    }
}

/// Types that go over the wire: path, query, body, answer.
pub trait Wire: Serialize + DeserializeOwned + JsonSchema {}
impl<T: Serialize + DeserializeOwned + JsonSchema> Wire for T {}

/// One endpoint.
pub trait Endpoint {
    /// Its name in the table, in metrics and in the OpenAPI document.
    const NAME: &'static str;
    /// The method.
    const METHOD: Method;
    /// The path, such as `/v1/grants/{id}/approve`.
    const PATH: &'static str;
    /// Who gets as far as the handler.
    const ACCESS: Access;
    /// What it does, in a line.
    const SUMMARY: &'static str;

    /// What stands in the path's braces.
    type Path: Wire;
    /// The query.
    type Query: Wire;
    /// The body; an empty one is an empty object.
    type Body: Wire;
    /// The answer.
    type Answer: Wire;

    /// Does it.
    ///
    /// # Errors
    /// Those of what it does.
    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        path: Self::Path,
        query: Self::Query,
        body: Self::Body,
    ) -> Result<Self::Answer, Failure>;

    /// How long whoever asked wants to wait for another answer than this one, if at all.
    fn waits(_query: &Self::Query, _answer: &Self::Answer) -> Option<Duration> {
        None
    }
}

/// What an endpoint came to.
pub(crate) struct Ran {
    pub(crate) answer: Vec<u8>,
    pub(crate) waits: Option<Duration>,
}

/// What an endpoint is handed, not read yet.
pub(crate) struct Unread<'a> {
    /// As a query: `id=k7q2-m9xd`.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
}

/// The schemas of an endpoint.
pub(crate) struct Schemas {
    pub(crate) path: Schema,
    pub(crate) query: Schema,
    pub(crate) body: Schema,
    pub(crate) answer: Schema,
}

/// A line of the table.
#[derive(Clone, Copy)]
pub struct Entry {
    /// [`Endpoint::NAME`]
    pub name: &'static str,
    /// [`Endpoint::METHOD`]
    pub method: Method,
    /// [`Endpoint::PATH`]
    pub path: &'static str,
    /// [`Endpoint::ACCESS`]
    pub access: Access,
    /// [`Endpoint::SUMMARY`]
    pub summary: &'static str,
    pub(crate) run: fn(&Desk<'_>, &Caller, &Unread<'_>) -> Result<Ran, Failure>,
    pub(crate) schemas: fn(&mut SchemaGenerator) -> Schemas,
}

impl Entry {
    /// The line of `E`.
    pub const fn of<E: Endpoint>() -> Self {
        Entry {
            name: E::NAME,
            method: E::METHOD,
            path: E::PATH,
            access: E::ACCESS,
            summary: E::SUMMARY,
            run: run::<E>,
            schemas: schemas::<E>,
        }
    }
}

fn run<E: Endpoint>(desk: &Desk<'_>, caller: &Caller, unread: &Unread<'_>) -> Result<Ran, Failure> {
    let path = serde_urlencoded::from_str(unread.path)
        .map_err(|e| Error::invalid(format!("the path is not right: {e}")))?;
    let query: E::Query = serde_urlencoded::from_str(unread.query)
        .map_err(|e| Error::invalid(format!("the query is not right: {e}")))?;
    let body = if unread.body.is_empty() { b"{}" } else { unread.body };
    // A list in the order of the fields would do, too, and nowhere stands in which they are.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::invalid("the body is no JSON object").into());
    }
    let body = serde_json::from_slice(body)
        .map_err(|e| Error::invalid(format!("the body is not right: {e}")))?;
    // The query is read again to be told what is waited for: it is small, and handlers own theirs.
    let asked = serde_urlencoded::from_str(unread.query)
        .map_err(|e| Error::invalid(format!("the query is not right: {e}")))?;
    let answer = E::handle(desk, caller, path, query, body)?;
    let waits = E::waits(&asked, &answer);
    let answer = serde_json::to_vec(&answer)
        .map_err(|e| Error::unavailable(format!("the answer can't be written: {e}")))?;
    Ok(Ran { answer, waits })
}

fn schemas<E: Endpoint>(generator: &mut SchemaGenerator) -> Schemas {
    Schemas {
        path: E::Path::json_schema(generator),
        query: E::Query::json_schema(generator),
        body: generator.subschema_for::<E::Body>(),
        answer: generator.subschema_for::<E::Answer>(),
    }
}
