//! A factor that was proved elsewhere and before: what a certificate says of its issue.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::factor::Verdict;
use crate::time::{Span, Timestamp};

/// Which kind of factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FactorKind {
    /// A code of an authenticator app.
    Totp,
    /// A recovery code.
    Recovery,
}

impl fmt::Display for FactorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            FactorKind::Totp => "totp",
            FactorKind::Recovery => "recovery",
        })
    }
}

/// That somebody proved a second factor, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvedFactor {
    /// Which.
    pub kind: FactorKind,
    /// When.
    pub at: Timestamp,
}

impl ProvedFactor {
    /// What a verdict proves at `now`; nothing unless it accepted the code.
    pub fn by(verdict: Verdict, at: Timestamp) -> Option<Self> {
        match verdict {
            Verdict::Totp { .. } => Some(ProvedFactor { kind: FactorKind::Totp, at }),
            Verdict::Recovery { .. } => Some(ProvedFactor { kind: FactorKind::Recovery, at }),
            _ => None,
        }
    }

    /// Reads `totp@1800000000`. Whoever reads it compares what it prints with what was read.
    ///
    /// # Errors
    /// Invalid when it has another form.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || Error::invalid("that is no proved factor, such as totp@1800000000");
        let (kind, at) = text.split_once('@').ok_or_else(bad)?;
        let kind = match kind {
            "totp" => FactorKind::Totp,
            "recovery" => FactorKind::Recovery,
            _ => return Err(bad()),
        };
        let at = Timestamp::from_unix(at.parse().map_err(|_| bad())?).map_err(|_| bad())?;
        Ok(ProvedFactor { kind, at })
    }

    /// Whether it was proved less than `fresh` before `now`. One of the future, beyond what clocks
    /// differ by, was never proved.
    pub fn is_fresh(&self, fresh: Span, skew: Span, now: Timestamp) -> bool {
        self.at.since(now) <= skew.secs() && now.since(self.at) < fresh.secs()
    }
}

impl fmt::Display for ProvedFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.kind, self.at.unix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;

    fn span(seconds: u64) -> Span {
        Span::from_secs(seconds).unwrap()
    }

    #[test]
    fn it_is_fresh_for_so_long_and_not_before_it_was_proved() {
        let factor = ProvedFactor { kind: FactorKind::Totp, at: at(1000) };
        let fresh = |now| factor.is_fresh(span(60), span(5), at(now));
        assert!(fresh(1000) && fresh(1059));
        assert!(!fresh(1060) && !fresh(99_999));
        assert!(fresh(995), "clocks differ a little");
        assert!(!fresh(994));
    }

    #[test]
    fn a_code_that_was_not_accepted_proves_nothing() {
        let until = at(9);
        for verdict in [
            Verdict::Wrong,
            Verdict::Replayed,
            Verdict::LockedOut,
            Verdict::NotEnrolled,
            Verdict::Throttled { until },
        ] {
            assert_eq!(ProvedFactor::by(verdict, at(5)), None);
        }
        let proved = ProvedFactor::by(Verdict::Totp { step: 1 }, at(5)).unwrap();
        assert_eq!(proved.to_string(), "totp@5");
        assert_eq!(ProvedFactor::parse("totp@5").unwrap(), proved);
        let proved = ProvedFactor::by(Verdict::Recovery { left: 1 }, at(5)).unwrap();
        assert_eq!(ProvedFactor::parse(&proved.to_string()).unwrap(), proved);
    }
}
