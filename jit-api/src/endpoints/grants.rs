//! Looking at grants.

use std::time::Duration;

use jit_core::grant::Phase;
use jit_core::store::GrantFilter;

use super::shown::{seen, view};
use crate::access::Access;
use crate::caller::Caller;
use crate::endpoint::{Desk, Endpoint, Method};
use crate::problem::Failure;
use crate::wire::{ById, GrantView, Grants, ListGrants, Nothing, ShowGrant};

/// The most that one answer lists.
const MOST: u32 = 1000;

/// Many grants.
pub struct List;

impl Endpoint for List {
    const NAME: &'static str = "grants";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/grants";
    const ACCESS: Access = Access::Person;
    const SUMMARY: &'static str = "One's own grants; an admin's view of all";
    type Path = Nothing;
    type Query = ListGrants;
    type Body = Nothing;
    type Answer = Grants;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        query: ListGrants,
        _: Nothing,
    ) -> Result<Grants, Failure> {
        let state = query.state.as_deref().map(str::parse::<Phase>).transpose()?;
        let person = match &query.person {
            Some(person) if !caller.may_look_at(person) => {
                return Err(Failure::forbidden(format!("{person}'s grants are not yours to see")));
            }
            None if !caller.is_admin() => caller.person().cloned(),
            person => person.clone(),
        };
        let host = query.host.as_ref().map(|host| desk.authority.host(host)).transpose()?;
        let over = query.all || state.is_some();
        let limit = query.limit.unwrap_or(MOST).min(MOST);
        let filter = GrantFilter {
            person,
            alive_at: if over { None } else { Some(desk.authority.now()?) },
            // What is sorted out here is not to be missing at the end.
            limit: (state.is_none() && host.is_none()).then_some(limit),
        };
        let (mut grants, now) = desk.authority.grants(&filter)?;
        grants.retain(|grant| {
            state.is_none_or(|state| grant.phase(now) == state)
                && host.as_ref().is_none_or(|host| host.is_at(&grant.ask().place))
        });
        grants.truncate(limit as usize);
        Ok(Grants { grants, now })
    }
}

/// One grant.
pub struct Show;

impl Endpoint for Show {
    const NAME: &'static str = "grant";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/grants/{id}";
    const ACCESS: Access = Access::Person;
    const SUMMARY: &'static str = "One grant; waits while it is at a version, if asked to";
    type Path = ById;
    type Query = ShowGrant;
    type Body = Nothing;
    type Answer = GrantView;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        path: ById,
        _: ShowGrant,
        _: Nothing,
    ) -> Result<GrantView, Failure> {
        let (grant, _) = seen(desk, caller, &path.id)?;
        view(desk, grant)
    }

    fn waits(query: &ShowGrant, answer: &GrantView) -> Option<Duration> {
        // What is over by the clock has no new version, and nothing to wait for.
        let waits = query.version == Some(answer.grant.version())
            && !matches!(answer.state, Phase::Ended | Phase::Lapsed);
        query.wait.filter(|_| waits).map(|seconds| Duration::from_secs(seconds.into()))
    }
}
