//! Several requests answered one after another, whose changes become durable together: one write to
//! the disk serves all who ask at the same time. Nobody is told anything before that is done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use jit_core::Error;
use jit_core::clock::Stopwatch;

use crate::asked::{Asked, Turn};
use crate::office::{Log, Office, find};
use crate::pool::lock;
use crate::problem::Failure;
use crate::quotas::Visit;

/// For how long the store is locked before what was done is made durable, but for the request that
/// is being answered: logins, and the keeper, wait for it, too.
const LONGEST: Duration = Duration::from_millis(5);

impl Office {
    /// As [`Office::answer`] for each, in this order.
    pub fn answer_all(&self, all: &mut [(Asked<'_>, Visit)]) -> Vec<Turn> {
        let mut logs: Vec<_> = all.iter().map(|_| Log::new()).collect();
        let problem = |log: &Log, failure: &Failure| Turn::Answer(log.problem(failure));
        let authority = match self.pool.take() {
            Ok(authority) => authority,
            Err(error) => {
                let failure = Failure::from(error);
                return logs.iter().map(|log| problem(log, &failure)).collect();
            }
        };
        // Who asks is found out before the store is locked.
        let admitted: Vec<_> = all
            .iter_mut()
            .zip(&mut logs)
            .map(|((asked, visit), log)| {
                caught(|| {
                    let (entry, path) = find(asked, log)?;
                    self.let_in(&authority, entry, path, asked, visit, log)
                })
            })
            .collect();
        let turn = lock(&self.writing);
        let mut turns = Vec::with_capacity(all.len());
        while turns.len() < all.len() {
            let first = turns.len();
            let done = authority.together(&mut || {
                let locked = Stopwatch::start();
                for at in first..all.len() {
                    let ((asked, visit), log) = (&mut all[at], &logs[at]);
                    let turn = match &admitted[at] {
                        Ok(admitted) => caught(|| self.run(admitted, asked, visit, log)),
                        Err(failure) => Err(failure.clone()),
                    };
                    turns.push(turn.unwrap_or_else(|failure| problem(log, &failure)));
                    if locked.elapsed() >= LONGEST {
                        break;
                    }
                }
            });
            if let Err(error) = done {
                let failure = Failure::from(error);
                turns.truncate(first);
                turns.extend(logs[first..].iter().map(|log| problem(log, &failure)));
            }
        }
        drop(turn);
        let with = all.iter().zip(&logs).zip(turns);
        with.map(|(((asked, _), log), turn)| self.signed(asked, log, turn)).collect()
    }
}

/// A bug in one request ends that one. What it did is taken back, as what it had open is dropped.
fn caught<T>(act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| {
        Err(Error::unavailable("something went wrong; the server's log says what").into())
    })
}
