//! A local command: the event on its standard input, nothing of ours around it, an account of little
//! power, and an end, with all that it started, when its time is over.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use jit_core::name::Login;
use jit_core::rootfile;
use jit_core::time::Span;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, User};

use crate::channel::{Answer, beginning};

/// How much of what it says is kept.
const MOST_READ: u64 = 4096;
/// How often it is looked at, in milliseconds.
const TICK: u64 = 20;
/// How long what it said is waited for, once it is gone: something may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs a command with `body` on its standard input. Exit code 0 is success.
pub(crate) fn run(run: &[String], user: &Login, limit: Span, body: &str) -> Result<Answer, String> {
    let Some((program, arguments)) = run.split_first() else {
        return Err("it names no program".to_owned());
    };
    rootfile::check_file(Path::new(program)).map_err(|e| e.to_string())?;
    let account = User::from_name(user.as_str())
        .map_err(|e| format!("the account {user} can't be looked up: {e}"))?
        .ok_or_else(|| format!("there is no account {user}"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // std drops our supplementary groups with that.
        .uid(account.uid.as_raw())
        .gid(account.gid.as_raw())
        .process_group(0)
        .spawn()
        .map_err(|e| format!("{program} can't be run: {e}"))?;
    let said = listen(&mut child);
    let mut stdin = child.stdin.take();
    let input = body.as_bytes().to_vec();
    // A thread, as a program that never reads would hold us; one that ends early is free to.
    thread::spawn(move || stdin.as_mut().map(|pipe| pipe.write_all(&input)));
    let in_time = wait(&child, limit);
    let status = end(&mut child)?;
    let said = said.recv_timeout(LAST_WORDS).unwrap_or_default();
    let text = beginning(&said);
    let with = |what: String| if text.is_empty() { what } else { format!("{what}: {text}") };
    if !in_time? {
        return Err(with(format!("it did not end within {limit} and was killed")));
    }
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(Answer { status: "exit code 0".to_owned(), text }),
        (Some(code), _) => Err(with(format!("it ended with exit code {code}"))),
        (None, Some(signal)) => Err(with(format!("it was ended by signal {signal}"))),
        (None, None) => Err(with("it ended".to_owned())),
    }
}

/// Waits for the end of the child, without taking its number from it, for so long at most.
fn wait(child: &Child, limit: Span) -> Result<bool, String> {
    let mut ticks = limit.secs() * 1000 / TICK;
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::Pid(pid(child)), flags) {
            Ok(WaitStatus::StillAlive) if ticks == 0 => return Ok(false),
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {
                ticks = ticks.saturating_sub(1);
                thread::sleep(Duration::from_millis(TICK));
            }
            Ok(_) => return Ok(true),
            Err(e) => return Err(format!("it can't be waited for: {e}")),
        }
    }
}

/// Kills its process group: what is left of it, and all that it started and that did not leave.
fn end(child: &mut Child) -> Result<ExitStatus, String> {
    // There is none left where all of it has ended.
    let _ = killpg(pid(child), Signal::SIGKILL);
    child.wait().map_err(|e| format!("it can't be waited for: {e}"))
}

fn pid(child: &Child) -> Pid {
    // A process id is a positive number that fits.
    Pid::from_raw(child.id().cast_signed())
}

/// The beginning of what it says on standard error; the rest is read and forgotten.
fn listen(child: &mut Child) -> Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    if let Some(mut pipe) = child.stderr.take() {
        thread::spawn(move || {
            let mut said = Vec::new();
            let _ = pipe.by_ref().take(MOST_READ).read_to_end(&mut said);
            // Kept open and empty meanwhile, or the command would be ended by its own words.
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            let _ = send.send(said);
        });
    }
    receive
}
