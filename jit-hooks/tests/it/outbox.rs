//! Nothing is lost, whatever happens to the service.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::ground::{Ground, wait_until};
use crate::receiver::{Receiver, Reply, status};

#[test]
fn killed_between_sending_and_writing_it_down_it_sends_it_again() {
    let first = Arc::new(AtomicBool::new(true));
    let hang = first.clone();
    // The receiver has it all, and the service dies before it hears so.
    let receiver = Receiver::start(move |n| match n {
        1 if hang.load(Ordering::SeqCst) => Reply::Silence(Duration::from_secs(30)),
        _ => status("200 OK"),
    });
    let mut ground = Ground::new();
    ground.pager(&receiver.url(), "timeout = '30s'");
    ground.start();
    let told = ground.event("INC-1 one");
    ground.wait_told("pager", &told);
    ground.event("INC-1 two");
    receiver.wait(2);
    ground.kill();
    first.store(false, Ordering::SeqCst);
    ground.event("INC-1 three, while nobody runs");
    ground.start();
    let last = ground.event("INC-1 four");
    ground.wait_told("pager", &last);
    let sent = receiver.sent();
    let reasons: Vec<_> = sent.iter().map(|one| one.reason()).collect();
    assert_eq!(
        reasons,
        ["INC-1 one", "INC-1 two", "INC-1 two", "INC-1 three, while nobody runs", "INC-1 four"]
    );
    assert_eq!(sent[1].header("Jit-Delivery"), sent[2].header("Jit-Delivery"));
}

#[test]
fn killed_again_and_again_it_loses_nothing_and_keeps_the_order() {
    let receiver = Receiver::start(|_| status("200 OK"));
    let mut ground = Ground::new();
    ground.pager(&receiver.url(), "");
    ground.start();
    let mut last = None;
    for round in 0..8 {
        for number in 0..5 {
            last = Some(ground.event(&format!("INC-1 {}", round * 5 + number)));
        }
        std::thread::sleep(Duration::from_millis(37 * round));
        ground.kill();
        ground.start();
    }
    ground.wait_told("pager", &last.unwrap());
    let mut numbers: Vec<u64> = receiver
        .sent()
        .iter()
        .map(|one| one.reason().trim_start_matches("INC-1 ").parse().unwrap())
        .collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    numbers.dedup();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
}

#[test]
fn the_file_is_read_anew_when_it_changes_and_stays_in_force_when_it_is_wrong() {
    let (one, other) =
        (Receiver::start(|_| status("200 OK")), Receiver::start(|_| status("200 OK")));
    let mut ground = Ground::new();
    ground.pager(&one.url(), "");
    ground.start();
    ground.pager(&one.url(), "retrys = 3");
    wait_until("it says so", || ground.service_log().contains("`retrys` is no key"));
    let record = ground.event("INC-1 to the one");
    ground.wait_told("pager", &record);
    ground.pager(&other.url(), "");
    wait_until("it reads it", || ground.service_log().matches("serves 1 hooks").count() == 2);
    ground.event("INC-1 to the other");
    assert_eq!(other.wait(1)[0].reason(), "INC-1 to the other");
    assert_eq!(one.sent().len(), 1);
    ground.hooks("");
    wait_until("it is taken out", || ground.authority.standings().unwrap().is_empty());
    assert_eq!(ground.authority.last_records(1).unwrap()[0].action, "hook.stop");
}

#[test]
fn two_services_do_not_run_at_once() {
    let mut ground = Ground::new();
    ground.hooks("[[command]]\nname = 'x'\nrun = ['/bin/true']\nevents = ['*']\n");
    ground.start();
    let (code, said) = ground.run(&[]);
    assert!(code == 5 && said.contains("another jit-hooks runs"), "{code} {said}");
}

#[test]
fn a_log_that_was_cut_off_is_noticed() {
    let receiver = Receiver::start(|_| status("200 OK"));
    let mut ground = Ground::new();
    ground.pager(&receiver.url(), "");
    ground.start();
    let record = ground.event("INC-1 x");
    ground.wait_told("pager", &record);
    let database: &Path = &ground.file("state/jit.db");
    let cut = "delete from audit where sequence > 1";
    rusqlite::Connection::open(database).unwrap().execute_batch(cut).unwrap();
    wait_until("it says so", || ground.service_log().contains("the audit log ends at record 1"));
}

#[test]
fn a_place_in_the_log_that_somebody_edited_skips_nothing_and_is_noticed() {
    let receiver = Receiver::start(|_| status("200 OK"));
    let mut ground = Ground::new();
    ground.pager(&receiver.url(), "");
    ground.start();
    let record = ground.event("INC-1 one");
    ground.wait_told("pager", &record);
    ground.kill();
    let store = rusqlite::Connection::open(ground.file("state/jit.db")).unwrap();
    let body = || store.query_row("SELECT body FROM hook", [], |row| row.get::<_, String>(0));
    let before = body().unwrap();
    store.execute("UPDATE hook SET body = json_set(body, '$.after', 999)", []).unwrap();
    ground.event("INC-1 two, which nobody should hear of");
    ground.start_anyhow();
    let named = "the stored hook pager was damaged or edited by hand";
    wait_until("it says so", || ground.service_log().contains(named));
    assert_eq!(receiver.sent().len(), 1);
    assert_eq!(ground.authority.check_store().unwrap_err().what(), named);
    // Put right, all goes on where it was.
    store.execute("UPDATE hook SET body = ?1", [before]).unwrap();
    ground.kill();
    ground.start();
    assert_eq!(receiver.wait(2)[1].reason(), "INC-1 two, which nobody should hear of");
}
