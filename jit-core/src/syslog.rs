//! The same events to syslog: facility authpriv, RFC 3164 over the local datagram socket. It is a
//! copy; the audit log is the record. A syslog that is down or hangs delays nobody.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

use crate::audit::{BREAK_GLASS, Outcome, Record, escaped};

/// How long a full syslog socket may hold up a login.
const PATIENCE: Duration = Duration::from_millis(200);

/// How urgent a line is (RFC 5424, severity).
#[derive(Clone, Copy)]
enum Level {
    Alert,
    Warning,
    Notice,
}

/// The longest line sent, in bytes: what the daemons take.
const LONGEST: usize = 8 * 1024;

/// Where lines go; connects anew for each, as logins are short-lived processes.
#[derive(Clone, Debug)]
pub struct Syslog {
    process: &'static str,
    socket: Option<PathBuf>,
}

impl Syslog {
    /// To `socket`, in the name of `process`; none is silence.
    pub fn new(process: &'static str, socket: Option<PathBuf>) -> Self {
        Syslog { process, socket }
    }

    /// The copies of audit records.
    pub fn records(&self, records: &[Record]) {
        let level = |record: &Record| match record.outcome {
            // Good or not, somebody has to look at once.
            _ if record.action == BREAK_GLASS => Level::Alert,
            Outcome::Done => Level::Notice,
            Outcome::Refused => Level::Warning,
        };
        self.send(records.iter().map(|record| (record.line(), level(record))));
    }

    /// Something that could not be recorded, such as a store out of reach.
    pub fn trouble(&self, text: &str) {
        let line = text.chars().flat_map(escaped).collect::<String>();
        self.send(std::iter::once((line, Level::Warning)));
    }

    fn send(&self, lines: impl Iterator<Item = (String, Level)>) {
        let mut lines = lines.peekable();
        if lines.peek().is_none() {
            return;
        }
        let Some(mut logger) = self.connect() else { return };
        for (line, level) in lines {
            // A longer one, such as a large change of the policy, would be lost whole.
            let cut = (0..=LONGEST.min(line.len())).rev().find(|at| line.is_char_boundary(*at));
            let line = &line[..cut.unwrap_or(0)];
            let sent = match level {
                Level::Alert => logger.alert(line),
                Level::Warning => logger.warning(line),
                Level::Notice => logger.notice(line),
            };
            // Lost lines are not an error here, and waited for once only: see above.
            if sent.is_err() {
                return;
            }
        }
    }

    fn connect(&self) -> Option<Logger<LoggerBackend, Formatter3164>> {
        let socket = self.socket.as_ref()?;
        let datagram = UnixDatagram::unbound().ok()?;
        datagram.set_write_timeout(Some(PATIENCE)).ok()?;
        datagram.connect(socket).ok()?;
        let formatter = Formatter3164 {
            facility: Facility::LOG_AUTHPRIV,
            hostname: None,
            process: self.process.to_owned(),
            pid: std::process::id(),
        };
        Some(Logger::new(LoggerBackend::Unix(datagram), formatter))
    }
}
