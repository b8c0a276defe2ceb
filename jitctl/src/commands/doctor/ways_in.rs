//! The doctor's checks of ways in, and ways to go on, that no grant stands before.

use super::report::Finding;
use crate::output::joined;

/// PAM services by which people, not machines, get in or become somebody else.
const DOORS: &[&str] = &[
    "su",
    "su-l",
    "login",
    "remote",
    "doas",
    "polkit-1",
    "cockpit",
    "xrdp-sesman",
    "vsftpd",
    "lightdm",
    "gdm-password",
    "gdm-autologin",
    "sddm",
    "lxdm",
    "xdm",
    "ppp",
];

/// An account of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its own group.
    pub gid: u32,
    /// Where its files are.
    pub home: String,
    /// What is started when somebody logs in.
    pub shell: String,
}

impl Account {
    /// Whether somebody who logs in gets a shell.
    pub fn has_shell(&self) -> bool {
        let program = self.shell.rsplit('/').next().unwrap_or_default();
        !matches!(program, "nologin" | "false" | "sync" | "")
    }
}

/// Reads passwd(5).
pub fn accounts(passwd: &str) -> Vec<Account> {
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, shell] = fields.as_slice() else { return None };
        Some(Account {
            name: (*name).into(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: (*home).into(),
            // As it is where none is named.
            shell: if shell.is_empty() { "/bin/sh".into() } else { (*shell).into() },
        })
    };
    passwd.lines().filter_map(account).collect()
}

/// Those of `services`, the PAM services that do not ask us, by which somebody with a password gets
/// in, and who has one.
pub fn passwords(accounts: &[Account], shadow: &str, services: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for line in shadow.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(password)) = (fields.next(), fields.next()) else { continue };
        let usable = accounts.iter().any(|account| account.name == name && account.has_shell());
        match password.chars().next() {
            _ if !usable => {}
            None => without.push(name),
            Some('!' | '*') => {}
            Some(_) => with.push(name),
        }
    }
    if !without.is_empty() {
        found.push(Finding::fail(
            format!("accounts that need no password: {}", joined(&without, " ")),
            "Anybody on this host, and on its console, can become them.",
            format!("passwd -l {}", without[0]),
        ));
    }
    let doors: Vec<_> = DOORS.iter().filter(|d| services.iter().any(|s| s == *d)).collect();
    if with.is_empty() || doors.is_empty() {
        found.push(Finding::ok("no account has a password that would be a way in"));
    } else {
        found.push(Finding::warn(
            format!("{} ask for a password and for no grant; one have: {}",
                joined(doors, ", "), joined(&with, " ")),
            "That is left so for the console, the way in when all else fails: known to few, kept safe.",
            "passwd -l NAME, for those who need none",
        ));
    }
    found
}

/// Accounts that are root under another name.
pub fn other_roots(accounts: &[Account]) -> Option<Finding> {
    let others = accounts.iter().filter(|account| account.uid == 0 && account.name != "root");
    let others: Vec<&str> = others.map(|account| account.name.as_str()).collect();
    (!others.is_empty()).then(|| {
        Finding::warn(
            format!("accounts with root's number: {}", joined(&others, " ")),
            "Whoever gets in there is root, and root's own sudo is not asked for a grant.",
            "usermod --uid NUMBER NAME, or userdel NAME",
        )
    })
}

/// Files of authorized keys that sshd reads: each with the account and its text.
pub fn authorized_keys(files: &[(String, String)]) -> Option<Finding> {
    let holds = |text: &str, what: &dyn Fn(&str) -> bool| {
        text.lines().map(str::trim).any(|l| !l.is_empty() && !l.starts_with('#') && what(l))
    };
    let of = |what: &dyn Fn(&str) -> bool| {
        let chosen = files.iter().filter(|(_, text)| holds(text, what));
        let mut names: Vec<&str> = chosen.map(|(name, _)| name.as_str()).collect();
        names.dedup();
        names
    };
    let (any, authorities) = (of(&|_| true), of(&|line| line.contains("cert-authority")));
    if any.is_empty() {
        return None;
    }
    let mut text = format!("authorized_keys of {} count for sshd", joined(&any, " "));
    if !authorities.is_empty() {
        text.push_str(&format!("; those of {} trust a CA of their own", joined(&authorities, " ")));
    }
    Some(Finding::warn(
        text,
        "Keys that nobody enrolled get as far as the prompt, and past it where a login is exempt.",
        "Enrol them (jitctl user key NAME --add FILE), then set AuthorizedKeysFile none",
    ))
}

/// Who has jobs of cron or at.
pub fn jobs(crontabs: &[String], at: &[String]) -> Finding {
    let mut names: Vec<&String> =
        crontabs.iter().chain(at).filter(|name| *name != "root").collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Finding::ok("nobody but root has jobs of cron or at");
    }
    Finding::warn(
        format!("jobs of cron or at: {}", joined(names, " ")),
        "They run whether a grant is active or not.",
        "crontab -l -u NAME shows them, crontab -r -u NAME removes them; atq, atrm",
    )
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nsync:x:4:65534:sync:/bin:/bin/sync\n\
alice:x:1000:1000:,,,:/home/alice:/bin/bash\nbare:x:1001:1001::/home/bare:\nbroken line\n";

    fn services(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn accounts_are_read_as_the_system_reads_them() {
        let accounts = accounts(PASSWD);
        let shells: Vec<_> =
            accounts.iter().filter(|a| a.has_shell()).map(|a| a.name.as_str()).collect();
        assert_eq!(shells, ["root", "alice", "bare"]);
        assert_eq!(accounts[3].home, "/home/alice");
    }

    #[test]
    fn who_has_a_password_is_named_once() {
        let accounts = accounts(PASSWD);
        let judge = |shadow: &str, doors: &[&str]| passwords(&accounts, shadow, &services(doors));
        let locked = "root:*:19000:0:99999:7:::\nalice:!$y$x:1::::::\ndaemon::1::::::\n";
        assert_eq!(judge(locked, &["su", "login"])[0].level, Level::Ok);
        let found = judge("root:$y$j9T$x:1::::::\nalice:!:1::::::\n", &["cron", "login", "su"]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].found, "su, login ask for a password and for no grant; one have: root");
        assert_eq!(judge("root:$y$j9T$x:1::::::\n", &["cron"])[0].level, Level::Ok);
        let found = judge("alice::1::::::\n", &["su"]);
        assert_eq!(found[0].level, Level::Fail);
        assert!(found[0].found.ends_with("alice"));
    }

    #[test]
    fn another_root_is_named() {
        assert_eq!(other_roots(&accounts(PASSWD)), None);
        let two = accounts(&(PASSWD.to_owned() + "toor:x:0:0::/root:/bin/sh\n"));
        assert!(other_roots(&two).unwrap().found.ends_with("toor"));
    }

    #[test]
    fn keys_and_authorities_in_home_directories_are_named() {
        let files = |text: &str| [("alice".to_owned(), text.to_owned())];
        assert_eq!(authorized_keys(&files("# nothing\n\n")), None);
        assert_eq!(authorized_keys(&[]), None);
        let found = authorized_keys(&files("ssh-ed25519 AAAA\n")).unwrap();
        assert_eq!(found.found, "authorized_keys of alice count for sshd");
        let found = authorized_keys(&files("cert-authority,principals=\"x\" ssh-ed25519 A\n"));
        assert!(found.unwrap().found.contains("those of alice trust a CA"));
    }

    #[test]
    fn jobs_of_others_than_root_are_named() {
        assert_eq!(jobs(&services(&["root"]), &[]).level, Level::Ok);
        let found = jobs(&services(&["bob", "alice"]), &services(&["alice"]));
        assert_eq!(found.found, "jobs of cron or at: alice bob");
    }
}
