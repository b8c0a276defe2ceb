//! What those who decide do with a request.

use jit_core::authority::Deed;
use jit_core::grant::{Evidence, Yes};
use jit_core::policy::Verdict;

use super::shown::{seen, view};
use crate::access::Access;
use crate::caller::Caller;
use crate::endpoint::{Desk, Endpoint, Method};
use crate::problem::Failure;
use crate::wire::{self, Approved, ById, Nothing, Proof};

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
