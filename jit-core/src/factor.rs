//! Second factors: one-time codes (TOTP, RFC 6238) and recovery codes, with replay protection,
//! throttling and lockout.
//!
//! [`attempt`] is a pure function over a person's [`Factors`] record. The authority runs it inside
//! one immediate transaction that reads the record, stores what came of it and commits before
//! anybody is told: of any number of parallel attempts with one code, one finds it unused.

pub mod code;
mod failures;
mod pending;
mod proved;
pub mod recovery;
pub mod totp;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use code::Code;
pub use failures::Failures;
pub use pending::Pending;
pub use proved::{FactorKind, ProvedFactor};

use crate::config::FactorLimits;
use crate::error::{Error, Result};
use crate::grant::Action;
use crate::name::{HostName, Login, PersonName};
use crate::seal::Vault;
use crate::time::Timestamp;

/// Everything kept about one person's factors. Secrets in it are sealed or hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factors {
    /// The secret in use.
    pub totp: Option<Enrolled>,
    /// A secret whose first code has not been shown yet; it counts for nothing.
    pub pending: Option<Pending>,
    /// Keyed hashes of the recovery codes left, in hexadecimal.
    pub recovery: Vec<String>,
    /// When the latest failures were, oldest first; as many as the limit asks to remember.
    pub failures: Vec<Timestamp>,
    /// Failures since the last success.
    pub consecutive: u32,
    /// Those that hosts of the fleet reported, which count there alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub at_hosts: BTreeMap<HostName, Failures>,
    /// What was proved of late at ssh and sudo, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Given>,
}

/// A kind of second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A code of an authenticator app.
    Totp,
    /// A recovery code.
    Recovery,
}

impl Kind {
    /// Reads its name.
    ///
    /// # Errors
    /// Invalid when there is no such kind.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "totp" => Ok(Kind::Totp),
            "recovery" => Ok(Kind::Recovery),
            _ => Err(Error::invalid(format!("`{}` is no kind of factor", text.escape_debug()))
                .next("Kinds: totp, recovery.")),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Totp => "a code of the authenticator app",
            Kind::Recovery => "a recovery code",
        })
    }
}

/// That somebody proved a factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Which.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
}

/// A proof, and in which process it was given: the one that goes on to ask whether they may enter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// What.
    pub proof: Proof,
    /// What for.
    pub action: Action,
    /// At which account.
    pub login: Login,
    /// The process.
    pub pid: u32,
    /// By which first factor it was known whose it must be.
    pub by: String,
}

/// For how long it is remembered, in seconds: a login with all its waiting takes less.
const REMEMBERED: u64 = 600;
/// How many are remembered.
const MOST_GIVEN: usize = 16;

impl Factors {
    /// Remembers what was proved, for as long as it takes to come in by it.
    pub(crate) fn remember(&mut self, given: Given) {
        let now = given.proof.at;
        self.given.retain(|old| now.since(old.proof.at) < REMEMBERED);
        if self.given.len() >= MOST_GIVEN {
            self.given.remove(0);
        }
        self.given.push(given);
    }

    /// Whether who logged in then did so by the factor that is in use now.
    pub(crate) fn proved_by_the_one_in_use(&self, logged_in: Timestamp) -> bool {
        self.totp.as_ref().is_some_and(|enrolled| enrolled.since.is_none_or(|at| at <= logged_in))
    }

    /// What was proved of late.
    pub(crate) fn given(&self, now: Timestamp) -> impl Iterator<Item = &Given> {
        self.given.iter().filter(move |given| now.since(given.proof.at) < REMEMBERED)
    }
}

/// A TOTP secret in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// The sealed secret, in base64.
    pub sealed: String,
    /// The last time step whose code was accepted; only later ones are.
    pub last_step: Option<u64>,
    /// When it was put into use; none if that was not written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[must_use]
pub enum Verdict {
    /// The code of this time step, never accepted before.
    Totp {
        /// The step (RFC 6238 section 4.2).
        step: u64,
    },
    /// A recovery code, now used up.
    Recovery {
        /// How many are left.
        left: usize,
    },
    /// A right code that was accepted before.
    Replayed,
    /// No code of this person's.
    Wrong,
    /// Too many failures of late: the code was not looked at.
    Throttled {
        /// From when on the next attempt counts.
        until: Timestamp,
    },
    /// Too many failures in a row: an admin has to reset it.
    LockedOut,
    /// There is no factor to check against.
    NotEnrolled,
}

impl Verdict {
    /// Whether the person proved the factor.
    pub fn accepted(self) -> bool {
        self.kind().is_some()
    }

    /// Which factor they proved.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Verdict::Totp { .. } => Some(Kind::Totp),
            Verdict::Recovery { .. } => Some(Kind::Recovery),
            _ => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Totp { .. } => f.write_str("code accepted"),
            Verdict::Recovery { left } => write!(f, "recovery code accepted, {left} left"),
            Verdict::Replayed => f.write_str("code was used before"),
            Verdict::Wrong => f.write_str("wrong code"),
            Verdict::Throttled { .. } => f.write_str("too many failures, code not looked at"),
            Verdict::LockedOut => f.write_str("locked out after too many failures in a row"),
            Verdict::NotEnrolled => f.write_str("no factor enrolled"),
        }
    }
}

/// Checks one code of `person`, typed here or `from` a host of the fleet, and brings their record up
/// to date. The same work is done whatever the outcome: unsealing, three codes, every recovery hash.
/// An accepted code is used up everywhere.
///
/// # Errors
/// Tampered when the secret doesn't open.
pub fn attempt(
    factors: &mut Factors,
    vault: &Vault,
    person: &PersonOrNobody,
    code: &Code,
    from: Option<&HostName>,
    limits: &FactorLimits,
    now: Timestamp,
) -> Result<Verdict> {
    // Computed before it is known whether the attempt counts, so that time tells nothing.
    let step = match &factors.totp {
        Some(enrolled) => {
            let secret = totp::unseal(vault, person, &enrolled.sealed)?;
            totp::matching_step(&secret, code, now)?
        }
        None => None,
    };
    let recovery = recovery::matching(vault, person, code, &factors.recovery);

    if factors.totp.is_none() {
        return Ok(Verdict::NotEnrolled);
    }
    if let Some(verdict) = factors.barred(from, limits, now)? {
        return Ok(verdict);
    }

    let last = factors.totp.as_ref().and_then(|enrolled| enrolled.last_step);
    let verdict = match (step, recovery) {
        (Some(step), _) if last.is_some_and(|last| step <= last) => Verdict::Replayed,
        (Some(step), _) => Verdict::Totp { step },
        (None, Some(index)) => {
            factors.recovery.remove(index);
            Verdict::Recovery { left: factors.recovery.len() }
        }
        (None, None) => Verdict::Wrong,
    };
    factors.count(from, verdict.accepted(), now);
    if let (Verdict::Totp { step }, Some(enrolled)) = (verdict, &mut factors.totp) {
        enrolled.last_step = Some(step);
    }
    Ok(verdict)
}

/// Whose factors. Attempts by someone unknown run against a record of nobody's, so that they take
/// the same path, and leave the same traces, as those of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonOrNobody {
    /// An enrolled person.
    Person(PersonName),
    /// Someone unknown.
    Nobody,
}

impl PersonOrNobody {
    /// The key of the record: a person's name, or one that no name can be.
    pub fn key(&self) -> &str {
        match self {
            PersonOrNobody::Person(name) => name.as_str(),
            PersonOrNobody::Nobody => "-",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;
    use crate::time::Span;
    use proptest::prelude::*;

    const NOW: u64 = 1_800_000_000;

    fn limits() -> FactorLimits {
        FactorLimits { attempts: 3, period: Span::from_secs(30).unwrap(), lockout: 10 }
    }

    fn alice() -> PersonOrNobody {
        PersonOrNobody::Person(PersonName::parse("alice").unwrap())
    }

    struct Desk {
        vault: Vault,
        factors: Factors,
        secret: crate::secret::SecretBytes,
    }

    impl Desk {
        fn new() -> Self {
            let vault = Vault::from_master_key(&[1; 32]);
            let secret = totp::generate().unwrap();
            let sealed = totp::seal(&vault, &alice(), &secret).unwrap();
            let totp = Some(Enrolled { sealed, last_step: None, since: None });
            let factors = Factors { totp, ..Factors::default() };
            Desk { vault, factors, secret }
        }

        fn code(&self, time: u64) -> String {
            totp::code_at(&self.secret, at(time)).unwrap()
        }

        fn try_code(&mut self, code: &str, now: u64) -> Verdict {
            attempt(
                &mut self.factors,
                &self.vault,
                &alice(),
                &Code::parse(code),
                None,
                &limits(),
                at(now),
            )
            .unwrap()
        }
    }

    #[test]
    fn a_code_is_accepted_once_and_no_older_one_after_it() {
        let mut desk = Desk::new();
        let (before, code) = (desk.code(NOW - 30), desk.code(NOW));
        assert!(desk.try_code(&code, NOW).accepted());
        assert_eq!(desk.try_code(&code, NOW), Verdict::Replayed);
        assert_eq!(desk.try_code(&before, NOW), Verdict::Replayed);
        let next = desk.code(NOW + 30);
        assert!(desk.try_code(&next, NOW).accepted(), "one step ahead is within the skew");
    }

    #[test]
    fn white_space_does_not_defeat_the_replay_check() {
        let mut desk = Desk::new();
        let code = desk.code(NOW);
        assert!(desk.try_code(&code, NOW).accepted());
        for typed in [format!("{code} "), format!(" {code}"), format!("{}\u{a0}", code)] {
            assert!(!desk.try_code(&typed, NOW).accepted(), "{typed:?}");
            desk.factors.failures.clear();
        }
    }

    #[test]
    fn a_right_code_is_not_looked_at_while_throttled() {
        let mut desk = Desk::new();
        let right = desk.code(NOW);
        let wrong = if right == "000000" { "000001" } else { "000000" };
        for _ in 0..3 {
            assert_eq!(desk.try_code(wrong, NOW), Verdict::Wrong);
        }
        assert_eq!(desk.try_code(&right, NOW), Verdict::Throttled { until: at(NOW + 30) });
        assert_eq!(desk.factors.consecutive, 3, "a throttled attempt is no guess");
        let later = desk.code(NOW + 30);
        assert!(desk.try_code(&later, NOW + 30).accepted());
        assert_eq!(desk.factors.consecutive, 0);
    }

    #[test]
    fn ten_failures_in_a_row_lock_out_however_slowly_they_come() {
        let mut desk = Desk::new();
        for i in 0..10 {
            assert_eq!(desk.try_code("12345", NOW + i * 60), Verdict::Wrong);
        }
        let right = desk.code(NOW + 3600);
        assert_eq!(desk.try_code(&right, NOW + 3600), Verdict::LockedOut);
    }

    #[test]
    fn a_recovery_code_works_once_for_its_owner() {
        let mut desk = Desk::new();
        let (codes, hashes) = recovery::generate(&desk.vault, &alice()).unwrap();
        desk.factors.recovery = hashes;
        let code = codes[3].expose().to_owned();
        let shouted = code.to_uppercase().replace('-', " ");
        let bob = PersonOrNobody::Person(PersonName::parse("bob").unwrap());
        let mut bobs = desk.factors.clone();
        bobs.totp = Some(Enrolled {
            sealed: totp::seal(&desk.vault, &bob, &desk.secret).unwrap(),
            last_step: None,
            since: None,
        });
        let verdict =
            attempt(&mut bobs, &desk.vault, &bob, &Code::parse(&code), None, &limits(), at(NOW));
        assert_eq!(verdict.unwrap(), Verdict::Wrong, "B's code credited to A");
        assert_eq!(desk.try_code(&shouted, NOW), Verdict::Recovery { left: 9 });
        assert_eq!(desk.try_code(&code, NOW), Verdict::Wrong);
    }

    #[test]
    fn a_pending_secret_proves_nothing() {
        let mut desk = Desk::new();
        let enrolled = desk.factors.totp.take().unwrap();
        desk.factors.pending = Some(Pending::new(enrolled.sealed, at(NOW)));
        let code = desk.code(NOW);
        assert_eq!(desk.try_code(&code, NOW), Verdict::NotEnrolled);
    }

    #[test]
    fn a_secret_moved_to_another_person_does_not_open() {
        let mut desk = Desk::new();
        let code = Code::parse(&desk.code(NOW));
        let bob = PersonOrNobody::Person(PersonName::parse("bob").unwrap());
        assert!(
            attempt(&mut desk.factors, &desk.vault, &bob, &code, None, &limits(), at(NOW)).is_err()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever is tried in whatever order: never more failures in a period than allowed, and
        /// no step accepted twice.
        #[test]
        fn guesses_never_exceed_the_limit(tries in proptest::collection::vec((0_u64..20, 0_u8..4), 1..40)) {
            let mut desk = Desk::new();
            let (mut now, mut accepted, mut looked_at) = (NOW, Vec::new(), Vec::new());
            for (wait, which) in tries {
                now += wait;
                let code = match which { 0 => desk.code(now), 1 => desk.code(now - 30), 2 => "000000".into(), _ => "x".into() };
                match desk.try_code(&code, now) {
                    Verdict::Totp { step } => { accepted.push(step); looked_at.clear(); }
                    Verdict::Wrong | Verdict::Replayed => looked_at.push(now),
                    _ => {}
                }
                let recent = looked_at.iter().filter(|t| now - **t < 30).count();
                prop_assert!(recent <= 3);
            }
            prop_assert!(accepted.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
