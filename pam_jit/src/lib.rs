//! `pam_jit.so`: second factor and live grant at ssh login and at every sudo.
//!
//! Conversation and enforcement only; what is decided, [`jit_core::login::LoginService`] decides.
//! The hooks are plain functions over the trait [`conversation::Pam`]; the border to C is `ffi.rs`,
//! the one file of the project with unsafe code.
//!
//! | hook | what it asks |
//! | --- | --- |
//! | `authenticate` | who is this, and is the second factor theirs? |
//! | `acct_mgmt` | may they come in now? If not, do they want to ask for it? |
//! | `setcred` | nothing; it notes what sshd reported before session modules can change it |
//! | `open_session` | is the session recorded, and can its end be enforced? |
//! | `close_session` | records the end of the connection |
//! | `chauthtok` | always refused |
//!
//! Every hook answers yes or no, and no error is a yes ([`hook::Answer`]). PAM's wish for silence is
//! not heeded: the texts say what to do next, and sudo always wishes it.

pub mod account;
pub mod arguments;
pub mod authenticate;
pub mod breakglass;
pub mod caller;
pub mod conversation;
mod ffi;
pub mod hook;
pub mod refusal;
pub mod request;
pub mod session;
pub mod waiting;

#[cfg(test)]
mod testing;
