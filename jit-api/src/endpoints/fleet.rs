//! What hosts of the fleet ask: each for itself alone, by its own key.

use std::time::Duration;

use jit_core::authority::Heard;
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

endpoint!(
    /// Checks a code that was typed on the host.
    Factor = "host-factor", Post "/v1/host/factor", Host, "Checks a code that was typed on the host",
    (Nothing, Nothing, HostCode) -> HostVerdict,
    |desk, caller, _, _, body| {
        Ok(HostVerdict { answer: desk.authority.host_factor(host(caller)?, &body.0)? })
    }
);
endpoint!(
    /// Who may ask for an account of the host.
    Askers = "host-askers", Post "/v1/host/askers", Host, "Who may ask for an account of the host",
    (Nothing, Nothing, HostAccount) -> HostAskers,
    |desk, caller, _, _, body| {
        Ok(HostAskers { answer: desk.authority.host_askers(host(caller)?, &body.login)? })
    }
);
endpoint!(
    /// For how long somebody may ask for an account of the host.
    Offer = "host-offer", Post "/v1/host/offer", Host,
    "For how long somebody may ask for an account of the host",
    (Nothing, Nothing, HostAsk) -> HostOffer,
    |desk, caller, _, _, body| {
        Ok(HostOffer { answer: desk.authority.host_offer(host(caller)?, &body.0)? })
    }
);
endpoint!(
    /// Files a request that somebody made at a prompt of the host.
    Request = "host-request", Post "/v1/host/requests", Host,
    "Files a request that somebody made at a prompt of the host",
    (Nothing, Nothing, HostFiling) -> HostStanding,
    |desk, caller, _, _, body| {
        Ok(HostStanding { answer: desk.authority.host_request(host(caller)?, &body.0)? })
    }
);
endpoint!(
    /// Where a request for the host stands.
    Standing = "host-standing", Get "/v1/host/requests/{id}", Host,
    "Where a request for the host stands",
    (ById, Nothing, Nothing) -> HostStanding,
    |desk, caller, path, _, _| {
        Ok(HostStanding { answer: desk.authority.host_standing(host(caller)?, &path.id)? })
    }
);
endpoint!(
    /// Puts records of the host on the log, each once.
    Log = "host-log", Post "/v1/host/log", Host, "Puts records of the host on the log, each once",
    (Nothing, Nothing, HostLog) -> HostLogged,
    |desk, caller, _, _, body| {
        match desk.authority.host_log(host(caller)?, &body.records)? {
            Heard::Until(answer) => Ok(HostLogged { answer }),
            Heard::Later { seconds } => Err(Failure::rate_limited(
                "the host tells more than a host may within an hour",
                u32::try_from(seconds).unwrap_or(u32::MAX),
            )
            .next("It keeps the rest, and tells it later by itself.")),
        }
    }
);
endpoint!(
    /// A certificate over the key of the host's sshd, for the host's own name.
    Certify = "host-certificate", Post "/v1/host/certificate", Host,
    "A certificate over the key of the host's sshd, for its own name",
    (Nothing, Nothing, SshdKey) -> Certificate,
    |desk, caller, _, _, body| {
        let key = parse_public_key(&body.public_key)?;
        let (name, issuer) = (host(caller)?, desk.office.issuer());
        let certificate = issuer.issue_host(desk.authority, name, key.key_data())?;
        Ok(Certificate { certificate })
    }
);
