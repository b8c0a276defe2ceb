//! `jit-authorized`, which sshd runs for every login, as root: as `AuthorizedKeysCommand` it prints
//! the keys that may log in to an account, as `AuthorizedPrincipalsCommand` the principals that a
//! certificate may name.
//!
//! ```text
//! jit-authorized [--config FILE] keys LOGIN
//! jit-authorized [--config FILE] principals LOGIN KEY_ID SERIAL
//! ```
//! In sshd_config `AuthorizedPrincipalsCommand` has to stand before `AuthorizedKeysCommand`: OpenSSH
//! 9.2 drops it without a word when it comes after (`sshd -T` then shows none).
//!
//! LOGIN, KEY_ID and SERIAL come from whoever connects. Whatever goes wrong, nothing is printed to
//! standard output, so sshd accepts nothing; the reason is on standard error and in syslog.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use jit_core::authority::Authority;
use jit_core::config::{Config, DEFAULT_PATH};
use jit_core::link;
use jit_core::name::Login;
use jit_core::store::sqlite::Opener;
use jit_core::syslog::Syslog;
use jit_core::{Error, Result};

const PROCESS: &str = "jit-authorized";

/// Where syslog is as long as the configuration does not say.
const SYSLOG: &str = "/dev/log";

/// More than sshd has to say, even with a key ID as long as they get.
const LONGEST_ARGUMENT: usize = 4096;

fn main() -> ExitCode {
    let mut syslog = Syslog::new(PROCESS, Some(SYSLOG.into()));
    let answer = Call::parse(std::env::args_os().skip(1)).and_then(|call| {
        let config = Config::load(&call.config)?;
        syslog = Syslog::new(PROCESS, config.syslog_socket.clone());
        call.answer(config)
    });
    match answer.and_then(|lines| print(&lines)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            syslog.trouble(&error.to_string());
            // sshd passes this on to its own log; if it can't, syslog has it.
            let _ = writeln!(std::io::stderr(), "{PROCESS}: {error}");
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// All at once: half a list would be a wrong one.
fn print(lines: &[String]) -> Result<()> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|e| Error::unavailable(format!("sshd does not read the answer: {e}")))
}

/// What sshd asks.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    config: PathBuf,
    login: Login,
    question: Question,
}

#[derive(Debug, PartialEq, Eq)]
enum Question {
    Keys,
    Principals { key_id: String, serial: u64 },
}

impl Call {
    /// Reads the arguments by their place alone: nothing that a stranger chose is ever an option.
    fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self> {
        let usage = || {
            Error::invalid("the arguments are not those that sshd_config should give")
                .next("keys %u, or principals %u %i %s")
        };
        let arguments = arguments
            .take(8)
            .map(|argument| {
                let text = argument.into_string().map_err(|_| usage())?;
                if text.len() > LONGEST_ARGUMENT { Err(usage()) } else { Ok(text) }
            })
            .collect::<Result<Vec<_>>>()?;
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (config, rest) = match words.as_slice() {
            ["--config", file, rest @ ..] => (*file, rest),
            rest => (DEFAULT_PATH, rest),
        };
        let (login, question) = match rest {
            ["keys", login] => (login, Question::Keys),
            ["principals", login, key_id, serial] => {
                let serial = parse_serial(serial)
                    .ok_or_else(|| Error::invalid("the serial number is none"))?;
                (login, Question::Principals { key_id: (*key_id).to_owned(), serial })
            }
            _ => return Err(usage()),
        };
        Ok(Call { config: config.into(), login: Login::parse(login)?, question })
    }

    fn answer(&self, config: Config) -> Result<Vec<String>> {
        let login = &self.login;
        let authority = Authority::open(config, PROCESS, Opener::Login)?;
        match &self.question {
            Question::Keys => {
                let (syslog, here) = (authority.syslog().clone(), authority.config().host.clone());
                let lines = link::authorized_keys(authority, login)
                    .map_err(|error| error.context(format!("keys of {login}")))?;
                if lines.is_empty() {
                    let none = "nobody with a key holds access or may ask for it";
                    syslog.trouble(&format!("keys of {login}@{here}: {none}"));
                }
                Ok(lines)
            }
            Question::Principals { key_id, serial } => authority
                .principals(login, key_id, *serial)
                .map_err(|error| error.context(format!("certificate {serial} for {login}"))),
        }
    }
}

/// Digits and nothing else; not 0, which no certificate of ours has.
fn parse_serial(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|serial| digits && *serial != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Call> {
        Call::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn the_arguments_are_read_by_their_place() {
        let call = parse(&["--config", "/x", "keys", "deploy"]).unwrap();
        assert_eq!(call.config, PathBuf::from("/x"));
        assert_eq!((call.login.as_str(), call.question), ("deploy", Question::Keys));
        let call = parse(&["principals", "deploy", "--config", "7"]).unwrap();
        assert_eq!(call.config, PathBuf::from(DEFAULT_PATH));
        let key_id = "--config".to_owned();
        assert_eq!(call.question, Question::Principals { key_id, serial: 7 });
    }

    #[test]
    fn what_a_stranger_chose_is_bounded_and_checked() {
        for login in ["--config", "-x", "--help", "", "a b", "a\nb", "a@b", "../x", "Root", "ä"] {
            assert!(parse(&["keys", login]).is_err(), "{login:?}");
            assert!(parse(&["principals", login, "id", "1"]).is_err(), "{login:?}");
        }
        for serial in ["", "0", "-1", "+1", " 1", "1 ", "1x", "18446744073709551616", "١"] {
            assert!(parse(&["principals", "deploy", "id", serial]).is_err(), "{serial:?}");
        }
        assert!(parse(&["principals", "deploy", &"x".repeat(5000), "1"]).is_err());
        for wrong in [&[][..], &["keys"], &["keys", "a", "b"], &["principals", "a"], &["--config"]]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        use std::os::unix::ffi::OsStringExt;
        let bytes = ["keys".into(), OsString::from_vec(vec![0xff])];
        assert!(Call::parse(bytes.into_iter()).is_err());
    }
}
