//! The doctor's checks of sudoers, sudo's and sudo-rs': that PAM is asked for the account at each
//! command, and which PAM services are. See sudoers(5).

use std::collections::BTreeSet;

use super::report::Finding;

/// Included files below included files that are read, as sudo does it.
const DEPTH: u8 = 128;

/// What a path of an include leads to: files, each with its name and text.
pub type Read<'a> = &'a dyn Fn(&str) -> Vec<(String, String)>;

/// One option of a `Defaults` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The file it stands in.
    pub file: String,
    /// `name`, `!name`, `name=value`.
    pub text: String,
}

/// Every `Defaults` option, those of included files too, for whomever they are.
pub fn settings(path: &str, read: Read<'_>) -> Vec<Setting> {
    let mut found = Vec::new();
    collect(path, read, DEPTH, &mut found);
    found
}

fn collect(path: &str, read: Read<'_>, depth: u8, found: &mut Vec<Setting>) {
    for (file, text) in read(path) {
        for line in text.replace("\\\n", "").lines() {
            let line = line.trim();
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            match word {
                "@include" | "#include" | "@includedir" | "#includedir" if depth > 0 => {
                    // A path that is not absolute is one beside the file.
                    let target = rest.trim().trim_matches('"');
                    let beside = file.rsplit_once('/').map_or("", |(directory, _)| directory);
                    let target = match target.strip_prefix('/') {
                        Some(_) => target.to_owned(),
                        None => format!("{beside}/{target}"),
                    };
                    let directory = if word.ends_with("dir") { "/" } else { "" };
                    collect(&format!("{target}{directory}"), read, depth - 1, found);
                }
                _ if word.starts_with("Defaults") => {
                    let options = options(rest);
                    found.extend(options.map(|text| Setting { file: file.clone(), text }));
                }
                _ => {}
            }
        }
    }
}

/// `a, !b, c = "x, y"`, up to a comment.
fn options(text: &str) -> impl Iterator<Item = String> {
    let mut options = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => break,
            ',' if !quoted => options.push(String::new()),
            c if c.is_whitespace() && !quoted => {}
            c => {
                if let Some(option) = options.last_mut() {
                    option.push(c);
                }
            }
        }
    }
    options.into_iter().filter(|option| !option.is_empty())
}

/// The PAM services that are asked.
pub fn services(settings: &[Setting]) -> BTreeSet<String> {
    let mut services = BTreeSet::from(["sudo".to_owned(), "sudo-i".to_owned()]);
    for setting in settings {
        if let Some(("pam_service" | "pam_login_service", name)) = setting.text.split_once('=') {
            services.insert(name.to_owned());
        }
    }
    services
}

/// Checks what is set.
pub fn check(settings: &[Setting]) -> Vec<Finding> {
    let mut found = Vec::new();
    for Setting { file, text } in settings {
        let mend = || format!("Take `{text}` out of it: visudo -f {file}");
        let set = format!("sudoers: `{text}` in {file}");
        let name = text.split(['=', '+', '-']).next().unwrap_or_default();
        match name {
            "!pam_acct_mgmt" => found.push(Finding::fail(
                set,
                "The grant is asked for in PAM's account phase: without it sudo works for good.",
                mend(),
            )),
            "!pam_session" => found.push(Finding::fail(
                set,
                "A command that sudo runs is then not recorded, so nobody ends it.",
                mend(),
            )),
            "intercept" | "log_subcmds" => found.push(Finding::warn(
                set,
                "sudo then traces all that a command starts, which jitd does not reckon with, and \
                 asks for no grant for it.",
                mend(),
            )),
            _ => {}
        }
    }
    if found.is_empty() {
        found.push(Finding::ok("sudoers leaves the say to PAM"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    /// As Debian 12 and 13 have it.
    const STOCK: &str = "#\n# This file MUST be edited with the 'visudo' command as root.\n\
Defaults\tenv_reset\nDefaults\tmail_badpass\n\
Defaults\tsecure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n\
Defaults\tuse_pty\n#Defaults:%sudo env_keep += \"http_proxy\"\nroot\tALL=(ALL:ALL) ALL\n\
%sudo\tALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n";

    fn with(more: &str) -> Vec<Setting> {
        let read = |path: &str| match path {
            "/etc/sudoers" => vec![(path.to_owned(), STOCK.to_owned())],
            "/etc/sudoers.d/" => vec![("/etc/sudoers.d/x".to_owned(), more.to_owned())],
            _ => vec![],
        };
        settings("/etc/sudoers", &read)
    }

    #[test]
    fn a_stock_file_is_sound() {
        let settings = with("alice ALL=(ALL) NOPASSWD: ALL\n");
        assert_eq!(settings.len(), 4);
        assert_eq!(check(&settings).iter().map(|f| f.level).collect::<Vec<_>>(), [Level::Ok]);
        assert_eq!(services(&settings), ["sudo", "sudo-i"].map(Into::into).into());
    }

    #[test]
    fn what_keeps_pam_out_is_named_with_its_file() {
        for (line, level) in [
            ("Defaults !pam_acct_mgmt\n", Level::Fail),
            ("Defaults:alice env_reset, ! pam_acct_mgmt # why\n", Level::Fail),
            ("Defaults>root \\\n  !pam_acct_mgmt\n", Level::Fail),
            ("Defaults!/bin/ls !pam_session\n", Level::Fail),
            ("Defaults intercept\n", Level::Warn),
            ("Defaults log_subcmds\n", Level::Warn),
        ] {
            let found = check(&with(line));
            assert_eq!((found.len(), found[0].level), (1, level), "{line}: {found:#?}");
            assert!(found[0].mend.as_ref().unwrap().contains("visudo -f /etc/sudoers.d/x"));
        }
        for line in
            ["# Defaults !pam_acct_mgmt\n", "Defaults badpass_message=\"a, !pam_acct_mgmt\"\n"]
        {
            assert_eq!(check(&with(line))[0].level, Level::Ok, "{line}");
        }
    }

    #[test]
    fn another_pam_service_is_found() {
        let found =
            services(&with("Defaults:bob pam_service = other, pam_login_service=\"more\"\n"));
        assert_eq!(found, ["sudo", "sudo-i", "other", "more"].map(Into::into).into());
    }

    #[test]
    fn includes_are_followed_and_end() {
        let read = |path: &str| vec![(path.to_owned(), "@include again\nDefaults a\n".to_owned())];
        assert_eq!(settings("/etc/sudoers", &read).len(), usize::from(DEPTH) + 1);
    }
}
