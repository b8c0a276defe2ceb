//! The doctor's checks of sshd's effective configuration, for each kind of connection: what a Match
//! block changes for one account or address is as much a way in as what holds for all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jit_core::time::spoken;

use super::report::Finding;
use crate::output::joined;

/// What mends most of it.
const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-jit.conf";

/// The configuration that holds for one connection, as `sshd -T` prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective(BTreeMap<String, String>);

impl Effective {
    /// Reads lines of a keyword in lower case and its value.
    pub fn parse(text: &str) -> Self {
        let pair = |line: &str| {
            let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
            (keyword.to_ascii_lowercase(), value.trim().to_owned())
        };
        Effective(text.lines().filter(|line| !line.is_empty()).map(pair).collect())
    }

    /// The value of a keyword; empty where it is not told.
    pub fn value(&self, keyword: &str) -> &str {
        self.0.get(keyword).map_or("", String::as_str)
    }

    /// The file or program that a keyword names, if it names one.
    pub fn names(&self, keyword: &str) -> Option<&str> {
        let first = self.value(keyword).split(' ').next().unwrap_or_default();
        Some(first).filter(|value| !value.is_empty() && *value != "none")
    }

    /// The PAM service that sshd asks; it has a keyword for it from 9.8 on.
    pub fn pam_service(&self) -> &str {
        self.names("pamservicename").unwrap_or("sshd")
    }
}

/// One kind of connection, and the configuration that holds for it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The account.
    pub login: String,
    /// From where, where it is a Match block that speaks of it.
    pub from: Option<String>,
    /// What holds for it.
    pub effective: Effective,
}

/// What this host needs of sshd.
#[derive(Clone, Debug)]
pub struct Needs<'a> {
    /// Where the configuration is.
    pub config: &'a str,
    /// How long a login may wait at its prompt, in seconds.
    pub prompt_wait: u64,
    /// Accounts that need no grant.
    pub exempt: &'a BTreeSet<String>,
    /// Whether the policy gives root to somebody.
    pub root_is_granted: bool,
}

/// Checks every case; what several share is said once.
pub fn check(cases: &[Case], needs: &Needs<'_>) -> Vec<Finding> {
    let mut found: Vec<(Finding, Vec<&Case>)> = Vec::new();
    for case in cases {
        for finding in check_one(case, needs) {
            match found.iter_mut().find(|(known, _)| *known == finding) {
                Some((_, whose)) => whose.push(case),
                None => found.push((finding, vec![case])),
            }
        }
    }
    if found.is_empty() && !cases.is_empty() {
        let logins: BTreeSet<_> = cases.iter().map(|case| &case.login).collect();
        return vec![Finding::ok(format!(
            "sshd asks for key and code: looked at {} logins and every Match block",
            logins.len()
        ))];
    }
    found.into_iter().map(|(finding, whose)| told(finding, &whose, cases.len())).collect()
}

/// Adds for whom it is so, where it is not so for all.
fn told(mut finding: Finding, whose: &[&Case], all: usize) -> Finding {
    if whose.len() < all {
        let who = |case: &&Case| match &case.from {
            Some(from) => format!("{} from {from}", case.login),
            None => case.login.clone(),
        };
        let mut names: Vec<String> = whose.iter().map(who).collect();
        names.dedup();
        if names.len() > 6 {
            let more = names.len() - 5;
            names.truncate(5);
            names.push(format!("{more} more"));
        }
        finding.found = format!("{}, for {}", finding.found, joined(names, ", "));
        let keyword = finding.found.split(' ').nth(1).unwrap_or_default().to_owned();
        finding.mend = finding.mend.map(|mend| {
            format!("{mend}. A Match block sets it: grep -rni {keyword} /etc/ssh/sshd_config*")
        });
    }
    finding
}

fn set(keyword: &str, value: &str) -> String {
    format!("Set {keyword} {value} in {DROP_IN}; then: sshd -t && systemctl reload ssh")
}

fn check_one(case: &Case, needs: &Needs<'_>) -> Vec<Finding> {
    let effective = &case.effective;
    let mut found = Vec::new();
    let mut switch = |keyword: &str, name: &str, why: &'static str| {
        if effective.value(keyword) != "yes" {
            found.push(Finding::fail(format!("sshd: {name} is not yes"), why, set(name, "yes")));
        }
    };
    switch("usepam", "UsePAM", "PAM is where code and grant are asked for: without it neither is.");
    switch("pubkeyauthentication", "PubkeyAuthentication", "Nobody gets in without a key.");
    switch(
        "kbdinteractiveauthentication",
        "KbdInteractiveAuthentication",
        "The code is asked for that way: without it nobody gets in.",
    );
    found.extend(methods(effective.value("authenticationmethods")));
    found.extend(commands(effective, needs.config));
    found.extend(grace(effective.value("logingracetime"), needs.prompt_wait));
    if effective.value("passwordauthentication") == "yes" {
        found.push(Finding::warn(
            "sshd: PasswordAuthentication is yes",
            "Only AuthenticationMethods then keeps passwords from being a way in.",
            set("PasswordAuthentication", "no"),
        ));
    }
    // An exempt login needs a key of its own; jit.toml says where.
    if !needs.exempt.contains(&case.login) && effective.names("authorizedkeysfile").is_some() {
        found.push(Finding::warn(
            "sshd: AuthorizedKeysFile is not none",
            "Whoever can write such a file gets as far as the prompt for a code.",
            set("AuthorizedKeysFile", "none"),
        ));
    }
    if effective.names("authorizedprincipalsfile").is_some() {
        found.push(Finding::warn(
            "sshd: AuthorizedPrincipalsFile is not none",
            "What it accepts is accepted beside what jit-authorized says.",
            set("AuthorizedPrincipalsFile", "none"),
        ));
    }
    // Where key, code and grant are asked for, root's ssh is nobody's way in without one.
    let open = found.iter().any(|finding| {
        ["AuthenticationMethods", "UsePAM", "AuthorizedKeysFile"]
            .iter()
            .any(|keyword| finding.found.contains(keyword))
    });
    let root = case.login == "root" && !needs.exempt.contains("root") && !needs.root_is_granted;
    if root && open && effective.value("permitrootlogin") != "no" {
        found.push(Finding::warn(
            format!("sshd: PermitRootLogin is {}", effective.value("permitrootlogin")),
            "No role of the policy gives root, so nobody needs it.",
            set("PermitRootLogin", "no"),
        ));
    }
    found
}

/// Each of the lists has to begin with a key and to ask for the code after it.
fn methods(lists: &str) -> Option<Finding> {
    const ASKED: &str = "publickey,keyboard-interactive:pam";
    let sound = |list: &str| {
        let mut methods = list.split(',');
        methods.next() == Some("publickey")
            && methods
                .any(|method| matches!(method, "keyboard-interactive:pam" | "keyboard-interactive"))
    };
    if !lists.is_empty() && lists.split_whitespace().all(sound) {
        return None;
    }
    let shown = if lists.is_empty() { "not set" } else { lists };
    Some(Finding::fail(
        format!("sshd: AuthenticationMethods is {shown}"),
        "Only key, then code, tells who somebody is: anything else is a way in without a grant, or none.",
        set("AuthenticationMethods", ASKED),
    ))
}

/// The two questions that sshd asks jit-authorized.
fn commands(effective: &Effective, config: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut command = |name: &str, tail: &str, why: &'static str| {
        let keyword = name.to_ascii_lowercase();
        let value = effective.value(&keyword);
        let (program, asked) = value.split_once(' ').unwrap_or((value, ""));
        let named = format!("--config {config} {tail}");
        let ours = Path::new(program).file_name().is_some_and(|file| file == "jit-authorized");
        let wanted = format!("/usr/sbin/jit-authorized {tail}");
        if !ours || (asked != tail && asked != named) {
            let shown = if value.is_empty() { "none" } else { value };
            let mut mend = set(name, &wanted);
            if name == "AuthorizedPrincipalsCommand" {
                mend.push_str(
                    ". It has to stand before AuthorizedKeysCommand: OpenSSH 9.2 drops it else",
                );
            }
            found.push(Finding::fail(format!("sshd: {name} is {shown}"), why, mend));
        } else if effective.value(&format!("{keyword}user")) != "root" {
            let user = format!("{name}User");
            found.push(Finding::fail(
                format!("sshd: {user} is not root"),
                "Only root can read the store; nobody gets in.",
                set(&user, "root"),
            ));
        }
    };
    command("AuthorizedKeysCommand", "keys %u", "Nobody gets in with a plain key.");
    if effective.names("trustedusercakeys").is_some() {
        command(
            "AuthorizedPrincipalsCommand",
            "principals %u %i %s",
            "No certificate is accepted: which principals are ours only jit-authorized says.",
        );
    } else {
        found.push(Finding::warn(
            "sshd: TrustedUserCAKeys is none",
            "Logins by certificate do not work; those by key do.",
            set("TrustedUserCAKeys", "/etc/jit/user_ca.pub"),
        ));
    }
    found
}

fn grace(seconds: &str, prompt_wait: u64) -> Option<Finding> {
    // 0 is without end.
    let grace: u64 = seconds.parse().unwrap_or(0);
    if grace == 0 || grace > prompt_wait {
        return None;
    }
    Some(Finding::fail(
        format!("sshd: LoginGraceTime is {grace} s, prompt_wait {}", spoken(prompt_wait)),
        "sshd hangs up on who waits for approval at the prompt.",
        set("LoginGraceTime", &(prompt_wait + 10).to_string()),
    ))
}

/// Whether the file that sshd trusts holds the store's CA keys, and no others.
pub fn trusted(file: &str, text: &str, ours: &[&str], mend: &str) -> Finding {
    // Type and key; a comment may follow.
    let bare = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let there: BTreeSet<String> = lines.map(bare).collect();
    let wanted: BTreeSet<String> = ours.iter().map(|key| bare(key)).collect();
    if !wanted.is_subset(&there) {
        let why = "No certificate that ssh-ca signs is accepted.";
        return Finding::fail(format!("{file} does not hold the user CA key"), why, mend);
    }
    if there != wanted {
        let why = "sshd takes the word of a CA that is not ours as far as the prompt.";
        return Finding::warn(format!("{file} holds keys that are not the user CA's"), why, mend);
    }
    Finding::ok(format!("{file} holds the user CA key"))
}

/// Says that sshd gives no answer, which is what a login would get, too.
pub fn unanswered(how: &str) -> Finding {
    Finding::fail(
        format!("sshd does not tell its configuration: {how}"),
        "One that does not parse keeps sshd from starting again.",
        "sshd -t says what is wrong",
    )
}

#[cfg(test)]
mod tests;
