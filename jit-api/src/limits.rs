//! How often somebody unknown may try, by address: in bounded memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use jit_core::time::Timestamp;

use crate::pool::lock;

/// Attempts allowed to an address within a minute.
const ATTEMPTS: u32 = 30;
const MINUTE: u64 = 60;
/// Addresses remembered at most; when there are more, all are forgotten, as each is only a minute's.
const MOST: usize = 50_000;

#[derive(Default)]
pub(crate) struct Limits {
    by_address: Mutex<HashMap<IpAddr, (u64, u32)>>,
}

impl Limits {
    /// Counts an attempt; in how many seconds the next is looked at, if this one isn't.
    pub(crate) fn attempt(&self, address: IpAddr, now: Timestamp) -> Result<(), u32> {
        let now = now.unix();
        let mut by_address = lock(&self.by_address);
        if by_address.len() >= MOST {
            by_address.retain(|_, (began, _)| now < *began + MINUTE);
            if by_address.len() >= MOST {
                by_address.clear();
            }
        }
        let (began, count) = by_address.entry(network(address)).or_insert((now, 0));
        if now >= *began + MINUTE {
            (*began, *count) = (now, 0);
        }
        if *count >= ATTEMPTS {
            return Err(u32::try_from(*began + MINUTE - now).unwrap_or(1));
        }
        *count += 1;
        Ok(())
    }
}

/// Whoever has one IPv6 address has the 64 bits below it.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[4..].fill(0);
            IpAddr::V6(segments.into())
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_attempts_a_minute_and_its_neighbours_share_them() {
        let limits = Limits::default();
        let at = |unix| Timestamp::from_unix(unix).unwrap();
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        for _ in 0..ATTEMPTS {
            assert_eq!(limits.attempt(address, at(100)), Ok(()));
        }
        assert_eq!(limits.attempt("2001:db8::2".parse().unwrap(), at(110)), Err(50));
        assert_eq!(limits.attempt("2001:db8:0:1::2".parse().unwrap(), at(110)), Ok(()));
        assert_eq!(limits.attempt("192.0.2.1".parse().unwrap(), at(110)), Ok(()));
        assert_eq!(limits.attempt(address, at(160)), Ok(()));
    }
}
