//! Which grants a host is told of, so that nobody can make it more than the host reads.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::grant::{Actor, Grant, Phase, State};
use crate::host::Host;
use crate::name::PersonName;
use crate::store::Tx;
use crate::time::{Span, Timestamp};

/// How many bytes of people and grants a host is told: `jit-client` reads answers of 16 MiB.
pub(super) const LARGEST_STATE: usize = 14 << 20;
/// How many grants that one person gave back, or that just ended, a host is told of: without approval
/// they can make any number of them.
const MOST_GIVEN_BACK: usize = 50;

/// The grants for a host of which a certificate may still be valid; a host's clock may be behind.
pub(super) fn certified(tx: &dyn Tx, host: &Host, now: Timestamp) -> Result<Vec<Grant>> {
    let slack = Span::from_secs(600)?;
    let mut grants = tx.certified_grants(now.before(slack))?;
    grants.retain(|grant| host.is_at(&grant.ask().place));
    Ok(grants)
}

/// Leaves out what is beyond `most` bytes, and says how many that were. What was taken away from
/// somebody comes first, as not to know of it lets them in; then what lasts, and last what a host
/// sees by its clock or what its owner gave back; the newest of each first.
pub(super) fn bound(grants: &mut Vec<Grant>, now: Timestamp, most: usize) -> Result<usize> {
    let mut order: Vec<usize> = (0..grants.len()).rev().collect();
    order.sort_by_key(|index| grants.get(*index).map(|grant| rank(grant, now)));
    let mut kept = vec![false; grants.len()];
    let mut given_back: BTreeMap<PersonName, usize> = BTreeMap::new();
    let mut bytes = 0;
    for index in order {
        let Some(grant) = grants.get(index) else { continue };
        if rank(grant, now) == Rank::GivenBack {
            let count = given_back.entry(grant.ask().person.clone()).or_default();
            *count += 1;
            if *count > MOST_GIVEN_BACK {
                continue;
            }
        }
        let size = size(grant)?;
        if bytes + size <= most
            && let Some(kept) = kept.get_mut(index)
        {
            bytes += size;
            *kept = true;
        }
    }
    let before = grants.len();
    let mut kept = kept.into_iter();
    grants.retain(|_| kept.next() == Some(true));
    Ok(before - grants.len())
}

/// In bytes, as it is told.
pub(super) fn size(told: &impl Serialize) -> Result<usize> {
    let text = serde_json::to_vec(told);
    let failed = |e| Error::unavailable(format!("the host's state can't be written: {e}"));
    text.map(|text| text.len()).map_err(failed)
}

/// What a host needs to know most comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    TakenAway,
    Lasts,
    GivenBack,
}

fn rank(grant: &Grant, now: Timestamp) -> Rank {
    match (grant.state(), grant.phase(now)) {
        (_, Phase::Scheduled | Phase::Active) => Rank::Lasts,
        (State::Revoked { by: Actor::Person(by), .. }, _) if *by == grant.ask().person => {
            Rank::GivenBack
        }
        (State::Revoked { .. }, _) => Rank::TakenAway,
        _ if grant.shortened().is_some() => Rank::TakenAway,
        _ => Rank::GivenBack,
    }
}
