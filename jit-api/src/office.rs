//! The dispatcher: a request in, an answer out. Handlers block; a server calls it from threads that
//! may.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use jit_core::authority::Authority;
use jit_core::config::Serve;
use jit_core::person::Person;
use jit_core::store::CaKind;
use jit_core::time::{Span, Timestamp};
use jit_core::{Error, Result};

use crate::access::Access;
use crate::asked::{Answered, Asked, Turn};
use crate::caller::Caller;
use crate::door::{self, Arrived};
use crate::endpoint::{Desk, Entry, Method, Ran, Unread};
use crate::issuer::Issuer;
use crate::limits::Limits;
use crate::nonces::Nonces;
use crate::pool::{Pool, lock};
use crate::problem::{Code, Failure};
use crate::quotas::{Held, Quotas, Visit};
use crate::{idempotency, openapi, route};

/// The largest body that is read, in bytes.
pub const LARGEST_BODY: usize = 256 * 1024;
/// The longest path and query, together.
const LONGEST_TARGET: usize = 8 * 1024;
/// The longest that a request waits, in seconds.
const LONGEST_WAIT: u64 = 60;
/// Refusals of one actor that go to the log in a minute; the rest goes to syslog alone.
const RECORDED: u32 = 10;

type Pin = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// The dispatcher.
pub struct Office {
    pub(crate) pool: Pool,
    issuer: Box<dyn Issuer>,
    name: String,
    serve: Option<Serve>,
    pin: Option<Pin>,
    started: u64,
    proofs: Nonces,
    challenges: Nonces,
    limits: Limits,
    quotas: Quotas,
    recorded: Mutex<HashMap<String, (u64, u32)>>,
    /// One writer at a time in this process: waiting here is fair, waiting for SQLite's lock is not.
    pub(crate) writing: Mutex<()>,
}

impl Office {
    /// With the authority that decides and who signs certificates and answers. Without `[serve]` in the
    /// configuration the server is called like its host and nobody is an admin.
    pub fn new(authority: Authority, issuer: Box<dyn Issuer>) -> Self {
        let config = authority.config();
        let serve = config.serve.clone();
        let name = match &serve {
            Some(serve) => serve.name.clone(),
            None => config.host.to_string(),
        };
        // A clock that can't be trusted yet: what was signed before now is asked for again.
        let started = authority.clock().now().map_or(u64::MAX, |now| now.unix());
        let quotas = serve.as_ref().map_or_else(Quotas::default, |serve| Quotas::new(serve.each));
        Office {
            pool: Pool::new(authority),
            issuer,
            name,
            serve,
            pin: None,
            started,
            proofs: Nonces::default(),
            challenges: Nonces::default(),
            limits: Limits::default(),
            quotas,
            recorded: Mutex::default(),
            writing: Mutex::new(()),
        }
    }

    /// With what tells the pin of the server's TLS certificate, `sha256` of its public key in
    /// base64url, for the strings that people join by.
    #[must_use]
    pub fn pinned(mut self, pin: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        self.pin = Some(Box::new(pin));
        self
    }

    /// Answers a request, or says that it waits. After a wait it is asked again, with the same request
    /// and visit.
    pub fn answer(&self, asked: &Asked<'_>, visit: &mut Visit) -> Turn {
        let mut log = Log::new();
        let turned = self.turn(asked, visit, &mut log);
        let turn = turned.unwrap_or_else(|failure| Turn::Answer(log.problem(&failure)));
        self.signed(asked, &log, turn)
    }

    /// A number that changes whenever somebody has changed the store.
    ///
    /// # Errors
    /// Unavailable.
    pub fn change_marker(&self) -> Result<u64> {
        self.pool.change_marker()
    }

    /// Who asks, if they get as far as `access` lets them: for what a server answers by itself.
    ///
    /// # Errors
    /// As an endpoint with that access.
    pub fn admit(&self, asked: &Asked<'_>, access: Access) -> Result<Caller, Failure> {
        let authority = self.pool.take()?;
        let desk = self.desk(&authority, asked);
        let mut visit = Visit::default();
        let caller = door::arrive(&desk, asked, &mut visit)?.caller;
        self.quotas.work(&mut visit, &caller, asked.peer, authority.wall_clock()?)?;
        access.admit(&caller).map(|()| caller)
    }

    /// The description of all of it (OpenAPI 3.1).
    pub fn openapi() -> serde_json::Value {
        openapi::document()
    }

    fn turn(&self, asked: &Asked<'_>, visit: &mut Visit, log: &mut Log) -> Result<Turn, Failure> {
        let (entry, path) = find(asked, log)?;
        let authority = self.pool.take()?;
        let admitted = self.let_in(&authority, entry, path, asked, visit, log)?;
        let _turn = (entry.method != Method::Get).then(|| lock(&self.writing));
        self.run(&admitted, asked, visit, log)
    }

    /// Finds out who asks, and whether they get as far as the handler.
    pub(crate) fn let_in<'a>(
        &'a self,
        authority: &'a Authority,
        entry: &'static Entry,
        path: String,
        asked: &Asked<'_>,
        visit: &mut Visit,
        log: &mut Log,
    ) -> Result<Admitted<'a>, Failure> {
        let mut desk = self.desk(authority, asked);
        if entry.access != Access::Public {
            let Arrived { caller, key } = door::arrive(&desk, asked, visit)?;
            log.caller = caller;
            desk.signed_by = key;
        }
        let working = self.quotas.work(visit, &log.caller, asked.peer, authority.wall_clock()?)?;
        entry.access.admit(&log.caller)?;
        Ok(Admitted { entry, path, desk, _working: working })
    }

    /// Has the handler answer.
    pub(crate) fn run(
        &self,
        admitted: &Admitted<'_>,
        asked: &Asked<'_>,
        visit: &mut Visit,
        log: &Log,
    ) -> Result<Turn, Failure> {
        let Admitted { entry, path, desk, .. } = admitted;
        let (query, caller) = (asked.query.unwrap_or_default(), &log.caller);
        let unread = Unread { path, query, body: asked.body };
        let act = || (entry.run)(desk, caller, &unread);
        let Ran { answer, waits } = idempotency::once(desk, caller, entry.method, asked, act)?;
        match waits {
            Some(at_most) if visit.may_wait => {
                self.quotas.wait(visit, &log.caller, asked.peer)?;
                let at_most = at_most.min(Duration::from_secs(LONGEST_WAIT));
                Ok(Turn::Wait { at_most })
            }
            _ => Ok(Turn::Answer(log.answered(200, "application/json", answer))),
        }
    }

    fn desk<'a>(&'a self, authority: &'a Authority, asked: &Asked<'_>) -> Desk<'a> {
        Desk { authority, office: self, from: asked.peer.address(), signed_by: None }
    }

    /// What clients know the server by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `jitctl join` takes: beside who, where and the code, by which keys the server and its
    /// answers are known.
    pub(crate) fn join(&self, authority: &Authority, who: &str, code: &str) -> Result<String> {
        let port = self.serve.as_ref().map_or(8443, |serve| serve.listen.port());
        let port = if port == 443 { String::new() } else { format!(":{port}") };
        let pin = self.pin.as_ref().and_then(|pin| pin());
        let pin = pin.map(|pin| format!("&pin={pin}")).unwrap_or_default();
        let ca = authority.ca_keys(CaKind::Host)?.into_iter().next();
        let ca = ca.map(|key| format!("&ca={}", key.fingerprint)).unwrap_or_default();
        Ok(format!("jit://{}{port}/{who}?code={code}{pin}{ca}", self.name))
    }

    /// Who signs certificates and answers.
    pub(crate) fn issuer(&self) -> &dyn Issuer {
        self.issuer.as_ref()
    }

    pub(crate) fn is_admin(&self, person: &Person) -> bool {
        self.serve.as_ref().is_some_and(|serve| serve.is_admin(person))
    }

    /// How long after a login its token is good.
    pub(crate) fn token_lifetime(&self) -> Result<Span> {
        self.serve.as_ref().map_or_else(|| Span::from_secs(3600), |serve| Ok(serve.token_lifetime))
    }

    pub(crate) fn started(&self) -> u64 {
        self.started
    }

    pub(crate) fn longest_wait(&self) -> u64 {
        LONGEST_WAIT
    }

    pub(crate) fn proofs(&self) -> &Nonces {
        &self.proofs
    }

    pub(crate) fn challenges(&self) -> &Nonces {
        &self.challenges
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether one more refusal of this actor goes to the log.
    pub(crate) fn may_record(&self, actor: &str, now: Timestamp) -> bool {
        let mut recorded = lock(&self.recorded);
        recorded.retain(|_, (began, _)| now.unix() < *began + 60);
        let (_, count) = recorded.entry(actor.to_owned()).or_insert((now.unix(), 0));
        *count += 1;
        *count <= RECORDED
    }
}

/// The endpoint that is asked, and what stands in its path.
pub(crate) fn find(asked: &Asked<'_>, log: &mut Log) -> Result<(&'static Entry, String), Failure> {
    if asked.path.len() + asked.query.map_or(0, str::len) > LONGEST_TARGET {
        return Err(Error::invalid("the path is too long").into());
    }
    let (entry, path) = route::find(asked.method, asked.path)?;
    log.endpoint = Some(entry.name);
    if asked.body.len() > LARGEST_BODY {
        return Err(Failure::too_large("the body is larger than 256 KiB"));
    }
    Ok((entry, path))
}

/// A request that gets as far as its handler.
pub(crate) struct Admitted<'a> {
    entry: &'static Entry,
    path: String,
    desk: Desk<'a>,
    /// Its place among those of its caller that are worked on.
    _working: Option<Held>,
}

/// What is known of a request, for the answer and the log.
pub(crate) struct Log {
    endpoint: Option<&'static str>,
    pub(crate) caller: Caller,
}

impl Log {
    pub(crate) fn new() -> Self {
        Log { endpoint: None, caller: Caller::Nobody }
    }

    fn answered(&self, status: u16, content_type: &'static str, body: Vec<u8>) -> Answered {
        Answered {
            status,
            content_type,
            body,
            retry_after: None,
            allow: None,
            signature: None,
            endpoint: self.endpoint,
            caller: self.caller.to_string(),
        }
    }

    pub(crate) fn problem(&self, failure: &Failure) -> Answered {
        let mut problem = failure.problem();
        let ours = matches!(failure.code, Code::Misconfigured | Code::Tampered);
        if ours && self.caller == Caller::Nobody {
            // Files and rows of ours are nobody's business.
            problem.detail = "the server can't answer this now".to_owned();
            problem.next = Some("Its admins find out why with jitctl doctor.".to_owned());
        }
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        Answered {
            retry_after: failure.retry_after,
            allow: failure.allow.clone(),
            ..self.answered(problem.status, "application/problem+json", body)
        }
    }
}
