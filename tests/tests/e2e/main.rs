//! End-to-end tests: real ssh, sshd and sudo, on throw-away instances. One theme a file.

// Harness code measures real programs in real time; the product's rule that only its clock module
// reads the clock holds for the product.
#![allow(clippy::disallowed_methods)]

mod bad_input;
mod certificate;
mod ending;
mod hosts;
mod login;
mod misconfigured;
mod module;
mod pam;
mod races;
mod refusals;
mod request_at_prompt;
mod secrets;
mod setup;
mod shared_login;
mod sudo;
