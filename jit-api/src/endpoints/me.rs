//! Who one is, as the server sees it.

use jit_core::authority::FactorStatus;

use crate::access::Access;
use crate::caller::Caller;
use crate::endpoint::{Desk, Endpoint, Method};
use crate::problem::Failure;
use crate::wire::{self, Nothing};

/// Who one is.
pub struct Me;

impl Endpoint for Me {
    const NAME: &'static str = "me";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/me";
    const ACCESS: Access = Access::Person;
    const SUMMARY: &'static str = "Who one is, as the server sees it";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = wire::Me;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        _: Nothing,
        _: Nothing,
        _: Nothing,
    ) -> Result<wire::Me, Failure> {
        let mut me = wire::Me {
            person: caller.person().cloned(),
            groups: Vec::new(),
            admin: caller.is_admin(),
            factor_at: caller.factor().map(|factor| factor.at),
            keys: Vec::new(),
            recovery_codes: 0,
        };
        if let Some(name) = caller.person() {
            me.groups = desk.authority.person(name)?.groups.into_iter().collect();
            me.keys = desk.authority.keys(name)?.into_iter().map(|key| key.fingerprint).collect();
            let FactorStatus { recovery_codes, .. } = desk.authority.factor_status(name)?;
            me.recovery_codes = recovery_codes;
        }
        Ok(me)
    }
}
