//! People, their groups and keys, and their invitations.

use jit_core::invitation::Invited;
use jit_core::name::PersonName;
use jit_core::person::IdentityKey;

use crate::endpoint::Desk;
use crate::problem::Failure;
use crate::wire::{
    self, AddKey as NewKey, AddPerson, ByKey, ByName, ChangeGroups, Key, Nothing, Person, Regrouped,
};

endpoint!(
    /// All people.
    List = "people", Get "/v1/people", Admin, "All people",
    (Nothing, Nothing, Nothing) -> wire::People,
    |desk, _, _, _, _| {
        let people = desk.authority.people()?;
        let people = people.iter().map(|one| person(desk, &one.name)).collect::<Result<_, _>>()?;
        Ok(wire::People { people })
    }
);
endpoint!(
    /// Adds a person.
    Add = "person-add", Post "/v1/people", Admin, "Adds a person",
    (Nothing, Nothing, AddPerson) -> Person,
    |desk, caller, _, _, new| {
        let groups = new.groups.into_iter().collect();
        desk.authority.add_person(&caller.actor(), &new.name, &groups, &new.keys)?;
        person(desk, &new.name)
    }
);
endpoint!(
    /// One person.
    Show = "person", Get "/v1/people/{name}", Admin, "One person",
    (ByName, Nothing, Nothing) -> Person,
    |desk, _, path, _, _| person(desk, &path.name)
);
endpoint!(
    /// Removes a person.
    Remove = "person-remove", Delete "/v1/people/{name}", Admin,
    "Removes a person with keys and factors, and ends their grants",
    (ByName, Nothing, Nothing) -> Nothing,
    |desk, caller, path, _, _| {
        desk.authority.remove_person(&caller.actor(), &path.name)?;
        Ok(Nothing {})
    }
);
endpoint!(
    /// Suspends a person.
    Suspend = "person-suspend", Post "/v1/people/{name}/suspend", Admin,
    "A suspended person gets nothing, and their grants end",
    (ByName, Nothing, Nothing) -> Person,
    |desk, caller, path, _, _| {
        desk.authority.suspend(&caller.actor(), &path.name, true)?;
        person(desk, &path.name)
    }
);
endpoint!(
    /// Lets a person act again.
    Resume = "person-resume", Post "/v1/people/{name}/resume", Admin, "Lets a person act again",
    (ByName, Nothing, Nothing) -> Person,
    |desk, caller, path, _, _| {
        desk.authority.suspend(&caller.actor(), &path.name, false)?;
        person(desk, &path.name)
    }
);
endpoint!(
    /// Changes a person's groups.
    Groups = "person-groups", Post "/v1/people/{name}/groups", Admin, "Changes a person's groups",
    (ByName, Nothing, ChangeGroups) -> Regrouped,
    |desk, caller, path, _, change| {
        let (add, remove) = (change.add.into_iter().collect(), change.remove.into_iter().collect());
        let (_, grants_ended) =
            desk.authority.change_groups(&caller.actor(), &path.name, &add, &remove)?;
        Ok(Regrouped { person: person(desk, &path.name)?, grants_ended })
    }
);
endpoint!(
    /// Adds a key.
    AddKey = "key-add", Post "/v1/people/{name}/keys", Admin, "Adds an identity key of a person",
    (ByName, Nothing, NewKey) -> Key,
    |desk, caller, path, _, key| {
        Ok(shown(desk.authority.add_key(&caller.actor(), &path.name, &key.public_key)?))
    }
);
endpoint!(
    /// Removes a key.
    RemoveKey = "key-remove", Delete "/v1/people/{name}/keys/{fingerprint}", Admin,
    "Removes an identity key; what it logged in counts no longer",
    (ByKey, Nothing, Nothing) -> Person,
    |desk, caller, path, _, _| {
        desk.authority.remove_key(&caller.actor(), &path.name, &path.fingerprint)?;
        person(desk, &path.name)
    }
);
endpoint!(
    /// Invites a person.
    Invite = "person-invite", Post "/v1/people/{name}/invitation", Admin,
    "A one-time code by which a person enrols a key and a second factor themselves",
    (ByName, Nothing, Nothing) -> wire::Invitation,
    |desk, caller, path, _, _| {
        let invited = Invited::Person(path.name.clone());
        let (code, expires_at) = desk.authority.invite(&caller.actor(), &invited)?;
        let code = code.expose().to_owned();
        let join = desk.office.join(desk.authority, &format!("person/{}", path.name), &code)?;
        Ok(wire::Invitation { code, expires_at, join })
    }
);

fn shown(key: IdentityKey) -> Key {
    Key {
        fingerprint: key.fingerprint,
        public_key: key.public_key,
        comment: key.comment,
        added_at: key.added_at,
    }
}

pub(super) fn person(desk: &Desk<'_>, name: &PersonName) -> Result<Person, Failure> {
    let person = desk.authority.person(name)?;
    let factor = desk.authority.factor_status(name)?;
    let keys = desk.authority.keys(name)?.into_iter().map(shown);
    Ok(Person {
        name: person.name,
        groups: person.groups.into_iter().collect(),
        suspended: person.suspended,
        created_at: person.created_at,
        keys: keys.collect(),
        factor: factor.enrolled,
        factor_pending: factor.pending,
        locked_out: factor.locked_out,
        recovery_codes: factor.recovery_codes,
    })
}
