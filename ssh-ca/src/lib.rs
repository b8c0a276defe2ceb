//! The certificate authority: CA keys, and certificates whose validity is the window of a grant.
//!
//! What a certificate of ours says is made in [`jit_core::authority::Authority::issue`] and defined
//! in [`jit_core::certificate`]. Here it is checked once more, signed, and explained.

pub mod file;
pub mod inspect;
pub mod issue;
pub mod key;
pub mod rules;
pub mod sign;
pub mod trust;
