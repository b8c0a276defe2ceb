//! Signatures that were found good. Whether one is depends on key, namespace, text and signature alone,
//! so what was found once is so for ever; what follows from it is asked anew each time.

use std::collections::{HashSet, VecDeque};
use std::sync::{LazyLock, Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// How many are remembered, the latest: 64 bytes each.
const MOST: usize = 1024;

static GOOD: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Known {
    good: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Known {
    fn remember(&mut self, digest: [u8; 32]) {
        if !self.good.insert(digest) {
            return;
        }
        self.order.push_back(digest);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.good.remove(&oldest);
        }
    }
}

/// Whether this is good: remembered, or found by `look`. Nothing that is not good is remembered.
pub(super) fn is_good(parts: [&str; 4], look: impl FnOnce() -> bool) -> bool {
    let digest = digest(parts);
    let known = || GOOD.lock().unwrap_or_else(PoisonError::into_inner);
    if known().good.contains(&digest) {
        return true;
    }
    let good = look();
    if good {
        known().remember(digest);
    }
    good
}

/// With the length of each part before it, so that no two lists of parts have the same bytes.
fn digest(parts: [&str; 4]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_good_is_known_and_nothing_else() {
        let parts = ["known-test key", "for", "text", "signature"];
        assert!(!is_good(parts, || false));
        assert!(!is_good(parts, || false), "what was bad is looked at again");
        assert!(is_good(parts, || true));
        assert!(is_good(parts, || panic!("it is known")));
        for other in [
            ["known-test keyf", "or", "text", "signature"],
            ["known-test key", "for", "texts", "ignature"],
            ["known-test kez", "for", "text", "signature"],
            ["known-test key", "fop", "text", "signature"],
            ["known-test key", "for", "tex", "signature"],
            ["known-test key", "for", "text", "signaturf"],
        ] {
            assert!(!is_good(other, || false), "{other:?}");
        }
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut known = Known::default();
        let digest = |i: usize| digest([&i.to_string(), "", "", ""]);
        for i in 0..=MOST {
            known.remember(digest(i));
            known.remember(digest(i));
        }
        assert_eq!((known.good.len(), known.order.len()), (MOST, MOST));
        assert!(!known.good.contains(&digest(0)) && known.good.contains(&digest(1)));
    }
}
