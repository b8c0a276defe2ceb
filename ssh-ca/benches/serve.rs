//! The authority over the network, as it is run: certificates a second of wall time and of the
//! server's processor time, front and signer together, each durably on record and over HTTPS with
//! keep-alive; how soon a waiting client is told; memory. Every request is proved anew, as by a real
//! client. Run as root: `cargo xtask bench --serve`.

// Measuring is what clocks are for; nothing is decided here.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic, dead_code)]

#[path = "../tests/it/desk.rs"]
mod desk;
#[path = "../tests/it/https.rs"]
mod https;
#[path = "../tests/it/person.rs"]
mod person;
#[path = "../tests/it/programs.rs"]
mod programs;
#[path = "../tests/it/served.rs"]
mod served;

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use jit_core::grant::{Actor, Grant, NAMESPACE};
use jit_core::id::GrantId;
use jit_core::name::PersonName;
use serde_json::json;

use self::https::Https;
use self::person::Person;
use self::served::{Daemon, Served};

/// Certificates of each run.
const CERTIFICATES: usize = 6000;
/// Runs of each number of clients; the median counts.
const RUNS: usize = 3;
/// Waits of which the median and the worst are told.
const WAITS: usize = 30;
/// Clients that wait at the same time.
const WAITING: usize = 200;

fn main() {
    // On a disk: what is not durable costs nothing.
    let served = Served::below("/var/lib", "rate = 1000000\nconnections_per_address = 4096\n");
    let name = PersonName::parse("bob").unwrap();
    let groups = BTreeSet::new();
    served.desk.authority.add_person(&Actor::Root, &name, &groups, &[]).unwrap();
    let mut alice = Person::enrolled(&served.desk.authority, "alice");
    let mut bob = Person::enrolled(&served.desk.authority, "bob");
    let mut https = served.connect();
    alice.log_in(&mut https);
    bob.log_in(&mut https);
    let idle = memory(&served);
    println!("Resident memory, idle: front {} KiB, signer {} KiB", idle.0, idle.1);

    let grant = served.desk.grant("web-1", 3600, true);
    certificates(&served, &alice, grant.id(), 1, CERTIFICATES / 10);
    println!("Certificates over HTTPS with keep-alive, on record, {CERTIFICATES} a run:");
    for clients in [1, 4, 16] {
        let mut runs: Vec<_> = (0..RUNS)
            .map(|_| certificates(&served, &alice, grant.id(), clients, CERTIFICATES))
            .collect();
        runs.sort_by(|a, b| a.per_cpu().total_cmp(&b.per_cpu()));
        let run = &runs[RUNS / 2];
        let made = run.made as f64;
        println!(
            "  {clients:2} clients: {:6.0}/s, {:6.0} per server CPU-second \
             (front {:3.0} us, signer {:3.0} us each)",
            made / run.wall.as_secs_f64(),
            run.per_cpu(),
            run.front / made * 1e6,
            run.signer / made * 1e6,
        );
    }
    let approved = approved(&mut served.connect(), &alice, &bob);
    let run = certificates(&served, &alice, approved.id(), 16, CERTIFICATES);
    println!(
        "  16 clients: {:6.0}/s, {:6.0} per server CPU-second, of a grant by a signed approval",
        run.made as f64 / run.wall.as_secs_f64(),
        run.per_cpu(),
    );
    let loaded = memory(&served);
    println!("Resident memory, after that: front {} KiB, signer {} KiB", loaded.0, loaded.1);
    latency(&served, &alice, &bob);
    waiting(&served, &alice, grant.id(), grant.version());
}

struct Run {
    made: usize,
    wall: Duration,
    front: f64,
    signer: f64,
}

impl Run {
    fn per_cpu(&self) -> f64 {
        self.made as f64 / (self.front + self.signer)
    }
}

/// So many certificates by so many clients, each with a connection of its own.
fn certificates(
    served: &Served,
    person: &Person,
    grant: &GrantId,
    clients: usize,
    count: usize,
) -> Run {
    let body = person.certify(grant).to_string();
    let each = count / clients;
    let ready = Barrier::new(clients + 1);
    let (address, pin) = (served.address, served.pin.as_str());
    let (began, before) = std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut https = Https::connect(address, pin).unwrap();
                // Signed beforehand: what the client does is not what is measured.
                let headers: Vec<_> = (0..each)
                    .map(|_| person.headers("POST", "/v1/certificates", body.as_bytes()))
                    .collect();
                assert_eq!(https.get("/healthz").status, 200);
                ready.wait();
                for headers in headers {
                    let answer = https.ask("POST", "/v1/certificates", &headers, body.as_bytes());
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
        ready.wait();
        (Instant::now(), processor(served))
    });
    let (wall, after) = (began.elapsed(), processor(served));
    Run { made: each * clients, wall, front: after.0 - before.0, signer: after.1 - before.1 }
}

/// alice's request, undecided.
fn requested(https: &mut Https, alice: &Person) -> Grant {
    let ask = json!({
        "login": "deploy", "place": "web-1", "duration": 3600, "reason": "INC-1 bench",
    });
    let filed = alice.ask(https, "POST", "/v1/requests", &ask);
    assert_eq!(filed.status, 200, "{filed:?}");
    serde_json::from_value(filed.json()["grant"].clone()).unwrap()
}

/// bob's signed yes.
fn approve(https: &mut Https, bob: &Person, grant: &Grant) {
    let yes = json!({
        "digest": grant.digest(None).unwrap(),
        "evidence": { "signature": bob.sign(NAMESPACE, &grant.canonical(None).unwrap()) },
    });
    let path = format!("/v1/grants/{}/approve", grant.id());
    let approved = bob.ask(https, "POST", &path, &yes);
    assert_eq!(approved.status, 200, "{approved:?}");
}

/// alice's, with bob's yes.
fn approved(https: &mut Https, alice: &Person, bob: &Person) -> Grant {
    let grant = requested(https, alice);
    approve(https, bob, &grant);
    grant
}

/// From the moment an approval is acknowledged to the one at which the requester has heard of it.
fn latency(served: &Served, alice: &Person, bob: &Person) {
    let mut https = served.connect();
    let mut took = Vec::new();
    for _ in 0..WAITS {
        let grant = requested(&mut https, alice);
        let target = format!("/v1/grants/{}?wait=30&version={}", grant.id(), grant.version());
        let headers = alice.headers("GET", &target, b"");
        let mut other = served.connect();
        let heard = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let answer = other.ask("GET", &target, &headers, b"");
                assert_eq!(answer.status, 200, "{answer:?}");
                Instant::now()
            });
            std::thread::sleep(Duration::from_millis(200));
            let said = Instant::now();
            approve(&mut https, bob, &grant);
            waiting.join().unwrap().duration_since(said)
        });
        took.push(heard);
    }
    took.sort();
    println!(
        "From sending the approval to a waiting client told: median {:.1} ms, worst {:.1} ms",
        took[WAITS / 2].as_secs_f64() * 1e3,
        took[WAITS - 1].as_secs_f64() * 1e3,
    );
}

/// What clients that wait cost while nothing happens.
fn waiting(served: &Served, alice: &Person, grant: &GrantId, version: u64) {
    let target = format!("/v1/grants/{grant}?wait=20&version={version}");
    let mut open: Vec<Https> = (0..WAITING).map(|_| served.connect()).collect();
    for https in &mut open {
        let headers = alice.headers("GET", &target, b"");
        https
            .send(format!("GET {target} HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes())
            .unwrap();
    }
    std::thread::sleep(Duration::from_secs(2));
    let before = processor(served);
    std::thread::sleep(Duration::from_secs(5));
    let after = processor(served);
    let spent = (after.0 - before.0) + (after.1 - before.1);
    let (front, signer) = memory(served);
    println!(
        "With {WAITING} clients waiting: front {front} KiB, signer {signer} KiB, {:.1} % of a core",
        spent / 5.0 * 100.0
    );
}

/// Seconds of processor time of front and signer.
fn processor(served: &Served) -> (f64, f64) {
    let of = |daemon: &Daemon| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // utime and stime, in hundredths (proc_pid_stat(5)).
        let ticks = |n: usize| fields[n].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    };
    (of(&served.front), of(&served.signer))
}

/// KiB resident, of front and signer.
fn memory(served: &Served) -> (u64, u64) {
    let of = |daemon: &Daemon| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    (of(&served.front), of(&served.signer))
}
