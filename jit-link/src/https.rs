//! The authority over HTTPS: its server is known by the pinned key of its certificate, its answers by
//! the host CA's signature, so that who broke into the server can keep them back but not make them up.
//! Each call is proved by this host's own key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jit_client::{Caller, Client, Http, Manner, SigningKey, Transport, Trust};
use jit_core::config::{Config, Upstream};
use jit_core::factor::Verdict;
use jit_core::id::GrantId;
use jit_core::link::{Ask, Asker, Code, Filing, HostState, Told};
use jit_core::login::{Offer, Standing};
use jit_core::name::Login;
use jit_core::syslog::Syslog;
use jit_core::{Error, Kind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Office;
use crate::service::PROCESS;

/// The authority of this host's configuration.
pub struct Https {
    client: Client,
    place: String,
    syslog: Syslog,
    /// Whether the last answer was somebody else's.
    forged: AtomicBool,
}

/// What wraps an answer that is no object by itself.
#[derive(Deserialize)]
struct Wrapped<T> {
    answer: T,
}

/// A certificate.
#[derive(Deserialize)]
struct Certificate {
    certificate: String,
}

impl Https {
    /// The one that the configuration names.
    ///
    /// # Errors
    /// Misconfigured where this host is its own authority, or its key is missing.
    pub(crate) fn of(config: &Config) -> Result<Self> {
        let upstream = upstream(config)?;
        let transport = Http::https(&upstream.url, &Trust::Pin(upstream.pin))?;
        Https::over(config, Box::new(transport))
    }

    /// The same, reached another way.
    ///
    /// # Errors
    /// As [`Https::of`].
    pub fn over(config: &Config, transport: Box<dyn Transport>) -> Result<Self> {
        let Upstream { name, url, ca, .. } = upstream(config)?;
        let key = SigningKey::open(&config.host_key())?;
        let caller = Caller::Host { name: config.host.to_string(), key, ca: *ca };
        Ok(Https {
            client: Client::new(transport, name, caller),
            place: url.clone(),
            syslog: Syslog::new(PROCESS, config.syslog_socket.clone()),
            forged: AtomicBool::new(false),
        })
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    fn get<A: DeserializeOwned>(&self, path: &str, manner: Manner) -> Result<A> {
        self.taken(self.client.get(path, manner))
    }

    fn post<A: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<A> {
        self.taken(self.client.post(path, body, quick()))
    }

    /// Behind an answer that is not the authority's, the authority is out of reach.
    fn taken<A>(&self, answer: Result<A>) -> Result<A> {
        let forged = matches!(&answer, Err(error) if error.kind() == Kind::Tampered);
        let before = self.forged.swap(forged, Ordering::Relaxed);
        answer.map_err(|error| {
            if !forged {
                return error;
            }
            // Each time that it begins.
            if !before {
                self.syslog.trouble(&format!("tampered: {error}"));
            }
            Error::unavailable(error.what()).next(error.what_next().unwrap_or_default())
        })
    }
}

fn upstream(config: &Config) -> Result<&Upstream> {
    config.authority.as_ref().ok_or_else(|| {
        Error::misconfigured("this host is its own authority")
            .next("To have it join another's fleet: jitctl join 'jit://…'")
    })
}

/// Somebody waits at a prompt: once, and again only where it was never sent.
fn quick() -> Manner {
    Manner { patience: Duration::from_secs(2), ..Manner::once() }
}

impl Office for Https {
    fn state(&self, version: Option<&str>, wait: Duration) -> Result<HostState> {
        let path = match version {
            Some(version) => format!("/v1/host/state?wait={}&version={version}", wait.as_secs()),
            None => "/v1/host/state".to_owned(),
        };
        self.get(&path, Manner::waiting(wait, Duration::ZERO))
    }

    fn factor(&self, code: &Code) -> Result<Verdict> {
        let wrapped: Wrapped<Verdict> = self.post("/v1/host/factor", code)?;
        Ok(wrapped.answer)
    }

    fn askers(&self, login: &Login) -> Result<Vec<Asker>> {
        let wrapped: Wrapped<_> = self.post("/v1/host/askers", &json!({ "login": login }))?;
        Ok(wrapped.answer)
    }

    fn offer(&self, ask: &Ask) -> Result<Option<Offer>> {
        let wrapped: Wrapped<_> = self.post("/v1/host/offer", ask)?;
        Ok(wrapped.answer)
    }

    fn request(&self, filing: &Filing) -> Result<Standing> {
        let wrapped: Wrapped<_> = self.post("/v1/host/requests", filing)?;
        Ok(wrapped.answer)
    }

    fn standing(&self, id: &GrantId) -> Result<Standing> {
        let path = format!("/v1/host/requests/{id}");
        let wrapped: Wrapped<_> = self.get(&path, quick())?;
        Ok(wrapped.answer)
    }

    fn certificate(&self, key: &str) -> Result<String> {
        let given: Certificate =
            self.post("/v1/host/certificate", &json!({ "public_key": key }))?;
        Ok(given.certificate)
    }

    fn log(&self, records: &[Told]) -> Result<u64> {
        let body = json!({ "records": records });
        let manner = Manner { patience: Duration::ZERO, ..Manner::default() };
        let wrapped: Wrapped<_> = self.taken(self.client.post("/v1/host/log", &body, manner))?;
        Ok(wrapped.answer)
    }
}
