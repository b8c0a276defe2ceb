//! Asking the programs of this host, none of which may hang the doctor.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How often it is looked whether a program has ended, and how long it is waited for: 5 s.
const TICK: Duration = Duration::from_millis(20);
const TICKS: u32 = 250;
/// The most that is read of an answer.
const LONGEST: u64 = 1 << 20;

/// What a program said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Whether it ended with 0.
    pub ok: bool,
    /// Standard output.
    pub out: String,
    /// The first line of standard error.
    pub trouble: String,
}

/// Runs a program, with nothing of this process's environment.
///
/// # Errors
/// What keeps it from an answer, in a few words.
pub fn ask(program: &str, arguments: &[&str]) -> Result<Said, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{program} can't be run: {e}"))?;
    let out = reader(child.stdout.take());
    let err = reader(child.stderr.take());
    for _ in 0..TICKS {
        if let Some(status) = child.try_wait().map_err(|e| format!("{program}: {e}"))? {
            // Something it left behind may hold its output open: what came is enough.
            let read = |from: mpsc::Receiver<String>| from.recv_timeout(TICK * 50);
            let trouble = read(err).unwrap_or_default();
            let trouble = trouble.lines().next().unwrap_or_default().trim().to_owned();
            return Ok(Said { ok: status.success(), out: read(out).unwrap_or_default(), trouble });
        }
        std::thread::sleep(TICK);
    }
    // It may be gone by now; either way it is waited for.
    let _ = child.kill();
    let _ = child.wait();
    Err(format!("{program} did not answer within 5 s"))
}

/// Reads in a thread of its own, so that neither of two pipes can fill up.
fn reader(from: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(from) = from {
            // What was read until an error is what there is.
            let _ = from.take(LONGEST).read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_output_and_a_program_that_hangs_is_left() {
        let said = ask("sh", &["-c", "echo out; echo one >&2; echo two >&2; exit 3"]).unwrap();
        assert_eq!((said.ok, said.out.as_str(), said.trouble.as_str()), (false, "out\n", "one"));
        assert!(ask("/nowhere", &[]).unwrap_err().contains("can't be run"));
        let hangs = ask("sleep", &["60"]).unwrap_err();
        assert!(hangs.contains("within 5 s"), "{hangs}");
        let left = ask("sh", &["-c", "echo out; sleep 60 & exit 0"]).unwrap();
        assert!(left.ok);
    }

    #[test]
    fn nothing_of_the_callers_environment_reaches_it() {
        let said = ask("env", &[]).unwrap();
        let mut lines: Vec<&str> = said.out.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
    }
}
