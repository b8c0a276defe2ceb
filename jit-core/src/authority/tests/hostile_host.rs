//! What one host that was broken into, or a greedy requester, can do to everybody else.

use super::fleet::{Fleet, code, web_1};
use super::*;
use crate::authority::bounds::{bound, size};
use crate::link::{Filing, Told};
use crate::name::Place;

#[test]
fn a_host_asks_for_those_who_can_be_its_own_and_is_throttled_as_a_prompt_is() {
    let fleet = Fleet::new();
    let office = &fleet.office.authority;
    let right = fleet.office.code("alice");
    assert!(office.host_factor(&web_1(), &code(Some("alice"), &right)).unwrap().accepted());
    let last = office.last_records(1).unwrap().remove(0);
    assert_eq!((last.actor.as_str(), last.action.as_str()), ("host:web-1", "factor.verify"));
    assert_eq!(last.object, "alice");
    let again = office.host_factor(&web_1(), &code(Some("alice"), &right)).unwrap();
    assert_eq!(again, Verdict::Replayed);
    assert_eq!(
        office.host_factor(&web_1(), &code(None, &right)).unwrap(),
        Verdict::NotEnrolled,
        "nobody has no code"
    );
    office.add_person(&Actor::Root, &person("keyless"), &BTreeSet::new(), &[]).unwrap();
    // carol has a key and may ask for nothing there.
    for stranger in ["keyless", "nobody", "carol"] {
        let error = office.host_factor(&web_1(), &code(Some(stranger), &right)).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused, "{error}");
    }
    assert!(office.host_factor(&HostName::parse("web-9").unwrap(), &code(None, "1")).is_err());
    for _ in 0..5 {
        let _ = office.host_factor(&web_1(), &code(Some("alice"), "000000")).unwrap();
    }
    let next = office.host_factor(&web_1(), &code(Some("alice"), "000000")).unwrap();
    assert!(matches!(next, Verdict::Throttled { .. }), "{next:?}");
}

#[test]
fn a_grant_there_makes_its_own_person_a_hosts_and_nobody_else() {
    let fleet = Fleet::new();
    let office = &fleet.office.authority;
    let about_carol = || office.host_factor(&web_1(), &code(Some("carol"), "000000"));
    // carol may ask for nothing there.
    assert_eq!(about_carol().unwrap_err().kind(), Kind::Refused);
    office.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    assert_eq!(about_carol().unwrap_err().kind(), Kind::Refused, "it is alice's");
    office.grant_alone(&Actor::Root, &ask("carol", 600)).unwrap();
    assert_eq!(about_carol().unwrap(), Verdict::Wrong);
}

#[test]
fn wrong_codes_that_a_host_reports_bar_nobody_elsewhere() {
    let fleet = Fleet::new();
    let (desk, office) = (&fleet.office, &fleet.office.authority);
    let web_2 = HostName::parse("web-2").unwrap();
    office.put_host(&Actor::Root, &web_2, &BTreeSet::new()).unwrap();
    let policy = POLICY.replace(r#"["web-1"]"#, r#"["web-1", "web-2"]"#);
    std::fs::write(desk.dir.path().join("policy.toml"), policy).unwrap();
    let lie = || office.host_factor(&web_1(), &code(Some("alice"), "x")).unwrap();
    let elsewhere = || {
        desk.clock.pass(60);
        let right = desk.code("alice");
        let accepted = office.host_factor(&web_2, &code(Some("alice"), &right)).unwrap().accepted();
        // What was right at one host is used up here.
        assert!(office.prove(&person("alice"), &right, "here").is_err());
        desk.clock.pass(60);
        accepted && office.prove(&person("alice"), &desk.code("alice"), "here").is_ok()
    };
    for _ in 0..5 {
        assert_eq!(lie(), Verdict::Wrong);
    }
    assert!(matches!(lie(), Verdict::Throttled { .. }));
    assert!(elsewhere());
    while lie() != Verdict::LockedOut {
        desk.clock.pass(60);
    }
    desk.clock.pass(3600);
    let right = code(Some("alice"), &desk.code("alice"));
    assert_eq!(office.host_factor(&web_1(), &right).unwrap(), Verdict::LockedOut);
    assert!(elsewhere());
    assert!(!office.factor_status(&person("alice")).unwrap().locked_out);
    let place = Place::Host(web_1());
    let login = Login::parse("deploy").unwrap();
    let explained = office.explain(&person("alice"), &login, &place, false, None).unwrap();
    assert_eq!(explained.obstacles, ["alice is locked out at web-1: jitctl mfa reset alice"]);
    // A host that is set up anew starts anew.
    let invited = crate::invitation::Invited::Host(web_1());
    let (invitation, _) = office.invite(&Actor::Root, &invited).unwrap();
    office.enrol_host(&web_1(), invitation.expose(), &public_key(30)).unwrap();
    assert_eq!(lie(), Verdict::Wrong);
    // Wrong codes here do bar them there as well.
    for _ in 0..5 {
        assert!(office.prove(&person("alice"), "x", "here").is_err());
    }
    let next = office.host_factor(&web_2, &code(Some("alice"), "x")).unwrap();
    assert!(matches!(next, Verdict::Throttled { .. }), "{next:?}");
}

/// That a session of alice's was opened on web-1, as the host might have it.
fn opened(number: u64, text: &str, grants: usize) -> Told {
    Told {
        sequence: number,
        time: crate::time::Timestamp::from_unix(NOW as u64).unwrap(),
        actor: "person:alice".into(),
        action: "session.open".into(),
        object: "deploy@web-1".into(),
        outcome: Outcome::Done,
        detail: serde_json::json!({
            "session": number,
            "for": { "action": "login", "login": "deploy", "from": text, "tty": text },
            "until": "2100-01-01T00:00:00Z", "grants": vec!["k7q2-m9xd"; grants],
        }),
        hash: "00".into(),
    }
}

#[test]
fn what_a_host_says_of_sessions_is_kept_within_bounds() {
    let fleet = Fleet::new();
    let office = &fleet.office.authority;
    let long = "x".repeat(2000) + "\u{1b}[2J";
    let told: Vec<Told> = (1..=400).map(|number| opened(number, &long, 100)).collect();
    assert_eq!(office.host_log(&web_1(), &told).unwrap(), Heard::Until(400));
    let link = office.link_of(&web_1()).unwrap();
    assert_eq!(link.sessions.len(), 256);
    for session in link.sessions.values() {
        assert_eq!(session.rhost.as_deref(), Some("x".repeat(100).as_str()));
        assert_eq!(session.tty.as_ref().map(String::len), Some(100));
        assert_eq!(session.grants.len(), 16);
    }
    // The log has them all.
    let told = |record: &&Record| record.action == "session.open" && record.actor == "host:web-1";
    assert_eq!(records(&fleet.office).iter().filter(told).count(), 400);
}

#[test]
fn nobody_makes_what_a_host_is_told_more_than_it_reads() {
    let fleet = Fleet::new();
    let office = &fleet.office.authority;
    let root = Actor::Root;
    let policy = POLICY
        .replace(r#"approvals = [{ from = "@leads", count = 1 }]"#, r#"auto_approve = "always""#);
    std::fs::write(fleet.office.dir.path().join("policy.toml"), policy).unwrap();
    let taken = office.request(&new("alice", 3600)).unwrap();
    let taken = office.revoke(&RevokeWhich::Id(taken.id().clone()), &root, &reason()).unwrap();
    // Given back at once, any number of them can be had.
    let mine = Actor::Person(person("alice"));
    for _ in 0..60 {
        let grant = office.request(&new("alice", 3600)).unwrap();
        office.revoke(&RevokeWhich::Id(grant.id().clone()), &mine, &reason()).unwrap();
    }
    let told = fleet.state().grants;
    assert_eq!(told.len(), 1 + 50);
    assert!(told.contains(&taken[0]), "what was taken away is told in any case");
    let living: Vec<_> = (0..50).map(|_| office.request(&new("alice", 3600)).unwrap()).collect();
    let error = office.request(&new("alice", 3600)).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.to_string().contains("50 grants of alice are active or scheduled"), "{error}");
    office.request(&new("bob", 60)).unwrap();
    office.revoke(&RevokeWhich::Id(living[0].id().clone()), &mine, &reason()).unwrap();
    office.request(&new("alice", 3600)).unwrap();

    let now = office.now().unwrap();
    let mut grants = fleet.state().grants;
    let all = grants.len();
    assert_eq!(all, 1 + 50 + 50 + 1);
    let of_one = size(&grants[0]).unwrap();
    let untold = bound(&mut grants, now, 10 * of_one).unwrap();
    assert_eq!(grants.len() + untold, all);
    assert!((5..=11).contains(&grants.len()), "{}", grants.len());
    assert!(grants.contains(&taken[0]));
    assert!(grants.iter().skip(1).all(|grant| grant.phase(now) == Phase::Active));
}

#[test]
fn a_host_fills_its_authoritys_log_no_faster_than_it_may() {
    let fleet = Fleet::new();
    let office = &fleet.office.authority;
    let of_host = |action: &str| {
        let all = records(&fleet.office);
        all.iter().filter(|r| r.actor == "host:web-1" && r.action == action).count()
    };
    let batch = |from: u64, text: &str| -> Vec<Told> {
        (from..from + 500).map(|number| opened(number, text, 1)).collect()
    };
    let mut told = 0;
    let mut flood = |text: &str| loop {
        match office.host_log(&web_1(), &batch(told + 1, text)).unwrap() {
            Heard::Until(last) => told = last,
            Heard::Later { seconds } => return (told, seconds),
        }
    };
    let (first, seconds) = flood("192.0.2.1");
    assert_eq!(first, 5000);
    assert!((3590..=3600).contains(&seconds), "{seconds}");
    assert_eq!(flood("192.0.2.1").0, first, "none of them was taken");
    assert_eq!((of_host("session.open"), of_host("host.log")), (5000, 1), "said once");
    // A record that is on the log already takes no room.
    assert_eq!(office.host_log(&web_1(), &batch(1, "x")).unwrap(), Heard::Until(5000));

    // An hour later it goes on where it was; long ones are fewer.
    fleet.office.clock.pass(u32::try_from(seconds).unwrap());
    let (second, _) = flood(&"x".repeat(1500));
    assert!((first + 500..first + 3000).contains(&second), "{second}");
    assert_eq!(of_host("session.open") as u64, second);
    assert_eq!(of_host("host.log"), 2);
    office.verify_log().unwrap();
}

#[test]
fn what_hosts_file_for_somebody_takes_none_of_their_own_room() {
    let fleet = Fleet::new();
    let (desk, office) = (&fleet.office, &fleet.office.authority);
    let web_2 = HostName::parse("web-2").unwrap();
    office.put_host(&Actor::Root, &web_2, &BTreeSet::new()).unwrap();
    let policy = POLICY.replace(r#"["web-1"]"#, r#"["web-1", "web-2"]"#);
    std::fs::write(desk.dir.path().join("policy.toml"), policy).unwrap();
    let filing = Filing {
        ask: crate::link::Ask {
            person: person("alice"),
            login: Login::parse("deploy").unwrap(),
            sudo: false,
        },
        reason: "INC-1 the disk".into(),
        duration: Span::from_secs(600).unwrap(),
        origin: crate::grant::Origin { rhost: None, tty: None },
    };
    let filed: Vec<_> = (0..3).map(|_| office.host_request(&web_1(), &filing).unwrap()).collect();
    let error = office.host_request(&web_1(), &filing).unwrap_err();
    assert!(error.what().starts_with("3 requests of alice that host:web-1 filed wait"), "{error}");
    // Neither another host nor they themselves have less room for it.
    for _ in 0..3 {
        office.host_request(&web_2, &filing).unwrap();
    }
    for _ in 0..20 {
        office.request(&new("alice", 60)).unwrap();
    }
    assert!(office.request(&new("alice", 60)).is_err());
    // What becomes a grant gives the host no more than so many, either.
    for id in filed.iter().map(|standing| &standing.id) {
        let _ = desk.approve(id, "bob").unwrap();
    }
    for _ in 3..10 {
        let next = office.host_request(&web_1(), &filing).unwrap();
        let _ = desk.approve(&next.id, "bob").unwrap();
    }
    let error = office.host_request(&web_1(), &filing).unwrap_err();
    assert!(error.what().starts_with("10 grants of alice that host:web-1 filed"), "{error}");
}
