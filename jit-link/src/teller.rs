//! Telling the authority this host's log, in order, from where it was told last.

use std::thread;
use std::time::Duration;

use jit_core::authority::Authority;
use jit_core::link::{Told, told_action};
use jit_core::{Kind, Result};

use crate::Office;

/// How often the log is looked at.
const TICK: Duration = Duration::from_millis(500);
/// How long to wait after the authority failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// How long to wait after it said no, as it does to a host that tells more than it may.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);
/// How many records are looked at, and told, at a time.
const PAGE: u32 = 100;
/// So many records that are not told are looked at again rather than written down.
const UNWRITTEN: u64 = 100;

/// What tells the log.
pub struct Teller<'a> {
    /// This host's own store.
    pub here: Authority,
    /// The authority.
    pub office: &'a dyn Office,
}

impl Teller<'_> {
    /// Goes on for ever.
    pub fn run(&self) -> ! {
        let mut trouble = String::new();
        loop {
            match self.once() {
                Ok(true) => trouble.clear(),
                Ok(false) => thread::sleep(TICK),
                Err(error) => {
                    let text = error.to_string();
                    if text != trouble {
                        eprintln!("jit-link: the log can't be told: {}", text.escape_debug());
                        trouble = text;
                    }
                    thread::sleep(match error.kind() {
                        Kind::Refused => AFTER_REFUSAL,
                        _ => AFTER_TROUBLE,
                    });
                }
            }
        }
    }

    /// Tells the next records; whether there were any.
    ///
    /// # Errors
    /// Unavailable when the authority or the store is; refused when they are more than a host may tell
    /// within an hour. They are told again then.
    pub fn once(&self) -> Result<bool> {
        let before = self.here.link()?.told;
        let mut seen = before;
        loop {
            let records = self.here.records_from(seen + 1, PAGE)?;
            let Some(last) = records.last() else { break };
            seen = last.sequence;
            let told: Vec<Told> =
                records.iter().filter(|r| told_action(&r.action).is_some()).map(Told::of).collect();
            if !told.is_empty() {
                self.office.log(&told)?;
                self.note(seen)?;
                return Ok(true);
            }
        }
        if seen - before >= UNWRITTEN {
            self.note(seen)?;
        }
        Ok(false)
    }

    fn note(&self, told: u64) -> Result<()> {
        let host = &self.here.config().host;
        self.here.note_link(host, |link| link.told = link.told.max(told))
    }
}
