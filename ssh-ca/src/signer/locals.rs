//! Local people's connections: each account has so many, as anybody on the machine may connect, and
//! what is read of a request before it is known who asks takes room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections of one account at a time.
const EACH: u32 = 32;

/// How many connections each account has, by its user id.
#[derive(Clone, Default)]
pub struct Locals(Arc<Mutex<HashMap<u32, u32>>>);

/// The place of one connection; free again when this is dropped.
pub struct Place {
    locals: Locals,
    uid: u32,
}

impl Locals {
    /// A place for one more, if there is one. Root, who can end the server, has as many as it likes.
    pub fn place(&self, uid: u32) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(uid).or_default();
        if uid != 0 && *count >= EACH {
            return None;
        }
        *count += 1;
        Some(Place { locals: self.clone(), uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.locals.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_so_many_connections_and_takes_none_from_others() {
        let locals = Locals::default();
        let mut held: Vec<_> = (0..EACH).map(|_| locals.place(1000).unwrap()).collect();
        assert!(locals.place(1000).is_none());
        assert!(locals.place(1001).is_some());
        assert!((0..2 * EACH).map(|_| locals.place(0)).all(|place| place.is_some()));
        held.pop();
        assert!(locals.place(1000).is_some(), "one has gone");
        drop(held);
        assert!(locals.0.lock().unwrap().is_empty());
    }
}
