//! What a policy says that can hardly be meant.

use super::{Approvals, Member, Places, Policy, Role};
use crate::host::Host;
use crate::name::Place;
use crate::person::Person;

/// What a policy says that can hardly be meant: people, groups and hosts that there are none of,
/// approvals that nobody can give.
pub fn doubts(policy: &Policy, people: &[Person], hosts: &[Host]) -> Vec<String> {
    let mut doubts = Vec::new();
    if policy.roles.is_empty() {
        doubts.push("the policy has no role, so every request is denied".to_owned());
    }
    let members = |member: &Member| people.iter().filter(|p| member.includes(p)).count();
    let nobody = |member: &Member| match member {
        Member::Person(name) => format!("there is no person {name}"),
        Member::Group(group) => format!("the group {group} has no members"),
    };
    for Role { name, members: allowed, hosts: places, approvals, .. } in &policy.roles {
        for member in allowed.iter().filter(|member| members(member) == 0) {
            doubts.push(format!("role {name}: {}", nobody(member)));
        }
        let named = places.iter().flat_map(Places::named);
        for place in named.filter(|place| !hosts.iter().any(|host| host.is_at(place))) {
            doubts.push(match place {
                Place::Host(host) => format!("role {name}: there is no host {host}"),
                Place::Label(label) => format!("role {name}: no host has the label {label}"),
            });
        }
        let Approvals::People(needed) = approvals else { continue };
        for needed in needed {
            let able = people.iter().filter(|p| !p.suspended && needed.from.includes(p)).count();
            if able < needed.count as usize {
                doubts.push(format!(
                    "role {name} needs approval by {needed}, and there {} {able}",
                    if able == 1 { "is only" } else { "are only" },
                ));
            }
        }
    }
    for rule in &policy.denies {
        for member in rule.members.iter().flatten().filter(|member| members(member) == 0) {
            doubts.push(format!("a deny rule: {}", nobody(member)));
        }
    }
    doubts
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::name::{GroupName, HostName, Label, PersonName};
    use crate::time::Timestamp;

    const POLICY: &str = r#"
[[role]]
name = "debug"
members = ["@dev", "mallory"]
hosts = ["web-1", "env=prod", "env=test"]
logins = ["{person}"]
max_duration = "1h"
approvals = [{ from = "@leads", count = 2 }]
"#;

    fn person(name: &str, group: &str, suspended: bool) -> Person {
        Person {
            name: PersonName::parse(name).unwrap(),
            groups: [GroupName::parse(group).unwrap()].into(),
            suspended,
            created_at: Timestamp::from_unix(0).unwrap(),
        }
    }

    #[test]
    fn what_can_hardly_be_meant_is_doubted() {
        let policy = Policy::parse(Path::new("/p"), POLICY).unwrap();
        let host = Host {
            name: HostName::parse("web-1").unwrap(),
            labels: [Label::parse("env=prod").unwrap()].into(),
            created_at: Timestamp::from_unix(0).unwrap(),
            key: None,
        };
        let mut people = vec![
            person("alice", "dev", false),
            person("bob", "leads", false),
            person("carol", "leads", true),
        ];
        assert_eq!(
            doubts(&policy, &people, std::slice::from_ref(&host)),
            [
                "role debug: there is no person mallory",
                "role debug: no host has the label env=test",
                "role debug needs approval by 2 of @leads, and there is only 1",
            ]
        );
        people[2].suspended = false;
        people.push(person("mallory", "dev", false));
        assert_eq!(
            doubts(&policy, &people, &[host]),
            ["role debug: no host has the label env=test"]
        );
        assert!(doubts(&Policy::default(), &people, &[])[0].contains("every request is denied"));
    }
}
