//! Which policy decides, what is on the log of it, and what a decision holds a grant to.

use serde_json::Value;

use super::*;
use crate::authority::Which;
use crate::policy::{Versions, apply};

fn write(desk: &Desk, text: &str) {
    std::fs::write(desk.dir.path().join("policy.toml"), text).unwrap();
}

fn yes(desk: &Desk, grant: &Grant, name: &str) {
    let _ = desk.approve(grant.id(), name).unwrap();
}

fn detail(record: &Record) -> Value {
    serde_json::from_str(&record.detail).unwrap()
}

fn is_change(record: &&Record) -> bool {
    record.action == "policy.change" && record.outcome == Outcome::Done
}

/// Every text of the policy that was in force, put together from the log's differences.
fn texts(records: &[Record]) -> Vec<String> {
    let mut text = String::new();
    let changes = records.iter().filter(is_change);
    let next = |record: &Record| {
        text = apply(&text, detail(record)["diff"].as_str().unwrap()).unwrap();
        text.clone()
    };
    changes.map(next).collect()
}

#[test]
fn a_policy_that_does_not_parse_leaves_the_last_good_one_in_force() {
    let desk = Desk::new();
    desk.authority.policy_on_record().unwrap();
    let good = desk.authority.policy().unwrap();
    assert_eq!(desk.authority.policy_trouble().unwrap(), None);
    write(&desk, &POLICY.replace("members", "mebers"));
    assert_eq!(desk.authority.policy().unwrap(), good);
    assert_eq!(desk.authority.policy_on_record().unwrap(), good);
    let trouble = desk.authority.policy_trouble().unwrap().unwrap().to_string();
    assert!(trouble.contains(&good.version) && trouble.contains("`mebers`"), "{trouble}");
    let grant = desk.authority.request(&new("alice", 600)).unwrap();
    yes(&desk, &grant, "bob");
    let who = desk
        .authority
        .identify(&Evidence::Ssh(Some(&Desk::report(2))), &attempt("deploy", Action::Login))
        .unwrap();
    let entry = desk.authority.may_enter(&who, &attempt("deploy", Action::Login)).unwrap();
    assert_eq!(entry, no_cover(true));
    // What others could have written is no policy, and neither is none.
    let file = desk.dir.path().join("policy.toml");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    assert_eq!(desk.authority.policy().unwrap_err().kind(), Kind::Misconfigured);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(desk.authority.request(&new("alice", 60)).unwrap_err().kind(), Kind::Misconfigured);
}

#[test]
fn a_policy_that_never_parsed_denies() {
    let desk = Desk::new();
    write(&desk, "[[role");
    assert_eq!(desk.authority.request(&new("alice", 60)).unwrap_err().kind(), Kind::Misconfigured);
}

#[test]
fn a_change_of_the_policy_is_on_the_log_with_its_difference() {
    let desk = Desk::new();
    let texts = [POLICY.to_owned(), POLICY.replace("\"1h\"", "\"2h\""), format!("# new\n{POLICY}")];
    for text in &texts {
        write(&desk, text);
        let version = desk.authority.policy_on_record().unwrap().version.clone();
        desk.authority.policy_on_record().unwrap();
        let last = records(&desk).pop().unwrap();
        assert_eq!((last.action.as_str(), last.object.as_str()), ("policy.change", &*version));
        assert_eq!(last.actor, "root");
    }
    assert_eq!(self::texts(&records(&desk)), texts, "each is recorded once");
    // A broken one is no change, and is said to be none: once, and once for the next one.
    let before = records(&desk).len();
    for broken in ["[[role", "[[role]"] {
        write(&desk, broken);
        desk.authority.policy_on_record().unwrap();
        desk.authority.policy_on_record().unwrap();
    }
    let refused = &records(&desk)[before..];
    assert_eq!(refused.len(), 2);
    for record in refused {
        assert_eq!(record.outcome, Outcome::Refused);
        assert!(detail(record)["why"].as_str().unwrap().contains("does not parse"));
    }
    assert_eq!(self::texts(&records(&desk)).len(), 3);
}

/// Yes, not yet and no: with the ask, the facts and the policy as they are on the log, and nothing
/// else, each decision comes out again.
#[test]
fn every_decision_can_be_explained_from_the_log_alone() {
    let desk = Desk::new();
    let grant = desk.authority.request(&new("alice", 600)).unwrap();
    yes(&desk, &grant, "bob");
    desk.authority.request(&new("alice", 7200)).unwrap_err();
    write(&desk, &format!("{POLICY}[[deny]]\nmembers = ['bob']\n"));
    desk.authority.request(&new("bob", 60)).unwrap_err();
    write(&desk, &POLICY.replace("deploy", "nobody"));
    desk.authority.request(&new("bob", 60)).unwrap_err();
    let records = records(&desk);
    let mut told = Vec::new();
    let mut versions = Versions::default();
    for record in &records {
        versions.read(record).unwrap();
        told.extend(versions.retell(record).unwrap());
    }
    assert_eq!(told.len(), 5);
    for one in &told {
        assert!(one.agrees, "{one:?}");
        assert_eq!(crate::policy::version(&one.policy_text), one.policy);
        assert!(one.in_force_since < one.record);
    }
    let decision = |n: usize| told[n].decision.clone();
    assert_eq!(decision(0)["role"], "debug");
    assert_eq!(decision(1)["verdict"], "allow");
    assert_eq!(told[1].facts["approvers"][0]["name"], "bob");
    assert_eq!(decision(3)["denied_by_rule"], 1);
    // The same through the door, by number and by grant.
    let by_grant = desk.authority.retell(&Which::Grant(grant.id().clone())).unwrap();
    assert_eq!(by_grant, told[..2]);
    assert_eq!(desk.authority.retell(&Which::Record(told[3].record)).unwrap(), told[3..4]);
    let none = desk.authority.retell(&Which::Record(1)).unwrap_err();
    assert_eq!(none.kind(), Kind::NotFound);
    // What is another decision than follows is seen to be one.
    let forged = |from: &str, to: &str| {
        let record = records.iter().find(|r| r.sequence == told[1].record).unwrap();
        assert!(record.detail.contains(from), "{}", record.detail);
        let record = Record { detail: record.detail.replacen(from, to, 1), ..record.clone() };
        versions.retell(&record).map(|told| told.unwrap().agrees)
    };
    assert!(!forged("\"name\":\"bob\"", "\"name\":\"alice\"").unwrap());
    assert!(!forged("\"groups\":[\"leads\"]", "\"groups\":[]").unwrap());
    assert!(forged(&told[1].policy, "0123456789ab").is_err(), "no such policy");
}

#[test]
fn one_person_has_no_more_grants_at_a_time_than_the_role_gives() {
    let desk = Desk::new();
    write(&desk, &format!("{POLICY}max_active = 1\n"));
    let first = desk.authority.request(&new("alice", 600)).unwrap();
    let second = desk.authority.request(&new("alice", 600)).unwrap();
    yes(&desk, &first, "bob");
    // Counted again when it would take effect, not only when it is asked for.
    let error = desk.approve(second.id(), "bob").unwrap_err();
    assert!(error.what().contains("at most 1 at a time"), "{error}");
    let (second, now) = desk.authority.grant(second.id()).unwrap();
    assert_eq!((second.phase(now), second.approvals().len()), (Phase::Requested, 0));
    // More time for the same access is no second access.
    let minutes = Span::from_secs(600).unwrap();
    let more = desk.authority.extend(first.id(), minutes, None, &Actor::Root).unwrap();
    yes(&desk, &more, "bob");
    desk.authority.extend(more.id(), minutes, None, &Actor::Root).unwrap();
    desk.authority.request(&new("alice", 600)).unwrap_err();
    desk.authority.request(&new("bob", 600)).unwrap();
    desk.clock.pass(1200);
    desk.authority.request(&new("alice", 600)).unwrap();
}

#[test]
fn keys_are_held_to_the_addresses_and_the_command_of_the_grant() {
    let desk = Desk::new();
    let deploy = Login::parse("deploy").unwrap();
    let keys = || desk.authority.authorized_keys(&deploy).unwrap();
    let vendor = "source_addresses = ['10.0.0.0/8']\nforce_command = '/usr/bin/backup'\n";
    write(&desk, &format!("{POLICY}{vendor}"));
    let held = "restrict,pty,from=\"10.0.0.0/8\",command=\"/usr/bin/backup\" ";
    assert!(keys().iter().all(|line| line.starts_with(held)), "{:?}", keys());
    let grant = desk.authority.request(&new("alice", 600)).unwrap();
    yes(&desk, &grant, "bob");
    // The grant keeps its terms whatever becomes of the policy; the one without a command goes first.
    write(&desk, POLICY);
    let line = |start: &str| keys().iter().filter(|line| line.starts_with(start)).count();
    assert_eq!((line(held), line("restrict,pty ")), (1, 1));
    let other = desk.authority.request(&new("alice", 600)).unwrap();
    yes(&desk, &other, "carol");
    let alices = public_key(1);
    let lines: Vec<_> = keys().into_iter().filter(|line| line.ends_with(&alices)).collect();
    assert_eq!(lines, [format!("restrict,pty {alices}"), format!("{held}{alices}")]);
}

/// sshd's options are fixed before somebody asks at the prompt, so whichever role it will be by, the
/// session is held to what that one holds it to.
#[test]
fn whoever_may_only_ask_comes_in_by_the_strictest_role() {
    let desk = Desk::new();
    let deploy = Login::parse("deploy").unwrap();
    let second = POLICY.replace("debug", "vendor");
    let two = |more: &str| format!("{POLICY}source_addresses = ['10.0.0.0/8']\n{second}{more}");
    write(&desk, &two("force_command = '/bin/a'\nsource_addresses = ['10.1.0.0/16']\n"));
    let keys = desk.authority.authorized_keys(&deploy).unwrap();
    let start = "restrict,pty,from=\"10.1.0.0/16\",command=\"/bin/a\" ";
    assert!(!keys.is_empty() && keys.iter().all(|line| line.starts_with(start)), "{keys:?}");
    write(&desk, &two("source_addresses = ['192.0.2.0/24']\n"));
    assert!(desk.authority.authorized_keys(&deploy).unwrap().is_empty());
}

#[test]
fn what_can_be_asked_for_does_not_hang_on_a_reason_not_yet_written() {
    let desk = Desk::new();
    write(&desk, &format!("{POLICY}reason = {{ ticket = 'INC-[0-9]+' }}\n"));
    let (alice, deploy) = (person("alice"), Login::parse("deploy").unwrap());
    let place = crate::name::Place::parse("web-1").unwrap();
    let told = desk.authority.explain(&alice, &deploy, &place, false, None).unwrap();
    assert_eq!(told.decision.reason_wanted.as_deref(), Some("a reason like INC-[0-9]+"));
    assert_eq!(told.approvers, [person("bob"), person("carol")]);
    let mut without = new("alice", 60);
    without.ask.reason = Reason::parse("no ticket").unwrap();
    let error = desk.authority.request(&without).unwrap_err();
    assert!(error.what().contains("wants a reason like INC-[0-9]+"), "{error}");
    desk.authority.request(&new("alice", 60)).unwrap();
    let record = records(&desk).pop().unwrap();
    assert_eq!(detail(&record)["decision"]["ticket"], "INC-1");
}

const VENDOR: &str = "source_addresses = ['10.0.0.0/8']\nforce_command = '/usr/bin/backup'\n";

/// What it is held to is in what the approver saw, so a policy that is changed in between, or a row
/// that is edited by whoever has the key, gives nobody more than that.
#[test]
fn an_approval_is_to_the_command_and_the_addresses_that_were_shown() {
    let desk = Desk::new();
    write(&desk, &format!("{POLICY}{VENDOR}"));
    let grant = desk.authority.request(&new("alice", 600)).unwrap();
    let shown = grant.canonical(None).unwrap();
    assert!(shown.ends_with("from: 10.0.0.0/8\ncommand: /usr/bin/backup\n"), "{shown}");
    // Wider than what was shown: it stays as narrow as that.
    write(&desk, POLICY);
    let (given, _) = desk.approve(grant.id(), "bob").unwrap();
    assert_eq!(given.terms().restrictions, grant.terms().restrictions);
    given.check_window().unwrap();
    // Narrower: nobody has approved that.
    let open = desk.authority.request(&new("alice", 600)).unwrap();
    write(&desk, &format!("{POLICY}{VENDOR}"));
    let error = desk.approve(open.id(), "bob").unwrap_err();
    assert!(error.what().contains("something else than was approved"), "{error}");
    let (open, now) = desk.authority.grant(open.id()).unwrap();
    assert_eq!(open.phase(now), Phase::Requested);
    // Edited afterwards.
    let mut value = serde_json::to_value(&given).unwrap();
    value["terms"]["restrictions"] = serde_json::json!({});
    let forged: Grant = serde_json::from_value(value).unwrap();
    assert_eq!(forged.check_window().unwrap_err().kind(), Kind::Tampered);
}

#[test]
fn approvers_shorten_where_the_role_lets_them_and_root_anywhere() {
    let desk = Desk::new();
    write(&desk, &format!("{POLICY}shorten = false\n"));
    let less = Span::from_secs(60).unwrap();
    let grant = desk.authority.request(&new("alice", 600)).unwrap();
    let yes = testing::yes(&desk.authority, &grant, "bob", Some(less));
    let bob = person("bob");
    let error = desk.authority.approve(grant.id(), &bob, &yes).unwrap_err();
    assert!(error.what().contains("lets nobody shorten"), "{error}");
    let _ = desk.approve(grant.id(), "bob").unwrap();
    let shorten = |by: &Actor| desk.authority.shorten(grant.id(), less, by, None);
    let error = shorten(&Actor::Person(bob)).unwrap_err();
    assert!(error.what().contains("lets nobody shorten"), "{error}");
    shorten(&Actor::Root).unwrap();
}

#[test]
fn what_one_has_already_does_not_count_against_itself_when_the_policy_changes() {
    let desk = Desk::new();
    write(&desk, &format!("{POLICY}max_active = 1\n"));
    let grant = desk.authority.request(&new("alice", 600)).unwrap();
    let (_, decision) = desk.approve(grant.id(), "bob").unwrap();
    write(&desk, &format!("{POLICY}max_active = 1\n# another version\n"));
    let policy = desk.authority.policy().unwrap();
    assert_ne!(policy.version, decision.policy);
    assert!(desk.authority.reexamine(&policy).unwrap().is_empty());
}
