//! The policy file: from the raw form, in which unknown keys, bad durations and empty lists are
//! errors with their line, to [`Policy`].

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::{
    Approvals, Condition, Deny, FactorRule, Hours, LoginPattern, Member, Needed, Pattern, Places,
    Policy, ReasonRule, Role,
};
use crate::error::{Error, Result};
use crate::factor::Kind;
use crate::grant::Permission;
use crate::name::{GroupName, Login, PersonName, RoleName};
use crate::restriction::{ForcedCommand, Network, Restrictions};
use crate::time::Span;
use crate::tomlfile::{Keys, LARGEST, TomlFile};

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
    max_lead: Option<Spanned<String>>,
    reason: Option<Spanned<RawReason>>,
    hours: Option<Spanned<String>>,
    max_active: Option<Spanned<i64>>,
    approvals: Option<Spanned<Vec<RawNeeded>>>,
    auto_approve: Option<Spanned<RawAuto>>,
    factors: Option<Spanned<RawFactors>>,
    shorten: Option<bool>,
    source_addresses: Option<List>,
    force_command: Option<Spanned<String>>,
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
struct RawReason {
    required: Option<bool>,
    pattern: Option<Spanned<String>>,
    ticket: Option<Spanned<String>>,
    hint: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFactors {
    login: Option<List>,
    sudo: Option<List>,
    sudo_within: Option<Spanned<String>>,
}

/// `"always"`, or the conditions.
enum RawAuto {
    Word(String),
    Conditions(Vec<RawCondition>),
}

// By hand, as what serde makes of an untagged enum loses where in the file things stand.
impl<'de> Deserialize<'de> for RawAuto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawAuto;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#""always", or a list such as [{ members = ["@oncall"] }]"#)
            }
            fn visit_str<E>(self, word: &str) -> Result<RawAuto, E> {
                Ok(RawAuto::Word(word.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<RawAuto, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(items)).map(RawAuto::Conditions)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCondition {
    members: Option<List>,
    hosts: Option<List>,
    logins: Option<List>,
    hours: Option<Spanned<String>>,
    max_duration: Option<Spanned<String>>,
    sudo: Option<bool>,
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
            "max_lead",
            "reason",
            "hours",
            "max_active",
            "approvals",
            "auto_approve",
            "factors",
            "shorten",
            "source_addresses",
            "force_command",
            "permissions",
        ],
    },
    Keys { table: "role.factors", keys: &["login", "sudo", "sudo_within"] },
    Keys { table: "role.reason", keys: &["required", "pattern", "ticket", "hint"] },
    Keys {
        table: "role.auto_approve",
        keys: &["members", "hosts", "logins", "hours", "max_duration", "sudo"],
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
        let text = crate::rootfile::read(path, LARGEST)?;
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
        Ok(Policy { roles, denies, version: version(text) })
    }
}

/// The name of a policy's text: the first 12 hexadecimal digits of its SHA-256.
pub fn version(text: &str) -> String {
    crate::audit::hex(&Sha256::digest(text.as_bytes())[..6])
}

/// How far ahead a start may lie where the role does not say: a week.
const LEAD: u64 = 7 * 86_400;

fn role(file: &TomlFile, raw: &RawRole) -> Result<Role> {
    let checked = Role {
        name: file.checked(&raw.name, RoleName::parse)?,
        members: list(file, &raw.members, member)?,
        hosts: list(file, &raw.hosts, Places::parse_positive)?,
        logins: list(file, &raw.logins, login_pattern)?,
        sudo: raw.sudo,
        max_duration: file.checked(&raw.max_duration, Span::parse)?,
        max_lead: match &raw.max_lead {
            None => Span::from_secs(LEAD)?,
            Some(lead) => file.checked(lead, Span::parse)?,
        },
        reason: raw.reason.as_ref().map_or(Ok(ReasonRule::default()), |rule| reason(file, rule))?,
        hours: hours(file, raw.hours.as_ref())?,
        max_active: raw.max_active.as_ref().map(|n| small(file, n, "max_active")).transpose()?,
        approvals: approvals(file, raw)?,
        auto_approve: conditions(file, raw)?,
        factors: factors(file, raw.factors.as_ref())?,
        shorten: raw.shorten.unwrap_or(true),
        permissions: match &raw.permissions {
            None => [Permission::Pty].into(),
            // Here the empty list is meaningful: no permission at all.
            Some(permissions) => permissions
                .get_ref()
                .iter()
                .map(|text| file.checked(text, permission))
                .collect::<Result<_>>()?,
        },
        restrictions: Restrictions {
            source_addresses: match &raw.source_addresses {
                None => Vec::new(),
                Some(networks) => list(file, networks, Network::parse)?,
            },
            force_command: raw
                .force_command
                .as_ref()
                .map(|command| file.checked(command, ForcedCommand::parse))
                .transpose()?,
        },
    };
    if let Some(raw_addresses) = &raw.source_addresses
        && checked.restrictions.source_addresses.len() > MOST_NETWORKS
    {
        return Err(file.error_at(
            &raw_addresses.span(),
            format!("more than {MOST_NETWORKS} source addresses"),
        ));
    }
    Ok(checked)
}

/// An option of an authorized key is no longer than a line.
const MOST_NETWORKS: usize = 50;

fn reason(file: &TomlFile, raw: &Spanned<RawReason>) -> Result<ReasonRule> {
    let rule = raw.get_ref();
    if rule.required == Some(false) {
        return Err(file
            .error_at(&raw.span(), "required can't be false: every request has a reason")
            .next("Leave it out."));
    }
    let pattern = |text: &Option<Spanned<String>>| {
        text.as_ref().map(|text| file.checked(text, Pattern::parse)).transpose()
    };
    let hint = |text: &str| crate::name::Reason::parse(text).map(|text| text.to_string());
    Ok(ReasonRule {
        pattern: pattern(&rule.pattern)?,
        ticket: pattern(&rule.ticket)?,
        // One line of plain text, as it is shown at prompts.
        hint: rule.hint.as_ref().map(|text| file.checked(text, hint)).transpose()?,
    })
}

fn factors(file: &TomlFile, raw: Option<&Spanned<RawFactors>>) -> Result<FactorRule> {
    let Some(raw) = raw else { return Ok(FactorRule::default()) };
    let kinds = |kinds: &Option<List>| {
        let kinds = kinds.as_ref().map(|kinds| list(file, kinds, Kind::parse)).transpose()?;
        Ok::<_, Error>(kinds.into_iter().flatten().collect())
    };
    let RawFactors { login, sudo, sudo_within } = raw.get_ref();
    let within = sudo_within.as_ref().map(|text| file.checked(text, Span::parse)).transpose()?;
    let rule = FactorRule { login: kinds(login)?, sudo: kinds(sudo)?, sudo_within: within };
    if rule.is_default() {
        return Err(file
            .error_at(&raw.span(), "factors that ask for nothing")
            .next(r#"Write it as { login = ["totp"], sudo_within = "15m" }, or leave it out."#));
    }
    Ok(rule)
}

fn hours(file: &TomlFile, raw: Option<&Spanned<String>>) -> Result<Option<Hours>> {
    raw.map(|text| file.checked(text, Hours::parse)).transpose()
}

fn small(file: &TomlFile, raw: &Spanned<i64>, what: &str) -> Result<u32> {
    u32::try_from(*raw.get_ref())
        .ok()
        .filter(|count| (1..=20).contains(count))
        .ok_or_else(|| file.error_at(&raw.span(), format!("{what} is not between 1 and 20")))
}

fn approvals(file: &TomlFile, raw: &RawRole) -> Result<Approvals> {
    let always = match raw.auto_approve.as_ref().map(|auto| (auto, auto.get_ref())) {
        Some((auto, RawAuto::Word(word))) if word != "always" => {
            return Err(
                file.error_at(&auto.span(), r#"auto_approve is "always", or a list of conditions"#)
            );
        }
        Some((auto, RawAuto::Word(_))) => Some(auto),
        _ => None,
    };
    match (&raw.approvals, always) {
        (Some(_), Some(auto)) => Err(file
            .error_at(&auto.span(), "a role has approvals or auto_approve = \"always\", not both")
            .next("A list of conditions in auto_approve goes with approvals.")),
        (None, Some(_)) => Ok(Approvals::Automatic),
        (None, None) => Err(file
            .error_at(
                &raw.name.span(),
                match &raw.auto_approve {
                    None => format!("role `{}` says not who approves", raw.name.get_ref()),
                    Some(_) => format!(
                        "role `{}` says not who approves where no condition is met",
                        raw.name.get_ref()
                    ),
                },
            )
            .next(
                r#"Add approvals = [{ from = "@leads", count = 1 }], or auto_approve = "always"."#,
            )),
        (Some(needed), None) if needed.get_ref().is_empty() => {
            Err(empty(file, &needed.span(), "approvals"))
        }
        (Some(needed), None) => needed
            .get_ref()
            .iter()
            .map(|needed| {
                let count = small(file, &needed.count, "count")?;
                Ok(Needed { from: file.checked(&needed.from, member)?, count })
            })
            .collect::<Result<_>>()
            .map(Approvals::People),
    }
}

fn conditions(file: &TomlFile, raw: &RawRole) -> Result<Vec<Condition>> {
    let Some(auto) = &raw.auto_approve else { return Ok(Vec::new()) };
    let RawAuto::Conditions(conditions) = auto.get_ref() else { return Ok(Vec::new()) };
    if conditions.is_empty() {
        return Err(empty(file, &auto.span(), "auto_approve"));
    }
    let places = |hosts: &List| list(file, hosts, Places::parse_positive);
    let condition = |raw: &RawCondition| {
        let condition = Condition {
            members: raw.members.as_ref().map(|l| list(file, l, member)).transpose()?,
            hosts: raw.hosts.as_ref().map(places).transpose()?,
            logins: raw.logins.as_ref().map(|l| list(file, l, login_pattern)).transpose()?,
            hours: hours(file, raw.hours.as_ref())?,
            max_duration: raw
                .max_duration
                .as_ref()
                .map(|text| file.checked(text, Span::parse))
                .transpose()?,
            sudo: raw.sudo.unwrap_or(false),
        };
        if condition == (Condition { sudo: condition.sudo, ..Condition::default() }) {
            return Err(file
                .error_at(&auto.span(), "a condition that is always met")
                .next(r#"Say when: members, hosts, logins, hours or max_duration."#));
        }
        Ok(condition)
    };
    conditions.iter().map(condition).collect()
}

fn deny(file: &TomlFile, raw: &Spanned<RawDeny>) -> Result<Deny> {
    let rule = raw.get_ref();
    if rule.members.is_none() && rule.hosts.is_none() && rule.logins.is_none() {
        return Err(file
            .error_at(&raw.span(), "a deny rule says not whom it denies")
            .next("Add members, hosts or logins."));
    }
    let places = |hosts: &List| list(file, hosts, Places::parse);
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
    fn everything_a_role_can_say_parses() {
        let more = r#"
max_lead = "2d"
reason = { required = true, pattern = "^INC-[0-9]+ ", ticket = "INC-[0-9]+", hint = "INC-1 why" }
hours = "Mon-Fri 08:00-18:00 Europe/Berlin"
max_active = 2
auto_approve = [{ members = ["@oncall"], hosts = ["risk=low"], max_duration = "30m" }]
factors = { login = ["totp"], sudo_within = "15m" }
shorten = false
source_addresses = ["10.0.0.0/8"]
force_command = "/usr/bin/backup"
"#;
        let parsed = |more: &str| Policy::parse(Path::new("/p"), &(GOOD.to_owned() + more));
        let policy = parsed(more).unwrap();
        let role = &policy.roles[0];
        assert_eq!(
            (role.max_lead.secs(), role.max_active, role.shorten),
            (172_800, Some(2), false)
        );
        assert_eq!(role.auto_approve.len(), 1);
        assert!(role.hours.is_some() && role.reason.ticket.is_some());
        assert_eq!(role.restrictions.critical_options().len(), 2);
        let wrong = |from: &str, to: &str| parsed(&more.replace(from, to)).unwrap_err().to_string();
        for (from, to, said) in [
            ("2d", "soon", ":11: `soon` is no duration"),
            ("INC-[0-9]+ ", "(INC", ":12: this is no pattern"),
            ("required = true", "required = false", ":12: required can't be false"),
            ("hint", "hnt", ":12: `hnt` is no key in [role.reason]. Did you mean `hint`?"),
            ("Europe/Berlin", "Europe/Berlim", ":13: there is no time zone `Europe/Berlim`"),
            ("Mon-Fri", "Mon-Frei", ":13: `Mon-Frei 08:00-18:00` are no hours"),
            ("= 2\n", "= 0\n", ":14: max_active is not between 1 and 20"),
            ("\"@oncall\"", "\"@on call\"", ":15: `on call` is no name of a group"),
            ("max_duration", "max_duratoin", ":15: `max_duratoin` is no key in [role.auto_app"),
            ("[{ members", "[{}, { members", ":15: a condition that is always met"),
            ("risk=low", "not risk=low", ":15: this says only where the role is not for"),
            ("[\"totp\"]", "[\"sms\"]", ":16: `sms` is no kind of factor"),
            ("[\"totp\"]", "[]", ":16: this is an empty list"),
            ("{ login = [\"totp\"], sudo_within = \"15m\" }", "{}", ":16: factors that ask for"),
            ("15m", "soon", ":16: `soon` is no duration"),
            ("10.0.0.0/8", "10.0.0.1/8", ":18: `10.0.0.1/8` has bits behind its prefix"),
            ("/usr/bin/backup", "/bin/sh -c 'x'", ":19: a forced command is an absolute path"),
            ("auto_approve = [{", "auto_approve = 1 # [{", ":15:"),
            ("auto_approve = [{", "auto_approve = 'always' # [{", ":15: a role has approvals or"),
        ] {
            let got = wrong(from, to);
            assert!(got.contains(said), "{to}: {got}");
        }
    }

    #[test]
    fn an_empty_file_is_a_policy_that_denies() {
        assert_eq!(Policy::parse(Path::new("/p"), "").unwrap().roles, []);
    }
}
