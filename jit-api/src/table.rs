//! The table: every endpoint, one a line. Routing, authorization, the OpenAPI document and the
//! authorization test come from it.

use crate::endpoint::Entry;
use crate::endpoints::*;

/// Every endpoint.
pub const ENDPOINTS: &[Entry] = &[
    Entry::of::<server::Healthz>(),
    Entry::of::<server::OpenApi>(),
    Entry::of::<server::Server>(),
    Entry::of::<login::Challenge>(),
    Entry::of::<login::Login>(),
    Entry::of::<me::Me>(),
    Entry::of::<requests::File>(),
    Entry::of::<grants::List>(),
    Entry::of::<grants::Show>(),
    Entry::of::<decide::Approve>(),
    Entry::of::<certificates::Certify>(),
    Entry::of::<fleet::State>(),
    Entry::of::<fleet::Factor>(),
    Entry::of::<fleet::Askers>(),
    Entry::of::<fleet::Offer>(),
    Entry::of::<fleet::Request>(),
    Entry::of::<fleet::Standing>(),
    Entry::of::<fleet::Log>(),
];
