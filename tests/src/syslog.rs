//! A private syslog: a datagram socket whose lines go to a file, one event a line.

use crate::error::{Context, Failed, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The lines that came in on a private syslog socket.
#[derive(Clone)]
pub struct Syslog {
    file: PathBuf,
}

impl Syslog {
    /// Listens on `socket` for as long as this process lives, and writes to `file`.
    pub fn listen(socket: &Path, file: &Path) -> Result<Self> {
        let (from, to) = open(socket, file)?;
        thread::spawn(move || receive(&from, to));
        Ok(Self { file: file.to_owned() })
    }

    /// Reads what another process collects in `file`.
    pub fn of_file(file: &Path) -> Self {
        Self { file: file.to_owned() }
    }

    /// All that came so far.
    pub fn text(&self) -> String {
        let bytes = std::fs::read(&self.file).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How much came so far: a mark to hand to [`Syslog::since`].
    pub fn mark(&self) -> usize {
        self.text().len()
    }

    /// What came after `mark`.
    pub fn since(&self, mark: usize) -> String {
        self.text().get(mark..).unwrap_or_default().to_owned()
    }

    /// Waits for a line with all of `words` in it and returns it.
    pub fn wait_for(&self, words: &[&str]) -> Result<String> {
        self.wait_for_since(0, words)
    }

    /// Waits for a line after `mark` with all of `words` in it and returns it.
    pub fn wait_for_since(&self, mark: usize, words: &[&str]) -> Result<String> {
        let began = Instant::now();
        loop {
            let text = self.since(mark);
            let fits = |line: &&str| words.iter().all(|word| line.contains(word));
            if let Some(line) = text.lines().find(fits) {
                return Ok(line.to_owned());
            }
            if began.elapsed() > Duration::from_secs(5) {
                return Err(Failed::new(format!("no line in the log with {words:?}:\n{text}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Collects for ever: what a process of its own does for an instance that is kept.
pub fn collect(socket: &Path, file: &Path) -> Result<()> {
    let (from, to) = open(socket, file)?;
    receive(&from, to);
    Ok(())
}

fn open(socket: &Path, file: &Path) -> Result<(UnixDatagram, File)> {
    let from = UnixDatagram::bind(socket).context(format!("listening on {}", socket.display()))?;
    let to = OpenOptions::new().create(true).append(true).open(file)?;
    Ok((from, to))
}

fn receive(from: &UnixDatagram, mut to: File) {
    let mut datagram = vec![0; 65536];
    while let Ok(length) = from.recv(&mut datagram) {
        let mut line = datagram[..length].to_vec();
        while line.last().is_some_and(|byte| matches!(byte, b'\n' | 0)) {
            line.pop();
        }
        // A line break inside a datagram is kept: it would show as a second line, which is what
        // a test of escaping looks for.
        line.push(b'\n');
        if to.write_all(&line).is_err() {
            return;
        }
    }
}
