//! The authority behind its interface: over HTTPS as whoever logged in, or over its socket as the
//! account that runs this.

use std::time::Duration;

use jit_client::{Client, LONGEST_WAIT, Manner, SigningKey};
use jit_core::authority::RevokeWhich;
use jit_core::clock::{Clock, SystemClock};
use jit_core::grant::{Ask, Edit, Grant, NAMESPACE, Phase};
use jit_core::id::GrantId;
use jit_core::name::{Login, PersonName, Place, Reason};
use jit_core::time::{Span, Timestamp};
use jit_core::{Kind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::standing::Said;
use super::{Explained, Proof, Standing, Which};
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

/// A grant as it comes.
#[derive(Deserialize)]
struct Shown {
    grant: Grant,
    now: Timestamp,
    approvers: Vec<PersonName>,
}

/// A grant after a yes.
#[derive(Deserialize)]
struct Approved {
    #[serde(flatten)]
    shown: Shown,
    missing: Vec<String>,
}

/// What the policy says to a question.
#[derive(Deserialize)]
struct Told {
    covered_until: Option<Timestamp>,
    grants: Vec<GrantId>,
    decision: Value,
    approvers: Vec<PersonName>,
    obstacles: Vec<String>,
}

/// Many of them.
#[derive(Deserialize)]
struct Many {
    grants: Vec<Grant>,
    now: Timestamp,
}

impl There {
    /// As `me`, by `client`.
    pub fn new(client: Client, me: PersonName, key: Option<SigningKey>) -> Self {
        There { client, me, key }
    }

    /// Who calls.
    pub fn me(&self) -> &PersonName {
        &self.me
    }

    /// What calls.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn now(&self) -> Result<Timestamp> {
        self.client.now()
    }

    pub(super) fn request(&self, ask: &Ask) -> Result<Grant> {
        Ok(self.post::<Shown>("/v1/requests", &json!(ask))?.grant)
    }

    pub(super) fn extend(
        &self,
        id: &GrantId,
        more: Span,
        reason: Option<&Reason>,
    ) -> Result<Grant> {
        self.act(id, "extend", &json!({ "duration": more, "reason": reason }))
    }

    pub(super) fn edit(&self, id: &GrantId, edit: &Edit) -> Result<Grant> {
        let Edit { duration, start, reason } = edit;
        self.act(id, "edit", &json!({ "duration": duration, "start": start, "reason": reason }))
    }

    pub(super) fn inbox(&self) -> Result<(Vec<Grant>, Timestamp)> {
        let Many { grants, now } = self.client.get("/v1/inbox", Manner::default())?;
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
            (Proof::Signature(signature), _) => json!({ "signature": signature }),
            // Over what was shown, computed here from it: the authority can't have signed what it
            // did not show.
            (Proof::Wanted, Some(key)) => {
                json!({ "signature": key.sign(NAMESPACE, &seen.canonical(most)?)? })
            }
            (Proof::Wanted, None) => {
                let length = most.map(|most| format!(", {most} of it")).unwrap_or_default();
                let typed = prompt::code(&format!("Verification code for {}{length}: ", self.me))?;
                json!({ "code": typed.expose() })
            }
        };
        let body = json!({ "digest": digest, "most": most, "evidence": evidence });
        let path = format!("/v1/grants/{}/approve", seen.id());
        let Approved { shown, missing } = self.client.post(&path, &body, Manner::default())?;
        let said = match missing.as_slice() {
            [] => Said::Yes,
            missing => Said::Missing(missing.join(", ")),
        };
        Ok((shown.grant, Standing { said, missing: json!(missing), approvers: shown.approvers }))
    }

    pub(super) fn withdraw(&self, id: &GrantId) -> Result<Grant> {
        self.act(id, "withdraw", &json!({}))
    }

    pub(super) fn deny(&self, id: &GrantId, reason: Option<&Reason>) -> Result<Grant> {
        self.act(id, "deny", &json!({ "reason": reason }))
    }

    pub(super) fn cancel(&self, id: &GrantId) -> Result<Grant> {
        self.act(id, "cancel", &json!({}))
    }

    pub(super) fn shorten(
        &self,
        id: &GrantId,
        left: Span,
        reason: Option<&Reason>,
    ) -> Result<Grant> {
        self.act(id, "shorten", &json!({ "left": left, "reason": reason }))
    }

    pub(super) fn grant_alone(&self, ask: &Ask) -> Result<Grant> {
        Ok(self.post::<Shown>("/v1/grants", &json!(ask))?.grant)
    }

    pub(super) fn revoke(&self, which: &RevokeWhich, reason: &Reason) -> Result<Vec<Grant>> {
        let body = match which {
            RevokeWhich::Id(id) => {
                let path = format!("/v1/grants/{id}/revoke");
                let revoked: Many = self.post(&path, &json!({ "reason": reason }))?;
                return Ok(revoked.grants);
            }
            RevokeWhich::Person(name) => json!({ "person": name, "reason": reason }),
            RevokeWhich::Host(name) => json!({ "host": name, "reason": reason }),
            RevokeWhich::All => json!({ "all": true, "reason": reason }),
        };
        Ok(self.post::<Many>("/v1/revocations", &body)?.grants)
    }

    pub(super) fn grant(&self, id: &GrantId) -> Result<(Grant, Timestamp)> {
        let Shown { grant, now, .. } = self.shown(id)?;
        Ok((grant, now))
    }

    pub(super) fn decided(&self, mut grant: Grant, patience: Span) -> Result<(Grant, Timestamp)> {
        let clock = SystemClock::default();
        let end = clock.boot()?.millis.saturating_add(patience.secs().saturating_mul(1000));
        loop {
            let left = Duration::from_millis(end.saturating_sub(clock.boot()?.millis));
            let wait = left.min(LONGEST_WAIT);
            let path = format!(
                "/v1/grants/{}?wait={}&version={}",
                grant.id(),
                wait.as_secs(),
                grant.version()
            );
            // A server that is restarted meanwhile is waited for, too.
            let manner = Manner::waiting(wait, left.min(PATIENCE));
            let shown: Shown = self.client.get(&path, manner)?;
            grant = shown.grant;
            if grant.phase(shown.now) != Phase::Requested || left < Duration::from_secs(1) {
                return Ok((grant, shown.now));
            }
        }
    }

    pub(super) fn grants(&self, which: &Which) -> Result<(Vec<Grant>, Timestamp)> {
        let mut query = vec![format!("all={}", which.over)];
        query.extend(which.state.map(|state| format!("state={state}")));
        query.extend(which.person.as_ref().map(|person| format!("person={person}")));
        query.extend(which.host.as_ref().map(|host| format!("host={host}")));
        query.extend(which.limit.map(|limit| format!("limit={limit}")));
        let path = format!("/v1/grants?{}", query.join("&"));
        let Many { grants, now } = self.client.get(&path, Manner::default())?;
        Ok((grants, now))
    }

    pub(super) fn standing(&self, grant: &Grant) -> Result<Standing> {
        Ok(self.shown(grant.id())?.standing())
    }

    /// Admins may know.
    pub(super) fn groups(&self, person: &PersonName) -> Result<Option<Vec<String>>> {
        #[derive(Deserialize)]
        struct Groups {
            groups: Vec<String>,
        }
        match self.client.get::<Groups>(&format!("/v1/people/{person}"), Manner::default()) {
            Ok(person) => Ok(Some(person.groups)),
            Err(error) if matches!(error.kind(), Kind::Refused | Kind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn explain(
        &self,
        person: &PersonName,
        login: &Login,
        place: &Place,
        sudo: bool,
        duration: Option<Span>,
    ) -> Result<Explained> {
        let mut path =
            format!("/v1/explain?person={person}&login={login}&place={place}&sudo={sudo}");
        if let Some(duration) = duration {
            path.push_str(&format!("&duration={}", duration.secs()));
        }
        let told: Told = self.client.get(&path, Manner::default())?;
        Ok(told.explained())
    }

    fn shown(&self, id: &GrantId) -> Result<Shown> {
        self.client.get(&format!("/v1/grants/{id}"), Manner::default())
    }

    fn act(&self, id: &GrantId, verb: &str, body: &Value) -> Result<Grant> {
        Ok(self.post::<Shown>(&format!("/v1/grants/{id}/{verb}"), body)?.grant)
    }

    fn post<A: serde::de::DeserializeOwned>(&self, path: &str, body: &Value) -> Result<A> {
        self.client.post(path, body, Manner::default())
    }
}

impl Told {
    /// The decision is the one that the policy makes, as it is written into the log.
    fn explained(self) -> Explained {
        let Told { covered_until, grants, decision, approvers, obstacles } = self;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let verdict = &decision["verdict"];
        let missing = &verdict["pending"]["missing"];
        let said = if let Some(why) = verdict["deny"]["why"].as_str() {
            Said::No(why.to_owned())
        } else if let Some(needed) = missing.as_array() {
            let words =
                needed.iter().map(|one| format!("{} of {}", one["count"], text(&one["from"])));
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
}

impl Shown {
    fn standing(self) -> Standing {
        Standing { said: Said::Open, missing: Value::Null, approvers: self.approvers }
    }
}
