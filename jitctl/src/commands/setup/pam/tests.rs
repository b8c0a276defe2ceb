//! Debian 12's and 13's files, and what admins make of them.

use super::*;

/// Of bookworm.
const SSHD_BOOKWORM: &str = "\
# PAM configuration for the Secure Shell service

# Standard Un*x authentication.
@include common-auth

# Disallow non-root logins when /etc/nologin exists.
account    required     pam_nologin.so

# Uncomment and edit /etc/security/access.conf if you need to set complex
# access limits that are hard to express in sshd_config.
# account  required     pam_access.so

# Standard Un*x authorization.
@include common-account

# SELinux needs to be the first session rule.  This ensures that any
# lingering context has been cleared.  Without this it is possible that a
# module could execute code in the wrong domain.
session [success=ok ignore=ignore module_unknown=ignore default=bad]        pam_selinux.so close

# Set the loginuid process attribute.
session    required     pam_loginuid.so

# Create a new session keyring.
session    optional     pam_keyinit.so force revoke

# Standard Un*x session setup and teardown.
@include common-session

# Print the message of the day upon successful login.
# This includes a dynamically generated part from /run/motd.dynamic
# and a static (admin-editable) part from /etc/motd.
session    optional     pam_motd.so  motd=/run/motd.dynamic
session    optional     pam_motd.so noupdate

# Print the status of the user's mailbox upon successful login.
session    optional     pam_mail.so standard noenv # [1]

# Set up user limits from /etc/security/limits.conf.
session    required     pam_limits.so

# Read environment variables from /etc/environment and
# /etc/security/pam_env.conf.
session    required     pam_env.so # [1]
# In Debian 4.0 (etch), locale-related environment variables were moved to
# /etc/default/locale, so read that as well.
session    required     pam_env.so user_readenv=1 envfile=/etc/default/locale

# SELinux needs to intervene at login time to ensure that the process starts
# in the proper default security context.  Only sessions which are intended
# to run in the user's context should be run after this.
session [success=ok ignore=ignore module_unknown=ignore default=bad]        pam_selinux.so open

# Standard Un*x password updating.
@include common-password
";

/// Of trixie.
const SSHD_TRIXIE: &str = "\
# PAM configuration for the Secure Shell service

# Standard Un*x authentication.
@include common-auth

# Disallow non-root logins when /etc/nologin exists.
account    required     pam_nologin.so

# Uncomment and edit /etc/security/access.conf if you need to set complex
# access limits that are hard to express in sshd_config.
# account  required     pam_access.so

# Standard Un*x authorization.
@include common-account

# SELinux needs to be the first session rule.  This ensures that any
# lingering context has been cleared.  Without this it is possible that a
# module could execute code in the wrong domain.
session [success=ok ignore=ignore module_unknown=ignore default=bad]        pam_selinux.so close

# Set the loginuid process attribute.
session    required     pam_loginuid.so

# Create a new session keyring.
session    optional     pam_keyinit.so force revoke

# Standard Un*x session setup and teardown.
@include common-session

# Print the message of the day upon successful login.
# This includes a dynamically generated part from /run/motd.dynamic
# and a static (admin-editable) part from /etc/motd.
session    optional     pam_motd.so  motd=/run/motd.dynamic
session    optional     pam_motd.so noupdate

# Print the status of the user's mailbox upon successful login.
session    optional     pam_mail.so standard noenv # [1]

# Set up user limits from /etc/security/limits.conf.
session    required     pam_limits.so

# Read environment variables from /etc/environment and
# /etc/security/pam_env.conf.
session    required     pam_env.so # [1]
# In Debian 4.0 (etch), locale-related environment variables were moved to
# /etc/default/locale, so read that as well.
session    required     pam_env.so envfile=/etc/default/locale

# SELinux needs to intervene at login time to ensure that the process starts
# in the proper default security context.  Only sessions which are intended
# to run in the user's context should be run after this.
session [success=ok ignore=ignore module_unknown=ignore default=bad]        pam_selinux.so open

# Standard Un*x password updating.
@include common-password
";

/// Of both.
const SUDO: &str = "\
#%PAM-1.0

# Set up user limits from /etc/security/limits.conf.
session    required   pam_limits.so

@include common-auth
@include common-account
@include common-session-noninteractive
";

/// Of both.
const SUDO_I: &str = "\
#%PAM-1.0

# Set up user limits from /etc/security/limits.conf.
session    required   pam_limits.so

@include common-auth
@include common-account
@include common-session
";

fn service(name: &str) -> &'static Service {
    SERVICES.iter().find(|service| service.name == name).unwrap()
}

/// The lines that PAM sees, one space between words.
fn seen(text: &str) -> Vec<String> {
    let lines = text.lines().map(effective).filter(|line| !line.is_empty());
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn debians_files_get_our_lines_where_they_belong() {
    for text in [SSHD_BOOKWORM, SSHD_TRIXIE] {
        let edited = seen(&service("sshd").edit(text).unwrap());
        let at = |line: &str| edited.iter().position(|seen| seen == line).unwrap();
        assert_eq!(edited[0], "auth required pam_jit.so");
        assert_eq!(at("account required pam_jit.so") + 1, at("@include common-account"));
        assert_eq!(at("session required pam_jit.so"), at("@include common-session") + 1);
        assert!(at("session required pam_loginuid.so") < at("session required pam_jit.so"));
        assert!(!edited.contains(&"@include common-auth".to_owned()));
        assert_eq!(edited.len(), seen(text).len() + 2);
    }
    assert_eq!(
        seen(&service("sudo").edit(SUDO).unwrap()),
        [
            "session required pam_limits.so",
            "auth required pam_jit.so",
            "account required pam_jit.so",
            "@include common-account",
            "@include common-session-noninteractive",
            "session required pam_jit.so",
        ]
    );
    let edited = seen(&service("sudo-i").edit(SUDO_I).unwrap());
    assert_eq!(edited[4..], ["@include common-session", "session required pam_jit.so"]);
}

#[test]
fn the_original_comes_back_to_the_byte_and_a_second_edit_changes_nothing() {
    let cut = SUDO.trim_end();
    for (name, text) in [
        ("sshd", SSHD_BOOKWORM),
        ("sshd", SSHD_TRIXIE),
        ("sudo", SUDO),
        ("sudo", cut),
        ("sudo-i", SUDO_I),
    ] {
        let edited = service(name).edit(text).unwrap();
        assert_ne!(edited, text);
        assert_eq!(marks::original(&edited), text, "{name}");
        assert_eq!(service(name).edit(&edited).unwrap(), edited, "{name}");
    }
}

#[test]
fn a_file_of_another_shape_is_refused_and_the_lines_are_told() {
    let refused = |text: String, why: &str| {
        let error = service("sudo").edit(&text).unwrap_err();
        assert!(error.what().contains(why), "{error}");
        assert!(error.what_next().unwrap().contains("account    required     pam_jit.so"));
    };
    refused(SUDO.replace("@include common-auth", ""), "no `@include common-auth`");
    refused(format!("{SUDO}@include common-account\n"), "more than once");
    refused(format!("auth sufficient pam_x.so\n{SUDO}"), "an auth line of its own");
    refused(format!("{SUDO}auth optional pam_x.so\n"), "an auth line of its own");
    for skips in [
        "account sufficient pam_x.so",
        "-session sufficient pam_x.so",
        "account [success=1 default=ignore] pam_x.so",
        "account [success=done default=bad] pam_x.so",
        "session substack other",
        "account include other",
    ] {
        refused(format!("{skips}\n{SUDO}"), "can skip");
    }
    refused(SUDO.replace("pam_limits.so", "pam_limits.so \\"), "goes on in the next");
    let bare = SSHD_TRIXIE.replace("pam_loginuid.so", "pam_permit.so");
    let error = service("sshd").edit(&bare).unwrap_err();
    assert!(error.what().contains("pam_loginuid.so does not come before"), "{error}");
}

#[test]
fn what_an_admin_did_by_hand_stays_as_it_is() {
    let by_hand = "auth required pam_jit.so\naccount required pam_jit.so\naccount required \
                   pam_unix.so\nsession required pam_jit.so\n";
    assert_eq!(service("sudo").edit(by_hand).unwrap(), by_hand);
    // A part of it is no setup.
    let part = format!("auth required pam_jit.so\n{SUDO}");
    assert!(service("sudo").edit(&part).is_err());
}
