//! The yes that a request takes: whose, to exactly what, and what proves it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Grant;
use crate::error::{Error, Kind, Result};
use crate::name::PersonName;
use crate::time::{Span, Timestamp};

/// SHA-256 of [`Grant::canonical`], in hexadecimal: what exactly a yes was given to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub(super) String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What proves that a yes is its giver's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Evidence {
    /// They gave a code of theirs on the authority, for this and nothing else.
    Factor {
        /// The number of the audit record of that.
        record: u64,
    },
    /// They signed [`Grant::canonical`] with a key of theirs.
    Signature {
        /// In the armoured SSHSIG format of `ssh-keygen -Y sign`.
        sshsig: String,
    },
}

/// A yes as it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yes {
    /// To what: the digest of what its giver saw.
    pub to: Digest,
    /// For at most that long, where that is shorter than what is asked for.
    pub most: Option<Span>,
    /// What proves it.
    pub evidence: Evidence,
}

/// One person's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Whose.
    pub by: PersonName,
    /// When.
    pub at: Timestamp,
    /// To what. A yes to anything else than what is asked for now does not count.
    #[serde(default)]
    pub digest: Digest,
    /// For at most that long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<Span>,
    /// What proves it; a yes without does not count.
    #[serde(default)]
    pub evidence: Option<Evidence>,
    /// When its giver took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
}

/// How a request came to be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The people the policy asks for said yes.
    People,
    /// The policy says yes by itself.
    Policy,
    /// Root granted it alone.
    Root,
    /// A break-glass code, past the policy.
    #[serde(rename = "break-glass")]
    BreakGlass,
    /// A certificate says so, on a host whose authority could not be asked.
    Certificate,
}

impl Grant {
    /// Whether `by`'s yes can be added: nobody approves their own request, or twice.
    ///
    /// # Errors
    /// Conflict when no longer undecided; else refused.
    pub fn can_be_approved_by(&self, by: &PersonName, now: Timestamp) -> Result<()> {
        self.check_undecided(now, "approved")?;
        // The policy says so too. It stands here as well because no path may ever get round it.
        if *by == self.ask.person {
            return Err(Error::refused(format!("{by} can't approve {by}'s own request"))
                .next("Somebody else has to."));
        }
        if self.counting().any(|approval| approval.by == *by) {
            return Err(Error::refused(format!("{by} has approved {} already", self.id)));
        }
        Ok(())
    }

    /// Adds one person's yes, which by itself opens nothing.
    ///
    /// # Errors
    /// As [`Grant::can_be_approved_by`]; conflict when the yes is to something else than what is
    /// asked for now; refused when it is for longer, or was taken back before.
    pub fn approved_by(mut self, by: PersonName, yes: Yes, now: Timestamp) -> Result<Self> {
        self.can_be_approved_by(&by, now)?;
        if yes.to != self.digest(yes.most)? {
            return Err(Error::new(
                Kind::Conflict,
                format!("{} is not what {by} said yes to any more", self.id),
            )
            .next(format!("It was edited: jitctl show {}", self.id)));
        }
        if yes.most.is_some_and(|most| most > self.ask.duration) {
            return Err(Error::refused(format!("{} asks for {} only", self.id, self.ask.duration))
                .next("Approve it for as long as is asked for, or shorter."));
        }
        if yes.most.is_some_and(|most| most < self.ask.duration) {
            self.check_may_shorten()?;
        }
        let evidence = Some(yes.evidence);
        if self.approvals.iter().any(|old| old.withdrawn_at.is_some() && old.evidence == evidence) {
            return Err(Error::refused(format!("{by} took this yes back"))
                .next("A new one takes a code: jitctl approve without --signature."));
        }
        self.approvals.push(Approval {
            by,
            at: now,
            digest: yes.to,
            most: yes.most,
            evidence,
            withdrawn_at: None,
        });
        Ok(self.next_version())
    }

    /// Takes a person's yes back, before it took effect. It stays on record.
    ///
    /// # Errors
    /// Conflict when no longer undecided; refused when there is no such yes.
    pub fn withdraw(mut self, by: &PersonName, now: Timestamp) -> Result<Self> {
        self.check_undecided(now, "withdrawn from")?;
        let counts: Vec<bool> = self.approvals.iter().map(|a| self.counts(a)).collect();
        let theirs =
            self.approvals.iter_mut().zip(counts).find(|(a, counts)| *counts && a.by == *by);
        match theirs {
            Some((approval, _)) => approval.withdrawn_at = Some(now),
            None => {
                return Err(Error::refused(format!("{by} has not approved {}", self.id))
                    .next(format!("jitctl show {}", self.id)));
            }
        }
        Ok(self.next_version())
    }

    /// Whether a yes counts: it is proved, was not taken back, and is to what is asked for now.
    pub fn counts(&self, approval: &Approval) -> bool {
        approval.withdrawn_at.is_none()
            && approval.evidence.is_some()
            && self.digest(approval.most).is_ok_and(|digest| digest == approval.digest)
    }

    /// Those that count.
    pub fn counting(&self) -> impl Iterator<Item = &Approval> {
        self.approvals.iter().filter(|approval| self.counts(approval))
    }

    /// For how long those who said yes did so.
    pub(super) fn approved_for(&self) -> Span {
        let most = self.counting().filter_map(|approval| approval.most).min();
        most.map_or(self.ask.duration, |most| most.min(self.ask.duration))
    }

    /// Checks that the window is one that the approvals on record give. Cheap enough for each login;
    /// what proves the approvals is checked when a certificate is issued.
    ///
    /// # Errors
    /// Tampered, as only an edit by hand makes it so.
    pub fn check_window(&self) -> Result<()> {
        let super::State::Approved { window, way } = &self.state else { return Ok(()) };
        let edited = |what: &str| {
            Err(Error::tampered(format!("grant {} {what}", self.id))
                .next(format!("jitctl revoke {} --reason TEXT, and jitctl audit show", self.id)))
        };
        let mut longest = self.ask.duration;
        if *way == Way::People {
            let mut people: Vec<_> = self.counting().map(|approval| &approval.by).collect();
            let given = people.len();
            people.sort();
            people.dedup();
            if people.is_empty() || people.len() < given || people.contains(&&self.ask.person) {
                return edited("has a window that nobody's approvals give");
            }
            longest = self.approved_for();
        }
        let earliest = self.ask.start.unwrap_or(self.requested_at).max(self.requested_at);
        if window.not_before < earliest
            || window.not_after.since(window.not_before) > longest.secs()
        {
            return edited("has a longer window than was asked for");
        }
        Ok(())
    }
}
