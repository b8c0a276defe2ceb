//! Hosts, and their enrolment.

use jit_core::host;
use jit_core::invitation::Invited;
use jit_core::person::{fingerprint, parse_public_key};
use jit_core::sshsig;
use jit_core::store::CaKind;

use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::proof;
use crate::wire::{self, ByHost, Host, Nothing, PutHost, Relabelled};

endpoint!(
    /// All hosts.
    List = "hosts", Get "/v1/hosts", Admin, "All hosts",
    (Nothing, Nothing, Nothing) -> wire::Hosts,
    |desk, _, _, _, _| {
        let hosts = desk.authority.hosts()?.into_iter().map(|host| shown(desk, host));
        Ok(wire::Hosts { hosts: hosts.collect::<Result<_, _>>()? })
    }
);
endpoint!(
    /// Adds a host, or replaces its labels.
    Put = "host-put", Put "/v1/hosts/{name}", Admin, "Adds a host, or replaces its labels",
    (ByHost, Nothing, PutHost) -> Relabelled,
    |desk, caller, path, _, body| {
        let labels = body.labels.into_iter().collect();
        let (host, grants_ended) = desk.authority.put_host(&caller.actor(), &path.name, &labels)?;
        Ok(Relabelled { host: shown(desk, host)?, grants_ended })
    }
);
endpoint!(
    /// One host.
    Show = "host", Get "/v1/hosts/{name}", Admin, "One host",
    (ByHost, Nothing, Nothing) -> Host,
    |desk, _, path, _, _| shown(desk, desk.authority.host(&path.name)?)
);
endpoint!(
    /// Removes a host.
    Remove = "host-remove", Delete "/v1/hosts/{name}", Admin,
    "Removes a host, and ends the grants for it",
    (ByHost, Nothing, Nothing) -> Nothing,
    |desk, caller, path, _, _| {
        desk.authority.remove_host(&caller.actor(), &path.name)?;
        Ok(Nothing {})
    }
);
endpoint!(
    /// Invites a host.
    Invite = "host-invite", Post "/v1/hosts/{name}/invitation", Admin,
    "A one-time code by which a host enrols its key",
    (ByHost, Nothing, Nothing) -> wire::Invitation,
    |desk, caller, path, _, _| {
        let invited = Invited::Host(path.name.clone());
        let (code, expires_at) = desk.authority.invite(&caller.actor(), &invited)?;
        let code = code.expose().to_owned();
        let join = desk.office.join(desk.authority, &format!("host/{}", path.name), &code)?;
        Ok(wire::Invitation { code, expires_at, join })
    }
);
endpoint!(
    /// Enrols a host's key.
    Enrol = "host-enrol", Post "/v1/host/enrolment", Public,
    "Enrols a host's key by an invitation",
    (Nothing, Nothing, wire::EnrolHost) -> wire::HostEnrolled,
    |desk, _, _, _, enrol| {
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
);

fn shown(desk: &Desk<'_>, host: host::Host) -> Result<Host, Failure> {
    Ok(Host {
        own: host.name == desk.authority.config().host,
        told_at: desk.authority.link_of(&host.name)?.contact_at,
        name: host.name,
        labels: host.labels.into_iter().collect(),
        created_at: host.created_at,
        key: host.key,
    })
}
