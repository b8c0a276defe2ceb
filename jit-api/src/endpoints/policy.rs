//! The policy.

use std::path::Path;

use jit_core::policy;

use crate::caller::Caller;
use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::wire::{self, CheckPolicy, CheckedPolicy, Nothing};

endpoint!(
    /// The policy in force.
    Show = "policy", Get "/v1/policy", Admin, "The policy in force",
    (Nothing, Nothing, Nothing) -> wire::Policy, show
);
endpoint!(
    /// Looks at a policy without putting it in force.
    Check = "policy-check", Post "/v1/policy/check", Admin,
    "Whether a policy would take effect; it does not by this",
    (Nothing, Nothing, CheckPolicy) -> CheckedPolicy, check
);

fn show(
    desk: &Desk<'_>,
    _: &Caller,
    _: Nothing,
    _: Nothing,
    _: Nothing,
) -> Result<wire::Policy, Failure> {
    let text = desk.authority.policy_text()?;
    let trouble = desk.authority.policy_trouble()?.map(|error| error.to_string());
    Ok(wire::Policy { version: policy::version(&text), text, trouble })
}

fn check(
    _: &Desk<'_>,
    _: &Caller,
    _: Nothing,
    _: Nothing,
    body: CheckPolicy,
) -> Result<CheckedPolicy, Failure> {
    let checked = policy::Policy::parse(Path::new("policy.toml"), &body.text);
    Ok(CheckedPolicy {
        good: checked.is_ok(),
        version: policy::version(&body.text),
        trouble: checked.err().map(|error| error.to_string()),
    })
}
