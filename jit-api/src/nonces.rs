//! What was used once and must not be again: nonces of proofs and of logins, in bounded memory.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

use jit_core::time::Timestamp;

use crate::pool::lock;

/// How many are remembered at most.
const MOST: usize = 200_000;

/// What a nonce is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Never seen: it is taken now.
    Fresh,
    /// Used.
    Used,
    /// There is no room to remember it.
    Full,
}

#[derive(Default)]
pub(crate) struct Nonces {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// By digest of all that was signed.
    by_digest: HashSet<[u8; 32]>,
    /// Until when each is kept.
    order: VecDeque<([u8; 32], u64)>,
}

impl Nonces {
    /// Takes the nonce of `digest`, to be remembered until `until`.
    pub(crate) fn take(&self, digest: [u8; 32], now: Timestamp, until: u64) -> Use {
        let mut seen = lock(&self.seen);
        seen.forget(now.unix());
        if seen.by_digest.contains(&digest) {
            return Use::Used;
        }
        if seen.by_digest.len() >= MOST {
            return Use::Full;
        }
        seen.by_digest.insert(digest);
        seen.order.push_back((digest, until));
        Use::Fresh
    }
}

impl Seen {
    fn forget(&mut self, now: u64) {
        // In order of coming, which is that of going to within two minutes.
        while let Some((digest, until)) = self.order.front().copied()
            && until < now
        {
            self.order.pop_front();
            self.by_digest.remove(&digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix: u64) -> Timestamp {
        Timestamp::from_unix(unix).unwrap()
    }

    #[test]
    fn a_nonce_is_fresh_once_and_forgotten_when_it_is_too_old_to_be_taken() {
        let nonces = Nonces::default();
        assert_eq!(nonces.take([1; 32], at(100), 200), Use::Fresh);
        assert_eq!(nonces.take([1; 32], at(200), 300), Use::Used);
        assert_eq!(nonces.take([2; 32], at(201), 300), Use::Fresh);
        assert_eq!(lock(&nonces.seen).by_digest.len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let nonces = Nonces::default();
        let nonce = |i: usize| {
            let mut nonce = [0; 32];
            nonce[..8].copy_from_slice(&i.to_be_bytes());
            nonce
        };
        for i in 0..MOST {
            assert_eq!(nonces.take(nonce(i), at(100), 200), Use::Fresh);
        }
        assert_eq!(nonces.take(nonce(MOST), at(100), 200), Use::Full);
        assert_eq!(nonces.take(nonce(0), at(100), 200), Use::Used);
        assert_eq!(nonces.take(nonce(MOST), at(201), 300), Use::Fresh);
    }
}
