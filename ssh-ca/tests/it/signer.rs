//! `ssh-ca signer`: its sockets, and what happens to those who wait when it goes away.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jit_core::authority::NewRequest;
use jit_core::grant::Actor;
use jit_core::name::Reason;
use nix::sys::signal::Signal;
use serde_json::Value;
use ssh_key::Certificate;

use crate::desk::{alice, ask};
use crate::https::{Answer, Https, read_answer};
use crate::person::Person;
use crate::programs::keygen;
use crate::served::{Daemon, Served, wait_until};

fn get(socket: &Path, path: &str, more: &str) -> std::io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n{more}\r\n")?;
    read_answer(&mut stream)
}

#[test]
fn one_signer_is_enough() {
    let served = Served::new();
    served.desk.ssh_ca(&["signer"]).refused(5, "another ssh-ca signer runs");
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn the_sockets_are_for_whom_they_are() {
    let served = Served::new();
    let mode =
        |name: &str| std::fs::metadata(served.socket(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("api.sock"), mode("front.sock")), (0o666, 0o660));
    // The front says who asks; one that does not is none.
    assert_eq!(get(&served.socket("front.sock"), "/healthz", "").unwrap().status, 400);
    let bad = get(&served.socket("front.sock"), "/healthz", "jit-peer: nobody\r\n").unwrap();
    assert_eq!(bad.status, 400);
    // Whoever comes by way of the front is nobody until they prove something.
    let front = get(&served.socket("front.sock"), "/v1/grants", "jit-peer: 192.0.2.1\r\n");
    assert_eq!(front.unwrap().status, 401);
}

/// Asks at the socket as an account of this machine, in a process of its own.
fn get_as(served: &Served, uid: u32, socket: &str, path: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--max-time", "20", "--write-out", " %{http_code}", "--unix-socket"]);
    curl.arg(served.socket(socket)).arg(format!("http://jit{path}"));
    // Whatever they claim.
    curl.args(["--header", "Jit-Peer: 127.0.0.1", "--header", "Jit-Uid: 0"]);
    let output = curl.uid(uid).gid(uid).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_invitation_names_the_pin_of_the_certificate_that_is_served() {
    let served = Served::new();
    let mut stream = UnixStream::connect(served.socket("api.sock")).unwrap();
    let head = "POST /v1/people/alice/invitation HTTP/1.1\r\nhost: x\r\n";
    write!(stream, "{head}content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}")
        .unwrap();
    let answer = read_answer(&mut stream).unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    assert!(
        answer.json().to_string().contains(&format!("pin={}", served.pin)),
        "{:?}",
        answer.json()
    );
}

#[test]
fn who_asks_at_the_local_socket_is_whom_the_kernel_says() {
    let served = Served::new();
    let root = get_as(&served, 0, "api.sock", "/v1/grants");
    assert!(root.ends_with(" 200"), "{root}");
    // nobody, who is no person of ours.
    let other = get_as(&served, 65_534, "api.sock", "/v1/grants");
    assert!(other.ends_with(" 401") || other.ends_with(" 403"), "{other}");
    let metrics = get_as(&served, 0, "api.sock", "/metrics");
    assert!(metrics.contains("jit_requests_total{"), "{metrics}");
    let metrics = get_as(&served, 65_534, "api.sock", "/metrics");
    assert!(!metrics.contains("jit_requests_total{"), "{metrics}");
    assert_eq!(served.get("/metrics").status, 401);
    let front = get_as(&served, 65_534, "front.sock", "/healthz");
    assert_eq!(front, " 000", "the front's socket is the front's");
}

fn approved(served: &Served, id: &jit_core::id::GrantId) {
    // Whoever decides does it in another process, such as jitctl.
    let why = Reason::parse("INC-2 not now").unwrap();
    served.desk.authority.deny(id, &Actor::Root, Some(&why)).unwrap();
}

#[test]
fn a_waiting_client_is_told_at_once_and_outlives_a_killed_signer() {
    let mut served = Served::new();
    let mut alice_ = Person::enrolled(&served.desk.authority, "alice");
    alice_.log_in(&mut served.connect());
    let new =
        NewRequest { ask: ask("web-1", 600, false), by: Actor::Person(alice()), origin: None };
    let wait = |served: &Served, alice_: &Person| {
        let grant = served.desk.authority.request(&new).unwrap();
        let target = format!("/v1/grants/{}?wait=30&version={}", grant.id(), grant.version());
        let headers = alice_.headers("GET", &target, b"");
        let (address, pin) = (served.address, served.pin.clone());
        let waiting = std::thread::spawn(move || {
            let mut https = Https::connect(address, &pin).unwrap();
            let answer = https.ask("GET", &target, &headers, b"");
            (answer, Instant::now())
        });
        (grant, waiting)
    };
    let (grant, waiting) = wait(&served, &alice_);
    wait_until("it waits", || {
        get_as(&served, 0, "api.sock", "/metrics").contains("jit_waiting_clients 1")
    });
    approved(&served, grant.id());
    let decided = Instant::now();
    let (answer, told) = waiting.join().unwrap();
    assert_eq!((answer.status, &answer.json()["state"]), (200, &Value::from("denied")));
    assert!(told.duration_since(decided) < Duration::from_secs(2));

    let (grant, waiting) = wait(&served, &alice_);
    wait_until("it waits", || {
        get_as(&served, 0, "api.sock", "/metrics").contains("jit_waiting_clients 1")
    });
    served.signer.end_by(Signal::SIGKILL);
    std::thread::sleep(Duration::from_millis(1500));
    served.signer = served.run("signer");
    wait_until("the signer is back", || served.get("/healthz").status == 200);
    approved(&served, grant.id());
    let (answer, _) = waiting.join().unwrap();
    // Its proof is older than the server that it was made for: it is told to ask again, or answered.
    assert!(matches!(answer.status, 200 | 503), "{answer:?}");
    let again = alice_.ask(
        &mut served.connect(),
        "GET",
        &format!("/v1/grants/{}", grant.id()),
        &Value::Null,
    );
    assert_eq!(again.json()["state"], "denied");
}

#[test]
fn a_certificate_over_the_network_is_as_good_as_one_that_root_signs() {
    let served = Served::new();
    let mut person = Person::enrolled(&served.desk.authority, "alice");
    let mut https = served.connect();
    person.log_in(&mut https);
    let grant = served.desk.grant("web-1", 600, false);
    let answer = person.ask(&mut https, "POST", "/v1/certificates", &person.certify(grant.id()));
    assert_eq!(answer.status, 200, "{answer:?}");
    let line = answer.json()["certificate"].as_str().unwrap().to_owned();
    let certificate = Certificate::from_openssh(&line).unwrap();
    let issued = served.desk.authority.issued(certificate.serial()).unwrap().unwrap();
    assert_eq!(issued.grant, *grant.id());
    let file: PathBuf = served.desk.path("alice-cert.pub");
    std::fs::write(&file, line).unwrap();
    assert!(keygen(&["-L", "-f", file.to_str().unwrap()]).contains("deploy@web-1"));
    // The same request once more is a replay.
    let body = person.certify(grant.id()).to_string();
    let headers = person.headers("POST", "/v1/certificates", body.as_bytes());
    let mut send = || https.ask("POST", "/v1/certificates", &headers, body.as_bytes()).status;
    assert_eq!((send(), send()), (200, 401));
}

#[test]
fn what_runs_is_finished_and_those_who_wait_are_answered_when_the_signer_ends() {
    let mut served = Served::new();
    let mut person = Person::enrolled(&served.desk.authority, "alice");
    person.log_in(&mut served.connect());
    let grant = served.desk.grant("web-1", 600, false);
    let target = format!("/v1/grants/{}?wait=30&version={}", grant.id(), grant.version());
    let headers = person.headers("GET", &target, b"");
    let (address, pin) = (served.address, served.pin.clone());
    let waiting = std::thread::spawn(move || {
        Https::connect(address, &pin).unwrap().ask("GET", &target, &headers, b"").status
    });
    wait_until("it waits", || {
        get_as(&served, 0, "api.sock", "/metrics").contains("jit_waiting_clients 1")
    });
    assert!(served.signer.end(Signal::SIGTERM), "it ended with an error");
    assert_eq!(waiting.join().unwrap(), 200);
    served.signer = Daemon(None);
}

/// A small file system in memory, for as long as this lives.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        let mut builder = tempfile::Builder::new();
        builder.prefix("jit-disk.").permissions(PermissionsExt::from_mode(0o711));
        let disk = Disk(builder.tempdir_in("/run").unwrap());
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m,mode=0711", "none"]).arg(disk.0.path());
        assert!(mount.status().unwrap().success());
        disk
    }

    /// Leaves no room on it, until the file is removed.
    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        while file.write_all(&[7; 4096]).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_nobody_is_told_that_something_was_done() {
    let disk = Disk::new();
    let served = Served::below(disk.0.path().to_str().unwrap(), "rate = 100000\n");
    let mut person = Person::enrolled(&served.desk.authority, "alice");
    person.log_in(&mut served.connect());
    let grant = served.desk.grant("web-1", 600, false);
    let body = person.certify(grant.id());
    let (address, pin) = (served.address, served.pin.as_str());
    // Many at the same time, so that some are answered together.
    let certify = || -> Vec<u16> {
        std::thread::scope(|scope| {
            let ask = || {
                let mut https = Https::connect(address, pin).unwrap();
                person.ask(&mut https, "POST", "/v1/certificates", &body)
            };
            let asking: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|asked| asked.join().unwrap().status).collect()
        })
    };
    assert_eq!(certify(), [200; 12]);
    let filler = disk.fill();
    assert_eq!(certify(), [503; 12]);
    assert_eq!(served.get("/healthz").status, 200, "it goes on");
    std::fs::remove_file(filler).unwrap();
    assert_eq!(certify(), [200; 12]);
    let records = served.desk.authority.last_records(100).unwrap();
    assert_eq!(records.iter().filter(|r| r.action == "certificate.issue").count(), 24);
    served.desk.authority.verify_log().unwrap();
}

#[test]
fn what_was_acknowledged_is_on_record_however_often_the_signer_is_killed() {
    let mut served = Served::new();
    let mut person = Person::enrolled(&served.desk.authority, "alice");
    person.log_in(&mut served.connect());
    let grant = served.desk.grant("web-1", 600, false);
    let body = person.certify(grant.id());
    let (address, pin, over) = (served.address, served.pin.clone(), AtomicBool::new(false));
    let acknowledged: Vec<u64> = std::thread::scope(|scope| {
        let ask = || {
            let mut https = Https::connect(address, &pin).unwrap();
            let mut serials = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let answer = person.ask(&mut https, "POST", "/v1/certificates", &body);
                if answer.status == 200 {
                    let line = answer.json()["certificate"].as_str().unwrap().to_owned();
                    serials.push(Certificate::from_openssh(&line).unwrap().serial());
                }
            }
            serials
        };
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        for round in 0..6 {
            // What was signed in the second of its start, a signer asks for again.
            std::thread::sleep(Duration::from_millis(1500 + 61 * round));
            served.signer.end_by(Signal::SIGKILL);
            served.signer = served.run("signer");
        }
        std::thread::sleep(Duration::from_millis(1500));
        over.store(true, Ordering::Relaxed);
        asking.into_iter().flat_map(|asked| asked.join().unwrap()).collect()
    });
    let authority = &served.desk.authority;
    let on_record = |serial: &u64| authority.issued(*serial).unwrap().is_some();
    assert!(acknowledged.len() > 50, "too few to tell: {}", acknowledged.len());
    assert!(acknowledged.iter().all(on_record), "{acknowledged:?}");
    // Of one that was lost the next would have the serial number.
    let different: BTreeSet<_> = acknowledged.iter().collect();
    assert_eq!(different.len(), acknowledged.len(), "{acknowledged:?}");
    // Nothing half done: each certificate has its record.
    let records = authority.last_records(u32::MAX).unwrap();
    let issued = records.iter().filter(|record| record.action == "certificate.issue").count();
    assert_eq!((1..).take_while(on_record).count(), issued);
    authority.verify_log().unwrap();
}
