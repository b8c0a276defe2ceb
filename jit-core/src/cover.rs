//! Cover: the union of a person's active grants for a host, login and action. A session's deadline
//! is the end of the contiguous cover, so that one grant's end never cuts another's.

use crate::grant::{Action, Grant};
use crate::host::Host;
use crate::id::GrantId;
use crate::name::{Login, PersonName};
use crate::time::Timestamp;

/// For whom, where and for what cover is asked.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The person.
    pub person: &'a PersonName,
    /// The account.
    pub login: &'a Login,
    /// The host, with its labels.
    pub host: &'a Host,
    /// What for.
    pub action: Action,
}

impl Wanted<'_> {
    /// Whether `grant` is about this: right person, account, place and action. Says nothing of time.
    pub fn is_covered_by(&self, grant: &Grant) -> bool {
        let ask = grant.ask();
        ask.person == *self.person
            && ask.login == *self.login
            && self.host.is_at(&ask.place)
            && grant.allows(self.action)
    }
}

/// Cover at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// The first second without cover.
    pub deadline: Timestamp,
    /// The grants active now, the one that lasts longest first.
    pub grants: Vec<GrantId>,
    /// The grant that reaches to the deadline, active now or later: the one to extend.
    pub last: GrantId,
}

/// The cover at `now` of `grants`, which may hold others' grants and dead ones: they don't count.
pub fn cover<'a>(
    wanted: Wanted<'_>,
    grants: impl IntoIterator<Item = &'a Grant>,
    now: Timestamp,
) -> Option<Cover> {
    let mut windows: Vec<_> = grants
        .into_iter()
        .filter(|grant| wanted.is_covered_by(grant))
        .filter_map(|grant| grant.window().map(|window| (window, grant.id())))
        .collect();
    windows.sort_by_key(|(window, _)| window.not_before);

    let (mut deadline, mut last) = (now, None);
    for (window, id) in &windows {
        // Sorted by start: once one starts past the deadline, there is a gap and all later do too.
        if window.not_before > deadline {
            break;
        }
        if window.not_after > deadline {
            (deadline, last) = (window.not_after, Some((*id).clone()));
        }
    }
    let mut active: Vec<_> =
        windows.into_iter().filter(|(window, _)| window.contains(now)).collect();
    active.sort_by_key(|(window, id)| (std::cmp::Reverse(window.not_after), (*id).clone()));
    if active.is_empty() {
        // A window that ended, or one that only starts at the deadline of nothing, covers nothing.
        return None;
    }
    let grants = active.into_iter().map(|(_, id)| id.clone()).collect();
    last.map(|last| Cover { deadline, grants, last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::{active, ask, at};
    use crate::grant::{Actor, Way};
    use crate::name::{HostName, Reason};
    use proptest::prelude::*;

    fn host() -> Host {
        Host {
            name: HostName::parse("web-1").unwrap(),
            labels: [crate::name::Label::parse("env=prod").unwrap()].into(),
            created_at: at(0),
            key: None,
        }
    }

    fn deadline(grants: &[Grant], now: u64) -> Option<u64> {
        let person = PersonName::parse("alice").unwrap();
        let login = Login::parse("deploy").unwrap();
        let host = host();
        let wanted = Wanted { person: &person, login: &login, host: &host, action: Action::Login };
        cover(wanted, grants, at(now)).map(|cover| cover.deadline.unix())
    }

    fn windows(pairs: &[(u64, u64)]) -> Vec<Grant> {
        pairs
            .iter()
            .map(|(start, length)| {
                let mut ask = ask("alice", *length);
                ask.start = Some(at(*start));
                crate::grant::testing::requested(ask, 0).approve(Way::People, at(0)).unwrap()
            })
            .collect()
    }

    #[test]
    fn overlapping_grants_are_a_union_and_ending_one_drops_no_other() {
        let mut grants = windows(&[(100, 50), (120, 80), (200, 10), (300, 10)]);
        assert_eq!(deadline(&grants, 100), Some(210));
        assert_eq!(deadline(&grants, 210), None);
        assert_eq!(deadline(&grants, 299), None);
        let first = grants.remove(0);
        let revoked =
            first.revoke(Actor::Root, Reason::parse("no more").unwrap(), at(130)).unwrap();
        grants.push(revoked);
        assert_eq!(deadline(&grants, 130), Some(210));
    }

    #[test]
    fn others_grants_hosts_logins_and_actions_do_not_count() {
        let mut other_host = ask("alice", 60);
        other_host.place = crate::name::Place::parse("web-2").unwrap();
        let mut other_login = ask("alice", 60);
        other_login.login = Login::parse("root").unwrap();
        let grants =
            [active(ask("bob", 60), 100), active(other_host, 100), active(other_login, 100)];
        assert_eq!(deadline(&grants, 100), None);
        let mut label = ask("alice", 60);
        label.place = crate::name::Place::parse("env=prod").unwrap();
        assert_eq!(deadline(&[active(label, 100)], 100), Some(160));
    }

    #[test]
    fn login_alone_is_no_sudo() {
        let person = PersonName::parse("alice").unwrap();
        let login = Login::parse("deploy").unwrap();
        let host = host();
        let wanted = Wanted { person: &person, login: &login, host: &host, action: Action::Sudo };
        let plain = active(ask("alice", 60), 100);
        let mut with_sudo = ask("alice", 20);
        with_sudo.sudo = true;
        let with_sudo = active(with_sudo, 100);
        assert!(cover(wanted, [&plain], at(100)).is_none());
        assert_eq!(cover(wanted, [&plain, &with_sudo], at(100)).unwrap().deadline, at(120));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: crate::policy::cases(), ..ProptestConfig::default() })]

        /// The deadline against the plain definition: step second by second while covered.
        #[test]
        fn the_deadline_is_the_first_second_without_cover(
            pairs in proptest::collection::vec((1_u64..60, 1_u64..30), 0..8),
            now in 0_u64..100,
        ) {
            let grants = windows(&pairs);
            let covered = |t: u64| pairs.iter().any(|(s, l)| *s <= t && t < s + l);
            let expected = covered(now).then(|| (now..).find(|t| !covered(*t)).unwrap());
            prop_assert_eq!(deadline(&grants, now), expected);
        }
    }
}
