//! A request's life over the wire, and who can't have a part in it.

use serde_json::{Value, json};

use crate::desk::{Client, Desk, key};

fn path(view: &Value, verb: &str) -> String {
    format!("/v1/grants/{}/{verb}", view["grant"]["id"].as_str().unwrap())
}

#[test]
fn asked_seen_in_the_inbox_approved_extended_shortened_and_revoked() {
    let desk = Desk::new();
    let (alice, bob) = (desk.logged_in("alice"), desk.logged_in("bob"));
    let view = desk.request(&alice);
    assert_eq!(view["approvers"], json!(["bob", "carol"]));
    let (_, inbox) = desk.ask(&bob, "GET", "/v1/inbox", Value::Null);
    assert_eq!(inbox["grants"][0]["id"], view["grant"]["id"]);
    let (status, answer) = desk.ask(&bob, "POST", &path(&view, "approve"), desk.yes(&view, "bob"));
    assert_eq!((status, &answer["state"]), (200, &json!("active")), "{answer}");
    let more = json!({ "duration": 60 });
    let (status, extension) = desk.ask(&alice, "POST", &path(&view, "extend"), more);
    assert_eq!((status, &extension["state"]), (200, &json!("requested")), "{extension}");
    let (status, _) = desk.ask(&alice, "POST", &path(&extension, "cancel"), json!({}));
    assert_eq!(status, 200);
    let (status, _) = desk.ask(&bob, "POST", &path(&view, "shorten"), json!({ "left": 60 }));
    assert_eq!(status, 200);
    let why = json!({ "reason": "done with it" });
    let (status, ended) = desk.ask(&alice, "POST", &path(&view, "revoke"), why);
    assert_eq!((status, ended["grants"].as_array().unwrap().len()), (200, 1));
    let record = desk.authority.last_records(1).unwrap().remove(0);
    assert_eq!((record.actor.as_str(), record.action.as_str()), ("person:alice", "grant.revoke"));
}

#[test]
fn an_edit_voids_what_was_signed_and_a_yes_can_be_taken_back() {
    let desk = Desk::new();
    let (alice, bob) = (desk.logged_in("alice"), desk.logged_in("bob"));
    let view = desk.request(&alice);
    let yes = desk.yes(&view, "bob");
    let (status, edited) =
        desk.ask(&alice, "POST", &path(&view, "edit"), json!({ "duration": 1200 }));
    assert_eq!((status, &edited["grant"]["revision"]), (200, &json!(2)), "{edited}");
    assert_eq!(desk.ask(&bob, "POST", &path(&view, "approve"), yes).0, 409);
    assert_eq!(desk.ask(&bob, "POST", &path(&view, "withdraw"), json!({})).0, 403);
    let (status, denied) = desk.ask(&bob, "POST", &path(&view, "deny"), json!({}));
    assert_eq!((status, &denied["state"]), (200, &json!("denied")));
}

/// Whoever asked has no way to say yes to it: not by their own signature, not as somebody else, not
/// as an admin, not with root's endpoint.
#[test]
fn a_requester_approves_through_no_endpoint() {
    let desk = Desk::new();
    let (alice, ada) = (desk.logged_in("alice"), desk.logged_in("ada"));
    let view = desk.request(&alice);
    let approve = path(&view, "approve");
    let (status, answer) = desk.ask(&alice, "POST", &approve, desk.yes(&view, "alice"));
    assert_eq!((status, &answer["code"]), (403, &json!("refused")), "{answer}");
    let expected = ("person:alice".into(), "grant.approve".into(), "refused".into());
    assert_eq!(desk.last_record(), expected);
    // In another's name, with that person's own signature even.
    let mut as_bob = desk.yes(&view, "bob");
    as_bob["person"] = json!("bob");
    let (status, answer) = desk.ask(&alice, "POST", &approve, as_bob);
    assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{answer}");
    // bob's signature as alice's own yes.
    assert_eq!(desk.ask(&alice, "POST", &approve, desk.yes(&view, "bob")).0, 403);
    // By a code, which counts on the authority's machine only.
    let digest = desk.yes(&view, "alice")["digest"].clone();
    let code = json!({ "digest": digest, "evidence": { "code": "123456" } });
    assert_eq!(desk.ask(&alice, "POST", &approve, code).0, 403);
    let alone = |name: &str| {
        json!({ "person": name, "login": "deploy", "place": "web-1", "duration": 600,
            "reason": "INC-1 alone" })
    };
    assert_eq!(desk.ask(&alice, "POST", "/v1/grants", alone("alice")).0, 403);
    let (status, answer) = desk.ask(&ada, "POST", "/v1/grants", alone("ada"));
    assert_eq!((status, &answer["code"]), (403, &json!("refused")), "an admin, to herself");
    let (status, given) = desk.ask(&ada, "POST", "/v1/grants", alone("alice"));
    assert_eq!((status, &given["grant"]["requested_by"]), (200, &json!("person:ada")));
    let (_, shown) = desk.ask(&alice, "GET", &approve.replace("/approve", ""), Value::Null);
    assert_eq!(shown["state"], "requested");
}

#[test]
fn on_the_machine_a_persons_code_stands_for_their_signature() {
    let desk = Desk::new();
    let alice = desk.logged_in("alice");
    let app = desk.app("bob");
    let (_, login) = desk.login("bob", &key("bob"), &app.code(&desk));
    let bob = Client::token("bob", login["token"].as_str().unwrap().to_owned());
    desk.clock.pass(60);
    let view = desk.request(&alice);
    let digest = desk.yes(&view, "bob")["digest"].clone();
    let yes =
        |code: String| json!({ "person": "bob", "digest": digest, "evidence": { "code": code } });
    // Elsewhere it does not, and is not spent.
    let (status, answer) = desk.ask(&bob, "POST", &path(&view, "approve"), yes(app.code(&desk)));
    assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{answer}");
    let root = Client::root();
    assert_eq!(desk.ask(&root, "POST", &path(&view, "approve"), yes("000000".into())).0, 403);
    let (status, answer) = desk.ask(&root, "POST", &path(&view, "approve"), yes(app.code(&desk)));
    assert_eq!((status, &answer["state"]), (200, &json!("active")), "{answer}");
}

#[test]
fn a_local_user_needs_no_root_and_decides_nothing_without_a_code() {
    let desk = Desk::new();
    // The account of user id 1 is daemon on every system that we know.
    let daemon = Client::unix(1);
    let (_, me) = desk.ask(&daemon, "GET", "/v1/me", Value::Null);
    assert_eq!((&me["person"], &me["factor_at"]), (&json!("daemon"), &Value::Null));
    desk.authority
        .change_groups(
            &jit_core::grant::Actor::Root,
            &crate::desk::person("daemon"),
            &[jit_core::name::GroupName::parse("leads").unwrap()].into(),
            &[].into(),
        )
        .unwrap();
    let alice = desk.logged_in("alice");
    let view = desk.request(&alice);
    let (status, answer) = desk.ask(&daemon, "POST", &path(&view, "deny"), json!({}));
    assert_eq!(status, 403);
    assert!(answer["detail"].as_str().unwrap().contains("code"), "{answer}");
    let code = desk.app("daemon").code(&desk);
    let (status, _) = desk.ask(&daemon, "POST", &path(&view, "deny"), json!({ "code": code }));
    assert_eq!(status, 200);
    let nobody = Client::unix(4_000_000_000);
    assert_eq!(desk.ask(&nobody, "GET", "/v1/me", Value::Null).0, 401);
    let (root, name) = (jit_core::grant::Actor::Root, crate::desk::person("daemon"));
    desk.authority.suspend(&root, &name, true).unwrap();
    assert_eq!(desk.ask(&daemon, "GET", "/v1/me", Value::Null).0, 401);
}
