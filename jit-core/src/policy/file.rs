//! The policy file: from the raw form, in which unknown keys, bad durations and empty lists are
//! errors with their line, to [`Policy`].

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::{Approvals, Deny, LoginPattern, Member, Needed, Policy, Role};
use crate::error::{Error, Result};
use crate::grant::Permission;
use crate::name::{GroupName, Login, PersonName, Place, RoleName};
use crate::time::Span;
use crate::tomlfile::{Keys, TomlFile};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    role: Vec<RawRole>,
    #[serde(default)]
    deny: Vec<Spanned<RawDeny>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRole {
    name: Spanned<String>,
    members: List,
    hosts: List,
    logins: List,
    #[serde(default)]
    sudo: bool,
    max_duration: Spanned<String>,
    approvals: Option<Spanned<Vec<RawNeeded>>>,
    auto_approve: Option<Spanned<String>>,
    permissions: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNeeded {
    from: Spanned<String>,
    count: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDeny {
    members: Option<List>,
    hosts: Option<List>,
    logins: Option<List>,
}

type List = Spanned<Vec<Spanned<String>>>;

const KEYS: &[Keys] = &[
    Keys { table: "", keys: &["role", "deny"] },
    Keys {
        table: "role",
        keys: &[
            "name",
            "members",
            "hosts",
            "logins",
            "sudo",
            "max_duration",
            "approvals",
            "auto_approve",
            "permissions",
        ],
    },
    Keys { table: "role.approvals", keys: &["from", "count"] },
    Keys { table: "deny", keys: &["members", "hosts", "logins"] },
];

impl Policy {
    /// Reads and checks the file, which only root may write.
    ///
    /// # Errors
    /// Misconfigured, with file and line.
    pub fn load(path: &Path) -> Result<Self> {
        let text = crate::rootfile::read(path, 1024 * 1024)?;
        Policy::parse(path, &text)
    }

    /// Checks `text` as the content of the file at `path`.
    ///
    /// # Errors
    /// Misconfigured, with file and line.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let file = TomlFile::from_text(path, text);
        let raw: Raw = file.parse(KEYS)?;
        let mut names = BTreeSet::new();
        let roles = raw
            .role
            .iter()
            .map(|role| {
                let checked = self::role(&file, role)?;
                if !names.insert(checked.name.clone()) {
                    return Err(file.error_at(
                        &role.name.span(),
                        format!("there are two roles named {}", checked.name),
                    ));
                }
                Ok(checked)
            })
            .collect::<Result<_>>()?;
        let denies = raw.deny.iter().map(|rule| deny(&file, rule)).collect::<Result<_>>()?;
        let digest = Sha256::digest(text.as_bytes());
        Ok(Policy { roles, denies, version: crate::audit::hex(&digest[..6]) })
    }
}

fn role(file: &TomlFile, raw: &RawRole) -> Result<Role> {
    Ok(Role {
        name: file.checked(&raw.name, RoleName::parse)?,
        members: list(file, &raw.members, member)?,
        hosts: list(file, &raw.hosts, Place::parse)?,
        logins: list(file, &raw.logins, login_pattern)?,
        sudo: raw.sudo,
        max_duration: file.checked(&raw.max_duration, Span::parse)?,
        approvals: approvals(file, raw)?,
        permissions: match &raw.permissions {
            None => [Permission::Pty].into(),
            // Here the empty list is meaningful: no permission at all.
            Some(permissions) => permissions
                .get_ref()
                .iter()
                .map(|text| file.checked(text, permission))
                .collect::<Result<_>>()?,
        },
    })
}

fn approvals(file: &TomlFile, raw: &RawRole) -> Result<Approvals> {
    match (&raw.approvals, &raw.auto_approve) {
        (Some(_), Some(auto)) => {
            Err(file.error_at(&auto.span(), "a role has approvals or auto_approve, not both"))
        }
        (None, None) => Err(file
            .error_at(
                &raw.name.span(),
                format!("role `{}` says not who approves", raw.name.get_ref()),
            )
            .next(
                r#"Add approvals = [{ from = "@leads", count = 1 }], or auto_approve = "always"."#,
            )),
        (None, Some(auto)) if auto.get_ref() == "always" => Ok(Approvals::Automatic),
        (None, Some(auto)) => {
            Err(file.error_at(&auto.span(), r#"auto_approve can only be "always""#))
        }
        (Some(needed), None) if needed.get_ref().is_empty() => {
            Err(empty(file, &needed.span(), "approvals"))
        }
        (Some(needed), None) => needed
            .get_ref()
            .iter()
            .map(|needed| {
                let count = u32::try_from(*needed.count.get_ref())
                    .ok()
                    .filter(|count| (1..=20).contains(count))
                    .ok_or_else(|| {
                        file.error_at(&needed.count.span(), "count is not between 1 and 20")
                    })?;
                Ok(Needed { from: file.checked(&needed.from, member)?, count })
            })
            .collect::<Result<_>>()
            .map(Approvals::People),
    }
}

fn deny(file: &TomlFile, raw: &Spanned<RawDeny>) -> Result<Deny> {
    let rule = raw.get_ref();
    if rule.members.is_none() && rule.hosts.is_none() && rule.logins.is_none() {
        return Err(file
            .error_at(&raw.span(), "a deny rule says not whom it denies")
            .next("Add members, hosts or logins."));
    }
    let places = |hosts: &List| list(file, hosts, Place::parse);
    Ok(Deny {
        members: rule.members.as_ref().map(|l| list(file, l, member)).transpose()?,
        hosts: rule.hosts.as_ref().map(places).transpose()?,
        logins: rule.logins.as_ref().map(|l| list(file, l, login_pattern)).transpose()?,
    })
}

fn list<T>(file: &TomlFile, raw: &List, check: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    if raw.get_ref().is_empty() {
        return Err(empty(file, &raw.span(), "this"));
    }
    raw.get_ref().iter().map(|text| file.checked(text, &check)).collect()
}

fn empty(file: &TomlFile, span: &std::ops::Range<usize>, what: &str) -> Error {
    file.error_at(span, format!("{what} is an empty list, which could mean none or all"))
        .next("Name at least one, or remove the role.")
}

pub(crate) fn member(text: &str) -> Result<Member> {
    match text.strip_prefix('@') {
        Some(group) => GroupName::parse(group).map(Member::Group),
        None => PersonName::parse(text).map(Member::Person),
    }
}

pub(crate) fn login_pattern(text: &str) -> Result<LoginPattern> {
    if text == "{person}" {
        return Ok(LoginPattern::Own);
    }
    Login::parse(text).map(LoginPattern::Login)
}

fn permission(text: &str) -> Result<Permission> {
    match text {
        "agent-forwarding" => Ok(Permission::AgentForwarding),
        "port-forwarding" => Ok(Permission::PortForwarding),
        "pty" => Ok(Permission::Pty),
        "user-rc" => Ok(Permission::UserRc),
        "x11-forwarding" => Ok(Permission::X11Forwarding),
        _ => Err(Error::invalid(format!("`{}` is no permission", text.escape_debug()))
            .next("Permissions: pty, agent-forwarding, port-forwarding, x11-forwarding, user-rc.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[role]]
name = "prod-debug"
members = ["alice", "@oncall"]
hosts = ["web-1", "env=prod"]
logins = ["{person}", "deploy"]
sudo = true
max_duration = "1h"
approvals = [{ from = "@leads", count = 1 }, { from = "@security", count = 1 }]
"#;

    fn error(text: &str) -> String {
        Policy::parse(Path::new("/p"), text).unwrap_err().to_string()
    }

    #[test]
    fn the_shape_of_the_design_parses() {
        let policy = Policy::parse(Path::new("/p"), GOOD).unwrap();
        assert_eq!(policy.roles.len(), 1);
        assert_eq!(policy.roles[0].permissions, [Permission::Pty].into());
        assert_eq!(policy.version.len(), 12);
    }

    #[test]
    fn mistakes_are_errors_with_their_line() {
        let change = |from: &str, to: &str| error(&GOOD.replace(from, to));
        assert!(
            change("members", "mebers")
                .contains(":4: `mebers` is no key in [role]. Did you mean `members`?")
        );
        assert!(change(r#"["alice", "@oncall"]"#, "[]").contains(":4: this is an empty list"));
        assert!(change("\"1h\"", "\"0h\"").contains(":8:"));
        assert!(change("\"1h\"", "\"1 hour\"").contains(":8:"));
        assert!(
            change("count = 1 }]", "count = 0 }]").contains(":9: count is not between 1 and 20")
        );
        assert!(change("count", "cuont").contains(":9: `cuont`"));
        assert!(change("\"web-1\"", "\"web,1\"").contains(":5:"));
        assert!(change("@oncall", "@on call").contains(":4:"));
        assert!(change("approvals", "auto_approve = 'sometimes' #").contains(":9:"));
        assert!(
            error(&GOOD.replace("approvals", "#")).contains(":3: role `prod-debug` says not who")
        );
        assert!(error(&(GOOD.to_owned() + GOOD)).contains("two roles named prod-debug"));
        assert!(error("[[deny]]").contains(":1: a deny rule says not whom"));
        assert!(error("[[roles]]").contains("Did you mean `role`?"));
    }

    #[test]
    fn an_empty_file_is_a_policy_that_denies() {
        assert_eq!(Policy::parse(Path::new("/p"), "").unwrap().roles, []);
    }
}
