//! How much a host may put on its authority's log: records there are kept for ever.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// So long a budget lasts, in seconds.
const LASTS: u64 = 3600;
/// Records in that time: a login with sudo makes about ten, so that is one every seven seconds, all
/// day. What is more waits in the host's own log.
const RECORDS: u32 = 5000;
/// Bytes in that time, at 1 KiB a record: 120 MiB a day if a host means ill, not 500 GB.
const BYTES: usize = 5 << 20;

/// What a host has told within the hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    since: Timestamp,
    records: u32,
    bytes: usize,
    exceeded: bool,
}

/// Whether there is room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// There was, and it is taken.
    Taken,
    /// There will be, in so many seconds.
    Later {
        /// From now on.
        seconds: u64,
        /// Whether this is the first time within the hour.
        first: bool,
    },
}

impl Budget {
    /// A whole one.
    pub(crate) fn new(now: Timestamp) -> Self {
        Budget { since: now, records: 0, bytes: 0, exceeded: false }
    }

    /// Takes room for records, all of them or none.
    pub(crate) fn take(&mut self, records: usize, bytes: usize, now: Timestamp) -> Room {
        if now.since(self.since) >= LASTS || now < self.since {
            *self = Budget::new(now);
        }
        let sum = u32::try_from(records).unwrap_or(u32::MAX).saturating_add(self.records);
        if sum <= RECORDS && self.bytes + bytes <= BYTES {
            (self.records, self.bytes) = (sum, self.bytes + bytes);
            return Room::Taken;
        }
        let first = !std::mem::replace(&mut self.exceeded, true);
        Room::Later { seconds: LASTS - now.since(self.since), first }
    }
}
