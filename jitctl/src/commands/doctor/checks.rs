//! The doctor's checks of what the configuration, the store and the policy say.

use std::os::unix::fs::FileTypeExt;

use jit_core::audit::hex;
use jit_core::authority::Authority;
use jit_core::config::{Config, SecondFactor};
use jit_core::policy::{Policy, doubts};
use jit_core::store::CaKind;
use jit_core::{Kind, Result};

use super::report::Report;
use crate::output::{count, joined};

/// What the configuration allows, and the machine around it.
pub fn configured(config: &Config, report: &mut Report) {
    match config.exempt_logins.as_slice() {
        [] => report.ok("no login is exempt".into()),
        logins => report.warn(
            format!("exempt logins: {}", joined(logins, " ")),
            "They get in without a grant and without a second factor.",
            "Take those out of exempt_logins that need it no more.",
        ),
    }
    if config.second_factor == SecondFactor::None {
        report.warn(
            "logins need no second factor".into(),
            "A stolen key is enough while a grant is active.",
            "Set second_factor = \"required\".",
        );
    }
    let Some(socket) = &config.syslog_socket else {
        report.ok("no copy of the log goes to syslog".into());
        return;
    };
    // Followed, as what is sent is: /dev/log is a link where journald runs.
    if std::fs::metadata(socket).is_ok_and(|meta| meta.file_type().is_socket()) {
        report.ok(format!("copies of the log go to {}", socket.display()));
    } else {
        report.warn(
            format!("there is no syslog socket {}", socket.display()),
            "Why a login was denied is then in no log but ours, and nowhere if the store is down.",
            "Start a syslog daemon, or set syslog_socket.",
        );
    }
}

/// Whether the store is what we wrote.
pub fn is_undamaged(authority: &Authority, report: &mut Report) -> bool {
    report
        .check(
            heard(authority, authority.check_store()),
            |()| "the store is undamaged".into(),
            "What is damaged lets nobody in; what else was edited, nobody knows.",
        )
        .is_some()
}

/// That somebody edited what is stored is for syslog, too: whoever reads that need not be who asks.
fn heard<T>(authority: &Authority, result: Result<T>) -> Result<T> {
    result.inspect_err(|error| {
        if error.kind() == Kind::Tampered {
            authority.syslog().trouble(&format!("doctor: {error}"));
        }
    })
}

/// What an undamaged store says: the grants, the log, and what this host needs of them.
pub fn stored(authority: &Authority, report: &mut Report) {
    report.check(
        heard(authority, authority.check_grants()),
        |()| "every grant in force is what was approved".into(),
        "It may have been written into the store, or whoever approved it lost their key since.",
    );
    report.check(
        heard(authority, authority.verify_log()),
        |state| {
            let head = state.head.as_ref().map_or_else(|| "-".into(), |head| hex(&head.hash));
            format!("the log is whole: {}, head {head:.16}…", count(state.records, "record"))
        },
        "Somebody may have rewritten what happened.",
    );
    report.check(
        authority.now(),
        |now| format!("the clock is not behind the log: {}", now.local()),
        "With a clock that was set back, used codes and windows that have ended would count again.",
    );
    let host = &authority.config().host;
    report.check(
        authority.host(host).map_err(|e| e.next(format!("jitctl host add {host}"))),
        |host| {
            format!("this host, {}, is enrolled; labels: {}", host.name, joined(&host.labels, " "))
        },
        "Nobody gets into a host that is not enrolled.",
    );
    break_glass(authority, report);
    for kind in [CaKind::User, CaKind::Host] {
        let why = "Without it no certificate can be signed; logins by key work.";
        match authority.ca_keys(kind) {
            Ok(keys) => match keys.first() {
                Some(key) => report.ok(format!("{kind} CA key {} is there", key.fingerprint)),
                None => report.warn(format!("there is no {kind} CA key"), why, "ssh-ca init"),
            },
            Err(error) => {
                report.check(Err::<(), _>(error), |()| String::new(), why);
            }
        }
    }
}

/// Whether somebody ends sessions.
pub fn keeper(authority: &Authority, report: &mut Report) {
    if authority.keeper_runs() {
        report.ok("jitd runs".into());
    } else {
        report.fail(
            "jitd does not run".into(),
            "No session is opened that nobody could end, and open ones go on.",
            "systemctl start jitd",
        );
    }
}

/// Whether the glass can be broken, and whether the last time was looked at.
fn break_glass(authority: &Authority, report: &mut Report) {
    let glass = match authority.break_glass_uses() {
        Ok(glass) => glass,
        Err(error) => {
            let why = "Nobody gets in by a break-glass code.";
            report.check(Err::<(), _>(error), |()| String::new(), why);
            return;
        }
    };
    if let Some(last) = glass.unreviewed() {
        report.warn(
            last.blocks(),
            "Somebody got in past the policy, and no other code works until it is looked at.",
            format!("jitctl break-glass review {} --as REVIEWER --note TEXT", last.id),
        );
    }
    if authority.config().break_glass.members.is_empty() {
        return;
    }
    match glass.codes_left() {
        0 => report.warn(
            "there is no break-glass code left".into(),
            "When nobody can approve, nobody gets in.",
            "jitctl break-glass create",
        ),
        left => report.ok(format!("break-glass codes left: {left}")),
    }
}

/// People who could not log in or approve whatever they were granted.
pub fn people(authority: &Authority, report: &mut Report) {
    let why = "Nobody can be looked up, so nobody gets in.";
    let Some(people) = report.check(
        authority.people(),
        |people| format!("people enrolled: {}", people.len()),
        why,
    ) else {
        return;
    };
    for person in people.iter().filter(|person| !person.suspended) {
        let name = &person.name;
        match authority.keys(name) {
            Ok(keys) if keys.is_empty() => report.warn(
                format!("{name} has no identity key"),
                "Who has none does not get as far as a prompt.",
                format!("jitctl user key {name} --add FILE.pub"),
            ),
            Ok(_) => {}
            Err(error) => {
                report.check(Err::<(), _>(error), |()| String::new(), why);
            }
        }
        match authority.factor_status(name) {
            Ok(factor) if factor.locked_out => report.warn(
                format!("{name} is locked out"),
                "Too many wrong codes in a row: somebody may be guessing.",
                format!("jitctl audit show, then jitctl mfa reset {name}"),
            ),
            // In a fleet, factors are the authority's to know.
            Ok(_) if authority.config().authority.is_some() => {}
            Ok(factor) if !factor.enrolled => report.warn(
                format!("{name} has no second factor"),
                "Without one they can neither log in nor approve.",
                format!("jitctl mfa enroll {name}"),
            ),
            Ok(_) => {}
            Err(error) => {
                report.check(Err::<(), _>(error), |()| String::new(), why);
            }
        }
    }
}

/// The policy that is in force while the one in the file does not parse.
pub fn stand_in(authority: &Authority, report: &mut Report) {
    if let Ok(policy) = authority.policy() {
        report.warn(
            format!("version {} of the policy, the last good one, stays in force", policy.version),
            "What was changed in the file since has no effect.",
            format!("Mend {}; then jitctl policy check", authority.config().policy_file.display()),
        );
    }
}

/// A policy that names what there is none of.
pub fn policy(authority: &Authority, policy: &Policy, report: &mut Report) {
    let (Ok(people), Ok(hosts)) = (authority.people(), authority.hosts()) else { return };
    for doubt in doubts(policy, &people, &hosts) {
        report.warn(
            doubt,
            "The policy and the people and hosts there are do not fit together.",
            format!("Edit {}; then jitctl policy check", authority.config().policy_file.display()),
        );
    }
}
