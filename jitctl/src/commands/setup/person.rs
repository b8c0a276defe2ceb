//! The first person: who has a key, a code that works, and a policy that lets them in.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jit_core::authority::Authority;
use jit_core::grant::Actor;
use jit_core::name::{GroupName, PersonName};
use jit_core::person::{fingerprint, parse_public_key};
use jit_core::{Error, Result, process};
use nix::libc::{O_CLOEXEC, O_NONBLOCK};
use nix::unistd::{Uid, User};

use super::{files, instance};
use crate::cli::Setup;
use crate::commands::{Desk, mfa, user};
use crate::line::{Here, Line, Way};
use crate::output::{count, safe_line};
use crate::prompt;

/// The group and the role of the first person.
const GROUP: &str = "admins";

/// How much of an authorized_keys is looked at.
const LARGEST: u64 = 64 * 1024;

/// Those who can show who they are: with a key, and a factor of which a code was given back.
///
/// # Errors
/// Unavailable or tampered.
pub fn ready(authority: &Authority) -> Result<Vec<PersonName>> {
    let mut ready = Vec::new();
    for person in authority.people()?.into_iter().filter(|person| !person.suspended) {
        let factor = authority.factor_status(&person.name)?;
        // In a fleet, factors are the authority's to know.
        let elsewhere = authority.config().authority.is_some();
        let works = elsewhere || factor.enrolled && !factor.locked_out;
        if works && !authority.keys(&person.name)?.is_empty() {
            ready.push(person.name);
        }
    }
    Ok(ready)
}

/// Enrols a person, unless one is ready; a policy that gives nobody anything gets a first role.
///
/// # Errors
/// What is missing is not given.
pub fn first(desk: &Desk, setup: &Setup) -> Result<()> {
    let ready = ready(&desk.authority)?;
    let there = setup.person.as_ref().map_or(!ready.is_empty(), |name| ready.contains(name));
    if !there {
        enrol(desk, setup)?;
    }
    first_role(desk, setup)
}

fn enrol(desk: &Desk, setup: &Setup) -> Result<()> {
    let Desk { authority, output } = desk;
    output.say("\nThe first person, who will be able to log in:")?;
    let name = name(setup)?;
    if authority.person(&name).is_err() {
        let keys = keys(desk, setup, &name)?;
        let group = group(setup)?;
        authority.add_person(&Actor::Root, &name, &[group].into(), &keys)?;
        output.say(format!("{name} is added, with {}.", count(keys.len() as u64, "key")))?;
    } else if authority.keys(&name)?.is_empty() {
        for key in keys(desk, setup, &name)? {
            authority.add_key(&Actor::Root, &name, &key)?;
        }
    }
    if authority.factor_status(&name)?.enrolled {
        return Ok(());
    }
    let here = Here::new(authority.another()?);
    mfa::enroll(&Line { way: Way::Here(Box::new(here)), output: *output }, &name)
}

fn name(setup: &Setup) -> Result<PersonName> {
    if let Some(name) = &setup.person {
        return Ok(name.clone());
    }
    let invoker = invoker();
    let missing = || {
        Error::invalid("who the first person is, nobody said").next("jitctl setup --person NAME")
    };
    let name = match setup.yes {
        true => invoker.ok_or_else(missing)?,
        false => prompt::ask("Name, that of their account here", invoker.as_deref())?,
    };
    PersonName::parse(&name)
}

/// The account that logged in to run this, by the kernel's word. root is nobody's name.
fn invoker() -> Option<String> {
    let uid = process::audit_uid(std::process::id()).filter(|uid| *uid != 0)?;
    User::from_uid(Uid::from_raw(uid)).ok()?.map(|user| user.name)
}

fn group(setup: &Setup) -> Result<GroupName> {
    match &setup.group {
        Some(group) => Ok(group.clone()),
        None if setup.yes => GroupName::parse(GROUP),
        None => GroupName::parse(&prompt::ask("Group", Some(GROUP))?),
    }
}

fn keys(desk: &Desk, setup: &Setup, name: &PersonName) -> Result<Vec<String>> {
    if let Some(file) = &setup.key {
        return Ok(vec![user::key_line(file)?]);
    }
    let (path, found) = authorized_keys(name.as_str());
    let shown = found.iter().filter_map(|line| {
        let key = parse_public_key(line).ok()?;
        Some(format!("  {} {}\n", fingerprint(key.key_data()), safe_line(key.comment())))
    });
    let shown: String = shown.collect();
    if !found.is_empty() {
        desk.output.say(format!("In {path}:\n{shown}"))?;
    }
    let default = match found.len() {
        0 => None,
        1 => Some("the key above".to_owned()),
        more => Some(format!("the {more} keys above")),
    };
    let answer = match (&default, setup.yes) {
        (Some(default), true) => default.clone(),
        (None, true) => String::new(),
        (default, false) => prompt::ask("Public key file", default.as_deref())?,
    };
    if Some(&answer) == default.as_ref() {
        return Ok(found);
    }
    if answer.is_empty() {
        return Err(Error::invalid(format!("{name} has no public key here"))
            .next(format!("jitctl setup --person {name} --key FILE.pub")));
    }
    Ok(vec![user::key_line(Path::new(&answer))?])
}

/// The plain keys that log in to an account so far, and where they stand. One that carries options
/// is no person's own, or not without limits: it is left out.
fn authorized_keys(account: &str) -> (String, Vec<String>) {
    let Ok(Some(user)) = User::from_name(account) else { return Default::default() };
    let path = user.dir.join(".ssh/authorized_keys");
    let mut text = String::new();
    // The account's own file: it may be anything, so nothing but keys is ever shown of it.
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_CLOEXEC).open(&path);
    let file = file.ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()));
    if let Some(file) = file {
        // What is no text has no keys in it.
        let _ = file.take(LARGEST).read_to_string(&mut text);
    }
    let keys = text.lines().map(str::trim).filter(|line| parse_public_key(line).is_ok());
    (path.display().to_string(), keys.map(ToOwned::to_owned).collect())
}

/// Where the policy is as it came and gives nobody anything, the group of the first person gets in.
fn first_role(desk: &Desk, setup: &Setup) -> Result<()> {
    let Desk { authority, output } = desk;
    let config = authority.config();
    let people = authority.people()?;
    let [person] = people.as_slice() else { return Ok(()) };
    let as_it_came = files::read(&config.policy_file)?.as_deref() == Some(instance::POLICY);
    let Some(group) = person.groups.first().filter(|_| as_it_came) else { return Ok(()) };
    let host = &config.host;
    output.say(format!(
        "\nThe policy gives nobody anything yet. A first role for the group {group}, so that {name} \
         gets in:\nlog in to {host} as themselves and use sudo, at most 8 h at a time, without \
         anybody's approval. Key and\ncode are enough, and each use is on the log. Once there is a \
         second person, have them approve instead.",
        name = person.name
    ))?;
    if !setup.yes
        && !prompt::agrees(&format!("Write it into {}?", config.policy_file.display()), true)?
    {
        return Ok(());
    }
    let role = format!(
        "\n[[role]]\nname = \"{group}\"\nmembers = [\"@{group}\"]\nhosts = [\"{host}\"]\n\
         logins = [\"{{person}}\"]\nsudo = true\nmax_duration = \"8h\"\n\
         # With a second person: approvals = [{{ from = \"@{group}\", count = 1 }}]\n\
         auto_approve = \"always\"\n"
    );
    files::replace(&config.policy_file, &format!("{}{role}", instance::POLICY))?;
    authority.policy().map(drop)
}
