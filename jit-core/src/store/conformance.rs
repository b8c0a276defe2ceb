//! What any engine must do. Each is handed a way to open one more connection to the same store.

mod together;

use std::path::Path;
use std::sync::{Arc, Barrier};

use serde_json::json;

use super::{CaKey, CaKind, GrantFilter, Issued, Mode, Store};
use crate::audit::{Event, Outcome};
use crate::authority::testing::private_dir;
use crate::breakglass::Glass;
use crate::error::Kind;
use crate::factor::Factors;
use crate::grant::testing::{active, ask, at, requested};
use crate::grant::{Action, Actor, Grant, Way};
use crate::host::Host;
use crate::invitation::{Invitation, Invited};
use crate::kept::Kept;
use crate::link::Link;
use crate::name::{HookName, HostName, Login, PersonName};
use crate::outbox::Standing;
use crate::person::{IdentityKey, Person};
use crate::policy::Accepted;
use crate::process::Anchor;
use crate::seal::Vault;
use crate::session::{End, EndReason, Session};
use crate::stay::{Before, Stay};

/// Opens one more connection to the same store.
pub(super) type Open<'a> = &'a (dyn Fn() -> Box<dyn Store> + Sync);

/// One property of a store.
pub(super) type Case<'a> = &'a dyn Fn(Open<'_>);

/// Opens the store that a snapshot in this file is.
pub(super) type Reopen<'a> = &'a dyn Fn(&Path) -> Box<dyn Store>;

/// Runs all of it; `fresh` runs one case on an empty store.
pub(super) fn suite(fresh: &dyn Fn(Case<'_>), reopen: Reopen<'_>) {
    fresh(&what_is_committed_is_seen_and_what_is_dropped_is_not);
    fresh(&grants_are_compared_and_swapped);
    fresh(&grants_are_filtered);
    fresh(&grants_decided_elsewhere_replace_whatever_is_there);
    fresh(&certificates_of_grants_outlive_what_ends_those_sooner);
    fresh(&a_cas_keys_are_replaced_in_their_order);
    fresh(&a_host_has_one_link);
    fresh(&keys_belong_to_one_person);
    fresh(&sessions_are_found_by_host_and_audit_session);
    fresh(&an_account_has_one_stay_on_a_host);
    fresh(&a_host_has_one_set_of_break_glass_codes);
    fresh(&a_hook_has_one_standing);
    fresh(&one_policy_is_kept);
    fresh(&there_is_one_invitation_for_each);
    fresh(&answers_are_kept_by_key_counted_by_caller_and_forgotten_by_age);
    fresh(&serials_are_unique);
    fresh(&the_log_is_one_chain_whoever_writes);
    fresh(&a_writer_sees_nothing_change_under_it);
    fresh(&together::what_is_done_together_is_seen_together_and_taken_back_alone);
    fresh(&together::writers_who_do_several_things_together_lose_nothing);
    fresh(&|open| a_snapshot_holds_one_state_and_stands_alone(open, reopen));
}

fn name(text: &str) -> PersonName {
    PersonName::parse(text).unwrap()
}

fn person(text: &str) -> Person {
    Person { name: name(text), groups: [].into(), suspended: false, created_at: at(1) }
}

fn what_is_committed_is_seen_and_what_is_dropped_is_not(open: Open<'_>) {
    let (store, other) = (open(), open());
    let tx = store.begin(Mode::Write).unwrap();
    tx.put_person(&person("alice")).unwrap();
    tx.put_factors("alice", &Factors::default()).unwrap();
    let host = Host {
        name: HostName::parse("web-1").unwrap(),
        labels: [].into(),
        created_at: at(1),
        key: None,
    };
    tx.put_host(&host).unwrap();
    tx.commit().unwrap();
    let before = other.change_marker().unwrap();
    let tx = store.begin(Mode::Write).unwrap();
    tx.put_person(&person("bob")).unwrap();
    drop(tx);

    let tx = other.begin(Mode::Read).unwrap();
    assert_eq!(tx.people().unwrap(), vec![person("alice")]);
    assert_eq!(tx.person(&name("bob")).unwrap(), None);
    assert_eq!(tx.factors("alice").unwrap(), Some(Factors::default()));
    assert_eq!(tx.hosts().unwrap(), vec![host.clone()]);
    drop(tx);
    assert_eq!(other.change_marker().unwrap(), before, "nothing was committed since");

    let tx = store.begin(Mode::Write).unwrap();
    tx.remove_person(&name("alice")).unwrap();
    tx.remove_host(&host.name).unwrap();
    tx.commit().unwrap();
    assert_ne!(other.change_marker().unwrap(), before);
    let tx = other.begin(Mode::Read).unwrap();
    assert_eq!((tx.people().unwrap(), tx.factors("alice").unwrap()), (vec![], None));
    drop(tx);
    other.checkpoint().unwrap();
    other.check().unwrap();
}

fn grants_are_compared_and_swapped(open: Open<'_>) {
    let (store, other) = (open(), open());
    let grant = requested(ask("alice", 60), 1000);
    let tx = store.begin(Mode::Write).unwrap();
    tx.add_grant(&grant).unwrap();
    assert_eq!(tx.add_grant(&grant).unwrap_err().kind(), Kind::Conflict);
    tx.commit().unwrap();

    let approved = grant.clone().approve(Way::People, at(1001)).unwrap();
    let denied = grant.clone().deny(Actor::Root, None, at(1001)).unwrap();
    let tx = other.begin(Mode::Write).unwrap();
    tx.replace_grant(&approved).unwrap();
    tx.commit().unwrap();
    let tx = store.begin(Mode::Write).unwrap();
    assert_eq!(tx.replace_grant(&denied).unwrap_err().kind(), Kind::Conflict);
    assert_eq!(tx.grant(grant.id()).unwrap(), Some(approved));
    let unknown = requested(ask("bob", 60), 1000).approve(Way::People, at(1000)).unwrap();
    assert_eq!(tx.replace_grant(&unknown).unwrap_err().kind(), Kind::Conflict);
}

fn grants_are_filtered(open: Open<'_>) {
    let store = open();
    let grants: Vec<Grant> = vec![
        active(ask("alice", 60), 1000),
        active(ask("alice", 600), 1000),
        active(ask("bob", 60), 1000),
        requested(ask("bob", 60), 1000),
        requested(ask("bob", 60), 1000).deny(Actor::Root, None, at(1001)).unwrap(),
    ];
    let tx = store.begin(Mode::Write).unwrap();
    grants.iter().for_each(|grant| tx.add_grant(grant).unwrap());
    tx.commit().unwrap();
    let tx = store.begin(Mode::Read).unwrap();
    let found = |person: Option<&str>, alive_at: Option<u64>, limit| {
        let filter = GrantFilter { person: person.map(name), alive_at: alive_at.map(at), limit };
        let found = tx.grants(&filter).unwrap();
        found
            .iter()
            .map(|found| grants.iter().position(|grant| grant == found).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(found(None, None, None), [4, 3, 2, 1, 0]);
    assert_eq!(found(None, None, Some(2)), [4, 3]);
    assert_eq!(found(Some("alice"), None, None), [1, 0]);
    assert_eq!(found(Some("alice"), Some(1059), None), [1, 0]);
    assert_eq!(found(Some("alice"), Some(1060), None), [1]);
    assert_eq!(found(None, Some(1060), None), [3, 1], "a request is alive until it lapses");
    assert_eq!(found(Some("carol"), None, None), [0_usize; 0]);
}

fn grants_decided_elsewhere_replace_whatever_is_there(open: Open<'_>) {
    let store = open();
    let tx = store.begin(Mode::Write).unwrap();
    let grant = active(ask("alice", 60), 100);
    tx.put_grant(&grant).unwrap();
    assert_eq!(tx.grant(grant.id()).unwrap(), Some(grant.clone()));
    let reason = crate::name::Reason::parse("no more").unwrap();
    let revoked = grant.clone().revoke(Actor::Root, reason, at(110)).unwrap();
    tx.put_grant(&revoked).unwrap();
    assert_eq!(tx.grant(grant.id()).unwrap(), Some(revoked));
    let filter = GrantFilter { alive_at: Some(at(105)), ..GrantFilter::default() };
    assert_eq!(tx.grants(&filter).unwrap(), []);
    // Back to an older version, too: another store decides.
    tx.put_grant(&grant).unwrap();
    assert_eq!(tx.grants(&filter).unwrap(), [grant]);
}

fn certificates_of_grants_outlive_what_ends_those_sooner(open: Open<'_>) {
    let store = open();
    let tx = store.begin(Mode::Write).unwrap();
    let span = |seconds| crate::time::Span::from_secs(seconds).unwrap();
    let grant = active(ask("alice", 100), 100);
    tx.add_grant(&grant).unwrap();
    tx.add_grant(&requested(ask("bob", 1000), 100)).unwrap();
    let shorter = grant.shorten(span(50), Actor::Root, at(100)).unwrap();
    tx.replace_grant(&shorter).unwrap();
    let shorter = shorter.shorten(span(10), Actor::Root, at(100)).unwrap();
    tx.replace_grant(&shorter).unwrap();
    let reason = crate::name::Reason::parse("no more").unwrap();
    let revoked = shorter.revoke(Actor::Root, reason, at(105)).unwrap();
    tx.replace_grant(&revoked).unwrap();
    assert_eq!(tx.certified_grants(at(199)).unwrap(), [revoked]);
    assert_eq!(tx.certified_grants(at(200)).unwrap(), []);
}

fn a_cas_keys_are_replaced_in_their_order(open: Open<'_>) {
    let store = open();
    let tx = store.begin(Mode::Write).unwrap();
    let key = |kind, number: u64| CaKey {
        kind,
        fingerprint: format!("SHA256:{kind}{number}"),
        public_key: "ssh-ed25519 AAAA".into(),
        sealed_private_key: String::new(),
        created_at: at(number),
    };
    tx.add_ca_key(&key(CaKind::User, 1)).unwrap();
    tx.add_ca_key(&key(CaKind::Host, 1)).unwrap();
    let newer = [key(CaKind::User, 3), key(CaKind::User, 1)];
    tx.put_ca_keys(CaKind::User, &newer).unwrap();
    assert_eq!(tx.ca_keys(CaKind::User).unwrap(), newer);
    assert_eq!(tx.ca_keys(CaKind::Host).unwrap(), [key(CaKind::Host, 1)]);
    tx.put_ca_keys(CaKind::User, &[]).unwrap();
    assert_eq!(tx.ca_keys(CaKind::User).unwrap(), []);
}

fn a_host_has_one_link(open: Open<'_>) {
    let store = open();
    let tx = store.begin(Mode::Write).unwrap();
    let host = HostName::parse("web-1").unwrap();
    assert_eq!(tx.link(&host).unwrap(), None);
    let mut link = Link::new(host.clone());
    tx.put_link(&link).unwrap();
    link.told = 7;
    tx.put_link(&link).unwrap();
    tx.commit().unwrap();
    assert_eq!(open().begin(Mode::Read).unwrap().link(&host).unwrap(), Some(link));
}

fn keys_belong_to_one_person(open: Open<'_>) {
    let store = open();
    let key = |person: &str, print: &str| IdentityKey {
        person: name(person),
        fingerprint: print.into(),
        public_key: "ssh-ed25519 AAAA".into(),
        comment: String::new(),
        added_at: at(1),
    };
    let tx = store.begin(Mode::Write).unwrap();
    tx.add_identity_key(&key("alice", "SHA256:a")).unwrap();
    tx.add_identity_key(&key("alice", "SHA256:b")).unwrap();
    let taken = tx.add_identity_key(&key("bob", "SHA256:a")).unwrap_err();
    assert_eq!(taken.kind(), Kind::Refused);
    assert_eq!(tx.identity_key("SHA256:a").unwrap().unwrap().person, name("alice"));
    assert_eq!(tx.identity_keys(&name("alice")).unwrap().len(), 2);
    assert!(tx.remove_identity_key("SHA256:a").unwrap());
    assert!(!tx.remove_identity_key("SHA256:a").unwrap());
    tx.add_identity_key(&key("bob", "SHA256:a")).unwrap();
}

/// A session of somebody's on web-1.
pub(super) fn session(person: &str) -> Session {
    Session {
        id: 0,
        action: Action::Login,
        person: name(person),
        login: crate::name::Login::parse("deploy").unwrap(),
        uid: 1000,
        host: HostName::parse("web-1").unwrap(),
        anchor: Anchor {
            pid: 10,
            started: 20,
            audit_session: None,
            scope: None,
            started_in: None,
            cgroup: None,
            audit_uid: Some(1000),
        },
        boot_id: "b".into(),
        opened_at: at(1),
        opened_boot_ms: 1,
        rhost: None,
        tty: None,
        grants: vec![],
        factor: None,
        certified: None,
        limit_boot_ms: None,
        closed_at: None,
        ended: None,
    }
}

fn sessions_are_found_by_host_and_audit_session(open: Open<'_>) {
    let store = open();
    let session = |host: &str, audit_session| {
        let session = session("alice");
        let anchor = Anchor { audit_session, ..session.anchor.clone() };
        Session { host: HostName::parse(host).unwrap(), anchor, ..session }
    };
    let tx = store.begin(Mode::Write).unwrap();
    let first = tx.add_session(&session("web-1", Some(5))).unwrap();
    let second = tx.add_session(&session("web-1", None)).unwrap();
    let third = tx.add_session(&session("web-2", Some(5))).unwrap();
    assert!(first < second && second < third && first > 0);
    tx.commit().unwrap();
    let tx = store.begin(Mode::Write).unwrap();
    let web1 = HostName::parse("web-1").unwrap();
    let ids = |found: Vec<Session>| found.iter().map(|s| s.id).collect::<Vec<_>>();
    assert_eq!(ids(tx.sessions(&web1).unwrap()), [first, second]);
    let (whole, damage) = tx.sessions_and_damage(&web1).unwrap();
    assert_eq!((ids(whole), damage.len()), (vec![first, second], 0));
    assert_eq!(ids(tx.sessions_of(&web1, 5).unwrap()), [first]);
    let mut over = tx.sessions(&web1).unwrap().remove(0);
    over.ended = Some(End { at: at(2), why: EndReason::Left });
    tx.put_session(&over).unwrap();
    assert_eq!(ids(tx.sessions(&web1).unwrap()), [second]);
    assert_eq!(ids(tx.sessions_of(&web1, 5).unwrap()), [first], "over or not");
}

fn one_policy_is_kept(open: Open<'_>) {
    let store = open();
    let policy = |version: &str| Accepted {
        version: version.into(),
        text: format!("# {version}\n"),
        since: at(1000),
        refused: None,
    };
    let tx = store.begin(Mode::Write).unwrap();
    assert_eq!(tx.policy().unwrap(), None);
    tx.put_policy(&policy("one")).unwrap();
    tx.put_policy(&policy("two")).unwrap();
    tx.commit().unwrap();
    let tx = store.begin(Mode::Read).unwrap();
    assert_eq!(tx.policy().unwrap(), Some(policy("two")));
}

fn an_account_has_one_stay_on_a_host(open: Open<'_>) {
    let store = open();
    let stay = |host: &str, login: &str, uid| Stay {
        host: HostName::parse(host).unwrap(),
        login: Login::parse(login).unwrap(),
        uid,
        began_at: at(1000),
        began_boot_ms: 1,
        boot_id: "b".into(),
        people: [name("alice")].into(),
        before: Before::default(),
    };
    let tx = store.begin(Mode::Write).unwrap();
    for one in [stay("web-1", "deploy", 1), stay("web-2", "deploy", 1), stay("web-1", "bob", 2)] {
        tx.put_stay(&one).unwrap();
    }
    let again = stay("web-1", "deploy", 3);
    tx.put_stay(&again).unwrap();
    tx.commit().unwrap();
    let tx = store.begin(Mode::Write).unwrap();
    let (host, login) = (&again.host, &again.login);
    assert_eq!(tx.stay(host, login).unwrap(), Some(again.clone()));
    assert_eq!(tx.stays(host).unwrap(), [stay("web-1", "bob", 2), again.clone()]);
    tx.remove_stay(host, login).unwrap();
    assert_eq!(tx.stay(host, login).unwrap(), None);
    assert_eq!(tx.stays(&HostName::parse("web-2").unwrap()).unwrap().len(), 1);
}

fn a_host_has_one_set_of_break_glass_codes(open: Open<'_>) {
    let store = open();
    let vault = Vault::from_master_key(&[3; 32]);
    let hosts = ["web-1", "web-2"].map(|name| HostName::parse(name).unwrap());
    let glass = |host: &HostName, count| {
        let mut glass = Glass::whole(host.clone());
        glass.renew(&vault, count, vec![Login::parse("root").unwrap()]).unwrap();
        glass
    };
    let tx = store.begin(Mode::Write).unwrap();
    let (old, new, other) = (glass(&hosts[0], 2), glass(&hosts[0], 3), glass(&hosts[1], 4));
    for one in [&old, &other, &new] {
        tx.put_glass(one).unwrap();
    }
    tx.commit().unwrap();
    let tx = store.begin(Mode::Read).unwrap();
    assert_eq!(tx.glass(&hosts[0]).unwrap(), Some(new));
    assert_eq!(tx.glass(&hosts[1]).unwrap(), Some(other));
    assert_eq!(tx.glass(&HostName::parse("web-3").unwrap()).unwrap(), None);
}

fn a_hook_has_one_standing(open: Open<'_>) {
    let store = open();
    let hook = |text: &str| HookName::parse(text).unwrap();
    let tx = store.begin(Mode::Write).unwrap();
    for (name, after) in [("pager", 7), ("chat", 3), ("pager", 9)] {
        tx.put_standing(&Standing::new(hook(name), after)).unwrap();
    }
    tx.commit().unwrap();
    let tx = store.begin(Mode::Write).unwrap();
    let (chat, pager) = (Standing::new(hook("chat"), 3), Standing::new(hook("pager"), 9));
    assert_eq!(tx.standing(&hook("pager")).unwrap(), Some(pager.clone()));
    assert_eq!(tx.standings().unwrap(), [chat, pager]);
    tx.remove_standing(&hook("pager")).unwrap();
    assert_eq!(tx.standing(&hook("pager")).unwrap(), None);
    assert_eq!(tx.standings().unwrap().len(), 1);
}

fn there_is_one_invitation_for_each(open: Open<'_>) {
    let store = open();
    let vault = Vault::from_master_key(&[3; 32]);
    // A person and a host may be named alike.
    let web = Invited::Host(HostName::parse("web").unwrap());
    let (alice, person) = (Invited::Person(name("alice")), Invited::Person(name("web")));
    let new =
        |invited: &Invited| Invitation::new(&vault, invited.clone(), Actor::Root, at(1)).unwrap().0;
    let (old, newer, host, other) = (new(&alice), new(&alice), new(&web), new(&person));
    let tx = store.begin(Mode::Write).unwrap();
    for one in [&old, &host, &other, &newer] {
        tx.put_invitation(one).unwrap();
    }
    tx.commit().unwrap();
    let tx = store.begin(Mode::Write).unwrap();
    assert_eq!(tx.invitation(&alice).unwrap(), Some(newer));
    tx.remove_invitation(&web).unwrap();
    assert_eq!(tx.invitation(&web).unwrap(), None);
    assert_eq!(tx.invitation(&person).unwrap(), Some(other));
    tx.commit().unwrap();
    store.check().unwrap();
}

fn answers_are_kept_by_key_counted_by_caller_and_forgotten_by_age(open: Open<'_>) {
    let store = open();
    let kept = |key: &str, caller: &str, unix| Kept {
        caller: caller.into(),
        key: key.into(),
        request: "r".into(),
        at: at(unix),
        answer: None,
    };
    let tx = store.begin(Mode::Write).unwrap();
    for one in [kept("1", "a", 10), kept("2", "a", 20), kept("3", "b", 20)] {
        tx.put_kept(&one).unwrap();
    }
    let done = Kept { answer: Some("x".into()), ..kept("2", "a", 20) };
    tx.put_kept(&done).unwrap();
    tx.commit().unwrap();
    let tx = store.begin(Mode::Write).unwrap();
    assert_eq!((tx.count_kept("a").unwrap(), tx.count_kept("c").unwrap()), (2, 0));
    tx.forget_kept(at(20)).unwrap();
    assert_eq!((tx.kept("1").unwrap(), tx.kept("2").unwrap()), (None, Some(done)));
    tx.remove_kept("2").unwrap();
    assert_eq!((tx.count_kept("a").unwrap(), tx.count_kept("b").unwrap()), (0, 1));
    tx.commit().unwrap();
    store.check().unwrap();
}

fn serials_are_unique(open: Open<'_>) {
    let store = open();
    let tx = store.begin(Mode::Write).unwrap();
    let issued = |serial| Issued {
        serial,
        grant: crate::id::GrantId::parse("k7q2-m9xd").unwrap(),
        person: name("alice"),
        key: "SHA256:k".into(),
        ca: "SHA256:c".into(),
        at: at(1),
    };
    assert_eq!(tx.next_serial().unwrap(), 1);
    tx.add_issued(&issued(1)).unwrap();
    assert_eq!(tx.next_serial().unwrap(), 2);
    assert_eq!(tx.add_issued(&issued(1)).unwrap_err().kind(), Kind::Conflict);
    assert_eq!(tx.issued(1).unwrap(), Some(issued(1)));
    assert_eq!((tx.issued(2).unwrap(), tx.issued(u64::MAX).unwrap()), (None, None));
    let ca = |kind, print: &str| CaKey {
        kind,
        fingerprint: print.into(),
        public_key: "ssh-ed25519 AAAA".into(),
        sealed_private_key: "c2VhbGVk".into(),
        created_at: at(1),
    };
    tx.add_ca_key(&ca(CaKind::User, "SHA256:1")).unwrap();
    tx.add_ca_key(&ca(CaKind::User, "SHA256:2")).unwrap();
    tx.add_ca_key(&ca(CaKind::Host, "SHA256:3")).unwrap();
    let prints: Vec<_> =
        tx.ca_keys(CaKind::User).unwrap().into_iter().map(|key| key.fingerprint).collect();
    assert_eq!(prints, ["SHA256:2", "SHA256:1"], "the newest first");
}

fn event(object: &str) -> Event {
    Event {
        actor: Actor::Root,
        action: "test.event",
        object: object.into(),
        outcome: Outcome::Done,
        detail: json!({}),
    }
}

fn the_log_is_one_chain_whoever_writes(open: Open<'_>) {
    let start = Arc::new(Barrier::new(4));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (store, start) = (open(), start.clone());
            scope.spawn(move || {
                start.wait();
                for i in 0..25 {
                    let tx = store.begin(Mode::Write).unwrap();
                    tx.append(&event(&format!("{writer}-{i}")), at(1000)).unwrap();
                    if i % 5 == 4 {
                        drop(tx);
                    } else {
                        tx.commit().unwrap();
                    }
                }
            });
        }
    });
    let store = open();
    let tx = store.begin(Mode::Read).unwrap();
    let records = tx.records(1, 1000).unwrap();
    assert_eq!(records.len(), 80);
    let mut head = None;
    for record in &records {
        crate::audit::check_next(head.as_ref(), record).unwrap();
        head = Some(record.head());
    }
    assert_eq!(tx.audit_head().unwrap(), head);
    assert_eq!(tx.records(79, 1000).unwrap(), records[78..]);
    assert_eq!(tx.records(81, 10).unwrap(), []);
}

fn a_writer_sees_nothing_change_under_it(open: Open<'_>) {
    let start = Arc::new(Barrier::new(4));
    let rounds = 25_u64;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (store, start) = (open(), start.clone());
            scope.spawn(move || {
                start.wait();
                for _ in 0..rounds {
                    let tx = store.begin(Mode::Write).unwrap();
                    let mut factors = tx.factors("alice").unwrap().unwrap_or_default();
                    factors.consecutive += 1;
                    tx.put_factors("alice", &factors).unwrap();
                    tx.commit().unwrap();
                }
            });
        }
    });
    let store = open();
    let counted = store.begin(Mode::Read).unwrap().factors("alice").unwrap().unwrap().consecutive;
    assert_eq!(u64::from(counted), 4 * rounds, "no increment was lost");
}

fn a_snapshot_holds_one_state_and_stands_alone(open: Open<'_>, reopen: Reopen<'_>) {
    let (store, other) = (open(), open());
    let dir = private_dir();
    let file = dir.path().join("copy");
    let put = |store: &dyn Store, name: &str| {
        let tx = store.begin(Mode::Write).unwrap();
        tx.put_person(&person(name)).unwrap();
        let event = Event {
            actor: Actor::Root,
            action: "test.event",
            object: name.to_owned(),
            outcome: Outcome::Done,
            detail: json!({}),
        };
        tx.append(&event, at(1)).unwrap();
        tx.commit().unwrap();
    };
    put(store.as_ref(), "alice");
    let uncommitted = store.begin(Mode::Write).unwrap();
    uncommitted.put_person(&person("bob")).unwrap();
    other.snapshot(&file).unwrap();
    drop(uncommitted);
    put(store.as_ref(), "carol");

    assert_eq!(other.snapshot(&file).unwrap_err().kind(), Kind::Misconfigured, "overwritten");
    let copy = reopen(&file);
    copy.check().unwrap();
    let tx = copy.begin(Mode::Read).unwrap();
    assert_eq!(tx.people().unwrap(), [person("alice")]);
    assert_eq!(tx.audit_head().unwrap().unwrap().sequence, 1);
    drop(tx);
    put(copy.as_ref(), "dave");
    let people = other.begin(Mode::Read).unwrap().people().unwrap();
    assert_eq!(people, [person("alice"), person("carol")]);
}
