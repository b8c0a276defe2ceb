//! Hosts, and their enrolment.

use jit_core::host;
use jit_core::invitation::Invited;
use jit_core::person::{fingerprint, parse_public_key};
use jit_core::sshsig;
use jit_core::store::CaKind;

use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::proof;
use crate::wire::{self, ByHost, Host, Nothing, PutHost};

endpoint!(
    /// All hosts.
    List = "hosts", Get "/v1/hosts", Admin, "All hosts",
    (Nothing, Nothing, Nothing) -> wire::Hosts, list
);
endpoint!(
    /// Adds a host, or replaces its labels.
    Put = "host-put", Put "/v1/hosts/{name}", Admin, "Adds a host, or replaces its labels",
    (ByHost, Nothing, PutHost) -> Host, put
);
endpoint!(
    /// One host.
    Show = "host", Get "/v1/hosts/{name}", Admin, "One host",
    (ByHost, Nothing, Nothing) -> Host, show
);
endpoint!(
    /// Removes a host.
    Remove = "host-remove", Delete "/v1/hosts/{name}", Admin,
    "Removes a host, and ends the grants for it",
    (ByHost, Nothing, Nothing) -> Nothing, remove
);
endpoint!(
    /// Invites a host.
    Invite = "host-invite", Post "/v1/hosts/{name}/invitation", Admin,
    "A one-time code by which a host enrols its key",
    (ByHost, Nothing, Nothing) -> wire::Invitation, invite
);
endpoint!(
    /// Enrols a host's key.
    Enrol = "host-enrol", Post "/v1/host/enrolment", Public,
    "Enrols a host's key by an invitation",
    (Nothing, Nothing, wire::EnrolHost) -> wire::HostEnrolled, enrol
);

fn shown(host: host::Host) -> Host {
    Host {
        name: host.name,
        labels: host.labels.into_iter().collect(),
        created_at: host.created_at,
        key: host.key,
    }
}

fn list(
    desk: &Desk<'_>,
    _: &Caller,
    _: Nothing,
    _: Nothing,
    _: Nothing,
) -> Result<wire::Hosts, Failure> {
    Ok(wire::Hosts { hosts: desk.authority.hosts()?.into_iter().map(shown).collect() })
}

fn put(
    desk: &Desk<'_>,
    caller: &Caller,
    path: ByHost,
    _: Nothing,
    body: PutHost,
) -> Result<Host, Failure> {
    let labels = body.labels.into_iter().collect();
    let (host, _) = desk.authority.put_host(&caller.actor(), &path.name, &labels)?;
    Ok(shown(host))
}

fn show(
    desk: &Desk<'_>,
    _: &Caller,
    path: ByHost,
    _: Nothing,
    _: Nothing,
) -> Result<Host, Failure> {
    Ok(shown(desk.authority.host(&path.name)?))
}

fn remove(
    desk: &Desk<'_>,
    caller: &Caller,
    path: ByHost,
    _: Nothing,
    _: Nothing,
) -> Result<Nothing, Failure> {
    desk.authority.remove_host(&caller.actor(), &path.name)?;
    Ok(Nothing {})
}

fn invite(
    desk: &Desk<'_>,
    caller: &Caller,
    path: ByHost,
    _: Nothing,
    _: Nothing,
) -> Result<wire::Invitation, Failure> {
    let invited = Invited::Host(path.name.clone());
    let (code, expires_at) = desk.authority.invite(&caller.actor(), &invited)?;
    let code = code.expose().to_owned();
    let join = desk.office.join(&format!("host/{}", path.name), &code);
    Ok(wire::Invitation { code, expires_at, join })
}

fn enrol(
    desk: &Desk<'_>,
    _: &Caller,
    _: Nothing,
    _: Nothing,
    enrol: wire::EnrolHost,
) -> Result<wire::HostEnrolled, Failure> {
    desk.limit()?;
    let key = parse_public_key(&enrol.public_key)?;
    let print = fingerprint(key.key_data());
    let text = proof::enrol_host(desk.office.name(), &enrol.host, &enrol.code, &print)?;
    sshsig::check(&enrol.signature, proof::ENROL, &text, [enrol.public_key.trim()])
        .map_err(|error| error.context("the proof that the key is held"))?;
    let host = desk.authority.enrol_host(&enrol.host, &enrol.code, &enrol.public_key)?;
    let ca_keys = desk.authority.ca_keys(CaKind::User)?;
    Ok(wire::HostEnrolled {
        ca_keys: ca_keys.into_iter().map(|key| key.public_key).collect(),
        labels: host.labels.into_iter().collect(),
    })
}
