//! The command line as it is typed, run against instances of its own. Needs root, and `oathtool` for
//! codes.

// A test that can't go on says so by panicking, in its helpers as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admins;
mod approving;
mod breakglass;
mod cases;
mod decisions;
mod desk;
mod enrolment;
mod hooks;
mod hostile;
mod races;
mod recovery;
mod remote;
mod served;
mod trouble;
