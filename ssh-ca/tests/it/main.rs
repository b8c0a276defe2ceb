//! `ssh-ca` and `jit-authorized` as they are called, judged by the real `ssh-keygen`. Run as root.

#![allow(clippy::unwrap_used)]

mod authorized;
mod desk;
mod fleet;
mod front;
mod https;
mod inspect;
mod keys;
mod person;
mod programs;
mod served;
mod sign;
mod signer;
