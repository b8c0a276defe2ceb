//! The domain of just-in-time access, shared by every program of the project.
//!
//! A **person** asks for access to a **host** for a while and says why; policy, or other people,
//! say yes; for exactly that **window** a **grant** is active. This crate holds what those words
//! mean, the one door through which anything is decided or changed ([`authority::Authority`]), and
//! the store behind it. It knows no libpam, no async runtime, no TLS and no CA private key.

pub mod audit;
pub mod authority;
pub mod breakglass;
pub mod certificate;
pub mod cgroup;
pub mod clock;
pub mod config;
pub mod cover;
pub mod error;
pub mod factor;
pub mod grant;
pub mod hook;
pub mod host;
pub mod id;
pub mod invitation;
pub mod kept;
pub mod link;
pub mod lockfile;
pub mod login;
pub mod name;
pub mod outbox;
pub mod person;
pub mod policy;
pub mod process;
pub mod restriction;
pub mod rootfile;
pub mod seal;
pub mod secret;
pub mod session;
pub mod sshsig;
pub mod stay;
pub mod store;
pub mod syslog;
pub mod time;
pub mod tomlfile;

pub use error::{Error, Kind, Result};
