//! On the PAM services of Debian 12 and 13.

use super::super::report::Level;
use super::*;

const AUTH: &str = "auth\t[success=1 default=ignore]\tpam_unix.so nullok\n\
auth\trequisite\t\t\tpam_deny.so\nauth\trequired\t\t\tpam_permit.so\n";
const ACCOUNT: &str = "account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so \n\
account\trequisite\t\t\tpam_deny.so\naccount\trequired\t\t\tpam_permit.so\n";
const SESSION_12: &str = "session\t[default=1]\t\t\tpam_permit.so\nsession\trequisite\t\t\tpam_deny.so\n\
session\trequired\t\t\tpam_permit.so\nsession\trequired\tpam_unix.so \nsession\toptional\tpam_systemd.so \n";
const SESSION_13: &str = "session\t[default=1]\t\t\tpam_permit.so\nsession\trequisite\t\t\tpam_deny.so\n\
session\trequired\t\t\tpam_permit.so\nsession optional\t\t\tpam_umask.so \n\
session\trequired\tpam_unix.so \nsession\toptional\tpam_systemd.so \n";
const QUIET_SESSION: &str = "session\t[default=1]\t\t\tpam_permit.so\nsession\trequisite\t\tpam_deny.so\n\
session\trequired\t\t\tpam_permit.so\nsession\trequired\tpam_unix.so \n";

const SSHD: &str = "# PAM configuration for the Secure Shell service
@include common-auth
account    required     pam_nologin.so
@include common-account
session [success=ok ignore=ignore module_unknown=ignore default=bad]        pam_selinux.so close
session    required     pam_loginuid.so
session    optional     pam_keyinit.so force revoke
@include common-session
session    optional     pam_motd.so  motd=/run/motd.dynamic
session    required     pam_env.so # [1]
@include common-password
";
const SUDO: &str = "#%PAM-1.0\nsession    required   pam_limits.so\n@include common-auth\n\
@include common-account\n@include common-session-noninteractive\n";

/// A service as the setup leaves it.
fn ours(stock: &str, session: &str) -> String {
    stock
        .replace("@include common-auth", "auth required pam_jit.so")
        .replace("@include common-account", "account required pam_jit.so\n@include common-account")
        .replace(&format!("{session}\n"), &format!("{session}\nsession required pam_jit.so\n"))
}

fn sshd() -> String {
    ours(SSHD, "@include common-session")
}

fn read_with(service: &str, session: &str) -> Vec<Line> {
    let read = |name: &str| {
        let text = match name {
            "tried" => service,
            "common-auth" => AUTH,
            "common-account" => ACCOUNT,
            "common-session" => session,
            "common-session-noninteractive" => QUIET_SESSION,
            "common-password" => "password required pam_permit.so\n",
            "loop" => "@include loop\n",
            _ => return None,
        };
        Some(text.to_owned())
    };
    lines("tried", &read).unwrap()
}

fn checked(service: &str) -> Vec<Finding> {
    check("sshd", &read_with(service, SESSION_13), true)
}

#[test]
fn what_the_setup_leaves_is_sound_on_both_releases() {
    for session in [SESSION_12, SESSION_13] {
        let found = check("sshd", &read_with(&sshd(), session), true);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].level, Level::Ok);
        let sudo = ours(SUDO, "@include common-session-noninteractive");
        let found = check("sudo", &read_with(&sudo, session), false);
        assert_eq!((found.len(), found[0].level), (1, Level::Ok), "{found:#?}");
        let login = SUDO.replace("-noninteractive", "");
        let found =
            check("sudo-i", &read_with(&ours(&login, "@include common-session"), session), false);
        assert_eq!((found.len(), found[0].level), (1, Level::Ok), "{found:#?}");
    }
}

#[test]
fn a_stock_service_asks_for_no_grant() {
    let found = checked(SSHD);
    assert_eq!(found.len(), 3, "{found:#?}");
    for (finding, phase) in found.iter().zip(["auth", "account", "session"]) {
        assert_eq!(finding.level, Level::Fail);
        assert!(finding.found.contains(&format!("no pam_jit.so in {phase}")));
        let mend = finding.mend.as_ref().unwrap();
        assert!(mend.contains(&format!("`{phase} required pam_jit.so`")), "{mend}");
    }
}

#[test]
fn a_line_in_the_wrong_place_or_of_the_wrong_kind_is_named() {
    let swap = |from: &str, to: &str| {
        let text = sshd().replace(from, to);
        assert_ne!(text, sshd(), "{from}");
        checked(&text)
    };
    for (from, to, says) in [
        (
            "account required pam_jit.so\n@include common-account",
            "@include common-account\naccount required pam_jit.so",
            "pam_unix.so stands before pam_jit.so in account and can end the stack",
        ),
        (
            "@include common-session\nsession required pam_jit.so",
            "session required pam_jit.so\n@include common-session",
            "before pam_systemd.so",
        ),
        (
            "session    required     pam_loginuid.so\n",
            "",
            "pam_loginuid.so does not stand before pam_jit.so",
        ),
        ("auth required pam_jit.so", "auth sufficient pam_jit.so", "is `sufficient` in auth"),
        ("account required pam_jit.so", "account optional pam_jit.so", "is `optional` in account"),
        (
            "account required pam_jit.so",
            "-account required pam_jit.so",
            "may be missing in account",
        ),
        (
            "auth required pam_jit.so",
            "auth sufficient pam_rootok.so\nauth required pam_jit.so",
            "pam_rootok.so stands before pam_jit.so in auth and can end the stack",
        ),
        (
            "auth required pam_jit.so",
            "auth [success=1 default=ignore] pam_succeed_if.so user ingroup x\nauth required pam_jit.so",
            "can jump over it",
        ),
        (
            "account required pam_jit.so",
            "account [success=ok default=bad] pam_jit.so",
            "is `[success=ok default=bad]`",
        ),
    ] {
        let found = swap(from, to);
        let fails: Vec<_> = found.iter().filter(|f| f.level == Level::Fail).collect();
        assert_eq!(fails.len(), 1, "{says}: {found:#?}");
        assert!(fails[0].found.contains(says), "{says}: {found:#?}");
    }
    let both = swap("auth required pam_jit.so", "auth required pam_jit.so\n@include common-auth");
    assert_eq!((both.len(), both[0].level), (1, Level::Warn), "{both:#?}");
}

#[test]
fn a_substack_ends_itself_alone() {
    let text = sshd().replace(
        "account required pam_jit.so",
        "account substack common-account\naccount required pam_jit.so",
    );
    assert_eq!(checked(&text)[0].level, Level::Ok);
    let text = text.replace("substack", "include");
    assert_eq!(checked(&text)[0].level, Level::Fail);
}

#[test]
fn an_include_that_leads_nowhere_or_round_is_an_error() {
    assert!(lines("gone", &|_| None).unwrap_err().contains("no PAM service gone"));
    let round = |_: &str| Some("@include again\n".to_owned());
    assert!(lines("again", &round).unwrap_err().contains("includes itself"));
}

#[test]
fn another_configuration_is_named() {
    let text = sshd().replace("auth required pam_jit.so", "auth required pam_jit.so config=/srv/x");
    let found = other_configuration("sshd", &read_with(&text, SESSION_12), "/etc/jit/jit.toml");
    assert_eq!(found.len(), 1);
    assert!(found[0].found.contains("goes by /srv/x"));
}

#[test]
fn carriage_returns_are_found_in_included_files_too() {
    let read = |name: &str| match name {
        "sudo" => Some("@include common-auth\nauth required pam_jit.so\n".to_owned()),
        "common-auth" => Some("auth required pam_unix.so\r\n".to_owned()),
        _ => Some("auth required pam_unix.so\n".to_owned()),
    };
    let found = line_ends("sudo", &read).unwrap();
    assert!(found.found.contains("common-auth has lines that end"), "{found:?}");
    assert_eq!(line_ends("su", &read), None);
}
