//! What waits for a person's yes.

use super::grants::{alive, approvers};
use super::{Authority, acting_person, known_person};
use crate::error::Result;
use crate::grant::{Grant, Phase};
use crate::name::PersonName;
use crate::time::Timestamp;

impl Authority {
    /// The undecided requests that `person`'s yes would bring closer, the newest first, and the time
    /// they were looked at.
    ///
    /// # Errors
    /// Not found; refused when the person is suspended; misconfigured when the policy is.
    pub fn inbox(&self, person: &PersonName) -> Result<(Vec<Grant>, Timestamp)> {
        let policy = self.policy()?;
        self.read(|tx, now| {
            acting_person(tx, person)?;
            let mut waiting = Vec::new();
            for grant in alive(tx, None, now)? {
                if grant.phase(now) != Phase::Requested {
                    continue;
                }
                let requester = known_person(tx, &grant.ask().person)?;
                let given = approvers(&grant);
                let could = self.who_could(tx, &policy, grant.ask(), &requester, &given, now)?;
                if could.contains(person) {
                    waiting.push(grant);
                }
            }
            Ok((waiting, now))
        })
    }
}
