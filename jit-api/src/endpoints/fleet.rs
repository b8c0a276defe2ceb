//! What hosts of the fleet ask: each for itself alone, by its own key.

use std::time::Duration;

use jit_core::name::HostName;
use jit_core::person::parse_public_key;

use crate::access::Access;
use crate::caller::Caller;
use crate::endpoint::{Desk, Endpoint, Method};
use crate::problem::Failure;
use crate::wire::{
    ById, Certificate, HostAccount, HostAsk, HostAskers, HostCode, HostFiling, HostLog, HostLogged,
    HostOffer, HostStanding, HostStateView, HostVerdict, Nothing, ShowHostState, SshdKey,
};

/// The host that asks.
fn host(caller: &Caller) -> Result<&HostName, Failure> {
    match caller {
        Caller::Host(name) => Ok(name),
        _ => Err(Failure::forbidden("this is for hosts")),
    }
}

/// What the host needs to know; waits while it is at a version, if asked to.
pub struct State;

impl Endpoint for State {
    const NAME: &'static str = "host-state";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/host/state";
    const ACCESS: Access = Access::Host;
    const SUMMARY: &'static str =
        "What the host needs to know; waits while it is at a version, if asked to";
    type Path = Nothing;
    type Query = ShowHostState;
    type Body = Nothing;
    type Answer = HostStateView;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        _: ShowHostState,
        _: Nothing,
    ) -> Result<HostStateView, Failure> {
        Ok(HostStateView(desk.authority.host_state(host(caller)?)?))
    }

    fn waits(query: &ShowHostState, answer: &HostStateView) -> Option<Duration> {
        let waits = query.version.as_ref() == Some(&answer.0.version);
        query.wait.filter(|_| waits).map(|seconds| Duration::from_secs(seconds.into()))
    }
}

/// Checks a code that was typed on the host.
pub struct Factor;

impl Endpoint for Factor {
    const NAME: &'static str = "host-factor";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/host/factor";
    const ACCESS: Access = Access::Host;
    const SUMMARY: &'static str = "Checks a code that was typed on the host";
    type Path = Nothing;
    type Query = Nothing;
    type Body = HostCode;
    type Answer = HostVerdict;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        _: Nothing,
        body: HostCode,
    ) -> Result<HostVerdict, Failure> {
        Ok(HostVerdict { answer: desk.authority.host_factor(host(caller)?, &body.0)? })
    }
}

/// Who may ask for an account of the host.
pub struct Askers;

impl Endpoint for Askers {
    const NAME: &'static str = "host-askers";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/host/askers";
    const ACCESS: Access = Access::Host;
    const SUMMARY: &'static str = "Who may ask for an account of the host";
    type Path = Nothing;
    type Query = Nothing;
    type Body = HostAccount;
    type Answer = HostAskers;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        _: Nothing,
        body: HostAccount,
    ) -> Result<HostAskers, Failure> {
        Ok(HostAskers { answer: desk.authority.host_askers(host(caller)?, &body.login)? })
    }
}

/// For how long somebody may ask for an account of the host.
pub struct Offer;

impl Endpoint for Offer {
    const NAME: &'static str = "host-offer";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/host/offer";
    const ACCESS: Access = Access::Host;
    const SUMMARY: &'static str = "For how long somebody may ask for an account of the host";
    type Path = Nothing;
    type Query = Nothing;
    type Body = HostAsk;
    type Answer = HostOffer;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        _: Nothing,
        body: HostAsk,
    ) -> Result<HostOffer, Failure> {
        Ok(HostOffer { answer: desk.authority.host_offer(host(caller)?, &body.0)? })
    }
}

/// Files a request that somebody made at a prompt of the host.
pub struct Request;

impl Endpoint for Request {
    const NAME: &'static str = "host-request";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/host/requests";
    const ACCESS: Access = Access::Host;
    const SUMMARY: &'static str = "Files a request that somebody made at a prompt of the host";
    type Path = Nothing;
    type Query = Nothing;
    type Body = HostFiling;
    type Answer = HostStanding;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        _: Nothing,
        body: HostFiling,
    ) -> Result<HostStanding, Failure> {
        Ok(HostStanding { answer: desk.authority.host_request(host(caller)?, &body.0)? })
    }
}

/// Where a request for the host stands.
pub struct Standing;

impl Endpoint for Standing {
    const NAME: &'static str = "host-standing";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/host/requests/{id}";
    const ACCESS: Access = Access::Host;
    const SUMMARY: &'static str = "Where a request for the host stands";
    type Path = ById;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = HostStanding;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        path: ById,
        _: Nothing,
        _: Nothing,
    ) -> Result<HostStanding, Failure> {
        Ok(HostStanding { answer: desk.authority.host_standing(host(caller)?, &path.id)? })
    }
}

/// Puts records of the host on the log, each once.
pub struct Log;

impl Endpoint for Log {
    const NAME: &'static str = "host-log";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/host/log";
    const ACCESS: Access = Access::Host;
    const SUMMARY: &'static str = "Puts records of the host on the log, each once";
    type Path = Nothing;
    type Query = Nothing;
    type Body = HostLog;
    type Answer = HostLogged;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        _: Nothing,
        body: HostLog,
    ) -> Result<HostLogged, Failure> {
        Ok(HostLogged { answer: desk.authority.host_log(host(caller)?, &body.records)? })
    }
}

/// A certificate over the key of the host's sshd, for the host's own name.
pub struct Certify;

impl Endpoint for Certify {
    const NAME: &'static str = "host-certificate";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/host/certificate";
    const ACCESS: Access = Access::Host;
    const SUMMARY: &'static str = "A certificate over the key of the host's sshd, for its own name";
    type Path = Nothing;
    type Query = Nothing;
    type Body = SshdKey;
    type Answer = Certificate;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        _: Nothing,
        body: SshdKey,
    ) -> Result<Certificate, Failure> {
        let key = parse_public_key(&body.public_key)?;
        let (name, issuer) = (host(caller)?, desk.office.issuer());
        let certificate = issuer.issue_host(desk.authority, name, key.key_data())?;
        Ok(Certificate { certificate })
    }
}
