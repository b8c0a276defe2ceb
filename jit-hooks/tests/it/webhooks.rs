//! What is posted, and what counts as an answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use jit_core::authority::SetupDeed;
use serde_json::json;

use crate::ground::{Ground, SECRET, wait_until};
use crate::receiver::{Receiver, Reply, status};

#[test]
fn an_event_is_posted_whole_and_nothing_else_is() {
    let receiver = Receiver::start(|_| status("200 OK"));
    let mut ground = Ground::new();
    ground.pager(&receiver.url(), "");
    ground.event("INC-1 before the start");
    ground.start();
    let hostile = r#"INC-1 "quoted" \n $(reboot) </script> größer 💥 '; DROP"#;
    let record = ground.event(hostile);
    ground.wait_told("pager", &record);

    let sent = receiver.sent();
    assert_eq!(sent.len(), 1, "{sent:#?}");
    assert_eq!(sent[0].line, "POST /hook/s3cret?x=1 HTTP/1.1");
    assert_eq!(sent[0].header("Content-Type"), "application/json");
    assert_eq!(sent[0].header("Jit-Event"), "grant.revoke");
    let hash = jit_core::audit::hex(&record.hash);
    assert_eq!(sent[0].header("Jit-Delivery"), format!("{}-{}", record.sequence, &hash[..16]));
    let expected = json!({
        "id": record.sequence, "time": record.time.rfc3339(), "host": "web-1", "actor": "root",
        "action": "grant.revoke", "object": "all", "outcome": "done",
        "detail": { "reason": hostile, "grants": [] },
        "previous": jit_core::audit::hex(&record.previous), "hash": hash,
    });
    assert_eq!(sent[0].json(), expected);
    let log = ground.service_log();
    assert!(!log.contains(SECRET) && !log.contains("s3cret"), "{log}");
}

#[test]
fn a_hostile_detail_arrives_as_it_is() {
    let receiver = Receiver::start(|_| status("204 No Content"));
    let mut ground = Ground::new();
    ground.hooks(&format!(
        "[[webhook]]\nname = 'pager'\nurl = '{}'\nsecret_file = '@/secret'\nevents = ['setup.*']\n",
        receiver.url()
    ));
    ground.start();
    let hostile = "a\r\nJit-Event: forged\r\n\r\n{\"id\":1}\u{0}\u{202e}\u{2028}\u{1b}[2J\"\\";
    ground.authority.note_setup(SetupDeed::Apply, json!({ "text": hostile })).unwrap();
    let sent = receiver.wait(1);
    assert_eq!(sent[0].json()["detail"]["text"], hostile);
    assert_eq!(sent[0].body.lines().count(), 1);
}

#[test]
fn a_failure_is_tried_again_and_nothing_overtakes_it() {
    let receiver =
        Receiver::start(
            |n| if n < 2 { status("500 Internal Server Error") } else { status("200 OK") },
        );
    let mut ground = Ground::new();
    ground.pager(&receiver.url(), "");
    ground.start();
    ground.event("INC-1 first");
    let last = ground.event("INC-1 second");
    assert!(ground.wait_failed("pager", 1).contains("500"));
    ground.wait_told("pager", &last);
    let sent = receiver.sent();
    let reasons: Vec<_> = sent.iter().map(|one| one.reason()).collect();
    assert_eq!(reasons, ["INC-1 first", "INC-1 first", "INC-1 first", "INC-1 second"]);
    assert_eq!(sent[0].header("Jit-Delivery"), sent[2].header("Jit-Delivery"));
    assert_ne!(sent[0].header("Jit-Signature"), sent[2].header("Jit-Signature"), "a new time");
    assert_eq!(ground.standing("pager").failing, None);
    let told: Vec<_> = ground.service_log().lines().map(ToOwned::to_owned).collect();
    assert_eq!(told.len(), 2, "a failure is reported once: {told:#?}");
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::start(|_| status("200 OK"));
    let to = elsewhere.url();
    let receiver = Receiver::start(move |_| {
        Reply::Say(format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
        ))
    });
    let mut ground = Ground::new();
    ground.pager(&receiver.url(), "");
    ground.start();
    ground.event("INC-1 x");
    assert!(ground.wait_failed("pager", 1).contains("redirects are not followed"));
    assert!(elsewhere.sent().is_empty());
}

#[test]
fn nobody_who_listens_is_a_failure_that_ends_when_somebody_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut ground = Ground::new();
    ground.pager(&format!("http://127.0.0.1:{port}/"), "");
    ground.start();
    let record = ground.event("INC-1 x");
    assert!(ground.wait_failed("pager", 1).to_lowercase().contains("refused"));
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let receiver = Receiver::on(listener, |_| status("200 OK"));
    ground.wait_told("pager", &record);
    assert_eq!(receiver.sent().len(), 1);
}

#[test]
fn an_answer_has_a_time_limit_however_it_comes() {
    for (reply, fails) in [("silence", true), ("drip", true), ("endless", false)] {
        let receiver = Receiver::start(move |_| match reply {
            "silence" => Reply::Silence(Duration::from_secs(30)),
            "drip" => Reply::Drip,
            _ => Reply::Endless,
        });
        let mut ground = Ground::new();
        ground.pager(&receiver.url(), "timeout = '1s'");
        ground.start();
        let record = ground.event("INC-1 x");
        let began = Instant::now();
        if fails {
            let trouble = ground.wait_failed("pager", 1);
            assert!(trouble.contains("timeout"), "{reply}: {trouble}");
        } else {
            ground.wait_told("pager", &record);
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{reply}: {:?}", began.elapsed());
    }
}

#[test]
fn one_hook_that_hangs_holds_no_other_up() {
    let slow = Receiver::start(|_| Reply::Silence(Duration::from_secs(30)));
    let quick = Receiver::start(|_| status("200 OK"));
    let mut ground = Ground::new();
    let hook = |name: &str, url: &str| {
        format!(
            "[[webhook]]\nname = '{name}'\nurl = '{url}'\nsecret_file = '@/secret'\n\
             events = ['grant.*']\ntimeout = '20s'\n"
        )
    };
    ground.hooks(&(hook("slow", &slow.url()) + &hook("quick", &quick.url())));
    ground.start();
    let record = ground.event("INC-1 x");
    slow.wait(1);
    ground.wait_told("quick", &record);
    assert!(ground.standing("slow").after < record.sequence);
}

#[test]
fn a_test_is_told_at_once_and_says_what_came_back() {
    let receiver = Receiver::start(|n| match n {
        0 => Reply::Say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi\x1b[2Jyou".into()),
        _ => status("403 Forbidden"),
    });
    let ground = Ground::new();
    ground.pager(&receiver.url(), "");
    let (code, said) = ground.run(&["--test", "pager"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("200 OK") && said.contains("it said: hi\\u{1b}[2Jyou"), "{said}");
    assert_eq!(receiver.sent()[0].json()["action"], "hook.test");
    let (code, said) = ground.run(&["--test", "pager"]);
    assert!(code == 1 && said.contains("it answered 403 Forbidden"), "{code} {said}");
    let (code, said) = ground.run(&["--test", "chat"]);
    assert!(code == 4 && said.contains("there is no hook chat"), "{code} {said}");
}

#[test]
fn a_secret_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let receiver = Receiver::start(|_| status("200 OK"));
    let mut ground = Ground::new();
    ground.pager(&receiver.url(), "");
    let secret = ground.file("secret");
    let mode = |mode| std::fs::set_permissions(&secret, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    assert_eq!(ground.run(&["--check"]).0, 1);
    ground.start();
    let record = ground.event("INC-1 x");
    assert!(ground.wait_failed("pager", 1).contains("others can read"));
    assert!(receiver.sent().is_empty());
    mode(0o600);
    assert_eq!(ground.run(&["--check"]).0, 0);
    ground.wait_told("pager", &record);
    wait_until("it was sent", || receiver.sent().len() == 1);
    std::fs::write(&secret, "short").unwrap();
    let (code, said) = ground.run(&["--check"]);
    assert!(code == 1 && said.contains("shorter than 16 bytes"), "{said}");
}
