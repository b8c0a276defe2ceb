//! Another second factor, for who has one.

use serde_json::{Value, json};

use crate::desk::{App, Client, Desk, key};

fn codes(answer: &Value) -> usize {
    answer["recovery_codes"].as_array().map_or(0, Vec::len)
}

#[test]
fn another_factor_takes_the_one_in_use_and_not_the_login_alone() {
    let desk = Desk::new();
    let app = desk.app("alice");
    let (_, login) = desk.login("alice", &key("alice"), &app.code(&desk));
    let alice = Client::token("alice", login["token"].as_str().unwrap().to_owned());
    desk.clock.pass(60);
    for target in ["/v1/people/alice/factor", "/v1/people/alice/recovery-codes"] {
        let (status, answer) = desk.ask(&alice, "POST", target, json!({}));
        assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{target}: {answer}");
        let (status, answer) = desk.ask(&alice, "POST", target, json!({ "code": "000000" }));
        assert_eq!((status, &answer["code"]), (403, &json!("refused")), "{target}: {answer}");
    }

    let code = json!({ "code": app.code(&desk) });
    let (status, begun) = desk.ask(&alice, "POST", "/v1/people/alice/factor", code.clone());
    assert_eq!(status, 200, "{begun}");
    let new = App::of(begun["otpauth_uri"].as_str().unwrap());
    // The code was spent.
    let again = desk.ask(&alice, "POST", "/v1/people/alice/recovery-codes", code);
    assert_eq!(again.0, 403, "{}", again.1);
    // The old one stays in use until the new one is confirmed.
    desk.clock.pass(60);
    assert_eq!(desk.login("alice", &key("alice"), &app.code(&desk)).0, 200);
    let first = json!({ "code": new.code(&desk) });
    let (status, done) = desk.ask(&alice, "POST", "/v1/people/alice/factor/confirm", first);
    assert_eq!((status, codes(&done)), (200, 10), "{done}");
    desk.clock.pass(60);
    assert_eq!(desk.login("alice", &key("alice"), &app.code(&desk)).0, 401);
    let (status, login) = desk.login("alice", &key("alice"), &new.code(&desk));
    assert_eq!(status, 200, "{login}");
    desk.clock.pass(60);
    let code = json!({ "code": new.code(&desk) });
    // A login ends with the factor that it was made with, this one's own too.
    let (status, _) = desk.ask(&alice, "POST", "/v1/people/alice/recovery-codes", code.clone());
    assert_eq!(status, 401);
    let alice = Client::token("alice", login["token"].as_str().unwrap().to_owned());
    let (status, made) = desk.ask(&alice, "POST", "/v1/people/alice/recovery-codes", code);
    assert_eq!((status, codes(&made)), (200, 10), "{made}");
}

#[test]
fn nobody_but_root_sees_the_factor_of_another() {
    let desk = Desk::new();
    let app = desk.app("ada");
    let (_, login) = desk.login("ada", &key("ada"), &app.code(&desk));
    let ada = Client::token("ada", login["token"].as_str().unwrap().to_owned());
    desk.clock.pass(60);
    let code = json!({ "code": app.code(&desk) });
    for end in ["factor", "factor/confirm", "recovery-codes"] {
        let target = format!("/v1/people/dave/{end}");
        let (status, answer) = desk.ask(&ada, "POST", &target, code.clone());
        assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{target}: {answer}");
        assert_eq!(answer["next"], "To have them enrol one: jitctl user invite dave");
    }
    let (status, _) = desk.ask(&Client::root(), "POST", "/v1/people/dave/factor", json!({}));
    assert_eq!(status, 200);
}
