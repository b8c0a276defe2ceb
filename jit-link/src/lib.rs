//! What `jit-link` does, apart from how it reaches the authority ([`Office`]): so that it can be
//! tried without a network.

mod door;
mod https;
mod office;
mod reach;
mod service;
mod sshd;
mod step;
mod teller;

pub use door::Door;
pub use https::Https;
pub use office::Office;
pub use reach::Reach;
pub use service::{once, run};
pub use sshd::Sshd;
pub use step::Step;
pub use teller::Teller;
