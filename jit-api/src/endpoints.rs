//! The endpoints, one type each.

pub mod certificates;
pub mod decide;
pub mod fleet;
pub mod grants;
pub mod login;
pub mod me;
pub mod requests;
pub mod server;
mod shown;
