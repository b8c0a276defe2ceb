//! Keeping in step: waits at the authority for news of this host, and takes them in.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use jit_core::authority::Authority;
use jit_core::{Error, Result};

use crate::{Office, Reach, Sshd};

/// How long the authority holds a question to which there is no news.
const WAIT: Duration = Duration::from_secs(20);
/// The first pause after it failed; each is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// For how long an authority that did not certify sshd's key is not asked again, in milliseconds: each
/// refusal is a record on its log.
const REST: u64 = 600_000;
/// How often it is written down that all is well, in seconds.
const NOTED_EVERY: u64 = 30;

/// What went wrong with sshd's files, each thing told once, and until when it rests.
#[derive(Default)]
struct Trouble {
    told: BTreeSet<String>,
    until: Option<u64>,
}

/// What keeps a host in step.
pub struct Step<'a> {
    /// This host's own store.
    pub here: Authority,
    /// The authority.
    pub office: &'a dyn Office,
    /// Whether it is in reach.
    pub reach: &'a Reach,
    version: Option<String>,
}

impl<'a> Step<'a> {
    /// One that knows nothing of what the authority said before.
    pub fn new(here: Authority, office: &'a dyn Office, reach: &'a Reach) -> Self {
        Step { here, office, reach, version: None }
    }

    /// Goes on for ever.
    pub fn run(&mut self) -> ! {
        let mut pause = FIRST_PAUSE;
        let mut trouble = String::new();
        let mut sshds = Trouble::default();
        loop {
            match self.once(WAIT) {
                Ok(_) => {
                    self.sshd(&mut sshds);
                    if !trouble.is_empty() {
                        eprintln!("jit-link: in step again");
                        trouble.clear();
                    }
                    pause = FIRST_PAUSE;
                }
                Err(error) => {
                    self.failed(&error, &mut trouble);
                    thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Waits for news and takes them in; whether there were any.
    ///
    /// # Errors
    /// Unavailable when the authority or the store is; invalid when it is told of another host.
    pub fn once(&mut self, wait: Duration) -> Result<bool> {
        let version = self.version.take();
        let clock = self.here.clock();
        let state = self.reach.ask(clock, || self.office.state(version.as_deref(), wait))?;
        let new = version.as_ref() != Some(&state.version) && self.here.take_up(&state)?;
        self.version = Some(state.version.clone());
        let now = self.here.wall_clock()?;
        let ahead = state.now.unix().cast_signed() - now.unix().cast_signed();
        let host = self.here.config().host.clone();
        self.here.note_link(&host, |link| {
            let due = link.contact_at.is_none_or(|at| now.since(at) >= NOTED_EVERY || at > now);
            if due || link.trouble.is_some() {
                link.contact_at = Some(now);
                link.ahead = ahead;
                link.trouble = None;
            }
        })?;
        Ok(new)
    }

    /// Has sshd's files follow. What fails there holds up nothing else.
    fn sshd(&self, trouble: &mut Trouble) {
        let sshd = Sshd::of(&self.here, self.office);
        match sshd.trust() {
            Ok(true) => eprintln!("jit-link: sshd trusts the CA's keys as they are now"),
            Ok(false) => {}
            Err(error) => self.trouble(trouble, &format!("sshd's file of CA keys: {error}")),
        }
        let Ok(now) = self.here.clock().boot() else { return };
        if trouble.until.is_some_and(|until| now.millis < until) {
            return;
        }
        match sshd.certify() {
            Ok(true) => eprintln!("jit-link: sshd's key has a new certificate"),
            Ok(false) => {}
            Err(error) => {
                trouble.until = Some(now.millis + REST);
                self.trouble(trouble, &format!("sshd's key has no new certificate: {error}"));
            }
        }
    }

    fn trouble(&self, trouble: &mut Trouble, text: &str) {
        if trouble.told.insert(text.to_owned()) {
            eprintln!("jit-link: {}", text.escape_debug());
            self.here.syslog().trouble(text);
        }
    }

    /// Says so once, not at every try.
    fn failed(&self, error: &Error, told: &mut String) {
        let text = error.to_string();
        if *told == text {
            return;
        }
        eprintln!("jit-link: not in step: {}", text.escape_debug());
        self.here.syslog().trouble(&format!("not in step with the authority: {text}"));
        let host = self.here.config().host.clone();
        // What can't be written down either is in syslog.
        let _ = self.here.note_link(&host, |link| link.trouble = Some(text.clone()));
        *told = text;
    }
}
