//! Which second factors a role takes, and how fresh one must be at sudo.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::factor::{Kind, Proof};
use crate::grant::Action;
use crate::time::{Span, Timestamp};

/// What a role asks of the second factor. The default is whatever login and sudo ask by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorRule {
    /// At login, one of these; any when empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub login: BTreeSet<Kind>,
    /// At sudo, one of these; any when empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sudo: BTreeSet<Kind>,
    /// How long ago it may have been given in the same session when sudo is used. An older one is
    /// asked for anew, also where sudo itself asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_within: Option<Span>,
}

impl FactorRule {
    /// Whether it asks for nothing.
    pub fn is_default(&self) -> bool {
        *self == FactorRule::default()
    }

    /// Whether one of what was proved will do at `now`.
    pub fn is_met(&self, action: Action, proofs: &[Proof], now: Timestamp) -> bool {
        let (kinds, within) = match action {
            Action::Login => (&self.login, None),
            Action::Sudo => (&self.sudo, self.sudo_within),
        };
        let asks = !kinds.is_empty() || within.is_some();
        !asks
            || proofs.iter().any(|proof| {
                (kinds.is_empty() || kinds.contains(&proof.kind))
                    && within.is_none_or(|within| now.since(proof.at) <= within.secs())
            })
    }

    /// What it asks for, as somebody is told who did not give it.
    pub fn wanted(&self, action: Action) -> String {
        let kinds = match action {
            Action::Login => &self.login,
            Action::Sudo => &self.sudo,
        };
        let kinds = if kinds.is_empty() { "a verification code".to_owned() } else { list(kinds) };
        match (action, self.sudo_within) {
            (Action::Sudo, Some(within)) => format!("{kinds}, no older than {within}"),
            _ => kinds,
        }
    }
}

fn list(kinds: &BTreeSet<Kind>) -> String {
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

impl fmt::Display for FactorRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (login, sudo) = (self.wanted(Action::Login), self.wanted(Action::Sudo));
        write!(f, "{login} at login; {sudo} at sudo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;

    fn proof(kind: Kind, time: u64) -> Proof {
        Proof { kind, at: at(time) }
    }

    #[test]
    fn what_is_not_asked_for_is_met_by_nothing() {
        let rule = FactorRule::default();
        assert!(rule.is_default());
        for action in [Action::Login, Action::Sudo] {
            assert!(rule.is_met(action, &[], at(1000)));
        }
    }

    #[test]
    fn a_recovery_code_is_no_code_of_the_app() {
        let rule = FactorRule { login: [Kind::Totp].into(), ..FactorRule::default() };
        assert!(!rule.is_met(Action::Login, &[], at(1000)));
        assert!(!rule.is_met(Action::Login, &[proof(Kind::Recovery, 1000)], at(1000)));
        assert!(rule.is_met(Action::Login, &[proof(Kind::Totp, 1000)], at(1000)));
        assert!(rule.is_met(Action::Sudo, &[], at(1000)), "that is for logins");
        assert_eq!(rule.wanted(Action::Login), "a code of the authenticator app");
    }

    #[test]
    fn a_factor_is_fresh_to_the_second() {
        let within = Some(Span::from_secs(60).unwrap());
        let rule = FactorRule { sudo_within: within, ..FactorRule::default() };
        let given = [proof(Kind::Totp, 1000)];
        assert!(rule.is_met(Action::Sudo, &given, at(1060)));
        assert!(!rule.is_met(Action::Sudo, &given, at(1061)));
        // Fresh and of the right kind is one and the same code.
        let both = FactorRule { sudo: [Kind::Totp].into(), ..rule };
        let given = [proof(Kind::Totp, 1000), proof(Kind::Recovery, 1060)];
        assert!(!both.is_met(Action::Sudo, &given, at(1061)));
        assert_eq!(both.wanted(Action::Sudo), "a code of the authenticator app, no older than 1m");
    }
}
