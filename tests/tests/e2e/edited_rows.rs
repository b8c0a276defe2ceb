//! Rows that somebody edits in the database file: nobody gets in by them, whoever is refused is told
//! no more than that, and the log, `jitctl` and its doctor name the row.

use crate::pam;
use std::time::Duration;
use tests::error::{Context, Result, ensure};
use tests::run::Outcome;
use tests::{Instance, Options};

/// One edit: of which row, and what is tried then.
struct Edit {
    what: &'static str,
    table: &'static str,
    /// The rest of `UPDATE table SET`.
    set: String,
    tries: Try,
}

/// What somebody tries who would gain by the edit.
enum Try {
    /// Alice logs in to an account with a code of hers.
    Login(String),
    /// Somebody shows bob's key for alice's account.
    BobsKey,
    /// Alice types this code in place of one of hers.
    Code(String),
}

fn edits(i: &Instance, active: &str, waiting: &str, glass: &[String]) -> Vec<Edit> {
    let (alice, bob) = (&i.alice.name, &i.bob.name);
    let deploy = || Try::Login(i.deploy.clone());
    let new = |what, table, set, tries| Edit { what, table, set, tries };
    vec![
        new(
            "a request that waits is approved",
            "grant_",
            format!(
                "body = json_set(body, '$.state', (SELECT json_extract(body, '$.state') FROM grant_ \
                 WHERE key = '{active}')) WHERE key = '{waiting}'"
            ),
            deploy(),
        ),
        new(
            "an approver is added",
            "grant_",
            format!(
                "body = json_set(body, '$.approvals[0]', (SELECT json_extract(body, \
                 '$.approvals[0]') FROM grant_ WHERE key = '{active}')) WHERE key = '{waiting}'"
            ),
            deploy(),
        ),
        new(
            "a window is longer",
            "grant_",
            format!(
                "body = json_set(body, '$.state.window.not_after', \
                 json_extract(body, '$.state.window.not_after') + 36000) WHERE key = '{active}'"
            ),
            Try::Login(alice.clone()),
        ),
        new(
            "another's grant, with its tag",
            "grant_",
            format!(
                "(body, tag) = (SELECT body, tag FROM grant_ WHERE key = '{active}') \
                 WHERE key = '{waiting}'"
            ),
            deploy(),
        ),
        new(
            "bob's key is alice's",
            "identity_key",
            format!(
                "person = '{alice}', body = json_set(body, '$.person', '{alice}') \
                 WHERE person = '{bob}'"
            ),
            Try::BobsKey,
        ),
        new(
            "the suspended are not",
            "person",
            format!("body = json_set(body, '$.suspended', 0) WHERE key = '{alice}'"),
            Try::Login(alice.clone()),
        ),
        new(
            "alice's factor is bob's",
            "factors",
            format!(
                "(body, tag) = (SELECT body, tag FROM factors WHERE key = '{bob}') \
                 WHERE key = '{alice}'"
            ),
            Try::Code("000000".to_owned()),
        ),
        new(
            "failures are forgotten",
            "factors",
            format!("body = json_set(body, '$.consecutive', 0) WHERE key = '{alice}'"),
            Try::Code("000000".to_owned()),
        ),
        new(
            "a break-glass code was never used",
            "break_glass",
            "body = json_set(body, '$.uses', json('[]'))".to_owned(),
            Try::Code(glass[1].clone()),
        ),
    ]
}

/// Runs SQL on the store, as somebody who can write the file.
fn sql(i: &Instance, text: &str) -> Result<()> {
    let store = rusqlite::Connection::open(i.dir.join("state/jit.db")).context("the store")?;
    store.busy_timeout(Duration::from_secs(10)).context("the store")?;
    store.execute_batch(text).context(text)
}

/// By PAM alone, which says why not, and by the whole of sshd.
fn attempt(i: &Instance, tries: &Try) -> Result<(Outcome, Outcome)> {
    let phases = |shows, login, code: &str| {
        let mut phases = pam::pamtester(i, shows, login, &["authenticate", "acct_mgmt"])?;
        tests::run::run(&mut phases, &format!("{code}\nthe phone is lost\n"))
    };
    let (hers, code) = (&i.alice.name, i.alice.recovery_code()?);
    Ok(match tries {
        Try::Login(login) => {
            (phases(&i.alice, login, &code)?, i.login(&i.alice, login, "echo let in")?)
        }
        Try::BobsKey => {
            let ssh = i.ssh(&i.bob, &[&code], &[&i.at_web(hers), "echo let in"])?;
            (phases(&i.bob, hers, &code)?, ssh)
        }
        Try::Code(code) => {
            let ssh = i.ssh(&i.alice, &[code, "the phone is lost"], &["web-1", "echo let in"])?;
            (phases(&i.alice, hers, code)?, ssh)
        }
    })
}

#[test]
fn an_edited_row_lets_nobody_in_and_is_named_in_the_log_and_by_the_doctor() -> Result<()> {
    let mut options = Options::default();
    options.settings.more = "[break_glass]\nmembers = [\"@dev\"]\n".to_owned();
    let i = Instance::with(options)?;
    let glass = i.jitctl(&["break-glass", "create", "--count", "3", "--json"])?.ok()?.json()?;
    let glass = glass.get("codes").and_then(|codes| codes.as_array()).context("no codes")?.clone();
    let glass: Vec<String> =
        glass.iter().filter_map(|code| Some(code.as_str()?.to_owned())).collect();
    i.ssh(&i.bob, &[&glass[0], "the phone is lost"], &["web-1", "true"])?.ok()?;
    let active = i.request(&i.alice, &i.at_web(&i.alice.name), &["--for", "30m"])?;
    i.approve(&i.bob, &active)?;
    let waiting = i.request(&i.alice, &i.at_web(&i.deploy), &["--for", "30m"])?;
    i.login(&i.alice, &i.alice.name, "echo let in")?.ok()?.says("let in")?;

    for Edit { what, table, set, tries } in edits(&i, &active, &waiting, &glass) {
        i.alice.new_recovery_codes(i.command("jitctl"))?;
        match what {
            "the suspended are not" => drop(i.jitctl(&["user", "suspend", &i.alice.name])?.ok()?),
            "failures are forgotten" => drop(pam::authenticate(&i, &i.alice, "x")?.refused()?),
            _ => {}
        }
        sql(&i, &format!("CREATE TABLE kept AS SELECT * FROM {table}; UPDATE {table} SET {set}"))?;
        let mark = i.log.mark();
        let (phases, ssh) = attempt(&i, &tries)?;
        let say = "Access can't be checked right now.";
        phases.refused().context(what)?.says(say).context(what)?;
        ssh.refused().context(what)?.does_not_say("let in")?.does_not_say("edited")?;
        let named = "was damaged or edited by hand";
        i.log.wait_for_since(mark, &["pam_jit", named]).context(what)?;
        let mark = i.log.mark();
        let doctor = i.jitctl(&["doctor"])?.code_is(1)?.says(named)?.says("jitctl restore FILE")?;
        let fails = doctor.stdout.lines().filter(|line| line.starts_with("fail  ")).count();
        ensure(fails == 1, || format!("{what}: one cause, {fails} failures\n{}", doctor.told()))?;
        i.log.wait_for_since(mark, &["jitctl", named]).context(what)?;
        sql(
            &i,
            &format!(
                "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept; DROP TABLE kept"
            ),
        )?;
        if table == "person" {
            i.jitctl(&["user", "resume", &i.alice.name])?.ok()?;
        }
    }
    i.jitctl(&["doctor"])?.says("the store is undamaged").map(drop)
}

#[test]
fn a_session_whose_record_is_edited_ends_and_holds_up_no_other() -> Result<()> {
    let i = Instance::start()?;
    let bobs = i.grant(&i.bob, &i.at_web(&i.bob.name), &[])?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let mut alice = i.session(&i.alice, "web-1")?;
    let mut bob = i.session(&i.bob, "web-1")?;
    let mark = i.log.mark();
    // Hers would be bob's.
    let (hers, his) = (&i.alice.name, &i.bob.name);
    sql(
        &i,
        &format!(
            "UPDATE session SET body = replace(body, '\"person\":\"{hers}\"', \
             '\"person\":\"{his}\"')"
        ),
    )?;
    alice.end_within(Duration::from_secs(5)).context(i.log.since(mark))?;
    i.log.wait_for_since(mark, &["the stored session", "was damaged or edited by hand"])?;
    i.log.wait_for_since(mark, &["is gone or was edited: the session is ended"])?;
    // What is decided about others is done all the same.
    i.jitctl(&["revoke", "--user", his, "--reason", "over"])?.ok()?.says(&bobs)?;
    bob.end_within(Duration::from_secs(5)).map(drop)
}
