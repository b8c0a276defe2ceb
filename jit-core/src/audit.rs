//! The audit log: one record an event, each carrying the hash of the one before it, so that a
//! record changed, dropped, added or moved breaks the chain from there on.

mod wanted;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::grant::Actor;
use crate::time::Timestamp;

pub use wanted::Wanted;

/// How what was tried came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// A rule said no.
    Refused,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
        })
    }
}

impl std::str::FromStr for Outcome {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "done" => Ok(Outcome::Done),
            "refused" => Ok(Outcome::Refused),
            _ => Err(Error::tampered("an audit record has an unknown outcome")),
        }
    }
}

/// What happened: a record before it has its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who did it.
    pub actor: Actor,
    /// What, as `noun.verb`: `grant.approve`, `factor.verify`.
    pub action: &'static str,
    /// To what: a grant's id, a person's name.
    pub object: String,
    /// How it came out.
    pub outcome: Outcome,
    /// The facts of it, a JSON object without secrets.
    pub detail: Value,
}

/// A record in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// 1, 2, 3 …
    pub sequence: u64,
    /// When, by the authority's clock; never before the record before it.
    pub time: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// How it came out.
    pub outcome: Outcome,
    /// The facts, as stored: these bytes are what the hash is over.
    pub detail: String,
    /// The hash of the record before it; zeros for the first.
    #[serde(serialize_with = "hexadecimal")]
    pub previous: [u8; 32],
    /// SHA-256 of everything above.
    #[serde(serialize_with = "hexadecimal")]
    pub hash: [u8; 32],
}

fn hexadecimal<S: serde::Serializer>(bytes: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&hex(bytes))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last record's number; 0 before the first.
    pub sequence: u64,
    /// Its time: nothing may be recorded before it.
    pub time: Timestamp,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Record {
    /// Puts `event` after `head`.
    pub fn after(head: Option<&Head>, event: &Event, time: Timestamp) -> Self {
        let mut record = Record {
            sequence: head.map_or(0, |head| head.sequence) + 1,
            time,
            actor: event.actor.to_string(),
            action: event.action.to_owned(),
            object: event.object.clone(),
            outcome: event.outcome,
            detail: event.detail.to_string(),
            previous: head.map_or([0; 32], |head| head.hash),
            hash: [0; 32],
        };
        record.hash = record.computed_hash();
        record
    }

    /// The chain's end when this is its last record.
    pub fn head(&self) -> Head {
        Head { sequence: self.sequence, time: self.time, hash: self.hash }
    }

    /// SHA-256 over a version tag and the fields, each text with its length before it: no two
    /// different records have the same bytes.
    pub fn computed_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"jit audit 1\n");
        hash.update(self.sequence.to_be_bytes());
        hash.update(self.time.unix().to_be_bytes());
        for text in
            [&self.actor, &self.action, &self.object, &self.outcome.to_string(), &self.detail]
        {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(self.previous);
        hash.finalize().into()
    }

    /// One line, everything in it escaped: for syslog and people.
    pub fn line(&self) -> String {
        let escape = |text: &str| text.chars().flat_map(escaped).collect::<String>();
        format!(
            "seq={} actor={} action={} object={} outcome={} detail={}",
            self.sequence,
            escape(&self.actor),
            escape(&self.action),
            escape(&self.object),
            self.outcome,
            escape(&self.detail)
        )
    }
}

/// A character as it may stand in one line of a log: control characters, line separators and
/// direction marks in their escaped form.
pub fn escaped(c: char) -> Box<dyn Iterator<Item = char>> {
    let hostile = c.is_control() || crate::name::is_invisible(c);
    if hostile { Box::new(c.escape_unicode()) } else { Box::new(std::iter::once(c)) }
}

/// Checks the next record against the chain so far.
///
/// # Errors
/// Tampered, saying at which record and how the chain breaks.
pub fn check_next(head: Option<&Head>, record: &Record) -> Result<()> {
    let sequence = head.map_or(0, |head| head.sequence) + 1;
    let broken = |how: &str| {
        Err(Error::tampered(format!("the audit log is broken at record {sequence}: {how}"))
            .next("Keep the database as it is, and compare it with a backup."))
    };
    if record.sequence != sequence {
        return broken(&format!("record {} stands in its place", record.sequence));
    }
    if record.previous != head.map_or([0; 32], |head| head.hash) {
        return broken("it does not follow the record before it");
    }
    if record.hash != record.computed_hash() {
        return broken("its content was changed");
    }
    // Only the act of accepting a clock that was set back makes time go back.
    if head.is_some_and(|head| record.time < head.time) && record.action != CLOCK_ACCEPT {
        return broken("its time lies before the record before it");
    }
    Ok(())
}

/// The action by which an administrator accepts that the clock was set back.
pub const CLOCK_ACCEPT: &str = "clock.accept";

/// The action of somebody who uses a break-glass code, or tries to.
pub const BREAK_GLASS: &str = "break-glass.use";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;

    fn chain(count: u64) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for i in 0..count {
            let event = Event {
                actor: Actor::Root,
                action: "test.event",
                object: format!("object-{i}"),
                outcome: Outcome::Done,
                detail: serde_json::json!({ "i": i, "text": "a\nb" }),
            };
            let head = records.last().map(Record::head);
            records.push(Record::after(head.as_ref(), &event, at(1000 + i / 3)));
        }
        records
    }

    fn verify(records: &[Record]) -> Result<()> {
        let mut head = None;
        for record in records {
            check_next(head.as_ref(), record)?;
            head = Some(record.head());
        }
        Ok(())
    }

    #[test]
    fn a_whole_chain_verifies() {
        verify(&chain(1000)).unwrap();
    }

    #[test]
    fn every_changed_deleted_swapped_or_duplicated_record_is_detected() {
        let good = chain(60);
        for i in 0..good.len() {
            let edits: [fn(&mut Record); 8] = [
                |r| r.actor.push('x'),
                |r| r.action = "test.other".into(),
                |r| r.object.push('x'),
                |r| r.outcome = Outcome::Refused,
                |r| r.detail.push(' '),
                |r| r.time = at(r.time.unix() + 1),
                |r| r.sequence += 1,
                |r| r.hash[31] ^= 1,
            ];
            for edit in edits {
                let mut bad = good.clone();
                edit(&mut bad[i]);
                assert!(verify(&bad).is_err());
            }
            // An edit with the hash computed anew breaks the link of the next record.
            if i + 1 < good.len() {
                let mut resealed = good.clone();
                resealed[i].object.push('x');
                resealed[i].hash = resealed[i].computed_hash();
                assert!(verify(&resealed).is_err());
                let mut deleted = good.clone();
                deleted.remove(i);
                assert!(verify(&deleted).is_err());
                let mut swapped = good.clone();
                swapped.swap(i, i + 1);
                assert!(verify(&swapped).is_err());
            }
            let mut doubled = good.clone();
            doubled.insert(i, good[i].clone());
            assert!(verify(&doubled).is_err());
        }
    }

    #[test]
    fn moving_bytes_between_fields_changes_the_hash() {
        let mut a = chain(1).remove(0);
        let mut b = a.clone();
        a.actor = "root".into();
        a.action = "x".into();
        b.actor = "roo".into();
        b.action = "tx".into();
        assert_ne!(a.computed_hash(), b.computed_hash());
    }

    #[test]
    fn one_event_is_one_line() {
        let mut record = chain(1).remove(0);
        record.object = "a\nb\r\x1b[2J\u{2028}\u{202e}".into();
        let line = record.line();
        assert!(
            !line.chars().any(|c| c.is_control() || c == '\u{2028}' || c == '\u{202e}'),
            "{line}"
        );
    }
}
