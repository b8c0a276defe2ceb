//! One hook's thread: tells it one event after the other, in the order of the log, and writes down
//! what it was told. An event that can't be told is tried again until it is too old; nothing
//! overtakes it, and no other hook waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use jit_core::Result;
use jit_core::authority::{Authority, Pending};
use jit_core::hook::Hook;
use jit_core::secret::random_bytes;

use crate::channel;
use crate::event::Event;

/// How often the store is looked at.
const TICK: Duration = Duration::from_millis(250);
/// How many ticks to wait after the store failed.
const AFTER_TROUBLE: u32 = 20;

/// Tells one hook of events until it is told to stop.
pub(crate) struct Worker<'a> {
    pub(crate) authority: Authority,
    pub(crate) hook: &'a Hook,
    pub(crate) stop: &'a AtomicBool,
}

impl Worker<'_> {
    /// Goes on until it is told to stop.
    pub(crate) fn run(&self) {
        let mut trouble = String::new();
        while !self.stopped() {
            let ticks = match self.step() {
                Ok(true) => 0,
                Ok(false) => 1,
                Err(error) => {
                    // Once, not every few seconds.
                    let text = format!("hook {}: {error}", self.hook.name);
                    if text != trouble {
                        self.report(&text);
                        trouble = text;
                    }
                    AFTER_TROUBLE
                }
            };
            if ticks == 0 {
                trouble.clear();
            }
            for _ in 0..ticks {
                if self.stopped() {
                    return;
                }
                thread::sleep(TICK);
            }
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Tells the next event, if one is due; whether another may be.
    fn step(&self) -> Result<bool> {
        let Some(pending) = self.authority.next_event(self.hook)? else { return Ok(false) };
        if pending.too_old {
            self.authority.give_up(&pending)?;
            return Ok(true);
        }
        if !pending.due {
            return Ok(false);
        }
        let event = Event::of(&pending.record, &self.authority.config().host);
        match channel::tell(self.hook, &event, self.authority.clock().now()?) {
            Ok(_) => {
                self.authority.told(&self.hook.name, &pending.record)?;
                Ok(true)
            }
            Err(trouble) => {
                self.failed(&pending, &trouble)?;
                Ok(false)
            }
        }
    }

    fn failed(&self, pending: &Pending, trouble: &str) -> Result<()> {
        if pending.standing.failing.is_none() {
            self.report(&format!(
                "hook {}: event {} could not be told: {trouble}; it is tried again",
                self.hook.name, pending.record.sequence
            ));
        }
        let random = u32::from_le_bytes(random_bytes()?);
        self.authority.not_told(&self.hook.name, trouble, random)
    }

    fn report(&self, text: &str) {
        eprintln!("jit-hooks: {}", text.escape_debug());
        self.authority.syslog().trouble(text);
    }
}
