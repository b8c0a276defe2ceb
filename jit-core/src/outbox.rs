//! How far each hook is with telling what happened. The outbox is the audit log itself: an event
//! waits in it from the moment it is true, and a hook's standing says which record it was told last.
//! A record counts as told once whoever is told has said so, so it may come twice, but never not.

use serde::{Deserialize, Serialize};

use crate::name::HookName;
use crate::time::Timestamp;

/// The longest pause between two tries of one event, in seconds.
pub const LONGEST_PAUSE: u64 = 600;

/// How many characters of what went wrong are kept.
const LONGEST_TROUBLE: usize = 300;

/// How far a hook is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Whose.
    pub hook: HookName,
    /// The number of the last record it is done with.
    pub after: u64,
    /// When it was last told something.
    pub told_at: Option<Timestamp>,
    /// What is wrong with the next event, if it was tried in vain.
    pub failing: Option<Failing>,
}

/// An event that was tried in vain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failing {
    /// How often.
    pub tries: u32,
    /// Since when.
    pub since: Timestamp,
    /// When the next try is due.
    pub next: Timestamp,
    /// What went wrong the last time.
    pub trouble: String,
}

impl Standing {
    /// A hook that is told what comes after record `after`.
    pub fn new(hook: HookName, after: u64) -> Self {
        Standing { hook, after, told_at: None, failing: None }
    }

    /// Record `number` was told.
    #[must_use]
    pub fn told(self, number: u64, now: Timestamp) -> Self {
        Standing { after: number.max(self.after), told_at: Some(now), failing: None, ..self }
    }

    /// The next event was tried once more in vain; `random` spreads those that fail together.
    #[must_use]
    pub fn failed(self, trouble: &str, now: Timestamp, random: u32) -> Self {
        let before = self.failing.as_ref();
        let tries = before.map_or(0, |failing| failing.tries).saturating_add(1);
        let failing = Failing {
            tries,
            since: before.map_or(now, |failing| failing.since),
            next: Timestamp::from_unix(now.unix() + pause(tries, random)).unwrap_or(now),
            trouble: trouble.chars().take(LONGEST_TROUBLE).collect(),
        };
        Standing { failing: Some(failing), ..self }
    }

    /// Whether the next try is due. One that lies further away than any pause was set by a clock
    /// that was ahead.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.failing
            .as_ref()
            .is_none_or(|failing| failing.next <= now || failing.next.since(now) > LONGEST_PAUSE)
    }
}

/// Seconds to wait after so many tries in vain: twice as long each time, up to
/// [`LONGEST_PAUSE`], and of that at random something between the half and all.
fn pause(tries: u32, random: u32) -> u64 {
    let all = 1_u64.checked_shl(tries).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
    let half = all / 2;
    all - half + u64::from(random) % (half + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;

    fn standing() -> Standing {
        Standing::new(HookName::parse("pager").unwrap(), 4)
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_differ() {
        for (tries, least, most) in
            [(1, 1, 2), (2, 2, 4), (3, 4, 8), (9, 256, 512), (10, 300, 600), (64, 300, 600)]
        {
            for random in [0, 1, 7, u32::MAX] {
                let pause = pause(tries, random);
                assert!((least..=most).contains(&pause), "{tries} tries: {pause}");
            }
        }
        assert_eq!(pause(u32::MAX, 0), 300);
        assert_ne!(pause(10, 0), pause(10, 1));
    }

    #[test]
    fn what_failed_is_due_after_its_pause_and_a_success_clears_it() {
        let failed = standing().failed("refused", at(5000), 0);
        assert!(!failed.is_due(at(5000)));
        assert!(failed.is_due(at(5002)));
        let again = failed.failed(&"x".repeat(1000), at(5010), 0);
        let failing = again.failing.clone().unwrap();
        assert_eq!((failing.tries, failing.since, failing.trouble.len()), (2, at(5000), 300));
        assert!(again.is_due(at(5010 - 20 * 60)), "the clock was ahead");
        let told = again.told(5, at(5020));
        assert_eq!((told.after, told.failing.clone()), (5, None));
        assert_eq!(told.told(3, at(5021)).after, 5, "never backwards");
    }
}
