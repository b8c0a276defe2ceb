//! What was used once and must not be again: nonces of proofs and of logins, in bounded memory.

use std::collections::{HashMap, VecDeque};
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
    /// Seen, and its request still waits for its answer.
    Waiting,
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
    /// By digest of all that was signed: whether its request waits, and until when it is kept.
    by_digest: HashMap<[u8; 32], (bool, u64)>,
    order: VecDeque<([u8; 32], u64)>,
}

impl Nonces {
    /// Takes the nonce of `digest`, to be remembered until `until`.
    pub(crate) fn take(&self, digest: [u8; 32], now: Timestamp, until: u64) -> Use {
        let mut seen = lock(&self.seen);
        seen.forget(now.unix());
        match seen.by_digest.get(&digest) {
            Some((true, _)) => Use::Waiting,
            Some((false, _)) => Use::Used,
            None if seen.by_digest.len() >= MOST => Use::Full,
            None => {
                seen.by_digest.insert(digest, (false, until));
                seen.order.push_back((digest, until));
                Use::Fresh
            }
        }
    }

    /// Says that the request of `digest` waits, or has its answer.
    pub(crate) fn waits(&self, digest: &[u8; 32], waits: bool) {
        if let Some((state, _)) = lock(&self.seen).by_digest.get_mut(digest) {
            *state = waits;
        }
    }

    /// Whether a request that waits has this nonce.
    pub(crate) fn is_waiting(&self, digest: &[u8; 32]) -> bool {
        matches!(lock(&self.seen).by_digest.get(digest), Some((true, _)))
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
        nonces.waits(&[1; 32], true);
        assert_eq!(nonces.take([1; 32], at(200), 300), Use::Waiting);
        nonces.waits(&[1; 32], false);
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
