//! Which policy decides: the one in the file, where that parses; else the last one that did. Every
//! change is on the log with its difference, so that what decided can be put together from there.

use std::sync::{Arc, PoisonError};

use serde_json::json;

use super::{Authority, Done};
use crate::error::{Error, Kind, Result};
use crate::grant::Actor;
use crate::policy::{Accepted, CHANGE, Policy, difference, version};
use crate::rootfile;
use crate::store::Tx;
use crate::tomlfile::LARGEST;

impl Authority {
    /// The policy that decides now. One that does not parse never takes effect: the last good one
    /// stays. A file that is missing, or that others may write, is no policy.
    ///
    /// # Errors
    /// Misconfigured, with file and line, where there is none to go by.
    pub fn policy(&self) -> Result<Arc<Policy>> {
        match self.parsed()? {
            (Ok(policy), _) => Ok(policy),
            (Err(wrong), _) => self.read(|tx, _| self.last_good(tx, wrong)),
        }
    }

    /// The policy that decides now, as it is written.
    ///
    /// # Errors
    /// As [`Authority::policy`].
    pub fn policy_text(&self) -> Result<String> {
        match self.parsed()? {
            (Ok(_), text) => Ok(text),
            (Err(wrong), _) => self.read(|tx, _| {
                self.last_good(tx, wrong.clone())?;
                tx.policy()?.map(|accepted| accepted.text).ok_or(wrong)
            }),
        }
    }

    /// The same, within a transaction.
    pub(super) fn policy_in(&self, tx: &dyn Tx) -> Result<Arc<Policy>> {
        match self.parsed()? {
            (Ok(policy), _) => Ok(policy),
            (Err(wrong), _) => self.last_good(tx, wrong),
        }
    }

    /// The same, on record: a decision names the version of a policy that the log knows.
    ///
    /// # Errors
    /// As [`Authority::policy`]; unavailable when the change can't be recorded.
    pub fn policy_on_record(&self) -> Result<Arc<Policy>> {
        let (policy, text) = match self.parsed()? {
            (Ok(policy), text) => (policy, text),
            (Err(wrong), text) => return self.stand_in(wrong, &text),
        };
        let known = |tx: &dyn Tx| {
            Ok(tx.policy()?.is_some_and(|accepted| accepted.version == policy.version))
        };
        if !self.read(|tx, _| known(tx))? {
            // Only root may write the file, whoever's request it is that finds it changed.
            self.change(&Actor::Root, CHANGE, &policy.version, |tx, now| {
                let old = tx.policy()?;
                let before = old.as_ref().map_or("", |old| old.text.as_str());
                let detail = json!({
                    "file": self.config.policy_file, "old": old.as_ref().map(|old| &old.version),
                    "new": policy.version, "diff": difference(before, &text),
                });
                tx.put_policy(&Accepted {
                    version: policy.version.clone(),
                    text: text.clone(),
                    since: now,
                    refused: None,
                })?;
                Ok(Done::new((), detail))
            })?;
        }
        Ok(policy)
    }

    /// What is wrong with the policy in the file, while the last good one stays in force.
    ///
    /// # Errors
    /// As [`Authority::policy`].
    pub fn policy_trouble(&self) -> Result<Option<Error>> {
        match self.parsed()? {
            (Ok(_), _) => Ok(None),
            (Err(wrong), _) => {
                let policy = self.read(|tx, _| self.last_good(tx, wrong.clone()))?;
                Ok(Some(stays(&wrong, &policy.version)))
            }
        }
    }

    /// The last good policy, while `wrong` is what there is to say of the file: once on the log for
    /// each such file, and in syslog at each decision.
    fn stand_in(&self, wrong: Error, text: &str) -> Result<Arc<Policy>> {
        let version = version(text);
        let (policy, told) = self.read(|tx, _| {
            let policy = self.last_good(tx, wrong.clone())?;
            Ok((policy, tx.policy()?.is_some_and(|a| a.refused.as_ref() == Some(&version))))
        })?;
        let stays = stays(&wrong, &policy.version);
        self.syslog.trouble(&stays.to_string());
        if !told {
            self.change(&Actor::Root, CHANGE, &version, |tx, _| {
                if let Some(accepted) = tx.policy()? {
                    tx.put_policy(&Accepted { refused: Some(version.clone()), ..accepted })?;
                }
                let file = &self.config.policy_file;
                let detail =
                    json!({ "file": file, "why": stays.what(), "in_force": policy.version });
                Ok(Done::new((), detail).refused())
            })?;
        }
        Ok(policy)
    }

    /// What the file holds, and whether that parses.
    fn parsed(&self) -> Result<(Result<Arc<Policy>>, String)> {
        let file = &self.config.policy_file;
        let text = rootfile::read(file, LARGEST)?;
        Ok((self.parse(&text), text))
    }

    /// Parses a text, unless it is the one that was parsed last: a large one takes longer to read
    /// than all that is decided by it.
    fn parse(&self, text: &str) -> Result<Arc<Policy>> {
        let version = version(text);
        let mut last = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = last.as_ref().filter(|policy| policy.version == version) {
            return Ok(policy.clone());
        }
        let policy = Arc::new(Policy::parse(&self.config.policy_file, text)?);
        *last = Some(policy.clone());
        Ok(policy)
    }

    fn last_good(&self, tx: &dyn Tx, wrong: Error) -> Result<Arc<Policy>> {
        // A row that was edited by hand is an error, not a policy.
        let Some(last) = tx.policy()? else { return Err(wrong) };
        self.parse(&last.text).map_err(|now| {
            let what = format!("{}; the last good policy does not parse any more", wrong.what());
            Error::new(Kind::Misconfigured, what).next(now.to_string())
        })
    }
}

fn stays(wrong: &Error, version: &str) -> Error {
    let error = Error::misconfigured(format!(
        "the policy was changed and does not parse, so version {version} stays in force: {}",
        wrong.what()
    ));
    match wrong.what_next() {
        Some(next) => error.next(next),
        None => error.next("Mend it; then jitctl policy check"),
    }
}
