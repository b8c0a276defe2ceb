//! HTTPS, against openssl's server: only a certificate of a CA that is trusted will do.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::ground::{Ground, wait_until};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A certificate: of a CA, or for the host `name`, signed by `ca`.
fn certificate(ground: &Ground, file: &str, signed: Option<(&str, &str)>) {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    openssl.args(["-nodes", "-days", "2", "-subj"]).arg(format!("/CN={file}"));
    if let Some((name, ca)) = signed {
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-addext"]);
        openssl.arg(format!("subjectAltName={name}")).arg("-CA").arg(ground.file(ca));
        openssl.arg("-CAkey").arg(ground.file(&format!("{ca}.key")));
    }
    openssl.arg("-keyout").arg(ground.file(&format!("{file}.key")));
    openssl.arg("-out").arg(ground.file(file));
    assert!(openssl.stderr(Stdio::null()).status().unwrap().success());
}

/// A server that says yes to one request; its port.
fn serve(ground: &Ground, file: &str) -> (Server, u16) {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_server", "-accept", "127.0.0.1:0", "-cert"]);
    openssl.arg(ground.file(file)).arg("-key").arg(ground.file(&format!("{file}.key")));
    openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = openssl.spawn().unwrap();
    // It passes on what it reads, once somebody is there. Its input stays open, or it would end.
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    child.stdin.as_mut().unwrap().write_all(answer).unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut port = None;
    wait_until("it listens", || {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        port = line.trim().strip_prefix("ACCEPT 127.0.0.1:").and_then(|port| port.parse().ok());
        port.is_some()
    });
    // Read on, or it stops at a full pipe.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    (Server(child), port.unwrap())
}

#[test]
fn only_a_trusted_certificate_for_the_host_will_do() {
    let ground = Ground::new();
    certificate(&ground, "ca.pem", None);
    certificate(&ground, "other-ca.pem", None);
    certificate(&ground, "here.pem", Some(("IP:127.0.0.1", "ca.pem")));
    certificate(&ground, "elsewhere.pem", Some(("DNS:example.org", "ca.pem")));
    for (serves, trusts, good) in [
        ("here.pem", "ca.pem", true),
        ("here.pem", "other-ca.pem", false),
        ("elsewhere.pem", "ca.pem", false),
    ] {
        let (_server, port) = serve(&ground, serves);
        let ca_file = format!("ca_file = '@/{trusts}'");
        ground.pager(&format!("https://127.0.0.1:{port}/x"), &ca_file);
        let (code, said) = ground.run(&["--test", "pager"]);
        assert_eq!(code == 0, good, "{serves} {trusts}: {said}");
        assert!(good || said.contains("certificate"), "{said}");
    }
}
