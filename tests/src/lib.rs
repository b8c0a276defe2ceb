//! The real-world harness: throw-away instances of the product beside real sshd, sudo and PAM.
//!
//! It is a black box. It links none of the product's crates and only drives programs, as an
//! administrator and a person at a terminal would, so it also builds where libpam's headers are
//! not installed yet. The end-to-end tests and `cargo xtask demo` share it.
//!
//! An [`Instance`] owns everything it puts on the machine and takes it away again, also after a
//! panic or a signal (see [`undo`]).

// The harness measures real programs in real time; the product's rule that only its clock module
// reads the clock holds for the product.
#![allow(clippy::disallowed_methods)]

pub mod error;
pub mod fleet;
pub mod ground;
pub mod instance;
pub mod need;
pub mod packages;
pub mod person;
pub mod process;
pub mod product;
pub mod run;
pub mod server;
pub mod settings;
pub mod site;
pub mod syslog;
pub mod terminal;
pub mod testhost;
pub mod totp;
pub mod undo;

pub use error::{Context, Failed, Result};
pub use fleet::Fleet;
pub use instance::{Instance, Options};
pub use person::Person;
pub use run::Outcome;
pub use server::{Methods, Server, ServerOptions};
pub use site::Site;
pub use terminal::Terminal;
pub use testhost::{Release, TestHost};
