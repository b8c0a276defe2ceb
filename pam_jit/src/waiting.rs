//! Waiting at the prompt for the answer to a request, and saying how it stands.

use jit_core::grant::{Action, Phase};
use jit_core::login::Standing;
use jit_core::name::PersonName;
use jit_core::time::spoken;

use crate::breakglass;
use crate::caller::Caller;
use crate::conversation::{Echo, NoAnswer, Pam};
use crate::hook::Desk;
use crate::refusal::Refusal;

const WAITING: &str = "Waiting for approval. Press Enter to check again: ";
const WAITING_OR_BREAK: &str =
    "Waiting for approval. Press Enter to check again, b to break the glass: ";

/// How many of those who can approve are named.
const NAMED: usize = 5;

/// Waits until the request is active; false where they would rather break the glass. The person says
/// when to look again, as a hook can only wait at a prompt; so the wait ends at the first look after
/// its time.
///
/// # Errors
/// They left, or the request is not approved in time; it stands all the same.
pub fn wait(
    desk: Desk<'_>,
    pam: &mut dyn Pam,
    caller: &Caller,
    mut standing: Standing,
    may_break: bool,
) -> Result<bool, Refusal> {
    let millis = || {
        let boot = desk.clock.boot().map_err(|error| Refusal::from_error(&error, None));
        boot.map(|moment| moment.millis)
    };
    let until = millis()?.saturating_add(desk.config.prompt_wait.secs() * 1000);
    let prompt = if may_break { WAITING_OR_BREAK } else { WAITING };
    let mut looked = false;
    loop {
        match standing.phase {
            Phase::Active => {
                if looked && let Some(who) = listed(&standing.approved_by, "and") {
                    pam.say(&format!("Request {} was approved by {who}.", standing.id));
                }
                return Ok(true);
            }
            Phase::Requested => {}
            _ => return Err(Refusal::saying(verdict(&standing))),
        }
        let left = until.saturating_sub(millis()?);
        if left == 0 {
            return Err(Refusal::saying(still_waiting(&standing, caller)));
        }
        if looked {
            pam.say(&state(&standing, left.div_ceil(1000)));
        }
        match pam.ask(prompt, Echo::On) {
            Ok(typed) if may_break && typed.expose().trim() == breakglass::WORD => {
                return Ok(false);
            }
            Err(NoAnswer::CannotAsk) => {
                return Err(Refusal::saying(still_waiting(&standing, caller)));
            }
            Ok(_) | Err(NoAnswer::Unreadable) => {}
        }
        looked = true;
        standing = desk.service.standing(&standing.id).map_err(|error| {
            Refusal::from_error(&error, Some(&still_waiting(&standing, caller)))
        })?;
    }
}

/// `Request k7q2-m9xd filed for alice@web-1, 30m. bob or carol can approve: jitctl approve k7q2-m9xd`
pub fn announcement(filed: &Standing, target: &str) -> String {
    let id = &filed.id;
    let filed_for = format!("Request {id} filed for {target}, {}.", filed.duration);
    match listed(&filed.approvers, "or") {
        Some(who) => format!("{filed_for} {who} can approve: jitctl approve {id}"),
        None => format!(
            "{filed_for} Nobody here can approve it. An administrator can see why: jitctl show {id}"
        ),
    }
}

/// `1 of 2 approvals (bob); waiting for 1 of @security: dora or ed. 31 s left here.`
fn state(standing: &Standing, seconds: u64) -> String {
    let had = standing.approved_by.len();
    let missing: usize = standing.missing.iter().map(|needed| needed.count as usize).sum();
    let by = listed(&standing.approved_by, "and").map_or(String::new(), |who| format!(" ({who})"));
    let needed: Vec<_> = standing.missing.iter().map(ToString::to_string).collect();
    let who = listed(&standing.approvers, "or").unwrap_or_else(|| "nobody here can give it".into());
    format!(
        "{had} of {} approvals{by}; waiting for {}: {who}. {} left here.",
        had + missing,
        needed.join(" and "),
        spoken(seconds)
    )
}

/// `bob`, `bob or carol`, `bob, carol or dora`; of many, the first few.
fn listed(people: &[PersonName], last: &str) -> Option<String> {
    let mut names: Vec<String> = people.iter().take(NAMED).map(ToString::to_string).collect();
    if people.len() > NAMED {
        names.push(format!("{} others", people.len() - NAMED));
    }
    let end = names.pop()?;
    Some(if names.is_empty() { end } else { format!("{} {last} {end}", names.join(", ")) })
}

fn verdict(standing: &Standing) -> String {
    let id = &standing.id;
    match (standing.phase, &standing.answer) {
        (Phase::Denied, Some(answer)) => format!("Request {id} was denied ({answer})."),
        (Phase::Lapsed, _) => format!("Nobody decided on request {id} in time. Ask again."),
        (phase, _) => format!("Request {id} is {phase}."),
    }
}

fn still_waiting(standing: &Standing, caller: &Caller) -> String {
    let again = match caller.attempt.action {
        Action::Login => "log in again",
        Action::Sudo => "run the command again",
    };
    let id = &standing.id;
    let who = listed(&standing.approvers, "or")
        .map_or(String::new(), |who| format!(" {who} can approve it: jitctl approve {id}"));
    format!(
        "Still waiting for approval. Request {id} stands until {}; {again} once it is approved.{who}",
        standing.lapses_at.local_hour()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Hook::Account;
    use crate::testing::{NOW, Scripted, Stage, Told, at, granted, no_cover, standing, used};
    use jit_core::breakglass::Verdict;
    use jit_core::error::Error;

    const NO_GRANT: &str = "No active grant for alice@web-1.";
    const REASON: &str = "Reason for access (empty to leave): ";
    const HOW_LONG: &str = "For how long? [30m, at most 1h]: ";
    const FILED: &str = "Request k7q2-m9xd filed for alice@web-1, 30m. \
                         bob or carol can approve: jitctl approve k7q2-m9xd";

    fn play(told: Told, mut script: Scripted) -> (Result<(), Refusal>, Vec<String>) {
        Stage::new().play(Account, told, &mut script)
    }

    fn said(outcome: Result<(), Refusal>) -> String {
        outcome.unwrap_err().say.unwrap()
    }

    fn script() -> Scripted {
        asked_with(REASON).says(FILED)
    }

    fn asked_with(reason: &'static str) -> Scripted {
        Scripted::ssh().complains(NO_GRANT).shown(reason, "INC-9 disk full").shown(HOW_LONG, "")
    }

    fn requested() -> Told {
        Told::asking(None).filed(Ok(standing(Phase::Requested)))
    }

    fn left(seconds: u64) -> String {
        format!("0 of 1 approvals; waiting for 1 of @leads: bob or carol. {seconds}s left here.")
    }

    fn still(lapses: u64) -> String {
        format!(
            "Still waiting for approval. Request k7q2-m9xd stands until {}; log in again once it \
             is approved. bob or carol can approve it: jitctl approve k7q2-m9xd",
            at(NOW + lapses).local_hour()
        )
    }

    #[test]
    fn a_request_that_is_approved_while_one_waits_lets_in() {
        let approved = Standing { approved_by: people(&["bob"]), ..standing(Phase::Active) };
        let told = Told::asking(Some(granted()))
            .filed(Ok(standing(Phase::Requested)))
            .later(Ok(standing(Phase::Requested)))
            .later(Ok(approved));
        let script = script()
            .shown(WAITING, "")
            .says(left(50))
            .shown(WAITING, "yes?")
            .says("Request k7q2-m9xd was approved by bob.");
        let (outcome, calls) = play(told, script);
        assert_eq!(outcome, Ok(()));
        assert_eq!(
            calls[1..],
            [
                "enter alice login alice",
                "file \"INC-9 disk full\" 30m",
                "standing k7q2-m9xd",
                "standing k7q2-m9xd",
                "enter alice login alice"
            ]
        );
    }

    fn people(names: &[&str]) -> Vec<PersonName> {
        names.iter().map(|name| PersonName::parse(name).unwrap()).collect()
    }

    #[test]
    fn each_look_says_how_it_stands() {
        let mut half = Standing {
            approved_by: people(&["bob"]),
            approvers: people(&["dora", "ed"]),
            ..standing(Phase::Requested)
        };
        let text = "1 of 2 approvals (bob); waiting for 1 of @leads: dora or ed. 31s left here.";
        assert_eq!(state(&half, 31), text);
        half.approvers.clear();
        assert!(state(&half, 31).contains("1 of @leads: nobody here can give it."));
    }

    #[test]
    fn the_answer_of_who_denied_it_is_shown() {
        let denied = Standing { answer: Some("bob: not today".into()), ..standing(Phase::Denied) };
        let told = requested().later(Ok(denied));
        let outcome = play(told, script().shown(WAITING, "")).0;
        assert_eq!(said(outcome), "Request k7q2-m9xd was denied (bob: not today).");
        for (phase, text) in [
            (Phase::Lapsed, "Nobody decided on request k7q2-m9xd in time. Ask again."),
            (Phase::Cancelled, "Request k7q2-m9xd is cancelled."),
            (Phase::Revoked, "Request k7q2-m9xd is revoked."),
            (Phase::Ended, "Request k7q2-m9xd is ended."),
            (Phase::Scheduled, "Request k7q2-m9xd is scheduled."),
            (Phase::Denied, "Request k7q2-m9xd is denied."),
        ] {
            let told = requested().later(Ok(standing(phase)));
            let outcome = play(told, script().shown(WAITING, "")).0;
            assert_eq!(said(outcome), text);
        }
    }

    #[test]
    fn the_wait_is_over_after_its_time_and_the_request_stands() {
        let stage = Stage::new();
        let (first, second) = (stage.clock.clone(), stage.clock.clone());
        let told =
            requested().later(Ok(standing(Phase::Requested))).later(Ok(standing(Phase::Requested)));
        let mut waited = script()
            .shown(WAITING, "")
            .then(move |_| first.pass(49))
            .says(left(1))
            .shown(WAITING, "")
            .then(move |_| second.pass(1));
        let (outcome, calls) = stage.play(Account, told, &mut waited);
        assert_eq!(said(outcome), still(3600));
        assert_eq!(calls.len(), 5);
        // An approval that came in the last moment counts still.
        let clock = stage.clock.clone();
        let told = Told::asking(Some(granted()))
            .filed(Ok(standing(Phase::Requested)))
            .later(Ok(standing(Phase::Active)));
        let mut late = script().shown(WAITING, "").then(move |_| clock.pass(600));
        assert_eq!(stage.play(Account, told, &mut late).0, Ok(()));
    }

    #[test]
    fn setting_the_wall_clock_prolongs_no_wait() {
        let stage = Stage::new();
        let clock = stage.clock.clone();
        let told = requested().later(Ok(standing(Phase::Requested)));
        let mut script = script().shown(WAITING, "").then(move |_| {
            clock.pass(50);
            clock.set_wall(0);
        });
        assert_eq!(said(stage.play(Account, told, &mut script).0), still(3600));
    }

    #[test]
    fn who_may_can_break_the_glass_while_nobody_answers() {
        let told = Told {
            entries: [Ok(no_cover(true)), Ok(granted())].into(),
            broken: [Ok(Verdict::Broken(used()))].into(),
            ..Told::good()
        };
        let script = asked_with("Reason for access (empty to leave, b to break the glass): ")
            .says(FILED)
            .shown(WAITING_OR_BREAK, "b")
            .secret("Break-glass code (empty to leave): ", "bg-0000-0000-0000-0000")
            .shown("Reason for breaking the glass (empty to leave): ", "it burns")
            .says(format!(
                "You broke the glass: access to web-1 as alice with sudo until {}. Everybody on \
                 the host is told, and somebody else has to review it: \
                 jitctl break-glass review k7q2-m9xd",
                at(NOW + 1800).local_hour()
            ));
        assert_eq!(play(told.filed(Ok(standing(Phase::Requested))), script).0, Ok(()));
    }

    #[test]
    fn walking_away_while_waiting_is_a_no_and_the_request_stands() {
        let script = script().no_answer(WAITING, Echo::On, NoAnswer::CannotAsk);
        assert_eq!(said(play(requested(), script).0), still(3600));
    }

    #[test]
    fn a_store_that_fails_while_one_waits_is_a_no() {
        let told = requested().later(Err(Error::unavailable("the store is locked")));
        let refusal = play(told, script().shown(WAITING, "")).0.unwrap_err();
        assert_eq!(refusal.log.as_deref(), Some("the store is locked"));
    }

    #[test]
    fn the_first_few_of_those_who_can_approve_are_named() {
        let people = |n: usize| -> Vec<PersonName> {
            (0..n).map(|i| PersonName::parse(&format!("p{i}")).unwrap()).collect()
        };
        for (n, text) in [
            (1, "p0"),
            (2, "p0 or p1"),
            (3, "p0, p1 or p2"),
            (5, "p0, p1, p2, p3 or p4"),
            (7, "p0, p1, p2, p3, p4 or 2 others"),
        ] {
            assert_eq!(listed(&people(n), "or").as_deref(), Some(text));
        }
        let nobody = Standing { approvers: vec![], ..standing(Phase::Requested) };
        assert_eq!(
            announcement(&nobody, "alice@web-1"),
            "Request k7q2-m9xd filed for alice@web-1, 30m. Nobody here can approve it. \
             An administrator can see why: jitctl show k7q2-m9xd"
        );
    }
}
