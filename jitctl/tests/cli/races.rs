//! Decisions that are typed at the same moment, by real processes: one of them is so, whoever was
//! later is told what happened, and the log has both.

use std::io::Write;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::desk::{Desk, Said};
use crate::enrolment::enrol;
use crate::recovery::{codes, state};

/// Commands that ask for a code, started and left at their prompts.
struct Waiting(Vec<(Child, String)>);

impl Waiting {
    fn at(desk: &Desk, lines: &[(&[&str], &str)]) -> Self {
        let started = lines
            .iter()
            .map(|(line, code)| (desk.command(line).spawn().unwrap(), format!("{code}\n")));
        let waiting = Waiting(started.collect());
        // What is asked first, whether it could be done at all, is answered by then.
        std::thread::sleep(Duration::from_millis(400));
        waiting
    }

    /// Types all the codes at once.
    fn go(self) -> Vec<Said> {
        let mut children = self.0;
        for (child, code) in &mut children {
            child.stdin.take().unwrap().write_all(code.as_bytes()).unwrap();
        }
        let said = |(child, _): (Child, String)| {
            let output = child.wait_with_output().unwrap();
            Said {
                code: output.status.code().expect("ended by a signal"),
                out: String::from_utf8(output.stdout).unwrap(),
                err: String::from_utf8(output.stderr).unwrap(),
            }
        };
        children.into_iter().map(said).collect()
    }
}

/// How often the log has this of a grant, with this outcome.
fn on_log(desk: &Desk, action: &str, id: &str, outcome: &str) -> usize {
    let log = desk.run(&["audit", "show", "--limit", "1000", "--json"]).code(0).json();
    let fits = |record: &&serde_json::Value| {
        record["action"] == action && record["object"] == id && record["outcome"] == outcome
    };
    log.as_array().unwrap().iter().filter(fits).count()
}

/// bob's yes against another verb of somebody's; what the loser reads if the yes was first, and if
/// it was not.
struct Pair {
    verb: &'static [&'static str],
    by: &'static str,
    action: &'static str,
    becomes: &'static str,
    too_late: &'static str,
    yes_too_late: &'static str,
}

#[test]
fn of_two_decisions_at_once_one_is_so_and_the_other_is_told() {
    let desk = Desk::new();
    for name in ["alice", "bob", "carol"] {
        enrol(&desk, name);
    }
    let pairs = [
        Pair {
            verb: &["approve"],
            by: "carol",
            action: "grant.approve",
            becomes: "active",
            too_late: "is active and can't be approved",
            yes_too_late: "is active and can't be approved",
        },
        Pair {
            verb: &["deny"],
            by: "carol",
            action: "grant.deny",
            becomes: "denied",
            too_late: "is active and can't be denied",
            yes_too_late: "is denied and can't be approved",
        },
        Pair {
            verb: &["cancel"],
            by: "alice",
            action: "grant.cancel",
            becomes: "cancelled",
            too_late: "is active and can't be cancelled",
            yes_too_late: "is cancelled and can't be approved",
        },
        Pair {
            verb: &["edit", "--for", "20m"],
            by: "alice",
            action: "grant.edit",
            becomes: "requested",
            too_late: "is active and can't be edited",
            yes_too_late: "is not what bob said yes to any more",
        },
    ];
    for Pair { verb, by, action, becomes, too_late, yes_too_late } in pairs {
        let (bobs, others) = (codes(&desk, "bob"), codes(&desk, by));
        for round in 0..4 {
            let id = desk.request("deploy@web-1");
            let other = [&[verb[0], &id, "--as", by], &verb[1..]].concat();
            let racers: [(&[&str], &str); 2] =
                [(&["approve", &id, "--as", "bob"], &bobs[round]), (&other, &others[round])];
            let mut said = Waiting::at(&desk, &racers).go();
            let (other, yes) = (said.remove(1), said.remove(0));
            let at = format!("{verb:?}, round {round}: {yes:#?} {other:#?}");
            assert_eq!((yes.code == 0, other.code == 0), (other.code == 1, yes.code == 1), "{at}");
            let (winner, loser) = if yes.code == 0 { (yes, other) } else { (other, yes) };
            let (lasts, told) = if winner.out.contains("is active") && loser.err.contains(too_late)
            {
                ("active", too_late)
            } else {
                (becomes, yes_too_late)
            };
            assert_eq!(state(&desk, &id), lasts, "{at}");
            loser.says(told).says(&format!("jitctl show {id}"));
            let counts = |outcome| {
                let others =
                    if action == "grant.approve" { 0 } else { on_log(&desk, action, &id, outcome) };
                on_log(&desk, "grant.approve", &id, outcome) + others
            };
            assert_eq!((counts("done"), counts("refused")), (1, 1), "{at}");
            if lasts == "requested" {
                desk.run(&["cancel", &id]).code(0);
            }
        }
    }
    desk.run(&["audit", "verify"]).code(0);
}

#[test]
#[allow(clippy::disallowed_methods)] // real processes take real time
fn a_yes_at_the_end_of_the_waiting_counts_or_is_told_that_it_lapsed() {
    let desk = Desk::new();
    enrol(&desk, "bob");
    let text = std::fs::read_to_string(desk.file("jit.toml")).unwrap();
    let short = text.replace("#expires = \"1h\"", "expires = \"2s\"");
    assert_ne!(short, text);
    std::fs::write(desk.file("jit.toml"), short).unwrap();
    let bobs = codes(&desk, "bob");
    let (mut in_time, mut lapsed) = (0, 0);
    // Two before the end, two after it, and three about it, which may go either way.
    for (code, millis) in bobs.iter().zip([600, 900, 1900, 1990, 2080, 3000, 3200]) {
        let began = Instant::now();
        let id = desk.request("deploy@web-1");
        let racer: [(&[&str], &str); 1] = [(&["approve", &id, "--as", "bob"], code)];
        let waiting = Waiting::at(&desk, &racer);
        std::thread::sleep(Duration::from_millis(millis).saturating_sub(began.elapsed()));
        let said = waiting.go().remove(0);
        if said.code == 0 {
            assert_eq!(state(&desk, &id), "active");
            in_time += 1;
        } else {
            said.code(1).says(&format!("{id} is lapsed and can't be approved"));
            assert_eq!(state(&desk, &id), "lapsed");
            assert_eq!(on_log(&desk, "grant.approve", &id, "refused"), 1);
            lapsed += 1;
        }
    }
    assert!(in_time >= 1 && lapsed >= 2, "{in_time} in time, {lapsed} lapsed");
}
