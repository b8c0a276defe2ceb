//! Filing a request.

use jit_core::authority::NewRequest;
use jit_core::grant::{Ask, Origin};

use super::shown::view;
use crate::access::Access;
use crate::caller::Caller;
use crate::endpoint::{Desk, Endpoint, Method};
use crate::problem::Failure;
use crate::wire::{self, GrantView, Nothing};

/// Asks for access.
pub struct File;

impl Endpoint for File {
    const NAME: &'static str = "request";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/requests";
    const ACCESS: Access = Access::Person;
    const SUMMARY: &'static str = "Asks for access";
    type Path = Nothing;
    type Query = Nothing;
    type Body = wire::NewRequest;
    type Answer = GrantView;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        _: Nothing,
        new: wire::NewRequest,
    ) -> Result<GrantView, Failure> {
        let person = caller.acting(new.person.as_ref())?;
        let ask = Ask {
            person,
            login: new.login,
            place: new.place,
            sudo: new.sudo,
            duration: new.duration,
            start: new.start,
            extends: None,
            reason: new.reason,
        };
        let from = desk.from.map(|address| address.to_string());
        let origin = from.map(|rhost| Origin { rhost: Some(rhost), tty: None });
        let new = NewRequest { ask, by: caller.actor(), origin };
        view(desk, desk.authority.request(&new)?)
    }
}
