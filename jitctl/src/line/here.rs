//! The authority in this process: root on its machine.

use std::cell::OnceCell;
use std::time::Duration;

use jit_api::{Asked, Endpoint, Headers, Issuer, Office, Peer, Problem, Turn, Visit};
use jit_client::{Pin, pin};
use jit_core::authority::{Authority, NewRequest};
use jit_core::factor::ProvedFactor;
use jit_core::grant::{Actor, Ask, Evidence, Grant, Phase, Yes};
use jit_core::id::GrantId;
use jit_core::name::{HostName, PersonName};
use jit_core::store::GrantFilter;
use jit_core::time::{Span, Timestamp};
use jit_core::{Error, Result};
use ssh_key::public::KeyData;

use super::{Proof, Standing, Which};
use crate::prompt;

/// How often a decision is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The authority of this machine.
pub struct Here {
    /// Decides and changes.
    pub authority: Authority,
    /// Answers what is an endpoint of the interface, too, in this process.
    office: OnceCell<Office>,
}

impl Here {
    /// Of an open store.
    pub fn new(authority: Authority) -> Self {
        Here { authority, office: OnceCell::new() }
    }

    /// Calls an endpoint, as root.
    pub(super) fn call<E: Endpoint>(
        &self,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Answer> {
        let target = jit_api::target::<E>(path, query)?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target.as_str(), None),
        };
        let body = serde_json::to_vec(body)
            .map_err(|e| Error::invalid(format!("the request can't be written: {e}")))?;
        let asked = Asked {
            method: E::METHOD.as_str(),
            path,
            query,
            headers: Headers::default(),
            body: &body,
            peer: Peer::Process,
        };
        let unread = |e: serde_json::Error| Error::unavailable(format!("no answer: {e}"));
        match self.office()?.answer(&asked, &mut Visit::default()) {
            Turn::Answer(answer) if answer.status < 300 => {
                serde_json::from_slice(&answer.body).map_err(unread)
            }
            Turn::Answer(answer) => {
                let problem: Problem = serde_json::from_slice(&answer.body).map_err(unread)?;
                Err(problem.into_error())
            }
            Turn::Wait { .. } => Err(Error::unavailable("it would have to be waited for")),
        }
    }

    fn office(&self) -> Result<&Office> {
        if let Some(office) = self.office.get() {
            return Ok(office);
        }
        // The office keeps connections of its own.
        let own = self.authority.another()?;
        let pin = self.pin().ok().map(|pin| pin.to_string());
        let office = Office::new(own, Box::new(NoIssuer)).pinned(move || pin.clone());
        Ok(self.office.get_or_init(|| office))
    }

    /// The pin of the certificate with which this machine serves.
    ///
    /// # Errors
    /// Refused where it serves nobody.
    pub(super) fn pin(&self) -> Result<Pin> {
        let serve = self.authority.config().serve.as_ref().ok_or_else(|| {
            Error::refused("this machine does not serve an authority, so nobody can join it").next(
                "ssh-ca init --serve NAME, NAME being that by which clients reach this machine.",
            )
        })?;
        pin::of_file(&serve.certificate())
    }
}

/// This process holds no CA key.
struct NoIssuer;

impl Issuer for NoIssuer {
    fn issue(
        &self,
        _: &Authority,
        _: &Actor,
        grant: &GrantId,
        _: &KeyData,
        _: Option<ProvedFactor>,
    ) -> Result<String> {
        Err(Error::refused("jitctl holds no CA key")
            .next(format!("ssh-ca sign --grant {grant} --key FILE")))
    }

    fn issue_host(&self, _: &Authority, _: &HostName, _: &KeyData) -> Result<String> {
        Err(Error::refused("jitctl holds no CA key"))
    }

    fn sign_answer(&self, _: &Authority, _: &str) -> Result<String> {
        Err(Error::refused("jitctl holds no CA key"))
    }
}

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
