//! Asking for access at the prompt, and waiting there for the answer.

use jit_core::error::Kind;
use jit_core::grant::{Action, Phase};
use jit_core::login::{Entry, Identity, Standing};
use jit_core::name::PersonName;

use crate::account::{may_enter, no_grant, sudo_option, target};
use crate::caller::Caller;
use crate::conversation::{Echo, NoAnswer, Pam};
use crate::hook::Desk;
use crate::refusal::Refusal;

const REASON: &str = "Reason for access (empty to leave): ";
const WAITING: &str = "Waiting for approval. Press Enter to check again: ";

/// How often a reason that is none may be given.
const TRIES: u32 = 3;

/// How many of those who can approve are named.
const NAMED: usize = 5;

/// Offers to file a request, and waits for its approval.
///
/// # Errors
/// They left, can't be asked, or the request is not approved in time.
pub fn offer(
    desk: Desk<'_>,
    pam: &mut dyn Pam,
    who: &Identity,
    caller: &Caller,
) -> Result<(), Refusal> {
    pam.complain(&no_grant(desk, caller));
    let filed = file(desk, pam, who, caller)?;
    if filed.phase == Phase::Requested {
        pam.say(&announcement(&filed, &target(desk, caller)));
    }
    wait(desk, pam, caller, filed)?;
    match may_enter(desk, who, caller)? {
        Entry::Granted(_) => Ok(()),
        Entry::NoCover { .. } => Err(Refusal::saying(no_grant(desk, caller))),
    }
}

/// Asks for the reason and files the request.
fn file(
    desk: Desk<'_>,
    pam: &mut dyn Pam,
    who: &Identity,
    caller: &Caller,
) -> Result<Standing, Refusal> {
    for _ in 0..TRIES {
        let reason = match pam.ask(REASON, Echo::On) {
            Ok(reason) => reason,
            Err(NoAnswer::Unreadable) => {
                pam.complain("Not filed: a reason is plain text of at most 300 characters.");
                continue;
            }
            Err(NoAnswer::CannotAsk) => break,
        };
        if reason.expose().trim().is_empty() {
            return Err(Refusal::silent());
        }
        match desk.service.file_request(who, &caller.attempt, reason.expose()) {
            Ok(standing) => return Ok(standing),
            Err(error) if error.kind() == Kind::Invalid => {
                pam.complain(&format!("Not filed: {error}"));
            }
            Err(error) => {
                return Err(Refusal::from_error(&error, Some(&format!("Not filed: {error}"))));
            }
        }
    }
    Err(Refusal::saying(format!(
        "Ask for it: jitctl request {} --as {} --for {}{} --reason TEXT",
        target(desk, caller),
        who.person,
        desk.config.default_duration,
        sudo_option(caller)
    )))
}

/// Waits until the request is active. The person says when to look again, as a hook can only wait
/// at a prompt; so the wait ends at the first look after its time.
fn wait(
    desk: Desk<'_>,
    pam: &mut dyn Pam,
    caller: &Caller,
    mut standing: Standing,
) -> Result<(), Refusal> {
    let millis = || {
        let boot = desk.clock.boot().map_err(|error| Refusal::from_error(&error, None));
        boot.map(|moment| moment.millis)
    };
    let until = millis()?.saturating_add(desk.config.prompt_wait.secs() * 1000);
    loop {
        match standing.phase {
            Phase::Active => return Ok(()),
            Phase::Requested => {}
            _ => return Err(Refusal::saying(verdict(&standing))),
        }
        if millis()? >= until || pam.ask(WAITING, Echo::On).is_err_and(|e| e == NoAnswer::CannotAsk)
        {
            return Err(Refusal::saying(still_waiting(&standing, caller)));
        }
        standing = desk.service.standing(&standing.id).map_err(|error| {
            Refusal::from_error(&error, Some(&still_waiting(&standing, caller)))
        })?;
    }
}

/// `Request k7q2-m9xd filed for alice@web-1, 30m. bob or carol can approve: jitctl approve k7q2-m9xd`
fn announcement(filed: &Standing, target: &str) -> String {
    let id = &filed.id;
    let filed_for = format!("Request {id} filed for {target}, {}.", filed.duration);
    match any_of(&filed.approvers) {
        Some(who) => format!("{filed_for} {who} can approve: jitctl approve {id}"),
        None => format!(
            "{filed_for} Nobody here can approve it. An administrator can see why: jitctl show {id}"
        ),
    }
}

/// `bob`, `bob or carol`, `bob, carol or dora`; of many, the first few.
fn any_of(people: &[PersonName]) -> Option<String> {
    let mut names: Vec<String> = people.iter().take(NAMED).map(ToString::to_string).collect();
    if people.len() > NAMED {
        names.push(format!("{} others", people.len() - NAMED));
    }
    let last = names.pop()?;
    Some(if names.is_empty() { last } else { format!("{} or {last}", names.join(", ")) })
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
    format!(
        "Still waiting for approval. Request {} stands until {}; {again} once it is approved.",
        standing.id,
        standing.lapses_at.local_hour()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Hook::Account;
    use crate::testing::{NOW, Scripted, Stage, Told, at, granted, standing};
    use jit_core::error::Error;

    const NO_GRANT: &str = "No active grant for alice@web-1.";
    const FILED: &str = "Request k7q2-m9xd filed for alice@web-1, 30m. \
                         bob or carol can approve: jitctl approve k7q2-m9xd";

    fn play(told: Told, mut script: Scripted) -> (Result<(), Refusal>, Vec<String>) {
        Stage::new().play(Account, told, &mut script)
    }

    fn said(outcome: Result<(), Refusal>) -> String {
        outcome.unwrap_err().say.unwrap()
    }

    fn script() -> Scripted {
        Scripted::ssh().complains(NO_GRANT).shown(REASON, "INC-9 disk full")
    }

    fn requested() -> Told {
        Told::asking(None).filed(Ok(standing(Phase::Requested)))
    }

    fn still(lapses: u64) -> String {
        format!(
            "Still waiting for approval. Request k7q2-m9xd stands until {}; \
             log in again once it is approved.",
            at(NOW + lapses).local_hour()
        )
    }

    #[test]
    fn a_request_that_is_approved_while_one_waits_lets_in() {
        let told = Told::asking(Some(granted()))
            .filed(Ok(standing(Phase::Requested)))
            .later(Ok(standing(Phase::Requested)))
            .later(Ok(standing(Phase::Active)));
        let script = script().says(FILED).shown(WAITING, "").shown(WAITING, "yes?");
        let (outcome, calls) = play(told, script);
        assert_eq!(outcome, Ok(()));
        assert_eq!(
            calls[1..],
            [
                "enter alice login alice",
                "file \"INC-9 disk full\"",
                "standing k7q2-m9xd",
                "standing k7q2-m9xd",
                "enter alice login alice"
            ]
        );
    }

    #[test]
    fn a_request_that_needs_nobody_lets_in_at_once() {
        let told = Told::asking(Some(granted())).filed(Ok(standing(Phase::Active)));
        assert_eq!(play(told, script()).0, Ok(()));
    }

    #[test]
    fn an_approval_that_is_gone_again_lets_nobody_in() {
        let none = Entry::NoCover { may_ask: true };
        let told = Told::asking(Some(none)).filed(Ok(standing(Phase::Active)));
        assert_eq!(said(play(told, script()).0), NO_GRANT);
    }

    #[test]
    fn the_answer_of_who_denied_it_is_shown() {
        let denied = Standing { answer: Some("bob: not today".into()), ..standing(Phase::Denied) };
        let told = requested().later(Ok(denied));
        let outcome = play(told, script().says(FILED).shown(WAITING, "")).0;
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
            let outcome = play(told, script().says(FILED).shown(WAITING, "")).0;
            assert_eq!(said(outcome), text);
        }
    }

    #[test]
    fn the_wait_is_over_after_its_time_and_the_request_stands() {
        let stage = Stage::new();
        let (first, second) = (stage.clock.clone(), stage.clock.clone());
        let told =
            requested().later(Ok(standing(Phase::Requested))).later(Ok(standing(Phase::Requested)));
        let mut script = script()
            .says(FILED)
            .shown(WAITING, "")
            .then(move |_| first.pass(49))
            .shown(WAITING, "")
            .then(move |_| second.pass(1));
        let (outcome, calls) = stage.play(Account, told, &mut script);
        assert_eq!(said(outcome), still(3600));
        assert_eq!(calls.len(), 5);
        // An approval that came in the last moment counts still.
        let clock = stage.clock.clone();
        let told = Told::asking(Some(granted()))
            .filed(Ok(standing(Phase::Requested)))
            .later(Ok(standing(Phase::Active)));
        let mut script = Scripted::ssh()
            .complains(NO_GRANT)
            .shown(REASON, "INC-9 disk full")
            .says(FILED)
            .shown(WAITING, "")
            .then(move |_| clock.pass(600));
        assert_eq!(stage.play(Account, told, &mut script).0, Ok(()));
    }

    #[test]
    fn setting_the_wall_clock_prolongs_no_wait() {
        let stage = Stage::new();
        let clock = stage.clock.clone();
        let told = requested().later(Ok(standing(Phase::Requested)));
        let mut script = script().says(FILED).shown(WAITING, "").then(move |_| {
            clock.pass(50);
            clock.set_wall(0);
        });
        assert_eq!(said(stage.play(Account, told, &mut script).0), still(3600));
    }

    #[test]
    fn no_reason_is_leaving() {
        for empty in ["", "   "] {
            let script = Scripted::ssh().complains(NO_GRANT).shown(REASON, empty);
            let (outcome, calls) = play(Told::asking(None), script);
            assert_eq!(outcome, Err(Refusal::silent()));
            assert_eq!(calls.len(), 2, "nothing was filed");
        }
    }

    #[test]
    fn a_reason_that_is_none_is_asked_for_again_thrice_in_all() {
        let bad = || Err(Error::invalid("a reason is needed").next("Say in a few words what for."));
        let complaint = "Not filed: a reason is needed. Say in a few words what for.";
        let told = Told::asking(Some(granted())).filed(bad()).filed(Ok(standing(Phase::Active)));
        let script = Scripted::ssh()
            .complains(NO_GRANT)
            .no_answer(REASON, Echo::On, NoAnswer::Unreadable)
            .complains("Not filed: a reason is plain text of at most 300 characters.")
            .shown(REASON, "x")
            .complains(complaint)
            .shown(REASON, "INC-9 disk full");
        assert_eq!(play(told, script).0, Ok(()));
        let told = Told::asking(None).filed(bad()).filed(bad()).filed(bad());
        let mut script = Scripted::ssh().complains(NO_GRANT);
        for _ in 0..3 {
            script = script.shown(REASON, "x").complains(complaint);
        }
        assert!(said(play(told, script).0).contains("jitctl request alice@web-1"));
    }

    #[test]
    fn where_nobody_can_be_asked_one_learns_what_to_type() {
        let script =
            || Scripted::ssh().complains(NO_GRANT).no_answer(REASON, Echo::On, NoAnswer::CannotAsk);
        assert_eq!(
            said(play(Told::asking(None), script()).0),
            "Ask for it: jitctl request alice@web-1 --as alice --for 30m --reason TEXT"
        );
        let script = Scripted::sudo().complains("No active sudo grant for alice@web-1.").no_answer(
            REASON,
            Echo::On,
            NoAnswer::CannotAsk,
        );
        assert_eq!(
            said(play(Told::asking(None), script).0),
            "Ask for it: jitctl request alice@web-1 --as alice --for 30m --sudo --reason TEXT"
        );
    }

    #[test]
    fn walking_away_while_waiting_is_a_no_and_the_request_stands() {
        let script = script().says(FILED).no_answer(WAITING, Echo::On, NoAnswer::CannotAsk);
        assert_eq!(said(play(requested(), script).0), still(3600));
    }

    #[test]
    fn what_goes_wrong_on_the_way_is_a_no() {
        let told = Told::asking(None).filed(Err(Error::refused("denied: it is deep night")));
        assert_eq!(said(play(told, script()).0), "Not filed: denied: it is deep night");
        let told = Told::asking(None).filed(Err(Error::unavailable("the disk is full")));
        let refusal = play(told, script()).0.unwrap_err();
        assert_eq!(refusal.say.as_deref(), Some(crate::refusal::OUT_OF_ORDER));
        assert_eq!(refusal.log.as_deref(), Some("the disk is full"));
        let told = requested().later(Err(Error::unavailable("the store is locked")));
        let refusal = play(told, script().says(FILED).shown(WAITING, "")).0.unwrap_err();
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
            assert_eq!(any_of(&people(n)).as_deref(), Some(text));
        }
        let nobody = Standing { approvers: vec![], ..standing(Phase::Requested) };
        assert_eq!(
            announcement(&nobody, "alice@web-1"),
            "Request k7q2-m9xd filed for alice@web-1, 30m. Nobody here can approve it. \
             An administrator can see why: jitctl show k7q2-m9xd"
        );
    }
}
