//! End-to-end tests: real ssh, sshd and sudo, on throw-away instances. One theme a file.

// Harness code measures real programs in real time; the product's rule that only its clock module
// reads the clock holds for the product.
#![allow(clippy::disallowed_methods)]

/// Two tests of `$what`, a function of the release: one on each Debian.
macro_rules! on_both {
    ($($what:ident),+ $(,)?) => {
        mod bookworm {
            $(#[test]
            fn $what() -> tests::Result<()> {
                super::$what(tests::Release::Bookworm)
            })+
        }
        mod trixie {
            $(#[test]
            fn $what() -> tests::Result<()> {
                super::$what(tests::Release::Trixie)
            })+
        }
    };
}

mod backstop;
mod bad_input;
mod breakglass;
mod certificate;
mod doctor;
mod edited_rows;
mod ending;
mod extension;
mod factors;
mod fleet;
mod hooks;
mod hooks_on_hosts;
mod hosts;
mod leftovers;
mod login;
mod misconfigured;
mod module;
mod packages;
mod pam;
mod policy_change;
mod races;
mod recovery;
mod refusals;
mod request_at_prompt;
mod restrictions;
mod secrets;
mod setup;
mod shared_login;
mod sudo;
mod sudo_on_hosts;
mod trouble;
