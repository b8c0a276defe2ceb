//! Reviews of what break-glass codes were used for.

use jit_core::breakglass::Verdict;
use jit_core::grant::Action;
use jit_core::login::{Attempt, Evidence, LoginService};
use jit_core::name::Login;
use serde_json::{Value, json};

use crate::desk::{Client, Desk, key, line};

/// Has somebody use a code; its grant.
fn used(desk: &Desk, by: &str) -> String {
    let (codes, _) = desk.authority.new_break_glass_codes(1, &[]).unwrap();
    let attempt = Attempt {
        action: Action::Login,
        login: Login::parse("root").unwrap(),
        service: "sshd".into(),
        rhost: None,
        tty: None,
        pid: 42,
    };
    let report = format!("publickey {}\n", line(&key(by)));
    let who = desk.authority.identify(&Evidence::Ssh(Some(&report)), &attempt).unwrap();
    let why = Some("nobody answers");
    let verdict = desk.authority.break_glass(Ok(&who), codes[0].expose(), why, &attempt).unwrap();
    let Verdict::Broken(used) = verdict else { panic!("{verdict:?}") };
    used.id.to_string()
}

#[test]
fn an_admin_reviews_what_somebody_else_did_and_root_names_who_proves_it() {
    let desk = Desk::new();
    let (ada, app) = (desk.logged_in("ada"), desk.app("bob"));
    let review = |client: &Client, id: &str, body: Value| {
        desk.ask(client, "POST", &format!("/v1/break-glass/{id}/review"), body)
    };
    let note = json!({ "note": "the database was down" });
    let own = used(&desk, "ada");
    let (status, answer) = review(&ada, &own, note.clone());
    assert_eq!((status, &answer["code"]), (403, &json!("refused")), "{answer}");
    // Nobody's name is taken in vain: by an admin, nor by root without that person's code.
    for (client, code) in [(&ada, "forbidden"), (&Client::root(), "forbidden")] {
        let (status, answer) =
            review(client, &own, json!({ "note": "it was fine", "person": "bob" }));
        assert_eq!((status, &answer["code"]), (403, &json!(code)), "{answer}");
    }
    let proved = json!({ "note": "it was fine", "person": "bob", "code": app.code(&desk) });
    let (status, answer) = review(&Client::root(), &own, proved);
    assert_eq!((status, &answer["review"]["by"]), (200, &json!("person:bob")), "{answer}");

    let others = used(&desk, "alice");
    let (status, answer) = review(&ada, &others, note);
    assert_eq!((status, &answer["review"]["by"]), (200, &json!("person:ada")), "{answer}");
}
