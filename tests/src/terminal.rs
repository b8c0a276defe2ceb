//! A pseudo-terminal with a person in front of it: waits for what a person would wait for, types,
//! and keeps everything that was on the screen.

use crate::error::{Context, Failed, Result};
use crate::run::code_of;
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for a text unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What a person calls when something new is on the screen; the demo prints it.
pub type Watcher = Box<dyn FnMut(&str) + Send>;

/// A program running on a terminal of its own.
pub struct Terminal {
    child: Child,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    screen: Vec<u8>,
    /// How far [`Terminal::expect`] has read.
    read: usize,
    watcher: Option<Watcher>,
}

impl Terminal {
    /// Starts `line` in a shell on a new terminal, with the environment of `command` (whose
    /// program and arguments are ignored).
    pub fn open(environment: &Command, line: &str) -> Result<Self> {
        // Close-on-exec: a second terminal must not hold the first one open.
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).context("opening a pseudo-terminal")?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname_r(&master)?;
        let slave = {
            use std::os::unix::fs::OpenOptionsExt;
            let noctty = OFlag::O_NOCTTY.bits();
            OpenOptions::new().read(true).write(true).custom_flags(noctty).open(name)?
        };
        // setsid(1) makes the terminal the controlling one, which ssh and sudo ask for.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "bash", "--norc", "-c"]);
        command.arg(format!("stty cols 100 rows 50; {line}"));
        command.env_clear();
        let set = environment.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(set);
        let copy = |fd: &File| fd.try_clone();
        let child = command
            .stdin(copy(&slave)?)
            .stdout(copy(&slave)?)
            .stderr(slave)
            .spawn()
            .context(format!("starting {line}"))?;
        drop(command); // holds copies of the slave, which would keep the terminal from hanging up
        let keyboard = File::from(master.as_fd().try_clone_to_owned()?);
        let (send, output) = channel();
        let mut screen = File::from(OwnedFd::from(master));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Ends with EIO when the last process has closed the terminal.
            while let Ok(length) = screen.read(&mut buffer) {
                if length == 0 || send.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, keyboard, output, screen: Vec::new(), read: 0, watcher: None })
    }

    /// Has `watcher` called with everything that comes on the screen from now on.
    #[must_use]
    pub fn watched(mut self, watcher: Watcher) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// Waits for `text`; returns what was on the screen before it since the last wait.
    pub fn expect(&mut self, text: &str) -> Result<String> {
        self.expect_within(text, PATIENCE)
    }

    /// Waits for `text`, at most `limit`.
    pub fn expect_within(&mut self, text: &str, limit: Duration) -> Result<String> {
        self.expect_any_within(&[text], limit).map(|(_, before)| before)
    }

    /// Waits for one of `texts`; returns which, and what was before it.
    pub fn expect_any(&mut self, texts: &[&str]) -> Result<(usize, String)> {
        self.expect_any_within(texts, PATIENCE)
    }

    fn expect_any_within(&mut self, texts: &[&str], limit: Duration) -> Result<(usize, String)> {
        let began = Instant::now();
        loop {
            let open = self.receive(Duration::from_millis(20));
            let unread = String::from_utf8_lossy(&self.screen[self.read..]).into_owned();
            let found = texts
                .iter()
                .enumerate()
                .filter_map(|(which, text)| Some((unread.find(text)?, which, text.len())))
                .min();
            if let Some((at, which, length)) = found {
                self.read += at + length;
                return Ok((which, unread[..at].to_owned()));
            }
            let waited = began.elapsed();
            if !open || waited > limit {
                let why = if open { format!("within {waited:?}") } else { "to the end".to_owned() };
                let screen = self.screen();
                let message = format!(
                    "waited {why} for {texts:?} on this screen:\n{screen}\n(end of screen)"
                );
                return Err(Failed::new(message));
            }
        }
    }

    /// Types a line and Enter.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).context("typing")
    }

    /// Waits for `prompt`, then types `line`.
    pub fn answer(&mut self, prompt: &str, line: &str) -> Result<String> {
        let before = self.expect(prompt)?;
        self.type_line(line)?;
        Ok(before)
    }

    /// Waits until the program has ended; returns its exit code.
    pub fn end(&mut self) -> Result<i32> {
        self.end_within(PATIENCE)
    }

    /// Waits at most `limit` until the program has ended; returns its exit code.
    pub fn end_within(&mut self, limit: Duration) -> Result<i32> {
        let began = Instant::now();
        loop {
            self.receive(Duration::from_millis(20));
            if let Some(status) = self.child.try_wait()? {
                let last = Instant::now();
                while self.receive(Duration::from_millis(20)) && last.elapsed().as_millis() < 200 {}
                return Ok(code_of(status));
            }
            if began.elapsed() > limit {
                let screen = self.screen();
                return Err(Failed::new(format!("still running after {limit:?}:\n{screen}")));
            }
        }
    }

    /// Whether the program is still running.
    pub fn is_running(&mut self) -> bool {
        self.receive(Duration::from_millis(1));
        matches!(self.child.try_wait(), Ok(None))
    }

    /// All that was on the screen.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen).replace('\r', "")
    }

    /// Takes what came within `wait`; false when nothing can come any more.
    fn receive(&mut self, wait: Duration) -> bool {
        match self.output.recv_timeout(wait) {
            Ok(bytes) => {
                if let Some(watcher) = &mut self.watcher {
                    watcher(&String::from_utf8_lossy(&bytes));
                }
                self.screen.extend(bytes);
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The program may have ended; then there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(line: &str) -> Result<Terminal> {
        Terminal::open(Command::new("sh").env("PATH", "/usr/bin:/bin"), line)
    }

    #[test]
    fn a_secret_typed_at_a_prompt_does_not_show() -> Result<()> {
        let mut terminal = open("tty; read -rs -p 'Code: ' code; echo; echo \"${#code} typed\"")?;
        terminal.expect("/dev/pts/")?;
        terminal.answer("Code: ", "471199")?;
        terminal.expect("6 typed")?;
        assert_eq!(terminal.end()?, 0);
        assert!(!terminal.screen().contains("471199"), "{}", terminal.screen());
        Ok(())
    }

    #[test]
    fn a_text_that_does_not_come_is_told_with_the_screen() -> Result<()> {
        let mut terminal = open("echo something else; exit 3")?;
        let Err(error) = terminal.expect("what is awaited") else {
            return Err(Failed::new("found what never came"));
        };
        assert!(error.to_string().contains("something else"), "{error}");
        assert_eq!(terminal.end()?, 3);
        Ok(())
    }

    #[test]
    fn dropping_a_terminal_ends_its_program() -> Result<()> {
        let terminal = open("exec sleep 300")?;
        let process = format!("/proc/{}", terminal.child.id());
        assert!(std::path::Path::new(&process).exists());
        drop(terminal);
        assert!(!std::path::Path::new(&process).exists());
        Ok(())
    }
}
