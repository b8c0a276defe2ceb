//! The authority behind its interface: over HTTPS as whoever logged in, or over its socket as the
//! account that runs this.

use std::time::Duration;

use jit_api::Endpoint;
use jit_api::endpoints::{decide, explain, grants, inbox, requests, revoke};
use jit_api::wire::{
    self, ById, Decide, EditRequest, Extend, GrantView, Grants, ListGrants, NewRequest, Revoke,
    RevokeMany, Shorten, ShowGrant,
};
use jit_client::{Client, LONGEST_WAIT, Manner, SigningKey};
use jit_core::Result;
use jit_core::authority::RevokeWhich;
use jit_core::clock::{Clock, SystemClock};
use jit_core::grant::{self, Ask, Grant, NAMESPACE, Phase};
use jit_core::id::GrantId;
use jit_core::name::{Login, PersonName, Place, Reason};
use jit_core::time::{Span, Timestamp};
use serde_json::{Value, json};

use super::standing::Said;
use super::{Explained, NOTHING, Proof, Standing, Which};
use crate::prompt;

/// How long a server may be away while somebody waits for a decision.
const PATIENCE: Duration = Duration::from_secs(600);

/// The authority, and who calls.
pub struct There {
    client: Client,
    me: PersonName,
    /// What signs approvals; over the socket there is none, and a code is asked for.
    key: Option<SigningKey>,
}

impl There {
    /// As `me`, by `client`.
    pub fn new(client: Client, me: PersonName, key: Option<SigningKey>) -> Self {
        There { client, me, key }
    }

    /// What calls.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Who calls.
    pub fn me(&self) -> &PersonName {
        &self.me
    }

    pub(super) fn now(&self) -> Result<Timestamp> {
        self.client.now()
    }

    pub(super) fn request(&self, ask: &Ask) -> Result<Grant> {
        Ok(self.call::<requests::File>(&NOTHING, &NOTHING, &asked(ask))?.grant)
    }

    pub(super) fn extend(
        &self,
        id: &GrantId,
        more: Span,
        reason: Option<&Reason>,
    ) -> Result<Grant> {
        let more = Extend { duration: more, reason: reason.cloned() };
        Ok(self.call::<requests::Extend>(&by_id(id), &NOTHING, &more)?.grant)
    }

    pub(super) fn edit(&self, id: &GrantId, edit: &grant::Edit) -> Result<Grant> {
        let grant::Edit { duration, start, reason } = edit.clone();
        let edit = EditRequest { duration, start, reason, ..EditRequest::default() };
        Ok(self.call::<requests::Edit>(&by_id(id), &NOTHING, &edit)?.grant)
    }

    pub(super) fn inbox(&self) -> Result<(Vec<Grant>, Timestamp)> {
        let Grants { grants, now } = self.call::<inbox::Inbox>(&NOTHING, &NOTHING, &NOTHING)?;
        Ok((grants, now))
    }

    pub(super) fn approve(
        &self,
        seen: &Grant,
        most: Option<Span>,
        proof: Proof,
    ) -> Result<(Grant, Standing)> {
        let digest = seen.digest(most)?;
        let evidence = match (proof, &self.key) {
            (Proof::Signature(signature), _) => wire::Proof::Signature(signature),
            // Over what was shown, computed here from it: nobody can have signed what they were not
            // shown.
            (Proof::Wanted, Some(key)) => {
                wire::Proof::Signature(key.sign(NAMESPACE, &seen.canonical(most)?)?)
            }
            (Proof::Wanted, None) => {
                let length = most.map(|most| format!(", {most} of it")).unwrap_or_default();
                let typed = prompt::code(&format!("Verification code for {}{length}: ", self.me))?;
                wire::Proof::Code(typed.expose().to_owned())
            }
        };
        let yes = wire::Approve { person: None, digest, most, evidence };
        let id = by_id(seen.id());
        let wire::Approved { view, missing } = self.call::<decide::Approve>(&id, &NOTHING, &yes)?;
        let said = match missing.as_slice() {
            [] => Said::Yes,
            missing => Said::Missing(missing.join(", ")),
        };
        Ok((view.grant, Standing { said, missing: json!(missing), approvers: view.approvers }))
    }

    pub(super) fn withdraw(&self, id: &GrantId) -> Result<Grant> {
        Ok(self.call::<decide::Withdraw>(&by_id(id), &NOTHING, &Decide::default())?.grant)
    }

    pub(super) fn deny(&self, id: &GrantId, reason: Option<&Reason>) -> Result<Grant> {
        let no = Decide { reason: reason.cloned(), ..Decide::default() };
        Ok(self.call::<decide::Deny>(&by_id(id), &NOTHING, &no)?.grant)
    }

    pub(super) fn cancel(&self, id: &GrantId) -> Result<Grant> {
        Ok(self.call::<requests::Cancel>(&by_id(id), &NOTHING, &Decide::default())?.grant)
    }

    pub(super) fn shorten(
        &self,
        id: &GrantId,
        left: Span,
        reason: Option<&Reason>,
    ) -> Result<Grant> {
        let sooner = Shorten { left, person: None, reason: reason.cloned(), code: None };
        Ok(self.call::<decide::Shorten>(&by_id(id), &NOTHING, &sooner)?.grant)
    }

    pub(super) fn grant_alone(&self, ask: &Ask) -> Result<Grant> {
        Ok(self.call::<revoke::GrantAlone>(&NOTHING, &NOTHING, &asked(ask))?.grant)
    }

    pub(super) fn revoke(&self, which: &RevokeWhich, reason: &Reason) -> Result<Vec<Grant>> {
        let reason = reason.clone();
        let (person, host, all) = match which {
            RevokeWhich::Id(id) => {
                let revoked =
                    self.call::<revoke::Revoke>(&by_id(id), &NOTHING, &Revoke { reason })?;
                return Ok(revoked.grants);
            }
            RevokeWhich::Person(name) => (Some(name.clone()), None, false),
            RevokeWhich::Host(name) => (None, Some(name.clone()), false),
            RevokeWhich::All => (None, None, true),
        };
        let which = RevokeMany { person, host, all, reason };
        Ok(self.call::<revoke::RevokeMany>(&NOTHING, &NOTHING, &which)?.grants)
    }

    pub(super) fn grant(&self, id: &GrantId) -> Result<(Grant, Timestamp)> {
        let shown = self.shown(id, ShowGrant::default(), Manner::default())?;
        Ok((shown.grant, shown.now))
    }

    pub(super) fn decided(&self, mut grant: Grant, patience: Span) -> Result<(Grant, Timestamp)> {
        let clock = SystemClock::default();
        let end = clock.boot()?.millis.saturating_add(patience.secs().saturating_mul(1000));
        loop {
            let left = Duration::from_millis(end.saturating_sub(clock.boot()?.millis));
            let wait = left.min(LONGEST_WAIT);
            let seconds = u32::try_from(wait.as_secs()).ok();
            let query = ShowGrant { wait: seconds, version: Some(grant.version()) };
            // A server that is restarted meanwhile is waited for, too.
            let manner = Manner::waiting(wait, left.min(PATIENCE));
            let shown = self.shown(grant.id(), query, manner)?;
            grant = shown.grant;
            if grant.phase(shown.now) != Phase::Requested || left < Duration::from_secs(1) {
                return Ok((grant, shown.now));
            }
        }
    }

    pub(super) fn grants(&self, which: &Which) -> Result<(Vec<Grant>, Timestamp)> {
        let query = ListGrants {
            state: which.state.map(|state| state.to_string()),
            person: which.person.clone(),
            host: which.host.clone(),
            all: which.over,
            limit: which.limit,
        };
        let Grants { grants, now } = self.call::<grants::List>(&NOTHING, &query, &NOTHING)?;
        Ok((grants, now))
    }

    pub(super) fn standing(&self, grant: &Grant) -> Result<Standing> {
        let shown = self.shown(grant.id(), ShowGrant::default(), Manner::default())?;
        Ok(Standing { said: Said::Open, missing: Value::Null, approvers: shown.approvers })
    }

    pub(super) fn explain(
        &self,
        person: &PersonName,
        login: &Login,
        place: &Place,
        sudo: bool,
        duration: Option<Span>,
    ) -> Result<Explained> {
        let (person, login, place) = (Some(person.clone()), login.clone(), place.clone());
        let question =
            wire::Explain { person, login, place, sudo, duration: duration.map(Span::secs) };
        Ok(explained(self.call::<explain::Explain>(&NOTHING, &question, &NOTHING)?))
    }

    fn shown(&self, id: &GrantId, query: ShowGrant, manner: Manner) -> Result<GrantView> {
        self.client.call::<grants::Show>(&by_id(id), &query, &NOTHING, manner)
    }

    pub(super) fn call<E: Endpoint>(
        &self,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Answer> {
        self.client.call::<E>(path, query, body, Manner::default())
    }
}

fn by_id(id: &GrantId) -> ById {
    ById { id: id.clone() }
}

/// An extension has an endpoint of its own.
fn asked(ask: &Ask) -> NewRequest {
    let Ask { person, login, place, sudo, duration, start, reason, extends: _ } = ask.clone();
    NewRequest { person: Some(person), login, place, sudo, duration, start, reason }
}

/// The decision is the one that the policy makes, as it is written into the log.
fn explained(told: wire::Explanation) -> Explained {
    let wire::Explanation { covered_until, grants, decision, approvers, obstacles } = told;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verdict = &decision["verdict"];
    let missing = &verdict["pending"]["missing"];
    let said = if let Some(why) = verdict["deny"]["why"].as_str() {
        Said::No(why.to_owned())
    } else if let Some(needed) = missing.as_array() {
        let words = needed.iter().map(|one| format!("{} of {}", one["count"], text(&one["from"])));
        Said::Missing(words.collect::<Vec<_>>().join(", "))
    } else {
        Said::Yes
    };
    let role = decision["role"].as_str().map(str::to_owned);
    let considered = decision["considered"].as_array().cloned().unwrap_or_default();
    let others = considered
        .iter()
        .map(|one| (text(&one["role"]), text(&one["finding"])))
        .filter(|(other, _)| Some(other) != role.as_ref())
        .collect();
    let standing = Standing { said, missing: missing.clone(), approvers };
    Explained { covered_until, grants, standing, role, others, obstacles, decision }
}
