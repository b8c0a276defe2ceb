//! `jit-hooks` as it runs, against a store, web servers and commands of the test's own. Needs root.

// A test that can't go on says so by panicking, in its helpers as well; real programs take real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod commands;
mod examples;
mod ground;
mod outbox;
mod receiver;
mod signature;
mod tls;
mod webhooks;
