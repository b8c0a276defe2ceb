//! The server itself.

use jit_core::store::CaKind;

use crate::access::Access;
use crate::caller::Caller;
use crate::endpoint::{Desk, Endpoint, Method};
use crate::problem::Failure;
use crate::wire::{self, Nothing};

/// Whether it answers: it can read its store, and trusts its clock.
pub struct Healthz;

impl Endpoint for Healthz {
    const NAME: &'static str = "healthz";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/healthz";
    const ACCESS: Access = Access::Public;
    const SUMMARY: &'static str = "Whether the server answers";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Nothing;

    fn handle(
        desk: &Desk<'_>,
        _: &Caller,
        _: Nothing,
        _: Nothing,
        _: Nothing,
    ) -> Result<Nothing, Failure> {
        desk.authority.now()?;
        Ok(Nothing {})
    }
}

/// The description of all endpoints.
pub struct OpenApi;

impl Endpoint for OpenApi {
    const NAME: &'static str = "openapi";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/openapi.json";
    const ACCESS: Access = Access::Public;
    const SUMMARY: &'static str = "This description";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = serde_json::Value;

    fn handle(
        _: &Desk<'_>,
        _: &Caller,
        _: Nothing,
        _: Nothing,
        _: Nothing,
    ) -> Result<serde_json::Value, Failure> {
        Ok(crate::openapi::document())
    }
}

/// Its name, time and CA keys.
pub struct Server;

impl Endpoint for Server {
    const NAME: &'static str = "server";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/server";
    const ACCESS: Access = Access::Public;
    const SUMMARY: &'static str = "The server's name, time and CA keys";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = wire::Server;

    fn handle(
        desk: &Desk<'_>,
        _: &Caller,
        _: Nothing,
        _: Nothing,
        _: Nothing,
    ) -> Result<wire::Server, Failure> {
        let lines = |kind| -> Result<Vec<String>, Failure> {
            Ok(desk.authority.ca_keys(kind)?.into_iter().map(|key| key.public_key).collect())
        };
        Ok(wire::Server {
            name: desk.office.name().to_owned(),
            time: desk.authority.now()?,
            user_ca: lines(CaKind::User)?,
            host_ca: lines(CaKind::Host)?,
        })
    }
}
