//! The clerk: the one thread on which all is answered that may change something. The store takes one
//! writer at a time anyway; those who ask while it is busy are answered together.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use jit_api::{Office, Turn, Visit};
use jit_core::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::answer::Question;

/// How many are answered together at most.
const MOST: usize = 32;

/// The way to the clerk. It ends when this is dropped.
pub struct Clerk {
    line: Sender<Job>,
    thread: JoinHandle<()>,
}

struct Job {
    question: Arc<Question>,
    visit: Visit,
    turn: oneshot::Sender<(Turn, Visit)>,
}

impl Clerk {
    /// Puts one to work for those who ask in this runtime.
    ///
    /// # Errors
    /// Unavailable when the system gives no thread.
    pub fn new(office: Arc<Office>) -> Result<Self> {
        let (line, jobs) = channel();
        let runtime = Handle::current();
        let thread = std::thread::Builder::new()
            .name("clerk".to_owned())
            .spawn(move || work(&office, &jobs, &runtime))
            .map_err(|e| Error::unavailable(format!("no thread can be started: {e}")))?;
        Ok(Clerk { line, thread })
    }

    /// What the office says, once that is durable; nothing where the clerk has a bug.
    pub async fn ask(&self, question: Arc<Question>, visit: Visit) -> Option<(Turn, Visit)> {
        let (turn, answer) = oneshot::channel();
        self.line.send(Job { question, visit, turn }).ok()?;
        answer.await.ok()
    }

    /// Whether it is still there.
    pub fn works(&self) -> bool {
        !self.thread.is_finished()
    }
}

fn work(office: &Office, jobs: &Receiver<Job>, runtime: &Handle) {
    while let Ok(first) = jobs.recv() {
        let jobs = std::iter::once(first).chain(jobs.try_iter()).take(MOST);
        let (mut line, mut visits) = (Vec::new(), Vec::new());
        for Job { question, visit, turn } in jobs {
            line.push((question, turn));
            visits.push(visit);
        }
        let asked = line.iter().map(|(question, _)| question.asked());
        let mut asked: Vec<_> = asked.zip(visits).collect();
        let turns = office.answer_all(&mut asked);
        let visits: Vec<_> = asked.into_iter().map(|(_, visit)| visit).collect();
        // Over there, so that the runtime's thread is woken once for all of them.
        drop(runtime.spawn(async move {
            for ((_, turn), answer) in line.into_iter().zip(turns.into_iter().zip(visits)) {
                // Who has gone meanwhile is told nothing.
                let _ = turn.send(answer);
            }
        }));
    }
}
