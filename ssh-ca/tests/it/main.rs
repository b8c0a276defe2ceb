//! `ssh-ca` and `jit-authorized` as they are called, judged by the real `ssh-keygen`. Run as root.

// They measure real time, and decide nothing with it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod authorized;
mod desk;
mod fleet;
mod front;
mod https;
mod inspect;
mod keys;
mod openapi;
mod person;
mod programs;
#[cfg(feature = "long")]
mod relay;
#[cfg(feature = "long")]
mod schemathesis;
mod served;
mod sign;
mod signer;
