//! An authority and a host of its fleet, with everything between them but the network.

// All of this is test code; clippy takes only functions marked as tests for that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod ground;
mod logins;
mod sshd;
mod steps;
