//! On what `sshd -T` prints on Debian 12 and 13.

use super::super::report::Level;
use super::*;

/// The worst that was found; none when all is well.
fn worst(findings: &[Finding]) -> Option<Level> {
    let fails = findings.iter().any(|finding| finding.level == Level::Fail);
    let warns = findings.iter().any(|finding| finding.level == Level::Warn);
    if fails { Some(Level::Fail) } else { warns.then_some(Level::Warn) }
}

const CONFIG: &str = "/etc/jit/jit.toml";

/// What concerns us of a stock Debian 12 (OpenSSH 9.2).
const STOCK_12: &str = "port 22\nusepam yes\nlogingracetime 120\npubkeyauthentication yes\n\
passwordauthentication yes\nkbdinteractiveauthentication no\npermitrootlogin without-password\n\
authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2\nauthorizedkeyscommand none\n\
authorizedprincipalsfile none\nauthorizedprincipalscommand none\ntrustedusercakeys none\n\
revokedkeys none\nauthenticationmethods any\n";

/// What our drop-in makes of it, on 13 (OpenSSH 10.0).
const OURS: &str = "port 22\nusepam yes\npamservicename sshd\nlogingracetime 60\n\
pubkeyauthentication yes\npasswordauthentication no\nkbdinteractiveauthentication yes\n\
permitrootlogin no\nauthorizedkeysfile none\n\
authorizedkeyscommand /usr/sbin/jit-authorized keys %u\nauthorizedkeyscommanduser root\n\
authorizedprincipalsfile none\n\
authorizedprincipalscommand /usr/sbin/jit-authorized principals %u %i %s\n\
authorizedprincipalscommanduser root\ntrustedusercakeys /etc/jit/user_ca.pub\nrevokedkeys none\n\
authenticationmethods publickey,keyboard-interactive:pam\n";

fn case(login: &str, from: Option<&str>, text: &str) -> Case {
    Case { login: login.into(), from: from.map(Into::into), effective: Effective::parse(text) }
}

fn judged(cases: &[Case]) -> Vec<Finding> {
    let exempt = BTreeSet::from(["rescue".to_owned()]);
    check(
        cases,
        &Needs { config: CONFIG, prompt_wait: 50, exempt: &exempt, root_is_granted: false },
    )
}

#[test]
fn our_own_configuration_is_sound_on_both_releases() {
    for text in [OURS.to_owned(), OURS.replace("pamservicename sshd\n", "")] {
        let found = judged(&[case("alice", None, &text), case("root", None, &text)]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(worst(&found), None);
        assert_eq!(Effective::parse(&text).pam_service(), "sshd");
    }
    let other = OURS.replace("pamservicename sshd", "pamservicename other");
    assert_eq!(Effective::parse(&other).pam_service(), "other");
}

#[test]
fn a_stock_debian_asks_for_neither() {
    let found = judged(&[case("root", None, STOCK_12)]);
    for wanted in [
        "KbdInteractiveAuthentication is not yes",
        "AuthenticationMethods is any",
        "AuthorizedKeysCommand is none",
        "PasswordAuthentication is yes",
        "AuthorizedKeysFile is not none",
        "PermitRootLogin is without-password",
        "TrustedUserCAKeys is none",
    ] {
        let finding = found.iter().find(|f| f.found.contains(wanted));
        let finding = finding.unwrap_or_else(|| panic!("{wanted} in {found:#?}"));
        assert!(finding.mend.as_ref().is_some_and(|mend| mend.contains("systemctl reload ssh")));
    }
    assert_eq!(found.len(), 7, "{found:#?}");
}

#[test]
fn each_line_that_is_off_is_named_with_what_mends_it() {
    for (good, bad, named, level) in [
        ("usepam yes", "usepam no", "UsePAM", Level::Fail),
        ("pubkeyauthentication yes", "pubkeyauthentication no", "Pubkey", Level::Fail),
        ("logingracetime 60", "logingracetime 50", "LoginGraceTime is 50 s", Level::Fail),
        ("keys %u", "keys %u extra", "AuthorizedKeysCommand is", Level::Fail),
        (
            "jit-authorized keys",
            "jit-authorized --config /srv/jit.toml keys",
            "AuthorizedKeysCommand is",
            Level::Fail,
        ),
        ("jit-authorized keys", "others keys", "AuthorizedKeysCommand is", Level::Fail),
        (
            "keyscommanduser root",
            "keyscommanduser nobody",
            "AuthorizedKeysCommandUser",
            Level::Fail,
        ),
        (
            "/usr/sbin/jit-authorized principals %u %i %s",
            "none",
            "AuthorizedPrincipalsCommand is none",
            Level::Fail,
        ),
        (
            "authorizedprincipalsfile none",
            "authorizedprincipalsfile /x",
            "PrincipalsFile",
            Level::Warn,
        ),
        ("passwordauthentication no", "passwordauthentication yes", "Password", Level::Warn),
    ] {
        let text = OURS.replace(good, bad);
        assert_ne!(text, OURS);
        let found = judged(&[case("alice", None, &text)]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].found.contains(named), "{found:#?}");
        assert_eq!(found[0].level, level);
        assert!(found[0].mend.is_some());
    }
    let dropped = OURS.replace("/usr/sbin/jit-authorized principals %u %i %s", "none");
    let found = judged(&[case("alice", None, &dropped)]);
    assert!(found[0].mend.as_ref().unwrap().contains("before AuthorizedKeysCommand"));
}

#[test]
fn methods_that_do_not_begin_with_a_key_are_a_way_in() {
    for bad in [
        "any",
        "publickey",
        "keyboard-interactive:pam",
        "keyboard-interactive:pam,publickey",
        "password,keyboard-interactive:pam",
        "publickey,password",
        "publickey,keyboard-interactive:bsdauth",
        "publickey,keyboard-interactive:pam password",
        "",
    ] {
        assert!(methods(bad).is_some(), "{bad}");
    }
    for good in [
        "publickey,keyboard-interactive:pam",
        "publickey,publickey,keyboard-interactive:pam",
        "publickey,keyboard-interactive publickey,keyboard-interactive:pam",
    ] {
        assert_eq!(methods(good), None, "{good}");
    }
}

#[test]
fn a_match_block_is_told_with_whom_it_is_for() {
    let open = OURS.replace("publickey,keyboard-interactive:pam", "any");
    let cases = [
        case("alice", None, OURS),
        case("deploy", None, &open),
        case("alice", Some("10.0.0.0"), &open),
    ];
    let found = judged(&cases);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        found[0].found,
        "sshd: AuthenticationMethods is any, for deploy, alice from 10.0.0.0"
    );
    assert!(found[0].mend.as_ref().unwrap().contains("grep -rni AuthenticationMethods"));
}

#[test]
fn an_exempt_login_may_have_its_own_key_file_and_root_its_role() {
    let keys = OURS.replace("authorizedkeysfile none", "authorizedkeysfile /etc/ssh/rescue");
    assert_eq!(worst(&judged(&[case("alice", None, OURS), case("rescue", None, &keys)])), None);
    assert_eq!(worst(&judged(&[case("alice", None, &keys)])), Some(Level::Warn));
    let root = keys.replace("permitrootlogin no", "permitrootlogin yes");
    let roots = |root_is_granted| {
        let needs =
            Needs { config: CONFIG, prompt_wait: 50, exempt: &BTreeSet::new(), root_is_granted };
        let found = check(&[case("root", None, &root)], &needs);
        found.iter().filter(|finding| finding.found.contains("PermitRootLogin")).count()
    };
    assert_eq!((roots(false), roots(true)), (1, 0));
    let kept = OURS.replace("permitrootlogin no", "permitrootlogin yes");
    assert_eq!(worst(&judged(&[case("root", None, &kept)])), None);
}

#[test]
fn the_trusted_file_has_to_hold_our_ca_and_no_other() {
    let level = |text: &str| trusted("/etc/jit/user_ca.pub", text, &["ssh-ed25519 OURS"], "").level;
    assert_eq!(level("# CA\nssh-ed25519 OURS jit-user-ca\n"), Level::Ok);
    assert_eq!(level("ssh-ed25519 OTHER jit-user-ca\n"), Level::Fail);
    assert_eq!(level(""), Level::Fail);
    assert_eq!(level("ssh-ed25519 OURS x\nssh-ed25519 OTHER y\n"), Level::Warn);
}
