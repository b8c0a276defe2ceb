//! How much one address may have of the server: connections, and requests in a time. Nobody who
//! comes in large numbers takes the others' place.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jit_core::clock::Stopwatch;
use tokio::sync::Notify;

use super::metrics::Reason;

/// So many addresses are remembered before those that ask nothing any more are forgotten.
const REMEMBERED: usize = 4096;

/// The numbers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections in all.
    pub connections: usize,
    /// Open connections of one address.
    pub connections_per_address: usize,
    /// Requests of one address in a second; so many seconds' worth may come at once.
    pub rate: u32,
    /// Those of them that claim to be of one person or host.
    pub rate_per_claim: u32,
}

/// For how many seconds an address that asked nothing may catch up.
const BURST: f64 = 10.0;

/// Who has how much.
pub struct Addresses {
    limits: Limits,
    since: Stopwatch,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: HashMap<IpAddr, Known>,
    /// By the hash of address and claim. Nothing is proved here: what is not worth passing on, as the
    /// signer would refuse it, takes nothing from others behind the same address.
    claims: HashMap<u64, Bucket>,
    connections: usize,
    last: u64,
}

struct Known {
    /// Open connections, the oldest first, each with what makes it end.
    connections: BTreeMap<u64, Arc<Notify>>,
    requests: Bucket,
}

/// A token bucket: full, it holds what may come at once.
struct Bucket {
    rate: f64,
    /// Requests that may come now, as of `at`.
    left: f64,
    at: f64,
}

/// A connection's place; it is free again when this is dropped.
pub struct Place {
    addresses: Arc<Addresses>,
    source: IpAddr,
    number: u64,
    /// Told when the connection has to make room.
    pub make_room: Arc<Notify>,
}

impl Addresses {
    /// Nobody has anything yet.
    pub fn new(limits: Limits) -> Self {
        let (since, hasher) = (Stopwatch::start(), RandomState::new());
        Addresses { limits, since, hasher, state: Mutex::default() }
    }

    /// A place for a connection of `address`, unless it has too many. When there are too many in all,
    /// the oldest of whoever has the most makes room, if that one has more than the newcomer.
    pub fn connect(self: &Arc<Self>, address: IpAddr) -> Result<Place, Reason> {
        let source = source(address);
        let now = self.now();
        let mut state = self.state();
        let own = state.known.get(&source).map_or(0, |known| known.connections.len());
        if own >= self.limits.connections_per_address {
            return Err(Reason::ConnectionsOfAddress);
        }
        if state.connections >= self.limits.connections {
            let number = state.oldest_of_the_most(own + 1).ok_or(Reason::Connections)?;
            state.end(number);
        }
        state.last += 1;
        let number = state.last;
        state.connections += 1;
        let make_room = Arc::new(Notify::new());
        let known = state.known(source, self.limits.rate, now);
        known.connections.insert(number, make_room.clone());
        Ok(Place { addresses: self.clone(), source, number, make_room })
    }

    /// Counts a request of `address`, whose `Authorization` says that it is somebody's; or says whose
    /// limit it is over, and in how many seconds it may come again.
    pub fn ask(&self, address: IpAddr, claim: Option<&[u8]>) -> Result<(), (Reason, u32)> {
        let (source, now) = (source(address), self.now());
        let claim = claim.map(|claim| self.hasher.hash_one((source, claim)));
        let Limits { rate, rate_per_claim, .. } = self.limits;
        let mut state = self.state();
        state.forget(now);
        if let Some(claim) = claim {
            let bucket = state.claims.entry(claim);
            let bucket = bucket.or_insert_with(|| Bucket::full(rate_per_claim, now));
            bucket.take(now).map_err(|seconds| (Reason::RateOfPerson, seconds))?;
        }
        let known = state.known(source, rate, now);
        known.requests.take(now).map_err(|seconds| (Reason::RateOfAddress, seconds))
    }

    fn now(&self) -> f64 {
        self.since.elapsed().as_secs_f64()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn full(rate: u32, now: f64) -> Self {
        let rate = f64::from(rate);
        Bucket { rate, left: rate * BURST, at: now }
    }

    fn fill(&mut self, now: f64) {
        self.left = (self.rate * BURST).min(self.left + (now - self.at) * self.rate);
        self.at = now;
    }

    fn is_full(&self, now: f64) -> bool {
        self.left + (now - self.at) * self.rate >= self.rate * BURST
    }

    /// Takes one out, or says in how many seconds there is one.
    fn take(&mut self, now: f64) -> Result<(), u32> {
        self.fill(now);
        if self.left < 1.0 {
            return Err(((1.0 - self.left) / self.rate).ceil().max(1.0) as u32);
        }
        self.left -= 1.0;
        Ok(())
    }
}

impl State {
    fn known(&mut self, source: IpAddr, rate: u32, now: f64) -> &mut Known {
        self.known.entry(source).or_insert_with(|| Known {
            connections: BTreeMap::new(),
            requests: Bucket::full(rate, now),
        })
    }

    /// Those who asked nothing of late are as if they had never come.
    fn forget(&mut self, now: f64) {
        if self.known.len() > REMEMBERED {
            let idle = |known: &Known| known.connections.is_empty() && known.requests.is_full(now);
            self.known.retain(|_, known| !idle(known));
        }
        if self.claims.len() > REMEMBERED {
            self.claims.retain(|_, bucket| !bucket.is_full(now));
        }
    }

    /// The oldest connection of whoever has the most, if those are more than `than`.
    fn oldest_of_the_most(&self, than: usize) -> Option<u64> {
        let most = self.known.values().max_by_key(|known| known.connections.len())?;
        let (number, _) = most.connections.first_key_value()?;
        (most.connections.len() > than).then_some(*number)
    }

    /// Tells a connection to end, and counts it no more.
    fn end(&mut self, number: u64) {
        let found = self.known.values_mut().find_map(|known| known.connections.remove(&number));
        if let Some(make_room) = found {
            make_room.notify_one();
            self.connections -= 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.addresses.state();
        let known = state.known.get_mut(&self.source);
        // One that had to make room is counted no more.
        if known.and_then(|known| known.connections.remove(&self.number)).is_some() {
            state.connections -= 1;
        }
    }
}

/// What counts as one: with IPv6 the network, as everybody has a whole one.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(connections: usize, per_address: usize, rate: u32) -> Arc<Addresses> {
        let limits = Limits {
            connections,
            connections_per_address: per_address,
            rate,
            rate_per_claim: rate.div_ceil(2),
        };
        Arc::new(Addresses::new(limits))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_has_so_many_connections_and_no_more_until_one_is_closed() {
        let all = addresses(100, 2, 1);
        let first = all.connect(ip("192.0.2.1")).unwrap();
        let _second = all.connect(ip("192.0.2.1")).unwrap();
        assert!(all.connect(ip("192.0.2.1")).is_err());
        assert!(all.connect(ip("::ffff:192.0.2.1")).is_err(), "the same, written otherwise");
        assert!(all.connect(ip("192.0.2.2")).is_ok());
        drop(first);
        assert!(all.connect(ip("192.0.2.1")).is_ok());
        assert_eq!(all.state().connections, 1, "dropped ones are not counted");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let all = addresses(100, 1, 1);
        let _one = all.connect(ip("2001:db8::1")).unwrap();
        assert!(all.connect(ip("2001:db8::ffff:1")).is_err());
        assert!(all.connect(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn whoever_has_the_most_makes_room_when_all_is_full() {
        let all = addresses(4, 4, 1);
        let mut many: Vec<_> = (0..4).map(|_| all.connect(ip("192.0.2.1")).unwrap()).collect();
        let mut others = Vec::new();
        for n in 2..4 {
            others.push(all.connect(ip(&format!("192.0.2.{n}"))).unwrap());
        }
        assert_eq!(all.state().connections, 4);
        // Two each and one: nobody has more than a newcomer would.
        assert!(all.connect(ip("192.0.2.2")).is_err());
        let told = |place: &Place| {
            let mut told = std::pin::pin!(place.make_room.notified());
            let waker = std::task::Waker::noop();
            told.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready()
        };
        let gone: Vec<bool> = many.iter().map(told).collect();
        assert_eq!(gone, [true, true, false, false], "the oldest go");
        many.clear();
        assert_eq!(all.state().connections, 2);
    }

    #[test]
    fn requests_beyond_the_rate_are_told_when_to_come_again() {
        let all = addresses(1, 1, 2);
        for _ in 0..20 {
            assert_eq!(all.ask(ip("192.0.2.1"), None), Ok(()));
        }
        assert_eq!(all.ask(ip("192.0.2.1"), None), Err((Reason::RateOfAddress, 1)));
        assert_eq!(all.ask(ip("192.0.2.2"), None), Ok(()));
    }

    #[test]
    fn who_asks_too_much_takes_nothing_from_others_behind_the_same_address() {
        let all = addresses(1, 1, 2);
        let ask = |claim: &str| all.ask(ip("192.0.2.1"), Some(claim.as_bytes()));
        let answers: Vec<_> = (0..1000).map(|_| ask("JIT alice")).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10);
        assert_eq!(answers[999], Err((Reason::RateOfPerson, 1)));
        assert_eq!(ask("JIT bob"), Ok(()));
        assert_eq!(all.ask(ip("192.0.2.1"), None), Ok(()));
        // Claims cost nothing to make, so they are held to the address's limit, too.
        assert_eq!((0..20).filter(|n| ask(&format!("JIT {n}")).is_ok()).count(), 8);
    }

    #[test]
    fn addresses_that_ask_nothing_are_forgotten() {
        let all = addresses(1, 1, 1_000_000);
        for n in 0..20_000_u32 {
            let address = IpAddr::from(n.to_be_bytes());
            assert_eq!(all.ask(address, Some(b"JIT x")), Ok(()));
        }
        let state = all.state();
        assert!(state.known.len() < 20_000 && state.claims.len() < 20_000);
    }
}
