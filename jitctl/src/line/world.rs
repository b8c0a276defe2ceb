//! Who and what there is, for what is said of a policy.

use jit_api::endpoints::{hosts, people};
use jit_core::Result;
use jit_core::host::Host;
use jit_core::person::Person;

use super::{NOTHING, Way};

/// People and hosts.
pub struct World {
    /// Who there is.
    pub people: Vec<Person>,
    /// What there is.
    pub hosts: Vec<Host>,
}

impl World {
    /// What is enrolled.
    ///
    /// # Errors
    /// Refused to who is no admin; whatever the authority fails with.
    pub fn enrolled(way: &Way) -> Result<World> {
        let people = way.call::<people::List>(&NOTHING, &NOTHING, &NOTHING)?.people;
        let hosts = way.call::<hosts::List>(&NOTHING, &NOTHING, &NOTHING)?.hosts;
        let people = people.into_iter().map(|person| Person {
            name: person.name,
            groups: person.groups.into_iter().collect(),
            suspended: person.suspended,
            created_at: person.created_at,
        });
        let hosts = hosts.into_iter().map(|host| Host {
            name: host.name,
            labels: host.labels.into_iter().collect(),
            created_at: host.created_at,
            key: host.key,
        });
        Ok(World { people: people.collect(), hosts: hosts.collect() })
    }
}
