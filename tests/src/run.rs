//! Runs a program to its end, with a time limit, and keeps what it said.

use crate::error::{Context, Failed, Result, ensure};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a program that has ended said and how it ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The command, as it would be typed.
    pub command: String,
    /// Exit code; 128 plus the signal if it was killed.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Wall time it took.
    pub took: Duration,
}

impl Outcome {
    /// Fails unless the program ended with 0.
    pub fn ok(self) -> Result<Self> {
        self.code_is(0)
    }

    /// Fails unless the program ended with `code`.
    pub fn code_is(self, code: i32) -> Result<Self> {
        ensure(self.code == code, || format!("expected exit code {code}\n{}", self.told()))?;
        Ok(self)
    }

    /// Fails if the program ended with 0.
    pub fn refused(self) -> Result<Self> {
        ensure(self.code != 0, || format!("expected a refusal\n{}", self.told()))?;
        Ok(self)
    }

    /// Fails unless `text` was said on either stream.
    pub fn says(self, text: &str) -> Result<Self> {
        ensure(self.said(text), || format!("expected to read \"{text}\"\n{}", self.told()))?;
        Ok(self)
    }

    /// Fails if `text` was said on either stream.
    pub fn does_not_say(self, text: &str) -> Result<Self> {
        ensure(!self.said(text), || format!("expected not to read \"{text}\"\n{}", self.told()))?;
        Ok(self)
    }

    /// Whether `text` was said on either stream.
    pub fn said(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }

    /// Both streams, one after the other.
    pub fn both(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Standard output read as one JSON value.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.stdout).context(format!("reading JSON\n{}", self.told()))
    }

    /// The whole story, for an error message.
    pub fn told(&self) -> String {
        format!(
            "$ {}\nexit code {}\nstdout:\n{}\nstderr:\n{}",
            self.command, self.code, self.stdout, self.stderr
        )
    }
}

/// Runs `command` with `input` on its standard input, at most [`PATIENCE`] long.
pub fn run(command: &mut Command, input: &str) -> Result<Outcome> {
    run_within(command, input, PATIENCE)
}

/// Runs a program that must succeed, and returns its standard output.
pub fn must(program: &str, arguments: &[&str]) -> Result<String> {
    Ok(run(Command::new(program).args(arguments), "")?.ok()?.stdout)
}

/// Runs `command` with `input` on its standard input, at most `limit` long.
pub fn run_within(command: &mut Command, input: &str, limit: Duration) -> Result<Outcome> {
    let typed = typed(command);
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(format!("starting {typed}"))?;
    let mut stdin = child.stdin.take();
    let input = input.as_bytes().to_vec();
    // A thread, because a program that never reads would block us; one that ends early breaks the
    // pipe, which is its good right.
    thread::spawn(move || stdin.as_mut().map(|pipe| pipe.write_all(&input)));
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Err(Failed::new(format!("{typed} did not end within {limit:?}")));
        }
        thread::sleep(Duration::from_millis(3));
    };
    let took = began.elapsed();
    let code = code_of(status);
    // A grandchild may hold the pipe open for long after the program has ended: take what is
    // there after a moment.
    Ok(Outcome { command: typed, code, stdout: stdout.finish(), stderr: stderr.finish(), took })
}

/// Exit code, or 128 plus the signal, as a shell says it.
pub fn code_of(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

struct Drain(std::sync::Arc<std::sync::Mutex<Vec<u8>>>, thread::JoinHandle<()>);

impl Drain {
    fn finish(self) -> String {
        let began = Instant::now();
        while !self.1.is_finished() && began.elapsed() < Duration::from_millis(500) {
            thread::sleep(Duration::from_millis(1));
        }
        let bytes = self.0.lock().map(|bytes| bytes.clone()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> Drain {
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = kept.clone();
    let reader = thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = [0; 4096];
        while let Ok(read) = pipe.read(&mut buffer) {
            let (Ok(mut kept), true) = (into.lock(), read > 0) else { return };
            kept.extend_from_slice(&buffer[..read]);
        }
    });
    Drain(kept, reader)
}

fn typed(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| quoted(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// `word` as a shell would take it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
