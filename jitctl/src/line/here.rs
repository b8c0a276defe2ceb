//! The authority in this process: root on its machine.

use std::time::Duration;

use jit_api::endpoints::{hosts, people};
use jit_api::wire::{ByHost, ByName, Invitation};
use jit_core::Result;
use jit_core::authority::{Authority, NewRequest};
use jit_core::grant::{Actor, Ask, Evidence, Grant, Phase, Yes};
use jit_core::id::GrantId;
use jit_core::name::{HostName, PersonName};
use jit_core::store::GrantFilter;
use jit_core::time::{Span, Timestamp};

use super::{Proof, Standing, Which, office};
use crate::prompt;

/// How often a decision is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn request(authority: &Authority, ask: Ask) -> Result<Grant> {
    authority.request(&NewRequest { ask, by: Actor::Root, origin: None })
}

pub(super) fn approve(
    authority: &Authority,
    seen: &Grant,
    by: &PersonName,
    most: Option<Span>,
    proof: Proof,
) -> Result<(Grant, Standing)> {
    // Bound to what was shown: edited meanwhile, it is approved by nobody.
    let to = seen.digest(most)?;
    let evidence = match proof {
        Proof::Signature(sshsig) => Evidence::Signature { sshsig },
        Proof::Wanted => {
            let length = most.map(|most| format!(", {most} of it")).unwrap_or_default();
            let typed = prompt::code(&format!("Verification code for {by}{length}: "))?;
            authority.prove_approval(by, typed.expose(), seen.id(), &to)?
        }
    };
    let (grant, decision) = authority.approve(seen.id(), by, &Yes { to, most, evidence })?;
    let approvers = match grant.phase(authority.now()?) {
        Phase::Requested => authority.missing(&grant)?.1,
        _ => Vec::new(),
    };
    Ok((grant, Standing::of(&decision, approvers)))
}

pub(super) fn decided(
    authority: &Authority,
    id: &GrantId,
    patience: Span,
) -> Result<(Grant, Timestamp)> {
    // By the boot clock: setting the wall clock must not make anybody wait longer.
    let clock = authority.clock();
    let end = clock.boot()?.millis.saturating_add(patience.secs().saturating_mul(1000));
    loop {
        let (grant, now) = authority.grant(id)?;
        if grant.phase(now) != Phase::Requested || clock.boot()?.millis >= end {
            return Ok((grant, now));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

pub(super) fn grants(authority: &Authority, which: &Which) -> Result<(Vec<Grant>, Timestamp)> {
    let living = [Phase::Requested, Phase::Scheduled, Phase::Active];
    let host = which.host.as_ref().map(|name| authority.host(name)).transpose()?;
    let filter = GrantFilter {
        person: which.person.clone(),
        alive_at: if which.over { None } else { Some(authority.now()?) },
        limit: which.limit,
    };
    let (mut found, now) = authority.grants(&filter)?;
    found.retain(|grant| {
        let phase = grant.phase(now);
        which.state.map_or(which.over || living.contains(&phase), |state| phase == state)
            && host.as_ref().is_none_or(|host| host.is_at(&grant.ask().place))
    });
    Ok((found, now))
}

pub(super) fn standing(authority: &Authority, grant: &Grant) -> Result<Standing> {
    let (decision, approvers) = authority.missing(grant)?;
    Ok(Standing::of(&decision, approvers))
}

pub(super) fn groups(authority: &Authority, person: &PersonName) -> Result<Option<Vec<String>>> {
    Ok(Some(authority.person(person)?.groups.iter().map(ToString::to_string).collect()))
}

pub(super) fn invite_person(authority: &Authority, name: &PersonName) -> Result<Invitation> {
    office::call::<people::Invite>(authority, &ByName { name: name.clone() })
}

pub(super) fn invite_host(authority: &Authority, name: &HostName) -> Result<Invitation> {
    office::call::<hosts::Invite>(authority, &ByHost { name: name.clone() })
}
