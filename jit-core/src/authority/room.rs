//! How much one person may ask for at a time.

use super::NewRequest;
use super::grants::alive;
use crate::error::{Error, Result};
use crate::grant::{Actor, Grant, Phase};
use crate::store::Tx;
use crate::time::Timestamp;

/// How many may wait for a decision, and how many be active or scheduled.
struct Room {
    waiting: usize,
    living: usize,
}

/// A person's own: each that waits takes approvers' time, and each that lives is told to its hosts and
/// looked at when they log in.
const OWN: Room = Room { waiting: 20, living: 50 };
/// What each host files in a person's name, as it says that they asked at a prompt there. It takes
/// none of the person's own room.
const OF_A_HOST: Room = Room { waiting: 3, living: 10 };

/// That there is room for one more request of a person's, by whoever files it.
pub(super) fn check_room(tx: &dyn Tx, new: &NewRequest, now: Timestamp) -> Result<()> {
    let person = &new.ask.person;
    let mut alive = alive(tx, Some(person), now)?;
    let (room, filed) = match &new.by {
        by @ Actor::Host(_) => {
            alive.retain(|grant| grant.requested_by() == by);
            (OF_A_HOST, format!(" that {by} filed"))
        }
        _ => {
            alive.retain(|grant| !matches!(grant.requested_by(), Actor::Host(_)));
            (OWN, String::new())
        }
    };
    let waits = |grant: &&Grant| grant.phase(now) == Phase::Requested;
    let waiting = alive.iter().filter(waits).count();
    if waiting >= room.waiting {
        let what = format!("{waiting} requests of {person}{filed} wait for a decision already");
        return Err(Error::refused(what).next("Cancel one, or wait: jitctl list"));
    }
    let living = alive.len() - waiting;
    if living >= room.living {
        let what = format!("{living} grants of {person}{filed} are active or scheduled already");
        return Err(Error::refused(what).next("Revoke one, or wait for an end: jitctl list"));
    }
    Ok(())
}
