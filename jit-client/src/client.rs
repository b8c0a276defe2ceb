//! Calls that survive a server that is away for a while: each has its own proof, and a key by which
//! the server knows it again, so that one that was answered into the void is not done twice.

use std::thread;
use std::time::Duration;

use jit_api::proof::Answer;
use jit_api::{Endpoint, Method};
use jit_core::audit::hex;
use jit_core::clock::{Clock, SystemClock};
use jit_core::secret::random_bytes;
use jit_core::time::Timestamp;
use jit_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::proof::Proved;
use crate::{Caller, Failure, Request, Response, Transport, problem};

/// How long an ordinary answer may take.
const ANSWER: Duration = Duration::from_secs(8);
/// The longest that one request waits for something to change.
pub const LONGEST_WAIT: Duration = Duration::from_secs(25);
/// The first pause before a call is tried again; each is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How a call is made.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How long the server may take beyond an ordinary answer, as it waits for something.
    pub wait: Duration,
    /// For how long it is tried again when the server is away.
    pub patience: Duration,
    /// Whether it may have reached the server more than once.
    pub repeatable: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Manner { wait: Duration::ZERO, patience: Duration::from_secs(4), repeatable: true }
    }
}

impl Manner {
    /// As what spends something, such as a code: sent again only where it was never sent.
    pub fn once() -> Self {
        Manner { repeatable: false, ..Manner::default() }
    }

    /// As a part of a long wait, which outlives a restart of the server.
    pub fn waiting(wait: Duration, patience: Duration) -> Self {
        Manner { wait: wait.min(LONGEST_WAIT), patience, repeatable: true }
    }
}

/// Calls one authority as one caller.
pub struct Client {
    transport: Box<dyn Transport>,
    server: String,
    caller: Caller,
    clock: Box<dyn Clock>,
}

impl Client {
    /// For the authority called `server`, reached by `transport`.
    pub fn new(transport: Box<dyn Transport>, server: &str, caller: Caller) -> Self {
        let clock = Box::new(SystemClock::default());
        Client { transport, server: server.to_owned(), caller, clock }
    }

    /// As somebody else.
    #[must_use]
    pub fn calling(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// What the authority is called.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The time on this machine.
    ///
    /// # Errors
    /// Unavailable when the clock can't be read.
    pub fn now(&self) -> Result<Timestamp> {
        self.clock.now()
    }

    /// Calls an endpoint.
    ///
    /// # Errors
    /// Whatever the authority answers with; unavailable when it is out of reach.
    pub fn call<E: Endpoint>(
        &self,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
        manner: Manner,
    ) -> Result<E::Answer> {
        let target = jit_api::target::<E>(path, query)?;
        match E::METHOD {
            Method::Get => self.get(&target, manner),
            method => self.with_body(method.as_str(), &target, body, manner),
        }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// Whatever the authority answers with; unavailable when it is out of reach.
    pub fn get<A: DeserializeOwned>(&self, path: &str, manner: Manner) -> Result<A> {
        self.parse(&self.send("GET", path, b"", manner)?)
    }

    /// Has something done.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        manner: Manner,
    ) -> Result<A> {
        self.with_body("POST", path, body, manner)
    }

    /// As [`Client::post`], by another method.
    ///
    /// # Errors
    /// As there.
    pub fn with_body<A: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &impl Serialize,
        manner: Manner,
    ) -> Result<A> {
        let body = serde_json::to_vec(body)
            .map_err(|e| Error::invalid(format!("the request can't be written: {e}")))?;
        self.parse(&self.send(method, path, &body, manner)?)
    }

    fn parse<A: DeserializeOwned>(&self, response: &Response) -> Result<A> {
        let body: &[u8] = if response.body.is_empty() { b"null" } else { &response.body };
        serde_json::from_slice(body).map_err(|e| {
            Error::unavailable(format!(
                "{} answered something that is not understood here: {e}",
                self.transport.place()
            ))
            .next("Is this jitctl older or newer than the authority? jitctl --version")
        })
    }

    /// Sends a request until there is an answer, or no patience left.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn send(&self, method: &str, path: &str, body: &[u8], manner: Manner) -> Result<Response> {
        let key = hex(&random_bytes::<16>()?);
        let end = self.millis()?.saturating_add(millis(manner.patience));
        let mut pause = FIRST_PAUSE;
        loop {
            let (error, asked_to_wait) = match self.once(method, path, body, &key, manner)? {
                Ok(response) if response.status < 300 => return Ok(response),
                Ok(response) => {
                    let error = problem::error(&response, self.transport.place());
                    if !matches!(response.status, 429 | 502 | 503 | 504) {
                        return Err(error);
                    }
                    (error, response.retry_after.map(Duration::from_secs))
                }
                Err(Failure::Never(error)) => return Err(error),
                Err(Failure::Broken(why)) if !manner.repeatable => {
                    return Err(Error::unavailable(format!(
                        "the connection to {} broke: {why}",
                        self.transport.place()
                    ))
                    .next("Whether it was done is not known: look before you try again."));
                }
                Err(Failure::Broken(why) | Failure::Unreached(why)) => {
                    let place = self.transport.place();
                    let error = Error::unavailable(format!("{place} can't be reached: {why}"));
                    (error.next("Try again, or ask an admin whether it is up."), None)
                }
            };
            let sleep = asked_to_wait.unwrap_or(pause).min(LONGEST_PAUSE);
            if self.millis()?.saturating_add(millis(sleep)) > end {
                return Err(error);
            }
            thread::sleep(sleep);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn once(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        key: &str,
        manner: Manner,
    ) -> Result<Result<Response, Failure>> {
        let now = self.clock.now()?;
        let Proved { mut headers, nonce } =
            self.caller.prove(&self.server, method, path, body, now)?;
        if method != "GET" && manner.repeatable {
            headers.push(("Idempotency-Key", key.to_owned()));
        }
        let timeout = ANSWER + manner.wait;
        let sent = self.transport.send(&Request { method, path, headers: &headers, body, timeout });
        if let (Ok(response), Caller::Host { name, ca, .. }) = (&sent, &self.caller)
            && response.status < 300
        {
            let (server, status) = (self.server.as_str(), response.status);
            let answer = Answer {
                server,
                host: name,
                method,
                target: path,
                nonce: &nonce,
                status,
                body: &response.body,
            };
            answer
                .check(response.signature.as_deref(), *ca)
                .map_err(|error| forged(self.transport.place(), &error))?;
        }
        Ok(sent)
    }

    /// By the boot clock: setting the wall clock makes nobody wait longer.
    fn millis(&self) -> Result<u64> {
        Ok(self.clock.boot()?.millis)
    }
}

/// Something else than the authority answered: whoever serves its address, or has its TLS key.
fn forged(place: &str, why: &Error) -> Error {
    Error::tampered(format!("what {place} answered is not the authority's: {}", why.what())).next(
        "Nothing of it was taken in. Is ca in jit.toml still the fingerprint of the authority's \
         host CA? If it is, what answers there was tampered with.",
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    /// Answers as it was told to, and remembers the keys it saw.
    #[derive(Clone, Default)]
    struct Scripted {
        answers: Arc<Mutex<VecDeque<Result<Response, Failure>>>>,
        keys: Arc<Mutex<Vec<String>>>,
    }

    impl Transport for Scripted {
        fn send(&self, request: &Request<'_>) -> Result<Response, Failure> {
            let key = request.headers.iter().find(|(name, _)| *name == "Idempotency-Key");
            self.keys.lock().unwrap().extend(key.map(|(_, key)| key.clone()));
            self.answers.lock().unwrap().pop_front().expect("an answer for each request")
        }

        fn place(&self) -> &str {
            "https://jit"
        }
    }

    fn answer(status: u16, body: &str) -> Result<Response, Failure> {
        Ok(Response { status, body: body.into(), retry_after: None, signature: None })
    }

    fn client(answers: Vec<Result<Response, Failure>>) -> (Client, Scripted) {
        let scripted =
            Scripted { answers: Arc::new(Mutex::new(answers.into())), ..Default::default() };
        (Client::new(Box::new(scripted.clone()), "jit", Caller::Unproved), scripted)
    }

    #[test]
    fn a_server_that_comes_back_gets_the_same_call_under_the_same_key() {
        let (client, scripted) = client(vec![
            Err(Failure::Unreached("refused".into())),
            Err(Failure::Broken("reset".into())),
            answer(503, r#"{"code":"unavailable","detail":"starting"}"#),
            answer(200, r#"{"done":true}"#),
        ]);
        let said: Value = client.post("/v1/x", &json!({}), Manner::default()).unwrap();
        assert_eq!(said["done"], true);
        let keys = scripted.keys.lock().unwrap();
        assert_eq!(keys.len(), 4);
        assert!(keys.iter().all(|key| *key == keys[0] && key.len() == 32), "{keys:?}");
    }

    #[test]
    fn what_spends_a_code_is_not_sent_twice_once_it_may_have_arrived() {
        let (client, scripted) = client(vec![
            Err(Failure::Unreached("refused".into())),
            Err(Failure::Broken("reset".into())),
        ]);
        let said = client.post::<Value>("/v1/login", &json!({}), Manner::once()).unwrap_err();
        assert!(scripted.keys.lock().unwrap().is_empty(), "its answer need not be kept");
        assert!(said.to_string().contains("Whether it was done is not known"), "{said}");
        assert!(scripted.answers.lock().unwrap().is_empty());
    }

    #[test]
    fn a_refusal_and_a_foreign_server_are_final() {
        let (refused, _) = client(vec![answer(
            403,
            r#"{"type":"urn:jit:problem:refused","title":"Refused","status":403,"code":"refused","detail":"no"}"#,
        )]);
        let said = refused.get::<Value>("/v1/x", Manner::default()).unwrap_err();
        assert_eq!((said.kind(), said.what()), (jit_core::Kind::Refused, "no"));
        let (foreign, _) = client(vec![Err(Failure::Never(Error::refused("another key")))]);
        let said = foreign.get::<Value>("/v1/x", Manner::default()).unwrap_err();
        assert_eq!(said.what(), "another key");
    }

    #[test]
    fn patience_ends() {
        let away = || Err(Failure::Unreached("refused".into()));
        let (client, scripted) = client(vec![away(), away(), away()]);
        let manner = Manner { patience: Duration::from_millis(700), ..Manner::default() };
        let said = client.get::<Value>("/v1/x", manner).unwrap_err();
        assert_eq!(said.kind(), jit_core::Kind::Unavailable);
        assert!(scripted.answers.lock().unwrap().is_empty(), "it was tried at 0, 0.2 and 0.6 s");
    }
}
