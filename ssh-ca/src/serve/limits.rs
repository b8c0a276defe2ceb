//! How much one address may have of the server: connections, and requests in a time. Nobody who
//! comes in large numbers takes the others' place.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jit_core::clock::Stopwatch;
use tokio::sync::Notify;

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
}

/// For how many seconds an address that asked nothing may catch up.
const BURST: f64 = 10.0;

/// Who has how much.
pub struct Addresses {
    limits: Limits,
    since: Stopwatch,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: HashMap<IpAddr, Known>,
    connections: usize,
    last: u64,
}

struct Known {
    /// Open connections, the oldest first, each with what makes it end.
    connections: BTreeMap<u64, Arc<Notify>>,
    /// Requests it may make now, as of `at`.
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
        Addresses { limits, since: Stopwatch::start(), state: Mutex::default() }
    }

    /// A place for a connection of `address`, unless it has too many. When there are too many in all,
    /// the oldest of whoever has the most makes room, if that one has more than the newcomer.
    pub fn connect(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let source = source(address);
        let now = self.now();
        let mut state = self.state();
        let own = state.known.get(&source).map_or(0, |known| known.connections.len());
        if own >= self.limits.connections_per_address {
            return None;
        }
        if state.connections >= self.limits.connections {
            let most = state.known.values().max_by_key(|known| known.connections.len())?;
            if most.connections.len() <= own + 1 {
                return None;
            }
            let (number, _) = most.connections.first_key_value()?;
            let number = *number;
            state.end(number);
        }
        state.last += 1;
        let number = state.last;
        state.connections += 1;
        let make_room = Arc::new(Notify::new());
        let known = state.known(source, self.full(), now);
        known.connections.insert(number, make_room.clone());
        Some(Place { addresses: self.clone(), source, number, make_room })
    }

    /// Counts a request of `address`, or says in how many seconds it may come again.
    pub fn ask(&self, address: IpAddr) -> Result<(), u32> {
        let (full, now) = (self.full(), self.now());
        let rate = f64::from(self.limits.rate);
        let mut state = self.state();
        if state.known.len() > REMEMBERED {
            let idle = |known: &Known| known.left + (now - known.at) * rate >= full;
            state.known.retain(|_, known| !known.connections.is_empty() || !idle(known));
        }
        let known = state.known(source(address), full, now);
        known.left = full.min(known.left + (now - known.at) * rate);
        known.at = now;
        if known.left < 1.0 {
            return Err(((1.0 - known.left) / rate).ceil().max(1.0) as u32);
        }
        known.left -= 1.0;
        Ok(())
    }

    fn full(&self) -> f64 {
        f64::from(self.limits.rate) * BURST
    }

    fn now(&self) -> f64 {
        self.since.elapsed().as_secs_f64()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn known(&mut self, source: IpAddr, full: f64, now: f64) -> &mut Known {
        self.known.entry(source).or_insert_with(|| Known {
            connections: BTreeMap::new(),
            left: full,
            at: now,
        })
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
        let limits = Limits { connections, connections_per_address: per_address, rate };
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
        assert!(all.connect(ip("192.0.2.1")).is_none());
        assert!(all.connect(ip("::ffff:192.0.2.1")).is_none(), "the same, written otherwise");
        assert!(all.connect(ip("192.0.2.2")).is_some());
        drop(first);
        assert!(all.connect(ip("192.0.2.1")).is_some());
        assert_eq!(all.state().connections, 1, "dropped ones are not counted");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let all = addresses(100, 1, 1);
        let _one = all.connect(ip("2001:db8::1")).unwrap();
        assert!(all.connect(ip("2001:db8::ffff:1")).is_none());
        assert!(all.connect(ip("2001:db8:0:1::1")).is_some());
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
        assert!(all.connect(ip("192.0.2.2")).is_none());
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
            assert_eq!(all.ask(ip("192.0.2.1")), Ok(()));
        }
        assert_eq!(all.ask(ip("192.0.2.1")), Err(1));
        assert_eq!(all.ask(ip("192.0.2.2")), Ok(()));
    }

    #[test]
    fn addresses_that_ask_nothing_are_forgotten() {
        let all = addresses(1, 1, 1_000_000);
        for n in 0..20_000_u32 {
            let address = IpAddr::from(n.to_be_bytes());
            assert_eq!(all.ask(address), Ok(()));
        }
        assert!(all.state().known.len() < 20_000);
    }
}
