//! Connections to the store: one for each request that is being answered, kept for the next.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use jit_core::Result;
use jit_core::authority::Authority;

/// How many idle ones are kept.
const KEPT: usize = 16;

pub(crate) struct Pool {
    first: Mutex<Authority>,
    idle: Mutex<Vec<Authority>>,
}

impl Pool {
    pub(crate) fn new(first: Authority) -> Self {
        Pool { first: Mutex::new(first), idle: Mutex::new(Vec::new()) }
    }

    /// One that nobody else has.
    pub(crate) fn take(&self) -> Result<Taken<'_>> {
        let idle = lock(&self.idle).pop();
        let authority = match idle {
            Some(authority) => authority,
            None => lock(&self.first).another()?,
        };
        Ok(Taken { pool: self, authority: Some(authority) })
    }

    /// Of the connection that never writes, so that every change is somebody else's.
    pub(crate) fn change_marker(&self) -> Result<u64> {
        lock(&self.first).change_marker()
    }
}

/// Goes back when dropped.
pub(crate) struct Taken<'a> {
    pool: &'a Pool,
    authority: Option<Authority>,
}

impl Deref for Taken<'_> {
    type Target = Authority;
    fn deref(&self) -> &Authority {
        match &self.authority {
            Some(authority) => authority,
            None => unreachable!("it is taken out only when dropped"),
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // Of one that a bug has cut off it is not known what it is in the middle of.
        if std::thread::panicking() {
            return;
        }
        let mut idle = lock(&self.pool.idle);
        if idle.len() < KEPT {
            idle.extend(self.authority.take());
        }
    }
}

/// A lock that a panic of another thread doesn't take away: what is in it is whole at all times.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
