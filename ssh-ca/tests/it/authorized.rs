//! `jit-authorized`, as sshd runs it.

use std::os::unix::net::UnixDatagram;

use jit_core::authority::RevokeWhich;
use jit_core::grant::Actor;
use jit_core::name::Reason;
use ssh_key::Certificate;

use crate::desk::{Desk, alice};
use crate::programs::Said;

struct Issued {
    desk: Desk,
    grant: jit_core::id::GrantId,
    key_id: String,
    serial: String,
}

fn issued() -> Issued {
    let desk = Desk::new();
    desk.ssh_ca(&["init"]).ok();
    let grant = desk.grant("web-1", 600, false).id().clone();
    desk.key("id", &[]);
    let line = ["sign", "--grant", grant.as_str(), "--key", "id.pub", "--out", "-"];
    let certificate = Certificate::from_openssh(desk.ssh_ca(&line).ok().out.trim()).unwrap();
    let (key_id, serial) = (certificate.key_id().to_owned(), certificate.serial().to_string());
    Issued { desk, grant, key_id, serial }
}

impl Issued {
    fn principals(&self, login: &str, key_id: &str, serial: &str) -> Said {
        self.desk.authorized(&["principals", login, key_id, serial])
    }
}

#[test]
fn principals_are_printed_while_the_grant_is_live() {
    let i = issued();
    let said = i.principals("deploy", &i.key_id, &i.serial).ok();
    assert_eq!((said.out.as_str(), said.err.as_str()), ("deploy@web-1\ndeploy@env=prod\n", ""));
    let which = RevokeWhich::Id(i.grant.clone());
    i.desk.authority.revoke(&which, &Actor::Root, &Reason::parse("over").unwrap()).unwrap();
    i.principals("deploy", &i.key_id, &i.serial).refused(1, "is revoked");
}

#[test]
fn a_certificate_that_was_never_issued_gets_no_principal() {
    let i = issued();
    i.principals("deploy", &i.key_id, "999").refused(1, "no certificate 999");
    let bobs = i.key_id.replace("alice", "bob");
    i.principals("deploy", &bobs, &i.serial).refused(1, "no certificate");
    i.principals("deploy", "root key", &i.serial).refused(2, "none of ours");
    i.principals("deploy", &format!("{}\n", i.key_id), &i.serial).refused(2, "none of ours");
    i.principals("-x", &i.key_id, &i.serial).refused(2, "no login");
    i.principals("deploy", &i.key_id, "0").refused(2, "serial number");
}

#[test]
fn keys_are_printed_while_there_is_cover() {
    let desk = Desk::new();
    let line = std::fs::read_to_string(desk.key("id", &["-t", "ecdsa"])).unwrap();
    desk.authority.add_key(&Actor::Root, &alice(), &line).unwrap();
    // alice may ask for deploy, so she gets as far as a prompt there; nobody does anywhere else.
    let blob = line.split(' ').nth(1).unwrap();
    let asked = desk.authorized(&["keys", "deploy"]).ok().out;
    assert_eq!(asked, format!("restrict,pty ecdsa-sha2-nistp256 {blob}\n"));
    assert_eq!(desk.authorized(&["keys", "root"]).ok().out, "");
    desk.authority.suspend(&Actor::Root, &alice(), true).unwrap();
    assert_eq!(desk.authorized(&["keys", "deploy"]).ok().out, "");
    desk.authorized(&["keys", "--help"]).refused(2, "no login");
}

#[test]
fn what_is_refused_or_broken_is_in_syslog_on_one_line() {
    let i = issued();
    let syslog = UnixDatagram::bind(i.desk.path("syslog")).unwrap();
    syslog.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let next = || {
        let mut buffer = [0; 4096];
        let read = syslog.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..read].to_vec()).unwrap()
    };
    i.principals("deploy", &i.key_id, "999").refused(1, "");
    let line = next();
    assert!(line.contains("jit-authorized") && line.contains("999"), "{line}");
    i.desk.authorized(&["keys", "root"]).ok();
    assert!(next().contains("root@web-1: nobody"));
    for name in ["state/jit.db-wal", "state/jit.db-shm"] {
        std::fs::remove_file(i.desk.path(name)).unwrap();
    }
    std::fs::write(i.desk.path("state/jit.db"), "this is no database, and never was one").unwrap();
    i.desk.authorized(&["keys", "deploy"]).refused(5, "");
    assert!(next().contains("jit.db"));
    std::fs::remove_file(i.desk.path("state/jit.db")).unwrap();
    i.desk.authorized(&["keys", "deploy"]).refused(5, "");
    assert!(!i.desk.path("state/jit.db").exists(), "a login makes no store");
}
