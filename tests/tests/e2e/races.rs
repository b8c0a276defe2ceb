//! Many at the same instant: the check and what it changes are one.

use crate::pam;
use std::process::Child;
use std::time::Duration;
use tests::error::{Context, Result};
use tests::process::wait_until;
use tests::totp::step_now;
use tests::{Instance, Options, Outcome};

/// Rounds of a race; the long run looks harder.
const ROUNDS: usize = if cfg!(feature = "long") { 100 } else { 5 };

fn roomy() -> Options {
    let mut options = Options::default();
    // Of 100 with one code 99 fail.
    options.settings.attempts = 100;
    options
}

#[test]
fn of_100_parallel_logins_with_one_code_exactly_one_succeeds() -> Result<()> {
    let i = Instance::with(roomy())?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    // The next step's, which is good already: a busy machine takes its time for 100 logins, and
    // the code must not run out meanwhile.
    let code = i.alice.with_app(|app| app.code_of_step(step_now() + 1))?;
    let logins: Vec<Outcome> = std::thread::scope(|scope| {
        let logins: Vec<_> = (0..100)
            .map(|_| scope.spawn(|| i.ssh(&i.alice, &[&code], &["web-1", "echo let in"])))
            .collect();
        logins
            .into_iter()
            .map(|login| login.join().ok().context("a login panicked")?)
            .collect::<Result<_>>()
    })?;
    let inside = logins.iter().filter(|login| login.stdout.contains("let in")).count();
    assert_eq!(inside, 1, "{}{}", i.log.text(), i.web().sshd_log());
    Ok(())
}

#[test]
fn of_30_phases_at_the_same_instant_with_one_code_exactly_one_succeeds() -> Result<()> {
    let i = Instance::with(roomy())?;
    for round in 0..ROUNDS {
        // Failures of earlier rounds would add up to the limit.
        i.jitctl(&["mfa", "reset", &i.alice.name])?.ok()?;
        i.alice.enrol(i.command("jitctl"))?;
        // Recovery codes race, too.
        let code = if round % 2 == 0 { i.alice.recovery_code()? } else { i.alice.code()? };
        let waiting: Vec<Child> =
            (0..30).map(|_| pam::at_the_prompt(&i, &i.alice)).collect::<Result<_>>()?;
        let inside = pam::answer_at_once(waiting, &vec![code; 30])?;
        assert_eq!(inside, 1, "round {round}");
    }
    Ok(())
}

#[test]
fn parallel_guesses_never_exceed_the_limit() -> Result<()> {
    let mut options = Options::default();
    options.settings.attempts = 3;
    let i = Instance::with(options)?;
    let wrong: Vec<_> = (0..20).map(|_| i.alice.wrong_code()).collect::<Result<_>>()?;
    let mark = i.log.mark();
    let waiting: Vec<Child> =
        (0..20).map(|_| pam::at_the_prompt(&i, &i.alice)).collect::<Result<_>>()?;
    assert_eq!(pam::answer_at_once(waiting, &wrong)?, 0);
    let said = |text: &str| i.log.since(mark).lines().filter(|line| line.contains(text)).count();
    let stopped = || said("too many failures");
    // The last lines may still be on their way.
    wait_until("all are on record", Duration::from_secs(5), || {
        stopped() + said("wrong code") == 20
    })
    .context(i.log.since(mark))?;
    assert_eq!((said("wrong code"), stopped()), (3, 17), "{}", i.log.since(mark));
    // The right one comes too late.
    pam::authenticate(&i, &i.alice, &i.alice.code()?)?.refused()?;
    Ok(())
}

#[test]
fn of_parallel_decisions_exactly_one_counts() -> Result<()> {
    let i = Instance::start()?;
    for _ in 0..3 {
        let id = i.request(&i.alice, &i.at_web(&i.alice.name), &["--for", "5m"])?;
        let code = i.carol.recovery_code()?;
        let (approved, denied) = std::thread::scope(|scope| {
            let approve = ["approve", &id, "--as", &i.carol.name];
            let i = &i;
            let approve = scope.spawn(move || i.jitctl_with(&approve, &format!("{code}\n")));
            let deny = i.jitctl(&["deny", &id, "--reason", "no"]);
            Ok::<_, tests::Failed>((approve.join().ok().context("panicked")??.code, deny?.code))
        })?;
        assert_eq!(usize::from(approved == 0) + usize::from(denied == 0), 1);
    }
    Ok(())
}
