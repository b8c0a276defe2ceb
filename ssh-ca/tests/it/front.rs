//! `ssh-ca serve` beside clients that mean no good, or have bad luck.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::desk::Desk;
use crate::https::Https;
use crate::person::Person;
use crate::served::{Daemon, Served, wait_until};

#[test]
fn without_serve_in_the_configuration_it_says_what_to_write() {
    let desk = Desk::new();
    desk.ssh_ca(&["serve"]).refused(1, "ssh-ca init --serve NAME");
    desk.ssh_ca(&["signer"]).refused(1, "ssh-ca init --serve NAME");
}

#[test]
fn init_serve_keeps_what_is_there_and_tells_the_pin() {
    let served = Served::set_up("");
    let config = std::fs::read_to_string(served.desk.path("jit.toml")).unwrap();
    let name = format!("localhost:{}", served.address.port());
    let again = served.desk.ssh_ca(&["init", "--serve", &name]).ok();
    assert!(again.out.contains(&format!("Pin {}\n", served.pin)), "{}", again.out);
    assert_eq!(std::fs::read_to_string(served.desk.path("jit.toml")).unwrap(), config);
    let key = served.desk.path("tls/key.pem");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o077, 0);
    served.desk.ssh_ca(&["init", "--serve", "other"]).refused(1, "the server is localhost");

    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    served.desk.ssh_ca(&["serve"]).refused(1, "others can read");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    let other = Served::set_up("");
    std::fs::copy(other.desk.path("tls/key.pem"), key).unwrap();
    served.desk.ssh_ca(&["serve"]).refused(1, "is not its key");
}

#[test]
fn the_server_shows_the_key_of_its_pin_and_speaks_no_old_tls() {
    let served = Served::new();
    assert_eq!(served.get("/healthz").status, 200);
    let foreign = served.pin.replace("sha256:", "sha256:A");
    assert!(Https::connect(served.address, &foreign).is_err());
    for (minor, name) in [(1_u8, "TLS 1.0"), (2, "TLS 1.1")] {
        let mut stream = TcpStream::connect(served.address).unwrap();
        stream.write_all(&client_hello(minor)).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        // An alert: fatal, protocol_version (RFC 8446 section 6.2).
        assert_eq!((answer[0], &answer[5..7]), (21, &[2, 70][..]), "{name}");
    }
    let mut plain = TcpStream::connect(served.address).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

/// A client's first message that offers at most `TLS 1.(minor - 1)`.
fn client_hello(minor: u8) -> Vec<u8> {
    let ciphers = [0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x13, 0x00, 0x2f];
    let extensions =
        [&[0, 10, 0, 4, 0, 2, 0, 23][..], &[0, 13, 0, 6, 0, 4, 4, 3, 4, 1], &[0, 11, 0, 2, 1, 0]]
            .concat();
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend([0, ciphers.len() as u8]);
    hello.extend(ciphers);
    hello.extend([1, 0]);
    hello.extend([0, extensions.len() as u8]);
    hello.extend(extensions);
    let mut message = vec![1, 0, 0, hello.len() as u8];
    message.extend(hello);
    let mut record = vec![22, 3, 1, 0, message.len() as u8];
    record.extend(message);
    record
}

#[test]
fn huge_bodies_are_refused_and_not_read() {
    let served = Served::new();
    let mut announced = served.connect();
    announced
        .send(b"POST /v1/login HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
        .unwrap();
    let answer = announced.answer().unwrap();
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["code"], "too-large");
    assert!(announced.is_closed_within(Duration::from_secs(5)));

    let mut chunked = served.connect();
    chunked
        .send(b"POST /v1/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        .unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    // It may be told so before it has sent all of it.
    for _ in 0..5 {
        let _ = chunked.send(&chunk);
    }
    assert_eq!(chunked.answer().unwrap().status, 413);
    let mut head = served.connect();
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    let _ = head.send(long.as_bytes());
    assert!(head.answer().map_or(true, |answer| answer.status == 431));
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn slow_clients_are_cut_off_while_others_are_served() {
    let served = Served::new();
    let began = Instant::now();
    let mut head = served.connect();
    head.send(b"GET /healthz HTTP/1.1\r\n").unwrap();
    let mut body = served.connect();
    body.send(b"POST /v1/login HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").unwrap();
    let mut shy = TcpStream::connect(served.address).unwrap();
    let mut trickle = served.connect();
    let dripping = std::thread::spawn(move || {
        let mut drops = 0;
        while drops < 60 && trickle.send(b"x").is_ok() {
            drops += 1;
            std::thread::sleep(Duration::from_millis(500));
        }
        drops
    });
    while began.elapsed() < Duration::from_secs(3) {
        assert_eq!(served.get("/healthz").status, 200);
    }
    let mut all = Vec::new();
    shy.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(shy.read_to_end(&mut all).is_ok(), "no handshake came, and it is still open");
    assert!(head.is_closed_within(Duration::from_secs(20)));
    assert_eq!(body.answer().unwrap().status, 408);
    assert!(dripping.join().unwrap() < 60, "a head in drops went on for 30 s");
    assert!(began.elapsed() < Duration::from_secs(40));
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn ten_thousand_open_connections_keep_nobody_out() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(hard > 11_000, "this test needs room for 11,000 open files");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let served = Served::new();
    let mut open = Vec::new();
    for source in 0..50 {
        for _ in 0..200 {
            open.push(served.connect_from([127, 0, 1, source + 1]).unwrap());
        }
    }
    assert_eq!(open.len(), 10_000);
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(served.get("/healthz").status, 200);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}

#[test]
fn an_address_has_so_many_connections_and_a_full_server_room_for_others() {
    let served = Served::with("rate = 100000\nconnections = 40\nconnections_per_address = 30\n");
    let mut open: Vec<_> = (0..40).map(|_| served.connect_from([127, 0, 0, 2]).unwrap()).collect();
    // 30 stay; the others are closed at once.
    let closed = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        !matches!(stream.read(&mut [0; 1]), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock)
    };
    assert_eq!(open.iter_mut().filter_map(|stream| closed(stream).then_some(())).count(), 10);
    let mut more: Vec<_> = (0..15).map(|_| served.connect_from([127, 0, 0, 3]).unwrap()).collect();
    assert_eq!(served.get("/healthz").status, 200);
    assert!(!closed(&mut more[14]), "the newest stays");
}

#[test]
fn too_many_requests_of_an_address_are_told_to_come_later() {
    let served = Served::with("rate = 1\n");
    let mut statuses = Vec::new();
    for _ in 0..15 {
        let answer = served.get("/healthz");
        if answer.status == 429 {
            assert_eq!(answer.json()["code"], "rate-limited");
            let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=2).contains(&seconds));
        }
        statuses.push(answer.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    // Another address is not held to it.
    let other = served.connect_from([127, 0, 0, 9]).unwrap();
    assert_eq!(Https::over(other, &served.pin).unwrap().get("/healthz").status, 200);
}

#[test]
fn one_persons_flood_leaves_another_behind_the_same_address_served() {
    // As it is installed: 50 requests a second of an address, 25 of a person.
    let served = Served::with("");
    let (erin, bob) = (served.person("erin", "dev"), served.person("bob", "dev"));
    let until = Instant::now() + Duration::from_secs(20);
    let (address, pin) = (served.address, &served.pin);
    let connect = || Https::connect(address, pin).unwrap();
    let flood = || {
        let (mut https, mut refused) = (connect(), 0);
        while Instant::now() < until {
            let answer = erin.ask(&mut https, "GET", "/v1/me", &Value::Null);
            if answer.status == 429 {
                assert_eq!(answer.json()["code"], "rate-limited");
                assert!(answer.header("retry-after").is_some());
                // It is turned away with its connection.
                https = connect();
                refused += 1;
            }
        }
        refused
    };
    let (refused, asked) = std::thread::scope(|scope| {
        let floods: Vec<_> = (0..4).map(|_| scope.spawn(flood)).collect();
        let mut asked = 0;
        while Instant::now() < until {
            let answer = bob.ask(&mut connect(), "GET", "/v1/me", &Value::Null);
            assert_eq!(answer.status, 200, "{answer:?}");
            asked += 1;
            std::thread::sleep(Duration::from_millis(200));
        }
        (floods.into_iter().map(|flood| flood.join().unwrap()).sum::<u32>(), asked)
    });
    // More than the address' own burst, which they would have used up together.
    assert!(refused > 700 && asked > 20, "{refused} refused, {asked} asked");
}

#[test]
fn what_the_front_turns_away_is_among_the_metrics_of_those_who_may_see_them() {
    let served = Served::with("rate_per_person = 2\nconnections_per_address = 5\n");
    let (ada, erin) = (served.person("ada", "admins"), served.person("erin", "dev"));
    let from = |number| served.connect_from([127, 0, 0, number]).unwrap();
    let over = |stream| Https::over(stream, &served.pin).unwrap();

    let six: Vec<_> = (0..6).map(|_| from(2)).collect();
    from(3).write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut large = over(from(4));
    large.send(b"POST /v1/login HTTP/1.1\r\ncontent-length: 9999999\r\n\r\n").unwrap();
    assert_eq!(large.answer().unwrap().status, 413);
    let mut cut = over(from(5));
    cut.send(b"POST /v1/login HTTP/1.1\r\ncontent-length: 9\r\n\r\n{").unwrap();
    drop(cut);
    let mut odd = over(from(6));
    odd.send(b"what?\r\n\r\n").unwrap();
    assert_eq!(odd.answer().unwrap().status, 400);
    let mut head = over(from(7));
    let _ = head.send(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(400_000)).as_bytes());
    assert!(head.is_closed_within(Duration::from_secs(5)) || head.answer().is_err());
    assert_eq!(over(from(8)).get(&format!("/{}", "x".repeat(5000))).status, 400);
    let mut often = over(from(9));
    let claim = "authorization: JIT x\r\n";
    assert!((0..1000).any(|_| often.ask("GET", "/v1/me", claim, b"").status == 429));

    let ask = |person: &Person| person.ask(&mut served.connect(), "GET", "/metrics", &Value::Null);
    wait_until("all is counted", || {
        // As often as ada may.
        std::thread::sleep(Duration::from_millis(600));
        let metrics = ask(&ada).body;
        let has = |reason: &str| metrics.contains(&format!("{{reason=\"{reason}\"}} 1\n"));
        ["connections-of-address", "handshake", "body-large", "body-cut", "head-invalid"]
            .into_iter()
            .chain(["head-large", "path", "rate-of-person"])
            .all(has)
            && metrics.contains("\njit_front_connections ")
            && metrics.contains("\njit_requests_total{")
            && metrics.ends_with("# EOF\n")
    });
    drop(six);
    assert_eq!((ask(&erin).status, served.get("/metrics").status), (403, 401));
}

#[test]
fn who_asked_is_what_the_front_says_and_little_else_is_passed_on() {
    let mut served = Served::set_up("rate = 100000\n");
    std::fs::create_dir(served.desk.path("run-signer")).unwrap();
    let signer = UnixListener::bind(served.socket("front.sock")).unwrap();
    served.front = served.run("serve");
    wait_until("the front serves", || Https::connect(served.address, &served.pin).is_ok());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = signer.accept().unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"{\"a\":1}") {
            let mut more = [0; 1024];
            let read = stream.read(&mut more).unwrap();
            heard.extend(&more[..read]);
        }
        let answer = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nretry-after: 7\r\n\
                      content-type: application/problem+json\r\nserver: secret\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(heard).unwrap().to_lowercase()
    });
    let forged = "jit-peer: 192.0.2.1\r\nX-Request-Id: mine\r\nJit-Proof: p\r\n\
                  Authorization: JIT t\r\nCookie: c\r\nX-Forwarded-For: 192.0.2.1\r\n";
    let answer = served.connect().ask("POST", "/v1/x%2Fy?a=%20b", forged, b"{\"a\":1}");
    let heard = heard.join().unwrap();
    assert!(heard.starts_with("post /v1/x%2fy?a=%20b http/1.1\r\n"), "{heard}");
    assert_eq!(heard.matches("jit-peer").count(), 1, "{heard}");
    assert!(heard.contains("jit-peer: 127.0.0.1\r\n"), "{heard}");
    assert!(heard.contains("jit-proof: p\r\n"), "{heard}");
    assert!(heard.contains("authorization: jit t\r\n"), "{heard}");
    for kept in ["192.0.2.1", "cookie", "forwarded", "mine"] {
        assert!(!heard.contains(kept), "{kept}: {heard}");
    }
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(answer.header("server"), None);
    let id = answer.header("x-request-id").unwrap();
    assert!(heard.contains(&format!("x-request-id: {id}\r\n")), "{heard}");
    let log = std::fs::read_to_string(served.log("serve")).unwrap();
    let line = log.lines().find(|line| line.contains(id)).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["status"], &line["peer"]), (&403.into(), &"127.0.0.1".into()));
}

#[test]
fn without_its_signer_the_front_says_so() {
    let mut served = Served::new();
    served.signer = Daemon(None);
    let answer = served.get("/healthz");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["code"], "unavailable");
    assert!(answer.header("retry-after").is_some());
    // Others are waited for as long as a restart takes.
    let address = served.address;
    let pin = served.pin.clone();
    let asking =
        std::thread::spawn(move || Https::connect(address, &pin).unwrap().get("/v1/server").status);
    std::thread::sleep(Duration::from_millis(500));
    served.signer = served.run("signer");
    assert_eq!(asking.join().unwrap(), 200);
}

#[test]
fn a_new_certificate_is_taken_up_while_connections_go_on() {
    let served = Served::new();
    let mut before = served.connect();
    let other = Served::set_up("");
    let takes = |pin: &str| Https::connect(served.address, pin).is_ok();
    let copy = |name: &str| {
        let beside = served.desk.path("new");
        std::fs::copy(other.desk.path(&format!("tls/{name}")), &beside).unwrap();
        std::fs::rename(beside, served.desk.path(&format!("tls/{name}"))).unwrap();
    };
    // Half of a change is none.
    copy("cert.pem");
    served.front.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(300));
    assert!(takes(&served.pin) && !takes(&other.pin));
    copy("key.pem");
    served.front.signal(Signal::SIGHUP);
    wait_until("the new certificate is shown", || takes(&other.pin));
    assert!(!takes(&served.pin), "the old pin is foreign now");
    assert_eq!(before.get("/healthz").status, 200);
}

#[test]
fn a_restarted_front_finishes_what_runs_and_serves_again() {
    let mut served = Served::new();
    let mut idle = served.connect();
    assert_eq!(idle.get("/healthz").status, 200);
    assert!(served.front.end(Signal::SIGTERM), "it ended with an error");
    assert!(idle.is_closed_within(Duration::from_secs(1)));
    served.front = served.run("serve");
    wait_until("the front serves", || Https::connect(served.address, &served.pin).is_ok());
    assert_eq!(served.get("/healthz").status, 200);
    let log = std::fs::read_to_string(served.log("serve")).unwrap();
    assert!(log.lines().any(|line| line.contains("\"message\":\"ending\"")), "{log}");
}

#[test]
fn a_socket_of_systemd_is_taken() {
    let mut served = Served::set_up("rate = 100000\n");
    served.signer = served.run("signer");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // As systemd hands sockets over: descriptor 3, told in the environment (sd_listen_fds(3)).
    let script = format!(
        "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec {} --config {} serve 2>> {}",
        env!("CARGO_BIN_EXE_ssh-ca"),
        served.desk.path("jit.toml").display(),
        served.log("serve").display(),
    );
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script]).stdin(std::os::fd::OwnedFd::from(listener));
    served.front = Daemon(Some(shell.spawn().unwrap()));
    wait_until("the front serves there", || {
        Https::connect(address, &served.pin)
            .is_ok_and(|mut https| https.get("/healthz").status == 200)
    });
    assert!(TcpStream::connect(served.address).is_err(), "and nowhere else");
}
