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

    /// The copy of an audit record.
    pub fn record(&self, record: &Record) {
        let level = match record.outcome {
            // Good or not, somebody has to look at once.
            _ if record.action == BREAK_GLASS => Level::Alert,
            Outcome::Done => Level::Notice,
            Outcome::Refused => Level::Warning,
        };
        self.send(&record.line(), level);
    }

    /// Something that could not be recorded, such as a store out of reach.
    pub fn trouble(&self, text: &str) {
        self.send(&text.chars().flat_map(escaped).collect::<String>(), Level::Warning);
    }

    fn send(&self, line: &str, level: Level) {
        let Some(socket) = &self.socket else { return };
        // A longer one, such as a large change of the policy, would be lost whole.
        let cut = (0..=LONGEST.min(line.len())).rev().find(|at| line.is_char_boundary(*at));
        let line = &line[..cut.unwrap_or(0)];
        let Ok(datagram) = UnixDatagram::unbound() else { return };
        if datagram
            .set_write_timeout(Some(PATIENCE))
            .and_then(|()| datagram.connect(socket))
            .is_err()
        {
            return;
        }
        let formatter = Formatter3164 {
            facility: Facility::LOG_AUTHPRIV,
            hostname: None,
            process: self.process.to_owned(),
            pid: std::process::id(),
        };
        let mut logger = Logger::new(LoggerBackend::Unix(datagram), formatter);
        // Lost lines are not an error here: see above.
        let _ = match level {
            Level::Alert => logger.alert(line),
            Level::Warning => logger.warning(line),
            Level::Notice => logger.notice(line),
        };
    }
}
