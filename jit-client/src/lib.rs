//! The authority, called from elsewhere: over HTTPS from somebody's own machine or a host, over a
//! Unix socket on the authority's.
//!
//! A server is believed by its pinned key or by the machine's certificate authorities ([`Trust`]).
//! Who calls is proved anew by each request, with a signature of `ssh-keygen` ([`Caller`]). What can
//! be asked again is, while the server is away ([`Client`]). What a host is told is signed, too: it
//! takes no other answer.

mod client;
mod connect;
mod enrol;
mod host;
mod http;
mod invitation;
mod keygen;
pub mod pin;
mod places;
pub mod private;
mod problem;
mod profile;
mod proof;
mod session;
mod trust;

pub use client::{Client, LONGEST_WAIT, Manner};
pub use enrol::{Enrolment, server_name};
pub use host::{JoinedHost, invited_ca, invited_host, join_host};
pub use http::{Failure, Http, Request, Response, Transport};
pub use invitation::{Invitation, Invited};
pub use jit_core::config::Pin;
pub use keygen::SigningKey;
pub use places::Places;
pub use profile::{Profile, Profiles};
pub use proof::Caller;
pub use session::Session;
pub use trust::Trust;
