//! Enrolling, resetting and checking second factors.

use serde_json::{Value, json};

use super::{Authority, Done, acting_person, known_person};
use crate::error::{Error, Result};
use crate::factor::{Code, Enrolled, Factors, Pending, PersonOrNobody, Verdict, recovery, totp};
use crate::grant::{Actor, Digest, Evidence};
use crate::id::GrantId;
use crate::name::{HostName, PersonName};
use crate::secret::SecretText;
use crate::store::Tx;
use crate::time::Timestamp;

/// A secret that waits for its first code.
pub struct Enrolment {
    /// For the authenticator app, plain or as a QR code.
    pub otpauth_uri: SecretText,
}

/// What is known of a person's factors, without secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorStatus {
    /// A TOTP secret is in use.
    pub enrolled: bool,
    /// One waits for its first code.
    pub pending: bool,
    /// Recovery codes left.
    pub recovery_codes: usize,
    /// Too many failures in a row.
    pub locked_out: bool,
}

impl Authority {
    /// Makes a new TOTP secret for a person. It counts for nothing until
    /// [`Authority::confirm_enrolment`] saw a code of it; one in use stays in use until then.
    ///
    /// # Errors
    /// Not found.
    pub fn begin_enrolment(&self, actor: &Actor, name: &PersonName) -> Result<Enrolment> {
        self.change(actor, "factor.enroll", name.as_str(), |tx, now| {
            known_person(tx, name)?;
            let who = PersonOrNobody::Person(name.clone());
            let secret = totp::generate()?;
            let mut factors = tx.factors(who.key())?.unwrap_or_default();
            factors.pending = Some(Pending::new(totp::seal(&self.vault, &who, &secret)?, now));
            tx.put_factors(who.key(), &factors)?;
            let otpauth_uri = totp::otpauth_uri(self.config.host.as_str(), name, &secret)?;
            Ok(Done::new(Enrolment { otpauth_uri }, json!({})))
        })
    }

    /// Puts the waiting secret into use, once a code of it is shown, and makes recovery codes, which
    /// are shown this once. The shown code is burned.
    ///
    /// # Errors
    /// Refused when nothing waits, or has for too long, or the code is wrong; the secret then goes on
    /// waiting, for a few codes.
    pub fn confirm_enrolment(
        &self,
        actor: &Actor,
        name: &PersonName,
        typed: &str,
    ) -> Result<Vec<SecretText>> {
        self.change(actor, "factor.confirm", name.as_str(), |tx, now| {
            known_person(tx, name)?;
            let who = PersonOrNobody::Person(name.clone());
            let mut factors = tx.factors(who.key())?.unwrap_or_default();
            let anew = |what: String| {
                Error::refused(what).next(format!("Begin again: jitctl mfa enroll {name}"))
            };
            let refused = |factors: &Factors, error: Error| {
                tx.put_factors(who.key(), factors)?;
                let detail = json!({ "why": error.what(), "dropped": factors.pending.is_none() });
                Ok(Done::new(Err(error), detail).refused())
            };
            let pending = factors
                .pending
                .take()
                .ok_or_else(|| anew(format!("no new secret of {name} waits for a code")))?;
            if !pending.is_open(now) {
                let what = format!("the new secret of {name} has waited for too long, and is void");
                return refused(&factors, anew(what));
            }
            let secret = totp::unseal(&self.vault, &who, &pending.sealed)?;
            let step = totp::matching_step(&secret, &Code::parse(typed), now)?;
            let Some(step) = step else {
                factors.pending = pending.after_a_wrong_code();
                let wrong = "that is no code of the new secret";
                let error = match factors.pending {
                    Some(_) => Error::refused(wrong).next(
                        "Wait for the next code. If it fails again, compare the clocks of phone and host.",
                    ),
                    None => anew(format!("{wrong}, which is void after so many wrong ones")),
                };
                return refused(&factors, error);
            };
            let (codes, hashes) = recovery::generate(&self.vault, &who)?;
            let fresh = Factors {
                totp: Some(Enrolled { sealed: pending.sealed, last_step: Some(step), since: Some(now) }),
                recovery: hashes,
                ..Factors::default()
            };
            tx.put_factors(who.key(), &fresh)?;
            Ok(Done::new(Ok(codes), json!({ "recovery_codes": recovery::COUNT })))
        })?
    }

    /// Takes a person's factors away, lockout included: they enroll anew.
    ///
    /// # Errors
    /// Not found.
    pub fn reset_factors(&self, actor: &Actor, name: &PersonName) -> Result<()> {
        self.change(actor, "factor.reset", name.as_str(), |tx, _| {
            known_person(tx, name)?;
            tx.put_factors(name.as_str(), &Factors::default())?;
            Ok(Done::new((), json!({})))
        })
    }

    /// Makes new recovery codes; those left of the old ones are void.
    ///
    /// # Errors
    /// Refused when the person has no factor in use.
    pub fn new_recovery_codes(&self, actor: &Actor, name: &PersonName) -> Result<Vec<SecretText>> {
        self.change(actor, "factor.codes", name.as_str(), |tx, _| {
            known_person(tx, name)?;
            let who = PersonOrNobody::Person(name.clone());
            let mut factors = tx.factors(who.key())?.unwrap_or_default();
            if factors.totp.is_none() {
                return Err(Error::refused(format!("{name} has no second factor yet"))
                    .next(format!("jitctl mfa enroll {name}")));
            }
            let (codes, hashes) = recovery::generate(&self.vault, &who)?;
            factors.recovery = hashes;
            tx.put_factors(who.key(), &factors)?;
            Ok(Done::new(codes, json!({ "recovery_codes": recovery::COUNT })))
        })
    }

    /// What is known of a person's factors.
    ///
    /// # Errors
    /// Not found.
    pub fn factor_status(&self, name: &PersonName) -> Result<FactorStatus> {
        self.read(|tx, now| {
            known_person(tx, name)?;
            let factors = tx.factors(name.as_str())?.unwrap_or_default();
            Ok(FactorStatus {
                enrolled: factors.totp.is_some(),
                locked_out: factors.locked_out(None, &self.config.factor),
                pending: factors.pending.is_some_and(|pending| pending.is_open(now)),
                recovery_codes: factors.recovery.len(),
            })
        })
    }

    /// Checks a person's code at the command line, as for a login: one use, throttled, recorded.
    ///
    /// # Errors
    /// Refused when it is not accepted, saying how.
    pub fn prove(&self, name: &PersonName, typed: &str, what_for: &str) -> Result<()> {
        self.prove_for(name, typed, json!({ "for": what_for })).map(drop)
    }

    /// As [`Authority::prove`], as the proof of a yes to what has this digest, and of no other.
    ///
    /// # Errors
    /// As there.
    pub fn prove_approval(
        &self,
        name: &PersonName,
        typed: &str,
        id: &GrantId,
        digest: &Digest,
    ) -> Result<Evidence> {
        let what_for = format!("approve {id}");
        let record = self.prove_for(name, typed, json!({ "for": what_for, "approves": digest }))?;
        Ok(Evidence::Factor { record })
    }

    /// Checks a code, and says in which record that stands.
    fn prove_for(&self, name: &PersonName, typed: &str, what_for: Value) -> Result<u64> {
        let actor = Actor::Person(name.clone());
        let (verdict, record) =
            self.change(&actor, "factor.verify", name.as_str(), |tx, now| {
                acting_person(tx, name)?;
                let who = PersonOrNobody::Person(name.clone());
                let verdict = self.try_code(tx, &who, typed, None, now)?;
                // The next one is this change's own: nobody else writes meanwhile.
                let record = tx.audit_head()?.map_or(0, |head| head.sequence) + 1;
                let mut detail = what_for;
                detail["result"] = json!(verdict.to_string());
                let done = Done::new((verdict, record), detail);
                Ok(if verdict.accepted() { done } else { done.refused() })
            })?;
        match verdict {
            Verdict::Totp { .. } | Verdict::Recovery { .. } => Ok(record),
            Verdict::Throttled { until } => Err(Error::refused(verdict.to_string())
                .next(format!("The next attempt counts from {} on.", until.local_hour()))),
            Verdict::Replayed => Err(Error::refused("that code was used before")
                .next("Wait for the next code of the authenticator app.")),
            Verdict::Wrong => Err(Error::refused(format!("that is no code of {name}'s"))),
            Verdict::LockedOut => Err(Error::refused(verdict.to_string())
                .next(format!("jitctl mfa reset {name}, then enroll anew."))),
            Verdict::NotEnrolled => Err(Error::refused(format!("{name} has no second factor"))
                .next(format!("jitctl mfa enroll {name}"))),
        }
    }

    /// One attempt, typed here or `from` a host of the fleet, within the caller's writing transaction: reads, counts, verifies, stores. The
    /// caller commits before anybody learns the verdict.
    pub(super) fn try_code(
        &self,
        tx: &dyn Tx,
        who: &PersonOrNobody,
        typed: &str,
        from: Option<&HostName>,
        now: Timestamp,
    ) -> Result<Verdict> {
        let mut factors = self.factors_of(tx, who)?;
        // Somebody without a factor is checked against nobody's, so that it takes as long.
        let stand_in = match factors.totp {
            None => Some(match tx.factors(PersonOrNobody::Nobody.key())? {
                Some(factors) => factors,
                None => self.nobodys_factors()?,
            }),
            Some(_) => None,
        };
        let code = Code::parse(typed);
        let limits = &self.config.factor;
        let verdict = match stand_in {
            Some(mut stand_in) => {
                let nobody = PersonOrNobody::Nobody;
                let _ = crate::factor::attempt(
                    &mut stand_in,
                    &self.vault,
                    &nobody,
                    &code,
                    from,
                    limits,
                    now,
                )?;
                tx.put_factors(nobody.key(), &stand_in)?;
                Verdict::NotEnrolled
            }
            None => {
                let verdict = crate::factor::attempt(
                    &mut factors,
                    &self.vault,
                    who,
                    &code,
                    from,
                    limits,
                    now,
                )?;
                tx.put_factors(who.key(), &factors)?;
                verdict
            }
        };
        Ok(match who {
            PersonOrNobody::Person(_) => verdict,
            // Even a code that happens to be right proves nobody.
            PersonOrNobody::Nobody => Verdict::NotEnrolled,
        })
    }

    pub(super) fn factors_of(&self, tx: &dyn Tx, who: &PersonOrNobody) -> Result<Factors> {
        Ok(match tx.factors(who.key())? {
            Some(factors) => factors,
            None if *who == PersonOrNobody::Nobody => self.nobodys_factors()?,
            None => Factors::default(),
        })
    }

    /// A record like a person's, with a secret that nobody knows.
    fn nobodys_factors(&self) -> Result<Factors> {
        let nobody = PersonOrNobody::Nobody;
        let sealed = totp::seal(&self.vault, &nobody, &totp::generate()?)?;
        let (_, recovery) = recovery::generate(&self.vault, &nobody)?;
        Ok(Factors {
            totp: Some(Enrolled { sealed, last_step: None, since: None }),
            recovery,
            ..Factors::default()
        })
    }
}
