//! Changes that are made together.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::*;
use crate::store::Store;
use crate::syslog::Syslog;

/// A store that does what is done together, and then says that it did not.
struct Failing(Box<dyn Store>);

impl Store for Failing {
    fn begin(&self, mode: Mode) -> Result<Box<dyn Tx + '_>> {
        self.0.begin(mode)
    }
    fn together(&self, act: &mut dyn FnMut()) -> Result<()> {
        self.0.together(act)?;
        Err(Error::unavailable("the disk is full"))
    }
    fn change_marker(&self) -> Result<u64> {
        self.0.change_marker()
    }
    fn checkpoint(&self) -> Result<()> {
        self.0.checkpoint()
    }
    fn check(&self) -> Result<()> {
        self.0.check()
    }
    fn snapshot(&self, to: &Path) -> Result<()> {
        self.0.snapshot(to)
    }
}

#[test]
fn syslog_hears_of_what_was_done_together_once_it_is_durable() {
    let mut desk = Desk::new();
    let socket = desk.dir.path().join("syslog");
    let syslog = UnixDatagram::bind(&socket).unwrap();
    syslog.set_nonblocking(true).unwrap();
    desk.authority.syslog = Syslog::new("test", Some(socket));
    let heard = || -> Vec<String> {
        let mut line = [0; 8192];
        let next = || syslog.recv(&mut line).ok().map(|read| line[..read].to_vec());
        std::iter::from_fn(next).map(|line| String::from_utf8(line).unwrap()).collect()
    };
    let act = |desk: &Desk| {
        desk.authority.request(&new("alice", 600)).unwrap();
        desk.authority.request(&new("alice", 3601)).unwrap_err();
        assert_eq!(heard(), [""; 0], "nothing of it is durable yet");
    };
    let before = records(&desk).len();
    desk.authority.together(&mut || act(&desk)).unwrap();
    let told = heard();
    assert_eq!(told.len(), records(&desk).len() - before, "{told:?}");
    for outcome in ["done", "refused"] {
        let line = format!("outcome={outcome}");
        let is_it = |told: &&String| told.contains("action=grant.request") && told.contains(&line);
        assert_eq!(told.iter().filter(is_it).count(), 1, "{told:?}");
    }
    desk.authority.request(&new("alice", 600)).unwrap();
    assert_eq!(heard().len(), 1, "and at once of what is done by itself");
    desk.authority.store = Box::new(Failing(desk.again().store));
    desk.authority.together(&mut || act(&desk)).unwrap_err();
    assert_eq!(heard(), [""; 0], "and never of what was lost");
}
