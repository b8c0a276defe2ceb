//! Counting wrong codes: throttling and lockout.
//!
//! What a host of the fleet reports is counted apart for that host, and bars it alone: one that
//! was broken into must not be able to keep somebody out everywhere by making failures up.

use serde::{Deserialize, Serialize};

use super::{Factors, Verdict};
use crate::config::FactorLimits;
use crate::error::Result;
use crate::name::HostName;
use crate::time::Timestamp;

/// Failures that one host reported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    /// When the latest were, oldest first; as many as the limit asks to remember.
    pub latest: Vec<Timestamp>,
    /// How many since the last success there.
    pub consecutive: u32,
}

impl Factors {
    /// Why the next attempt would not be looked at: one counter for every kind of code. Failures
    /// that are long past are forgotten. Failures here bar everywhere, those at a host only there.
    pub(crate) fn barred(
        &mut self,
        from: Option<&HostName>,
        limits: &FactorLimits,
        now: Timestamp,
    ) -> Result<Option<Verdict>> {
        let here = barred(&mut self.failures, self.consecutive, limits, now)?;
        let there = match from.and_then(|host| self.at_hosts.get_mut(host)) {
            Some(there) => barred(&mut there.latest, there.consecutive, limits, now)?,
            None => None,
        };
        Ok(here.or(there))
    }

    /// Counts an attempt that was looked at.
    pub(crate) fn count(&mut self, from: Option<&HostName>, accepted: bool, now: Timestamp) {
        match (from, accepted) {
            (None, true) => {
                self.consecutive = 0;
                self.failures.clear();
            }
            (None, false) => {
                self.consecutive = self.consecutive.saturating_add(1);
                self.failures.push(now);
            }
            (Some(host), true) => {
                self.at_hosts.remove(host);
            }
            (Some(host), false) => {
                let there = self.at_hosts.entry(host.clone()).or_default();
                there.consecutive = there.consecutive.saturating_add(1);
                there.latest.push(now);
            }
        }
    }

    /// Whether it takes a reset before another code counts: everywhere, or at this host.
    pub fn locked_out(&self, at: Option<&HostName>, limits: &FactorLimits) -> bool {
        let there =
            at.and_then(|host| self.at_hosts.get(host)).map_or(0, |there| there.consecutive);
        self.consecutive.max(there) >= limits.lockout
    }
}

fn barred(
    latest: &mut Vec<Timestamp>,
    consecutive: u32,
    limits: &FactorLimits,
    now: Timestamp,
) -> Result<Option<Verdict>> {
    latest.retain(|failure| now.since(*failure) < limits.period.secs());
    if consecutive >= limits.lockout {
        return Ok(Some(Verdict::LockedOut));
    }
    if latest.len() >= limits.attempts as usize {
        let oldest = latest.first().copied().unwrap_or(now);
        return Ok(Some(Verdict::Throttled { until: oldest.after(limits.period)? }));
    }
    Ok(None)
}
