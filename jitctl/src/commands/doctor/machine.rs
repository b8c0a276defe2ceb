//! The doctor's checks of the machine around it: systemd, logind, clock, jitd at boot, lingering.

use super::ask::Said;
use jit_core::Result as Outcome;
use jit_core::time::spoken;

use super::report::Finding;
use crate::commands::setup::{UNIT, Waiting};
use crate::output::joined;

/// What a program said, or why it did not.
pub type Answer = Result<Said, String>;

/// `systemctl is-system-running`: one that is up with a failed unit will do.
pub fn systemd(answer: &Answer) -> Finding {
    let why = "Sessions are ended by way of their scopes, and jitd is a service of it.";
    match answer {
        Ok(said) => match said.out.trim() {
            state @ ("running" | "degraded" | "starting" | "initializing") => {
                Finding::ok(format!("systemd answers: {state}"))
            }
            state @ ("maintenance" | "stopping") => {
                Finding::warn(format!("systemd answers: {state}"), why, "systemctl status")
            }
            _ => Finding::fail("systemd does not answer", why, "systemctl status"),
        },
        Err(how) => Finding::fail(how.clone(), why, "systemctl status"),
    }
}

/// `systemctl --failed --plain --no-legend`: units of ours among them.
pub fn failed_units(answer: &Answer) -> Option<Finding> {
    let said = answer.as_ref().ok()?;
    let names = said.out.lines().filter_map(|line| line.split_whitespace().next());
    let ours: Vec<&str> = names.filter(|name| ["jitd.service", UNIT].contains(name)).collect();
    let first = ours.first()?;
    Some(Finding::fail(
        format!("failed units: {}", joined(&ours, " ")),
        "jitd ends sessions; the rollback takes back a setup that nobody confirmed.",
        format!("journalctl -u {first} -n 20 says why; then systemctl restart {first}"),
    ))
}

/// A setup that nobody has confirmed yet.
pub fn setup(waiting: Outcome<Option<Waiting>>) -> Option<Finding> {
    let why = "What is not confirmed goes back: sshd and PAM are then as before it.";
    match waiting {
        Ok(None) => None,
        Ok(Some(Waiting { left: 0, .. })) => Some(Finding::fail(
            "a setup that nobody confirmed has not gone back yet",
            why,
            format!("journalctl -u {UNIT} -n 20 says why; or: jitctl setup --undo"),
        )),
        Ok(Some(Waiting { since, left })) => Some(Finding::warn(
            format!(
                "a setup waits for its confirmation since {}; it goes back in {}",
                spoken(since),
                spoken(left)
            ),
            why,
            "From a new login: sudo jitctl setup --confirm; or: jitctl setup --undo",
        )),
        Err(error) => Some(Finding::error(&error, why)),
    }
}

/// `loginctl list-sessions`.
pub fn logind(answer: &Answer) -> Finding {
    let why = "It makes the scope of a session, by which all of it is ended.";
    let mend = "systemctl restart systemd-logind; apt-get install libpam-systemd";
    match answer {
        Ok(said) if said.ok => Finding::ok("logind answers"),
        Ok(said) => Finding::fail(format!("logind does not answer: {}", said.trouble), why, mend),
        Err(how) => Finding::fail(how.clone(), why, mend),
    }
}

/// `timedatectl show -p NTPSynchronized --value`.
pub fn clock(answer: &Answer) -> Finding {
    let found = match answer {
        Ok(said) if said.out.trim() == "yes" => return Finding::ok("the clock is kept in step"),
        Ok(said) if said.out.trim() == "no" => "nothing keeps the clock in step".to_owned(),
        Ok(said) => {
            format!("timedatectl does not tell whether the clock is in step: {}", said.trouble)
        }
        Err(how) => how.clone(),
    };
    Finding::warn(
        found,
        "Codes and windows go by the clock: one that drifts lets people in late, or not at all.",
        "timedatectl set-ntp true; apt-get install systemd-timesyncd",
    )
}

/// `systemctl is-enabled jitd`.
pub fn at_boot(answer: &Answer) -> Finding {
    match answer {
        Ok(said) if said.out.trim() == "enabled" => Finding::ok("jitd starts at boot"),
        _ => Finding::warn(
            "jitd does not start at boot",
            "Until somebody starts it by hand no session is opened.",
            "systemctl enable jitd",
        ),
    }
}

/// Who has `loginctl enable-linger`.
pub fn lingering(users: &[String]) -> Finding {
    if users.is_empty() {
        return Finding::ok("no user lingers");
    }
    Finding::warn(
        format!("lingering users: {}", joined(users, " ")),
        "Their services run without a session, from boot on.",
        format!("loginctl disable-linger {}", joined(users, " ")),
    )
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    fn said(ok: bool, out: &str) -> Answer {
        Ok(Said { ok, out: out.into(), trouble: "Failed to connect to bus".into() })
    }

    #[test]
    fn answers_are_judged_by_what_they_say() {
        for (finding, level) in [
            (systemd(&said(true, "running\n")), Level::Ok),
            (systemd(&said(false, "degraded\n")), Level::Ok),
            (systemd(&said(false, "maintenance\n")), Level::Warn),
            (systemd(&said(false, "offline\n")), Level::Fail),
            (systemd(&said(false, "")), Level::Fail),
            (systemd(&Err("systemctl did not answer within 5 s".into())), Level::Fail),
            (logind(&said(true, "")), Level::Ok),
            (logind(&said(false, "")), Level::Fail),
            (logind(&Err("x".into())), Level::Fail),
            (clock(&said(true, "yes\n")), Level::Ok),
            (clock(&said(true, "no\n")), Level::Warn),
            (clock(&said(false, "")), Level::Warn),
            (clock(&Err("x".into())), Level::Warn),
            (at_boot(&said(true, "enabled\n")), Level::Ok),
            (at_boot(&said(false, "disabled\n")), Level::Warn),
            (at_boot(&said(false, "")), Level::Warn),
            (lingering(&[]), Level::Ok),
            (setup(Ok(Some(Waiting { since: 5, left: 10 }))).unwrap(), Level::Warn),
            (setup(Ok(Some(Waiting { since: 15, left: 0 }))).unwrap(), Level::Fail),
            (
                failed_units(&said(true, "x.service\njit-setup-rollback.service loaded\n"))
                    .unwrap(),
                Level::Fail,
            ),
            (lingering(&["alice".into()]), Level::Warn),
        ] {
            assert_eq!(finding.level, level, "{finding:#?}");
            assert_eq!(finding.mend.is_some(), level != Level::Ok);
        }
        assert_eq!(failed_units(&said(true, "x.service loaded\n")), None);
        assert_eq!(setup(Ok(None)), None);
    }
}
