//! The clerk: the one thread on which all is answered that may change something. The store takes one
//! writer at a time anyway; those who ask while it is busy are answered together.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use jit_api::{Office, Turn};
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
    may_wait: bool,
    turn: oneshot::Sender<Turn>,
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
    pub async fn ask(&self, question: Arc<Question>, may_wait: bool) -> Option<Turn> {
        let (turn, answer) = oneshot::channel();
        self.line.send(Job { question, may_wait, turn }).ok()?;
        answer.await.ok()
    }

    /// Whether it is still there.
    pub fn works(&self) -> bool {
        !self.thread.is_finished()
    }
}

fn work(office: &Office, jobs: &Receiver<Job>, runtime: &Handle) {
    while let Ok(first) = jobs.recv() {
        let jobs: Vec<_> = std::iter::once(first).chain(jobs.try_iter()).take(MOST).collect();
        let asked: Vec<_> = jobs.iter().map(|job| (job.question.asked(), job.may_wait)).collect();
        let turns = office.answer_all(&asked);
        drop(asked);
        // Over there, so that the runtime's thread is woken once for all of them.
        drop(runtime.spawn(async move {
            for (job, turn) in jobs.into_iter().zip(turns) {
                // Who has gone meanwhile is told nothing.
                let _ = job.turn.send(turn);
            }
        }));
    }
}
