//! The socket on which PAM and sshd's helper ask. Root's alone: a socket of mode 0600 in a directory
//! of mode 0700. One question and one answer for each connection.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use jit_core::authority::Authority;
use jit_core::grant::Phase;
use jit_core::link::{Answer, Asker, LONGEST_LINE, Question};
use jit_core::login::Standing;
use jit_core::name::Login;
use jit_core::{Error, Result};

use crate::{Office, Reach, Step};

/// How long a question may take to come in.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many are answered at a time; more are turned away, as by an authority out of reach.
const MOST: usize = 64;
/// For how long it is remembered who may ask for an account, in milliseconds: sshd asks for every
/// key that somebody offers, strangers included.
const REMEMBERED: u64 = 5_000;
/// For so many accounts.
const MOST_REMEMBERED: usize = 1_000;

/// What answers on the socket.
pub struct Door<'a> {
    /// Opens this host's own store, for each question anew.
    pub open: &'a (dyn Fn() -> Result<Authority> + Sync),
    /// The authority.
    pub office: &'a dyn Office,
    /// Whether it is in reach.
    pub reach: &'a Reach,
    known: Mutex<BTreeMap<Login, (u64, Vec<Asker>)>>,
    busy: AtomicUsize,
}

impl<'a> Door<'a> {
    /// One that nobody has come to.
    pub fn new(
        open: &'a (dyn Fn() -> Result<Authority> + Sync),
        office: &'a dyn Office,
        reach: &'a Reach,
    ) -> Self {
        Door { open, office, reach, known: Mutex::default(), busy: AtomicUsize::new(0) }
    }

    /// Listens on `path`, in place of whatever was there.
    ///
    /// # Errors
    /// Misconfigured when it can't be made.
    pub fn listen(path: &Path) -> Result<UnixListener> {
        let failed = |e: std::io::Error| {
            Error::misconfigured(format!("{} can't be made: {e}", path.display()))
        };
        // One that was left would only be in the way: another jit-link holds the lock.
        if path.symlink_metadata().is_ok() {
            std::fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).map_err(failed)?;
        Ok(listener)
    }

    /// Answers for ever.
    pub fn serve(&self, listener: &UnixListener) {
        thread::scope(|scope| {
            for stream in listener.incoming() {
                let Ok(stream) = stream else {
                    thread::sleep(Duration::from_millis(100));
                    continue;
                };
                if self.busy.fetch_add(1, Ordering::Relaxed) >= MOST {
                    self.busy.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                scope.spawn(move || {
                    // Whoever left before the answer does not want it.
                    let _ = self.converse(stream);
                    self.busy.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
    }

    /// Answers the next one, and comes back.
    pub fn serve_one(&self, listener: &UnixListener) {
        if let Ok((stream, _)) = listener.accept() {
            // Whoever left before the answer does not want it.
            let _ = self.converse(stream);
        }
    }

    fn converse(&self, mut stream: UnixStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = String::new();
        BufReader::new((&stream).take(LONGEST_LINE)).read_line(&mut line)?;
        let answer = serde_json::from_str(&line)
            .map_err(|e| Error::invalid(format!("the question can't be read: {e}")))
            .and_then(|question| self.answer(&question))
            .unwrap_or_else(|error| Answer::failed(&error));
        let mut text = serde_json::to_string(&answer)?;
        text.push('\n');
        stream.write_all(text.as_bytes())
    }

    /// Answers a question.
    ///
    /// # Errors
    /// Those of the authority; unavailable while it is out of reach.
    pub fn answer(&self, question: &Question) -> Result<Answer> {
        let here = (self.open)()?;
        let clock = here.clock();
        match question {
            Question::Refresh => {
                // Without it, a certificate is its own proof.
                self.reach.ask_if_there(clock, || Ok(()))?;
                self.step(here).map(|()| Answer::Fresh)
            }
            // These need the authority, whatever it takes.
            Question::Factor(code) => {
                self.reach.ask(clock, || self.office.factor(code)).map(Answer::Verdict)
            }
            Question::Request(filing) => {
                let filed = self.reach.ask(clock, || self.office.request(filing))?;
                self.standing(here, filed)
            }
            Question::Standing { id } => {
                let standing = self.reach.ask(clock, || self.office.standing(id))?;
                self.standing(here, standing)
            }
            Question::Askers { login } => self.askers(&here, login).map(Answer::Askers),
            Question::Offer(ask) => {
                self.reach.ask_if_there(clock, || self.office.offer(ask)).map(Answer::Offer)
            }
        }
    }

    /// Takes in what the authority says now.
    fn step(&self, here: Authority) -> Result<()> {
        Step::new(here, self.office, self.reach).once(Duration::ZERO).map(drop)
    }

    /// Where a request stands. Before somebody is told that they may come in, this host knows it.
    fn standing(&self, here: Authority, standing: Standing) -> Result<Answer> {
        if standing.phase == Phase::Active {
            self.step(here)?;
        }
        Ok(Answer::Standing(standing))
    }

    fn askers(&self, here: &Authority, login: &Login) -> Result<Vec<Asker>> {
        let clock = here.clock();
        let now = clock.boot()?.millis;
        if let Ok(known) = self.known.lock()
            && let Some((at, askers)) = known.get(login)
            && now.saturating_sub(*at) < REMEMBERED
        {
            return Ok(askers.clone());
        }
        let askers = self.reach.ask_if_there(clock, || self.office.askers(login))?;
        if let Ok(mut known) = self.known.lock() {
            known.retain(|_, (at, _)| now.saturating_sub(*at) < REMEMBERED);
            if known.len() < MOST_REMEMBERED {
                known.insert(login.clone(), (now, askers.clone()));
            }
        }
        Ok(askers)
    }
}
