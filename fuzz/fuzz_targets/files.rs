//! Configuration and policy: an error names the file and a line, and a policy that parses has no
//! role that nobody approves by accident.
#![no_main]

use std::path::Path;

use jit_core::config::Config;
use jit_core::policy::{Approvals, Policy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let path = Path::new("/etc/jit/x.toml");
    if let Err(error) = Config::parse(path, text) {
        assert!(error.what().starts_with("/etc/jit/x.toml:"), "{error}");
    }
    match Policy::parse(path, text) {
        Err(error) => assert!(error.what().starts_with("/etc/jit/x.toml:"), "{error}"),
        Ok(policy) => {
            for role in policy.roles {
                assert!(!role.members.is_empty() && !role.hosts.is_empty());
                // What sshd is told can't leave its option.
                let options = role.restrictions.key_options();
                assert!(!options.contains(['\n', '\r', '\\']));
                assert!(options.matches('"').count().is_multiple_of(2));
                if let Approvals::People(needed) = role.approvals {
                    assert!(!needed.is_empty() && needed.iter().all(|needed| needed.count > 0));
                }
            }
        }
    }
});
