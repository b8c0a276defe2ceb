//! The authority over the network, without the network: one table of endpoints ([`ENDPOINTS`]) from
//! which routing, authorization and the OpenAPI document come, the types that go over the wire, the
//! texts that are signed, and the dispatcher [`Office`], which a server hands each request to.
//!
//! The process that answers checks every proof itself, and signs what it tells hosts. Whoever passes
//! a request on, or an answer back, can drop it, but not forge one.

mod access;
mod asked;
mod caller;
mod challenge;
mod door;
mod endpoint;
pub mod endpoints;
mod idempotency;
mod issuer;
mod limits;
mod nonces;
mod office;
mod openapi;
mod pool;
mod problem;
pub mod proof;
mod quotas;
mod route;
mod signed;
mod table;
mod together;
mod token;
pub mod wire;

pub use access::Access;
pub use asked::{Answered, Asked, Headers, Peer, Turn};
pub use caller::Caller;
pub use endpoint::{Desk, Endpoint, Entry, Method};
pub use issuer::Issuer;
pub use office::{LARGEST_BODY, Office};
pub use problem::{Code, Failure, Problem};
pub use quotas::Visit;
pub use route::target;
pub use table::ENDPOINTS;
