//! Where a transaction begins and ends: by itself, or as a part of several that are committed
//! together, each of which can still be taken back alone.

use std::cell::RefCell;
use std::ops::Deref;

use rusqlite::Connection;

use super::failed;
use crate::error::{Error, Result};
use crate::store::Mode;

/// A transaction, or a part of one. What is dropped without commit is taken back.
pub(super) struct Scope<'a> {
    connection: &'a Connection,
    kind: Kind,
    over: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Reading,
    Writing,
    /// Of a writing transaction that is open.
    Part,
    /// A look at what is not committed yet, by those who are committed with it.
    Look,
}

impl<'a> Scope<'a> {
    pub(super) fn read(connection: &'a Connection) -> Result<Self> {
        Scope::begin(connection, Kind::Reading, "BEGIN DEFERRED")
    }

    pub(super) fn write(connection: &'a Connection) -> Result<Self> {
        Scope::begin(connection, Kind::Writing, "BEGIN IMMEDIATE")
    }

    fn begin(connection: &'a Connection, kind: Kind, sql: &str) -> Result<Self> {
        run(connection, sql)?;
        Ok(Scope { connection, kind, over: false })
    }

    pub(super) fn commit(mut self) -> Result<()> {
        match self.kind {
            Kind::Reading | Kind::Writing => run(self.connection, "COMMIT")?,
            Kind::Part => run(self.connection, "RELEASE part")?,
            Kind::Look => {}
        }
        self.over = true;
        Ok(())
    }
}

impl Deref for Scope<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        // Some errors take the whole transaction back by themselves.
        if self.over || self.connection.is_autocommit() {
            return;
        }
        let back = |sql: &str| run(self.connection, sql);
        let done = match self.kind {
            Kind::Reading | Kind::Writing => back("ROLLBACK"),
            Kind::Part => back("ROLLBACK TO part").and_then(|()| back("RELEASE part")),
            Kind::Look => Ok(()),
        };
        if done.is_err() {
            // What can't be taken back alone is taken back with all the rest.
            let _ = back("ROLLBACK");
        }
    }
}

/// Several writing transactions of one connection that are committed together.
#[derive(Default)]
pub(super) struct Together(RefCell<State>);

#[derive(Default)]
enum State {
    /// Each is committed by itself.
    #[default]
    Apart,
    /// None of those to be committed together has begun to write.
    Idle,
    /// The first has, so the store is locked until the last is done.
    Writing,
    /// The store can't be locked; the others don't wait for it once more.
    Locked(Error),
}

impl Together {
    /// A transaction, within those to be committed together if that is on.
    pub(super) fn begin<'a>(&self, connection: &'a Connection, mode: Mode) -> Result<Scope<'a>> {
        let mut state = self.0.borrow_mut();
        match (&*state, mode) {
            (State::Apart, Mode::Write) => return Scope::write(connection),
            (State::Apart | State::Idle | State::Locked(_), Mode::Read) => {
                return Scope::read(connection);
            }
            (State::Locked(error), Mode::Write) => return Err(error.clone()),
            (State::Idle, Mode::Write) => {
                if let Err(error) = run(connection, "BEGIN IMMEDIATE") {
                    *state = State::Locked(error.clone());
                    return Err(error);
                }
                *state = State::Writing;
            }
            (State::Writing, _) if connection.is_autocommit() => return Err(lost()),
            (State::Writing, Mode::Read) => {
                return Ok(Scope { connection, kind: Kind::Look, over: false });
            }
            (State::Writing, Mode::Write) => {}
        }
        Scope::begin(connection, Kind::Part, "SAVEPOINT part")
    }

    /// Runs `act` with this on, and commits what was done in it; within another one it is part of that.
    pub(super) fn run(&self, connection: &Connection, act: &mut dyn FnMut()) -> Result<()> {
        let within = !matches!(*self.0.borrow(), State::Apart);
        if within {
            act();
            return Ok(());
        }
        self.0.replace(State::Idle);
        act();
        match self.0.take() {
            State::Writing if connection.is_autocommit() => Err(lost()),
            State::Writing => {
                // Taken back when it fails.
                Scope { connection, kind: Kind::Writing, over: false }.commit()
            }
            State::Apart | State::Idle | State::Locked(_) => Ok(()),
        }
    }
}

fn run(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql).and_then(|mut s| s.execute([])).map(drop).map_err(failed)
}

fn lost() -> Error {
    Error::unavailable("the store failed, and what was to be written at the same time is lost")
        .next("Try again; df -h says whether there is room.")
}
