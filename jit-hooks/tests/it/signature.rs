//! The signature, checked as a receiver would, with another implementation.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::ground::{Ground, SECRET};
use crate::receiver::{Receiver, status};

/// `openssl dgst -sha256 -hmac SECRET` of a text.
fn hmac(secret: &str, text: &str) -> String {
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", secret, "-r"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = openssl.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_receiver_can_check_the_signature() {
    let receiver = Receiver::start(|_| status("200 OK"));
    let ground = Ground::new();
    ground.pager(&receiver.url(), "");
    assert_eq!(ground.run(&["--test", "pager"]).0, 0);
    let sent = receiver.sent().remove(0);
    let signature = sent.header("Jit-Signature");
    let (time, mac) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(mac, hmac(SECRET, &format!("{time}.{}", sent.body)));
    assert_ne!(mac, hmac("another", &format!("{time}.{}", sent.body)));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(now.as_secs().abs_diff(time.parse().unwrap()) < 60);
}
