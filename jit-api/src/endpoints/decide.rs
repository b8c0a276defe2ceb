//! What those who decide do with a request.

use jit_core::authority::Deed;
use jit_core::grant::{Actor, Evidence, Yes};
use jit_core::id::GrantId;
use jit_core::name::PersonName;
use jit_core::policy::Verdict;

use super::shown::{seen, view};
use crate::access::Access;
use crate::caller::Caller;
use crate::endpoint::{Desk, Endpoint, Method};
use crate::problem::Failure;
use crate::wire::{self, Approved, ById, Decide, GrantView, Nothing, Proof, Shorten as Shorter};

/// Says yes.
pub struct Approve;

impl Endpoint for Approve {
    const NAME: &'static str = "approve";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/grants/{id}/approve";
    const ACCESS: Access = Access::Person;
    const SUMMARY: &'static str = "Says yes to exactly what was seen";
    type Path = ById;
    type Query = Nothing;
    type Body = wire::Approve;
    type Answer = Approved;

    fn handle(
        desk: &Desk<'_>,
        caller: &Caller,
        ById { id }: ById,
        _: Nothing,
        yes: wire::Approve,
    ) -> Result<Approved, Failure> {
        let by = caller.acting(yes.person.as_ref())?;
        seen(desk, caller, &id)?;
        let authority = desk.authority;
        let evidence = match yes.evidence {
            Proof::Signature(sshsig) => Evidence::Signature { sshsig },
            Proof::Code(_) if desk.from.is_some() => {
                return Err(Failure::forbidden("a yes over the network takes a signature")
                    .next("jitctl approve signs with your key."));
            }
            Proof::Code(code) => {
                // Before a code is spent on it.
                authority.could(Deed::Approve, &id, &by)?;
                authority.prove_approval(&by, &code, &id, &yes.digest)?
            }
        };
        let yes = Yes { to: yes.digest, most: yes.most, evidence };
        let (grant, decision) = authority.approve(&id, &by, &yes)?;
        let missing = match decision.verdict {
            Verdict::Pending { missing } => missing.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        Ok(Approved { view: view(desk, grant)?, missing })
    }
}

endpoint!(
    /// Takes a yes back.
    Withdraw = "withdraw", Post "/v1/grants/{id}/withdraw", Person,
    "Takes one's yes back, before it took effect",
    (ById, Nothing, Decide) -> GrantView,
    |desk, caller, ById { id }, _, body| {
        seen(desk, caller, &id)?;
        let by = caller.acting(body.person.as_ref())?;
        proved(desk, caller, Deed::Withdraw, &id, &by, body.code.as_deref())?;
        view(desk, desk.authority.withdraw(&id, &by)?)
    }
);

endpoint!(
    /// Says no.
    Deny = "deny", Post "/v1/grants/{id}/deny", Person,
    "Says no: one of those who could approve",
    (ById, Nothing, Decide) -> GrantView,
    |desk, caller, ById { id }, _, body| {
        seen(desk, caller, &id)?;
        let actor = decider(desk, caller, Deed::Deny, &id, body.person.as_ref(), body.code.as_deref())?;
        view(desk, desk.authority.deny(&id, &actor, body.reason.as_ref())?)
    }
);

endpoint!(
    /// Ends a window sooner.
    Shorten = "shorten", Post "/v1/grants/{id}/shorten", Person,
    "Makes a window end sooner: one of those who could approve it",
    (ById, Nothing, Shorter) -> GrantView,
    |desk, caller, ById { id }, _, body| {
        visible_to_deciders(desk, caller, &id)?;
        let actor =
            decider(desk, caller, Deed::Shorten, &id, body.person.as_ref(), body.code.as_deref())?;
        view(desk, desk.authority.shorten(&id, body.left, &actor, body.reason.as_ref())?)
    }
);

/// Whoever could approve a grant may shorten it, but it is theirs to see only while it is undecided
/// or where they approved it. Others are told by the authority that it is not theirs, and that is on
/// the log.
fn visible_to_deciders(desk: &Desk<'_>, caller: &Caller, id: &GrantId) -> Result<(), Failure> {
    match caller.person() {
        Some(_) => desk.authority.grant(id).map(drop).map_err(Failure::from),
        None => seen(desk, caller, id).map(drop),
    }
}

/// Root alone, or a person who has proved a second factor for it.
pub(super) fn decider(
    desk: &Desk<'_>,
    caller: &Caller,
    deed: Deed,
    id: &GrantId,
    person: Option<&PersonName>,
    code: Option<&str>,
) -> Result<Actor, Failure> {
    if person.is_none() && *caller == Caller::Root {
        return Ok(Actor::Root);
    }
    let by = caller.acting(person)?;
    proved(desk, caller, deed, id, &by, code)?;
    Ok(Actor::Person(by))
}

/// That a second factor was proved: at the login, or by a code now, which is spent only where the
/// deed could be done.
fn proved(
    desk: &Desk<'_>,
    caller: &Caller,
    deed: Deed,
    id: &GrantId,
    by: &PersonName,
    code: Option<&str>,
) -> Result<(), Failure> {
    if caller.factor().is_some() {
        return Ok(());
    }
    desk.authority.could(deed, id, by)?;
    let code = code.ok_or_else(|| needs_code(by))?;
    Ok(desk.authority.prove(by, code, &format!("{deed:?} {id}").to_lowercase())?)
}

/// That somebody has proved no second factor.
pub(super) fn needs_code(name: &PersonName) -> Failure {
    Failure::forbidden(format!("this takes a verification code of {name}"))
        .next("Give it, or log in: jitctl login")
}
