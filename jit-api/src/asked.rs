//! A request as it comes from whatever carries it, and what is given back.

use std::net::IpAddr;
use std::time::Duration;

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'a str,
    /// The path as it came, without the query.
    pub path: &'a str,
    /// The query as it came, without the question mark.
    pub query: Option<&'a str>,
    /// The headers that matter here.
    pub headers: Headers<'a>,
    /// The body, JSON or empty.
    pub body: &'a [u8],
    /// Where it comes from.
    pub peer: Peer,
}

impl Asked<'_> {
    /// Path and query as they went over the wire.
    pub fn target(&self) -> String {
        match self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.to_owned(),
        }
    }
}

/// The headers that matter here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `Authorization`
    pub authorization: Option<&'a str>,
    /// `Jit-Proof`
    pub proof: Option<&'a str>,
    /// `Idempotency-Key`
    pub idempotency_key: Option<&'a str>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// This process, which is root's.
    Process,
    /// A process of this account on this machine, as the kernel says (`SO_PEERCRED`).
    Unix {
        /// Its user id.
        uid: u32,
    },
    /// Anywhere: proves nothing.
    Network {
        /// The address, for throttling and the log.
        address: IpAddr,
    },
}

impl Peer {
    /// The address, if it came over the network.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Peer::Network { address } => Some(address),
            Peer::Process | Peer::Unix { .. } => None,
        }
    }
}

/// What is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// `application/json` or `application/problem+json`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// `Allow`: the methods that there are, where it was another one.
    pub allow: Option<String>,
    /// `Jit-Answer`: the host CA's signature over an answer to a host, without armour.
    pub signature: Option<String>,
    /// The endpoint's name in the table.
    pub endpoint: Option<&'static str>,
    /// Who asked, for a server's own log.
    pub caller: String,
}

/// What a request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// This.
    Answer(Answered),
    /// It waits for a change that has not come: ask the same again when the store has changed, and
    /// at the latest then, without leave to wait.
    Wait {
        /// How long to wait at most, from the first time on.
        at_most: Duration,
    },
}
