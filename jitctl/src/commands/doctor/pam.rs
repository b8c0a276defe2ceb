//! The doctor's checks of a PAM service: that pam_jit is asked in every phase, that no line before it
//! can end or skip the stack, and that it stands where it has to. See pam.conf(5).

use std::cell::RefCell;

use super::report::Finding;

/// Our module.
const MODULE: &str = "pam_jit.so";
/// Included files below included files that are read.
const DEPTH: u8 = 16;

/// The file of a PAM service, if there is one.
pub type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A line of a service, with those of included files in their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `auth`, `account`, `session`, `password`.
    pub phase: String,
    /// Whether a missing module is passed over without a word: `-session …`.
    pub quiet: bool,
    /// `required`, `[success=1 default=ignore]`.
    pub control: String,
    /// The module as it is written.
    pub module: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Comes from a substack: what ends that does not end the stack around it.
    pub enclosed: bool,
}

impl Line {
    fn is(&self, module: &str) -> bool {
        self.module.rsplit('/').next() == Some(module)
    }

    /// The actions of the control: `success` and what follows from it.
    fn actions(&self) -> Vec<(&str, &str)> {
        match self.control.as_str() {
            "required" | "requisite" => vec![],
            "sufficient" => vec![("success", "done"), ("default", "ignore")],
            "optional" => vec![("default", "ignore")],
            control => control
                .trim_matches(['[', ']'])
                .split_whitespace()
                .filter_map(|action| action.split_once('='))
                .collect(),
        }
    }

    /// Whether it can end the stack with a yes.
    fn may_end(&self) -> bool {
        !self.enclosed && self.actions().iter().any(|(_, action)| *action == "done")
    }

    /// The most lines of its phase that it may jump over.
    fn may_skip(&self) -> usize {
        self.actions().iter().filter_map(|(_, action)| action.parse().ok()).max().unwrap_or(0)
    }
}

/// Reads a service; an include that can't be followed is an error, as it is to libpam.
///
/// # Errors
/// What can't be read, in a few words.
pub fn lines(service: &str, read: Read<'_>) -> Result<Vec<Line>, String> {
    let mut found = Vec::new();
    collect(service, None, false, read, DEPTH, &mut found)?;
    Ok(found)
}

fn collect(
    service: &str,
    only: Option<&str>,
    enclosed: bool,
    read: Read<'_>,
    depth: u8,
    found: &mut Vec<Line>,
) -> Result<(), String> {
    let text = read(service).ok_or_else(|| format!("there is no PAM service {service}"))?;
    if depth == 0 {
        return Err(format!("PAM service {service} includes itself"));
    }
    for line in text.replace("\\\n", " ").lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(file) = line.strip_prefix("@include") {
            collect(file.trim(), only, enclosed, read, depth - 1, found)?;
            continue;
        }
        let Some((phase, rest)) = line.split_once(char::is_whitespace) else { continue };
        let (quiet, phase) = phase.strip_prefix('-').map_or((false, phase), |phase| (true, phase));
        let phase = phase.to_ascii_lowercase();
        if only.is_some_and(|only| only != phase) {
            continue;
        }
        let rest = rest.trim_start();
        let (control, rest) = match rest.find(']') {
            Some(end) if rest.starts_with('[') => rest.split_at(end + 1),
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        let mut words = rest.split_whitespace();
        let module = words.next().unwrap_or_default().to_owned();
        if let control @ ("include" | "substack") = control {
            let enclosed = enclosed || control == "substack";
            collect(&module, Some(&phase), enclosed, read, depth - 1, found)?;
            continue;
        }
        found.push(Line {
            phase,
            quiet,
            control: control.to_ascii_lowercase(),
            module,
            arguments: words.map(ToOwned::to_owned).collect(),
            enclosed,
        });
    }
    Ok(())
}

/// A file of the service with carriage returns, which libpam takes for a part of the last word.
pub fn line_ends(service: &str, read: Read<'_>) -> Option<Finding> {
    let bad = RefCell::new(None);
    let noted = |name: &str| {
        let text = read(name)?;
        if text.contains('\r') {
            bad.borrow_mut().get_or_insert_with(|| name.to_owned());
        }
        Some(text)
    };
    // What can't be followed is told elsewhere.
    let _ = lines(service, &noted);
    bad.into_inner().map(|file| {
        Finding::fail(
            format!("PAM service {service}: {file} has lines that end with a carriage return"),
            "libpam then finds none of its modules: every login and every sudo is denied.",
            format!("sed -i 's/\\r$//' /etc/pam.d/{file}"),
        )
    })
}

/// The paths under which a service names our module.
pub fn modules(lines: &[Line]) -> Vec<&str> {
    lines.iter().filter(|line| line.is(MODULE)).map(|line| line.module.as_str()).collect()
}

/// Checks one service, which sudo asks or, for `of_sshd`, sshd.
pub fn check(service: &str, lines: &[Line], of_sshd: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for (phase, without) in [
        ("auth", "No code is asked for."),
        ("account", "Nobody asks for a grant: whoever proves who they are gets in."),
        ("session", "Sessions are not recorded, so nobody ends them."),
    ] {
        let stack: Vec<&Line> = lines.iter().filter(|line| line.phase == phase).collect();
        let Some(at) = stack.iter().position(|line| line.is(MODULE)) else {
            let found_none = format!("PAM service {service}: no {MODULE} in {phase}");
            found.push(Finding::fail(found_none, without, line_for(service, phase)));
            continue;
        };
        found.extend(in_its_place(service, phase, &stack, at, of_sshd));
    }
    if found.is_empty() {
        found.push(Finding::ok(format!("PAM service {service} asks {MODULE} in every phase")));
    }
    found
}

/// What is wrong about our line, which is number `at` of its stack.
fn in_its_place(
    service: &str,
    phase: &str,
    stack: &[&Line],
    at: usize,
    of_sshd: bool,
) -> Vec<Finding> {
    let ours = stack[at];
    let mut found = Vec::new();
    let mut fail = |what: String, why: &'static str| {
        let what = format!("PAM service {service}: {what}");
        found.push(Finding::fail(what, why, line_for(service, phase)));
    };
    if !matches!(ours.control.as_str(), "required" | "requisite") {
        fail(
            format!("{MODULE} is `{}` in {phase}", ours.control),
            "Its no has to count, and its yes must not be the last word.",
        );
    }
    if ours.quiet {
        fail(
            format!("{MODULE} may be missing in {phase}"),
            "With `-` before the line, the stack goes on without the module when it is gone.",
        );
    }
    for (number, before) in stack[..at].iter().enumerate() {
        if before.may_end() {
            fail(
                format!(
                    "{} stands before {MODULE} in {phase} and can end the stack",
                    before.module
                ),
                "Where it says yes, nobody asks for code and grant.",
            );
        } else if number + before.may_skip() >= at {
            fail(
                format!("{} stands before {MODULE} in {phase} and can jump over it", before.module),
                "Where it does, nobody asks for code and grant.",
            );
        }
    }
    if phase == "session" {
        let after = |module: &str| stack[at..].iter().any(|line| line.is(module));
        if after("pam_systemd.so") {
            fail(
                format!("{MODULE} stands before pam_systemd.so in session"),
                "It then can't record the scope by which systemd would end the session.",
            );
        }
        let there = stack.iter().any(|line| line.is("pam_loginuid.so"));
        if of_sshd && (after("pam_loginuid.so") || !there) {
            fail(
                format!("pam_loginuid.so does not stand before {MODULE} in session"),
                "A session without an audit session of its own is not opened.",
            );
        }
    }
    if phase == "auth" && stack.iter().any(|line| line.is("pam_unix.so")) {
        found.push(Finding::warn(
            format!("PAM service {service}: pam_unix.so is asked in auth, too"),
            "People then need their password besides key and code.",
            format!("Take `@include common-auth` out of /etc/pam.d/{service}"),
        ));
    }
    found
}

/// The line, and where it goes.
fn line_for(service: &str, phase: &str) -> String {
    let place = match (phase, service) {
        ("auth", _) => "in place of `@include common-auth`",
        ("account", _) => "before `@include common-account`",
        (_, "sudo") => "after `@include common-session-noninteractive`",
        _ => "after `@include common-session`",
    };
    format!("Put `{phase} required {MODULE}` {place} in /etc/pam.d/{service}; or: jitctl setup")
}

/// A configuration that the module is told to use in place of the one that is looked at.
pub fn other_configuration(service: &str, lines: &[Line], config: &str) -> Vec<Finding> {
    let ours = lines.iter().filter(|line| line.is(MODULE));
    let other = |line: &Line| {
        let named = line.arguments.iter().find_map(|argument| argument.strip_prefix("config="));
        named.filter(|named| *named != config).map(ToOwned::to_owned)
    };
    let mut found: Vec<Finding> = Vec::new();
    for file in ours.filter_map(other) {
        let finding = Finding::fail(
            format!("PAM service {service}: {MODULE} goes by {file}"),
            "Grants and people of this configuration count for nothing there.",
            format!("Take config={file} out of /etc/pam.d/{service}"),
        );
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    found
}

#[cfg(test)]
mod tests;
