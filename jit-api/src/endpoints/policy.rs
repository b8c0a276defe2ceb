//! The policy.

use std::path::Path;

use jit_core::policy;

use crate::wire::{self, CheckPolicy, CheckedPolicy, Nothing};

endpoint!(
    /// The policy in force.
    Show = "policy", Get "/v1/policy", Admin, "The policy in force",
    (Nothing, Nothing, Nothing) -> wire::Policy,
    |desk, _, _, _, _| {
        let text = desk.authority.policy_text()?;
        let trouble = desk.authority.policy_trouble()?.map(|error| error.to_string());
        Ok(wire::Policy { version: policy::version(&text), text, trouble })
    }
);
endpoint!(
    /// Looks at a policy without putting it in force.
    Check = "policy-check", Post "/v1/policy/check", Admin,
    "Whether a policy would take effect; it does not by this",
    (Nothing, Nothing, CheckPolicy) -> CheckedPolicy,
    |desk, _, _, _, body| {
        let checked = policy::Policy::parse(Path::new("policy.toml"), &body.text);
        let doubts = match &checked {
            Ok(policy) => {
                policy::doubts(policy, &desk.authority.people()?, &desk.authority.hosts()?)
            }
            Err(_) => Vec::new(),
        };
        Ok(CheckedPolicy {
            good: checked.is_ok(),
            version: policy::version(&body.text),
            trouble: checked.err().map(|error| error.to_string()),
            doubts,
        })
    }
);
