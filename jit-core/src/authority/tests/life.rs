//! Editing, withdrawing, shortening, and what waits for whom.

use super::*;
use crate::grant::{Edit, State};
use crate::store::{GrantFilter, Mode};

fn span(secs: u64) -> Span {
    Span::from_secs(secs).unwrap()
}

/// A policy under which two leads have to say yes.
fn two_leads(desk: &Desk) {
    let policy = POLICY.replace("count = 1", "count = 2");
    std::fs::write(desk.dir.path().join("policy.toml"), policy).unwrap();
}

#[test]
fn an_edited_request_needs_new_approvals() {
    let desk = Desk::new();
    two_leads(&desk);
    let alice = Actor::Person(person("alice"));
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let id = asked.id();
    let before = yes(&desk.authority, &asked, "carol", None);
    let _ = desk.approve(id, "bob").unwrap();
    let longer = Edit { duration: Some(span(1200)), ..Edit::default() };
    let error = desk.authority.edit(id, &longer, &Actor::Person(person("bob"))).unwrap_err();
    assert!(error.what().contains("not bob's request"), "{error}");
    let edited = desk.authority.edit(id, &longer, &alice).unwrap();
    assert_eq!((edited.revision(), edited.ask().duration), (2, span(1200)));
    assert_eq!((edited.approvals().len(), edited.counting().count()), (1, 0));
    // What carol saw and proved was the request before.
    let error = desk.authority.approve(id, &person("carol"), &before).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    let (one, _) = desk.approve(id, "carol").unwrap();
    assert_eq!(one.window(), None, "bob's yes was to something else");
    let (both, _) = desk.approve(id, "bob").unwrap();
    assert_eq!(both.window().unwrap().not_after.since(both.window().unwrap().not_before), 1200);
    assert_eq!(desk.authority.edit(id, &longer, &alice).unwrap_err().kind(), Kind::Conflict);
}

#[test]
fn an_edit_is_by_the_rules_of_a_request() {
    let desk = Desk::new();
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let edit = |edit: Edit| desk.authority.edit(asked.id(), &edit, &Actor::Root);
    let too_long = edit(Edit { duration: Some(span(3601)), ..Edit::default() }).unwrap_err();
    assert!(too_long.what().contains("at most 1h"), "{too_long}");
    let same = edit(Edit { duration: Some(span(600)), ..Edit::default() }).unwrap_err();
    assert_eq!(same.what(), "that changes nothing");
    assert_eq!(desk.authority.grant(asked.id()).unwrap().0, asked, "and nothing was changed");
    let other = Reason::parse("INC-8 another").unwrap();
    let edited = edit(Edit { reason: Some(other.clone()), ..Edit::default() }).unwrap();
    assert_eq!((&edited.ask().reason, edited.ask().duration), (&other, span(600)));
    let policy = POLICY
        .replace("approvals = [{ from = \"@leads\", count = 1 }]", "auto_approve = \"always\"");
    std::fs::write(desk.dir.path().join("policy.toml"), policy).unwrap();
    let active = edit(Edit { duration: Some(span(60)), ..Edit::default() }).unwrap();
    assert_eq!(active.window().map(|w| w.not_after.since(w.not_before)), Some(60));
}

#[test]
fn a_withdrawn_yes_counts_no_longer_and_can_be_given_anew() {
    let desk = Desk::new();
    two_leads(&desk);
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let id = asked.id();
    let error = desk.authority.withdraw(id, &person("bob")).unwrap_err();
    assert!(error.what().contains("bob has not approved"), "{error}");
    let given = yes(&desk.authority, &asked, "bob", None);
    let _ = desk.authority.approve(id, &person("bob"), &given).unwrap();
    desk.authority.withdraw(id, &person("bob")).unwrap();
    let error = desk.authority.approve(id, &person("bob"), &given).unwrap_err();
    assert!(error.what().contains("took this yes back"), "{error}");
    let (waiting, _) = desk.approve(id, "carol").unwrap();
    assert_eq!(waiting.window(), None);
    let (active, _) = desk.approve(id, "bob").unwrap();
    assert!(active.window().is_some());
    let error = desk.authority.withdraw(id, &person("bob")).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "it took effect");
}

#[test]
fn an_approver_can_give_less_than_is_asked_for_and_never_more() {
    let desk = Desk::new();
    two_leads(&desk);
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let id = asked.id();
    let approve = |by: &str, most: Option<Span>| {
        let yes = yes(&desk.authority, &asked, by, most);
        desk.authority.approve(id, &person(by), &yes)
    };
    let error = approve("bob", Some(span(601))).unwrap_err();
    assert!(error.what().contains("asks for 10m only"), "{error}");
    let _ = approve("bob", Some(span(120))).unwrap();
    let (active, _) = approve("carol", Some(span(300))).unwrap();
    let window = active.window().unwrap();
    assert_eq!(window.not_after.since(window.not_before), 120, "the shorter of the two");
    active.check_window().unwrap();
}

#[test]
fn shortening_never_lengthens() {
    let desk = Desk::new();
    let _keeper = keeper(&desk);
    let asked = desk.authority.request(&new("alice", 600)).unwrap();
    let (active, _) = desk.approve(asked.id(), "bob").unwrap();
    let more = desk.authority.extend(active.id(), span(300), None, &Actor::Root).unwrap();
    let _ = desk.approve(more.id(), "carol").unwrap();
    let attempt = attempt("deploy", Action::Login);
    let who = desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt).unwrap();
    desk.authority.session_opened(&who, &attempt, 1000, anchor(), None).unwrap();
    let left = || desk.authority.watched().unwrap()[0].millis_left;
    assert_eq!(left(), 900_000);
    let shorten = |secs, by: &Actor| desk.authority.shorten(active.id(), span(secs), by, None);
    for secs in [600, 601, 100_000] {
        assert!(shorten(secs, &Actor::Root).unwrap_err().what().contains("no later"), "{secs}");
    }
    let error = shorten(60, &Actor::Person(person("alice"))).unwrap_err();
    assert!(error.what().contains("not among those"), "{error}");
    assert_eq!(left(), 900_000);
    let short = shorten(60, &Actor::Person(person("bob"))).unwrap();
    assert_eq!(left(), 60_000, "and what extended it went with it");
    short.check_window().unwrap();
    assert_eq!(short.shortened().map(|s| s.from), active.window().map(|w| w.not_after));
    assert!(shorten(61, &Actor::Root).is_err());
    desk.clock.pass(60);
    assert_eq!(shorten(1, &Actor::Root).unwrap_err().kind(), Kind::Conflict);
}

#[test]
fn a_window_to_come_is_shortened_from_its_start() {
    let desk = Desk::new();
    let start = desk.authority.now().unwrap().after(span(1000)).unwrap();
    let wanted = Ask { start: Some(start), ..ask("alice", 600) };
    let grant = desk.authority.grant_alone(&Actor::Root, &wanted).unwrap();
    assert!(desk.authority.shorten(grant.id(), span(600), &Actor::Root, None).is_err());
    let short = desk.authority.shorten(grant.id(), span(60), &Actor::Root, None).unwrap();
    assert_eq!(short.window().unwrap().not_before, start);
    assert_eq!(short.window().unwrap().not_after, start.after(span(60)).unwrap());
}

#[test]
fn an_inbox_holds_what_a_yes_would_bring_closer() {
    let desk = Desk::new();
    two_leads(&desk);
    let waits = |name: &str| -> Vec<String> {
        let (waiting, _) = desk.authority.inbox(&person(name)).unwrap();
        waiting.iter().map(|grant| grant.id().to_string()).collect()
    };
    let of_alice = desk.authority.request(&new("alice", 600)).unwrap().id().clone();
    let of_bob = desk.authority.request(&new("bob", 600)).unwrap().id().clone();
    assert_eq!(waits("alice"), [""; 0]);
    assert_eq!(waits("bob"), [of_alice.to_string()], "never one's own");
    // Two of the leads: bob himself can't, so nobody can complete his.
    assert_eq!(waits("carol"), [of_bob.to_string(), of_alice.to_string()]);
    let _ = desk.approve(&of_alice, "carol").unwrap();
    assert_eq!(waits("carol"), [of_bob.to_string()]);
    desk.authority.cancel(&of_bob, &Actor::Root).unwrap();
    assert_eq!(waits("carol"), [""; 0]);
    desk.clock.pass(3600);
    assert_eq!(waits("bob"), [""; 0], "it lapsed");
}

#[test]
fn a_request_at_a_prompt_remembers_where_it_came_from() {
    let desk = Desk::new();
    let attempt = attempt("deploy", Action::Login);
    let who = desk.authority.identify(&Evidence::Ssh(Some(&Desk::report(1))), &attempt).unwrap();
    let filed = desk
        .authority
        .file_request(&who, &attempt, "INC-1 disk full", Span::from_secs(600).unwrap())
        .unwrap();
    let (grant, _) = desk.authority.grant(&filed.id).unwrap();
    let origin = grant.origin().unwrap();
    assert_eq!((&origin.rhost, &origin.tty), (&attempt.rhost, &attempt.tty));
    assert_eq!(desk.authority.request(&new("alice", 60)).unwrap().origin(), None);
}

type Racer<'a> = &'a (dyn Fn(&Authority) -> Result<()> + Sync);

/// Runs each verb on a request at once, each with a view of the store of its own.
fn race(desk: &Desk, verbs: &[Racer<'_>]) -> Vec<Result<()>> {
    let start = Barrier::new(verbs.len());
    std::thread::scope(|scope| {
        let racers: Vec<_> = verbs
            .iter()
            .map(|verb| {
                let (authority, start) = (desk.again(), &start);
                scope.spawn(move || {
                    start.wait();
                    verb(&authority)
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

#[test]
fn whoever_races_an_edit_decides_on_what_they_saw_or_is_told() {
    let desk = Desk::new();
    let alice = Actor::Person(person("alice"));
    for _ in 0..20 {
        let asked = desk.authority.request(&new("alice", 600)).unwrap();
        let id = asked.id();
        let seen = yes(&desk.authority, &asked, "bob", None);
        let edit = Edit { duration: Some(span(1200)), ..Edit::default() };
        let results = race(
            &desk,
            &[&|a| a.approve(id, &person("bob"), &seen).map(drop), &|a| {
                a.edit(id, &edit, &alice).map(drop)
            }],
        );
        let (grant, _) = desk.authority.grant(id).unwrap();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for lost in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(lost.kind(), Kind::Conflict, "{lost}");
        }
        match grant.window() {
            Some(window) => assert_eq!(window.not_after.since(window.not_before), 600),
            None => assert_eq!((grant.ask().duration, grant.counting().count()), (span(1200), 0)),
        }
        if grant.window().is_none() {
            desk.authority.cancel(id, &Actor::Root).unwrap();
        }
    }
}

#[test]
fn a_withdrawal_that_races_the_last_approval_counts_or_is_told() {
    let desk = Desk::new();
    two_leads(&desk);
    for _ in 0..20 {
        let asked = desk.authority.request(&new("alice", 600)).unwrap();
        let id = asked.id();
        let _ = desk.approve(id, "bob").unwrap();
        let carols = yes(&desk.authority, &asked, "carol", None);
        let results = race(
            &desk,
            &[&|a| a.withdraw(id, &person("bob")).map(drop), &|a| {
                a.approve(id, &person("carol"), &carols).map(drop)
            }],
        );
        let (grant, _) = desk.authority.grant(id).unwrap();
        assert!(results[1].is_ok(), "carol's yes counts whoever was first");
        match &results[0] {
            Ok(()) => assert_eq!((grant.window(), grant.counting().count()), (None, 1)),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Conflict, "{error}");
                assert!(grant.window().is_some());
            }
        }
        if grant.window().is_none() {
            desk.authority.cancel(id, &Actor::Root).unwrap();
        }
    }
}

#[test]
fn the_last_two_yeses_at_once_both_count_and_open_one_window() {
    let desk = Desk::new();
    two_leads(&desk);
    for _ in 0..20 {
        let asked = desk.authority.request(&new("alice", 600)).unwrap();
        let id = asked.id();
        let (bobs, carols) = (
            yes(&desk.authority, &asked, "bob", None),
            yes(&desk.authority, &asked, "carol", None),
        );
        // bob is at two keyboards: one person, however often they say it.
        let again = yes(&desk.authority, &asked, "bob", None);
        let results = race(
            &desk,
            &[
                &|a| a.approve(id, &person("bob"), &bobs).map(drop),
                &|a| a.approve(id, &person("bob"), &again).map(drop),
                &|a| a.approve(id, &person("carol"), &carols).map(drop),
            ],
        );
        assert!(results[2].is_ok(), "{:?}", results[2]);
        let lost: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        assert_eq!(lost.len(), 1, "{results:?}");
        let told = ["bob has approved", "is active and can't be approved"];
        assert!(told.iter().any(|text| lost[0].what().contains(text)), "{}", lost[0]);
        let (grant, _) = desk.authority.grant(id).unwrap();
        assert_eq!((grant.counting().count(), grant.window().is_some()), (2, true));
        let opened = records(&desk)
            .iter()
            .filter(|record| record.action == "grant.approve" && record.object == id.as_str())
            .filter(|record| record.detail.contains("\"is\":\"approved\""))
            .count();
        assert_eq!(opened, 1);
    }
    desk.authority.verify_log().unwrap();
}

#[test]
fn deciding_races_lapsing_and_one_of_them_is_so() {
    let desk = Desk::new();
    for round in 0..20 {
        let asked = desk.authority.request(&new("alice", 600)).unwrap();
        let id = asked.id();
        let seen = yes(&desk.authority, &asked, "bob", None);
        let jitd = Actor::Program(crate::grant::Program::Jitd);
        let results = race(
            &desk,
            &[
                &|a| a.approve(id, &person("bob"), &seen).map(drop),
                &|a| a.deny(id, &Actor::Root, None).map(drop),
                &|a| a.cancel(id, &Actor::Person(person("alice"))).map(drop),
                // The clock passes the end of the waiting while the others are on their way.
                &|a| {
                    if round % 2 == 0 {
                        desk.clock.pass(3600);
                    }
                    a.lapse_undecided(&jitd).map(drop)
                },
            ],
        );
        let won = results[..3].iter().filter(|result| result.is_ok()).count();
        for lost in results[..3].iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(lost.kind(), Kind::Conflict, "{lost}");
        }
        desk.authority.lapse_undecided(&jitd).unwrap();
        let (grant, _) = desk.authority.grant(id).unwrap();
        let lapsed = matches!(grant.state(), State::Lapsed { .. });
        assert_eq!(won + usize::from(lapsed), 1, "{:?}", grant.state());
    }
    desk.authority.verify_log().unwrap();
    let tx = desk.authority.store.begin(Mode::Read).unwrap();
    assert_eq!(tx.grants(&GrantFilter::default()).unwrap().len(), 20);
}
