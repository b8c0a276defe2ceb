//! Single PAM phases through `pamtester`, as sshd would call them: sharper than a whole login
//! where what counts is the module alone, or many at the same instant.

use std::process::{Child, Command, Stdio};
use tests::error::{Context, Result};
use tests::run::run;
use tests::{Instance, Outcome, Person};

/// A command that runs `phases` for `login` after `person` showed their key.
pub fn pamtester(i: &Instance, person: &Person, login: &str, phases: &[&str]) -> Result<Command> {
    let mut command = Command::new("pamtester");
    command.args(["-E", &format!("SSH_AUTH_INFO_0={}", person.auth_info()?)]);
    command.args(["-I", "tty=ssh", "-I", "rhost=127.0.0.1", &i.web().service, login]);
    command.args(phases).env("JIT_INSTANCE", &i.dir);
    Ok(command)
}

/// Runs the authentication phase with `code`.
pub fn authenticate(i: &Instance, person: &Person, code: &str) -> Result<Outcome> {
    let mut command = pamtester(i, person, &person.name, &["authenticate"])?;
    run(&mut command, &format!("{code}\n"))
}

/// Starts the authentication phase and leaves it waiting at its prompt.
pub fn at_the_prompt(i: &Instance, person: &Person) -> Result<Child> {
    pamtester(i, person, &person.name, &["authenticate"])?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting pamtester")
}

/// Gives all of them their codes at once; returns how many were let in.
pub fn answer_at_once(children: Vec<Child>, codes: &[String]) -> Result<usize> {
    use std::io::Write;
    // All prompts are up: what follows races inside the module.
    std::thread::sleep(std::time::Duration::from_millis(700));
    let mut children = children;
    for (child, code) in children.iter_mut().zip(codes) {
        let mut stdin = child.stdin.take().context("no stdin")?;
        stdin.write_all(format!("{code}\n").as_bytes())?;
    }
    let mut let_in = 0;
    for child in children {
        let_in += usize::from(child.wait_with_output()?.status.success());
    }
    Ok(let_in)
}
