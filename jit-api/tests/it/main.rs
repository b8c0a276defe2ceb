//! The dispatcher, asked as a server asks it, on a store of its own and by a clock that is set.

// All of this is test code; clippy takes only functions marked as tests for that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod breakglass;
mod certificates;
mod desk;
mod door;
mod enrolment;
mod factors;
mod hostile;
mod idempotency;
mod login;
mod matrix;
mod openapi;
mod quotas;
mod shape;
mod together;
mod workflow;
mod world;
