//! Several transactions that are committed together.

use std::sync::{Arc, Barrier};

use super::{Open, event, person};
use crate::grant::testing::at;
use crate::store::{Mode, Store};

pub(super) fn what_is_done_together_is_seen_together_and_taken_back_alone(open: Open<'_>) {
    let (store, other) = (open(), open());
    let people = |store: &dyn Store| -> Vec<_> {
        let people = store.begin(Mode::Read).unwrap().people().unwrap();
        people.iter().map(|person| person.name.to_string()).collect()
    };
    let put = |name: &str| {
        let tx = store.begin(Mode::Write).unwrap();
        tx.put_person(&person(name)).unwrap();
        tx.append(&event(name), at(1)).unwrap();
        tx
    };
    let marker = other.change_marker().unwrap();
    store
        .together(&mut || {
            assert_eq!(people(store.as_ref()), [""; 0]);
            put("alice").commit().unwrap();
            drop(put("bob"));
            let within = store.together(&mut || put("carol").commit().unwrap());
            within.unwrap();
            assert_eq!(
                people(store.as_ref()),
                ["alice", "carol"],
                "as those who come later see it"
            );
            assert_eq!(people(other.as_ref()), [""; 0], "as others see it");
            assert_eq!(other.change_marker().unwrap(), marker);
            drop(put("dave"));
        })
        .unwrap();
    assert_ne!(other.change_marker().unwrap(), marker);
    assert_eq!(people(other.as_ref()), ["alice", "carol"]);
    let tx = other.begin(Mode::Read).unwrap();
    let objects: Vec<_> = tx.records(1, 10).unwrap().into_iter().map(|r| r.object).collect();
    assert_eq!(objects, ["alice", "carol"]);
    drop(tx);
    // Nothing written, nothing seen; and each by itself again.
    store.together(&mut || drop(put("eve"))).unwrap();
    store.together(&mut || assert_eq!(people(store.as_ref()).len(), 2)).unwrap();
    put("frank").commit().unwrap();
    assert_eq!(people(other.as_ref()), ["alice", "carol", "frank"]);
    other.check().unwrap();
}

pub(super) fn writers_who_do_several_things_together_lose_nothing(open: Open<'_>) {
    let start = Arc::new(Barrier::new(4));
    std::thread::scope(|scope| {
        for writer in 0..4_u64 {
            let (store, start) = (open(), start.clone());
            scope.spawn(move || {
                let add = |keep: bool| {
                    let tx = store.begin(Mode::Write).unwrap();
                    let mut factors = tx.factors("alice").unwrap().unwrap_or_default();
                    factors.consecutive += 1;
                    tx.put_factors("alice", &factors).unwrap();
                    tx.append(&event("one more"), at(1000)).unwrap();
                    if keep {
                        tx.commit().unwrap();
                    }
                };
                start.wait();
                for _ in 0..25 {
                    // Some do it together, others one by one.
                    match writer % 2 {
                        0 => store.together(&mut || (0..5).for_each(|i| add(i != 2))).unwrap(),
                        _ => (0..5).for_each(|i| add(i != 2)),
                    }
                }
            });
        }
    });
    let store = open();
    let tx = store.begin(Mode::Read).unwrap();
    assert_eq!(tx.factors("alice").unwrap().unwrap().consecutive, 4 * 25 * 4);
    let mut head = None;
    for record in tx.records(1, 1000).unwrap() {
        crate::audit::check_next(head.as_ref(), &record).unwrap();
        head = Some(record.head());
    }
    assert_eq!(head.map(|head| head.sequence), Some(4 * 25 * 4));
}
