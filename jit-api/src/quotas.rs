//! How much one caller who is known may have of the server: requests in a time, at once, and waiting.
//! Whoever asks too much is told when to come again, and leaves the others theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jit_core::config::Quota;
use jit_core::time::Timestamp;

use crate::asked::Peer;
use crate::caller::Caller;
use crate::pool::lock;
use crate::problem::Failure;

/// For how many seconds a caller who asked nothing may catch up.
const BURST: u32 = 10;
/// So many are remembered before those who ask nothing any more are forgotten.
const REMEMBERED: usize = 4096;

/// Who has how much.
#[derive(Default)]
pub(crate) struct Quotas {
    each: Quota,
    used: Arc<Mutex<HashMap<String, Used>>>,
}

struct Used {
    /// Requests that may still come, as of `at`.
    left: u32,
    at: u64,
    working: u32,
    waiting: u32,
}

/// A request, from its first turn to its answer, as whoever carries it keeps it. What it takes up of
/// its caller's quota is free again when this is dropped.
#[derive(Default)]
pub struct Visit {
    /// Whether there is time left to wait.
    pub may_wait: bool,
    /// The proof that was used up for it, so that it is good for its next turn.
    pub(crate) proof: Option<[u8; 32]>,
    counted: bool,
    waits: Option<Held>,
}

/// One of a caller's requests that are worked on, or wait.
pub(crate) struct Held {
    used: Arc<Mutex<HashMap<String, Used>>>,
    whose: String,
    of: fn(&mut Used) -> &mut u32,
}

impl Visit {
    /// Of a client who waits if there is something to wait for.
    pub fn patient() -> Self {
        Visit { may_wait: true, ..Visit::default() }
    }
}

impl Quotas {
    pub(crate) fn new(each: Quota) -> Self {
        Quotas { each, used: Arc::default() }
    }

    /// Counts a request, once, and says that it is worked on. Root, who can end the server, has no
    /// quota, nor has somebody unknown from the network: their address has one, where they come in.
    ///
    /// # Errors
    /// Rate-limited.
    pub(crate) fn work(
        &self,
        visit: &mut Visit,
        caller: &Caller,
        peer: Peer,
        now: Timestamp,
    ) -> Result<Option<Held>, Failure> {
        let Some(whose) = whose(caller, peer).filter(|_| !visit.counted) else { return Ok(None) };
        self.count(&whose, now.unix())?;
        visit.counted = true;
        self.hold(whose, |used| &mut used.working, self.each.at_once).map(Some)
    }

    /// Says that a request waits from here on.
    ///
    /// # Errors
    /// Rate-limited.
    pub(crate) fn wait(
        &self,
        visit: &mut Visit,
        caller: &Caller,
        peer: Peer,
    ) -> Result<(), Failure> {
        if let (Some(whose), None) = (whose(caller, peer), &visit.waits) {
            visit.waits = Some(self.hold(whose, |used| &mut used.waiting, self.each.waiting)?);
        }
        Ok(())
    }

    fn count(&self, whose: &str, now: u64) -> Result<(), Failure> {
        let Quota { rate, .. } = self.each;
        let full = rate.saturating_mul(BURST);
        let refilled = |used: &Used| {
            let since = u32::try_from(now.saturating_sub(used.at)).unwrap_or(u32::MAX);
            full.min(used.left.saturating_add(since.saturating_mul(rate)))
        };
        let mut all = lock(&self.used);
        if all.len() >= REMEMBERED {
            all.retain(|_, used| used.working + used.waiting > 0 || refilled(used) < full);
        }
        let used = all.entry(whose.to_owned()).or_insert_with(|| Used {
            left: full,
            at: now,
            working: 0,
            waiting: 0,
        });
        used.left = refilled(used);
        used.at = now.max(used.at);
        used.left = used.left.checked_sub(1).ok_or_else(|| too_many("requests"))?;
        Ok(())
    }

    fn hold(
        &self,
        whose: String,
        of: fn(&mut Used) -> &mut u32,
        most: u32,
    ) -> Result<Held, Failure> {
        // Counted a moment ago, so it is there.
        if let Some(used) = lock(&self.used).get_mut(&whose) {
            if *of(used) >= most {
                return Err(too_many("requests at a time"));
            }
            *of(used) += 1;
        }
        Ok(Held { used: self.used.clone(), whose, of })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(used) = lock(&self.used).get_mut(&self.whose) {
            let held = (self.of)(used);
            *held = held.saturating_sub(1);
        }
    }
}

/// A person has one quota, however they come.
fn whose(caller: &Caller, peer: Peer) -> Option<String> {
    match (caller, peer) {
        (Caller::Root, _) | (Caller::Nobody, Peer::Process | Peer::Network { .. }) => None,
        (Caller::Nobody, Peer::Unix { uid }) => (uid != 0).then(|| format!("account:{uid}")),
        (Caller::Local(name) | Caller::Person { name, .. }, _) => Some(format!("person:{name}")),
        (Caller::Host(name), _) => Some(format!("host:{name}")),
    }
}

fn too_many(what: &str) -> Failure {
    // A second gives one more at the least.
    Failure::rate_limited(format!("there are too many {what} of yours"), 1).next("Ask more slowly.")
}
