//! The authority over the network, used by people from machines of their own.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::desk::said;
use crate::served::{Laptop, Served, until};

#[test]
fn two_people_on_their_own_machines_get_from_nothing_to_a_certificate() {
    let served = Served::new();
    let (alice, bob) = (served.joined("alice", ""), served.joined("bob", "correct horse"));
    alice.type_in(&["login"], "000000").code(1).says("the login is not right");
    alice.type_in(&["login"], &alice.codes[0]).code(0).says("alice is logged in to localhost");
    let token = alice.file(".local/state/jit/localhost/token");
    assert_eq!(std::fs::metadata(token).unwrap().permissions().mode() & 0o777, 0o600);
    alice.run(&["whoami"]).code(0).says("authority  localhost (https://localhost:");
    let ask = ["request", "deploy@web-1", "--for", "30m", "--reason", "INC-7", "--json"];
    let asked = alice.run(&ask).code(0).json();
    let id = asked["id"].as_str().unwrap();
    assert_eq!((&asked["state"], &asked["person"]), (&"requested".into(), &"alice".into()));
    // A certificate is for what is approved.
    let cert = |more: &[&str]| alice.run(&[&["cert", "deploy@web-1"], more].concat());
    cert(&["--quiet"]).code(1);
    cert(&["--out", "/nowhere"]).code(1).says("no access to deploy@web-1 now");
    alice.run(&["approve", id]).code(1);
    alice.run(&["inbox", "--as", "bob"]).code(1).says("you are alice there, not bob");

    // Bob's key is encrypted: his login makes one that proves what follows.
    let inbox = bob.type_in(&["inbox"], &bob.codes[0]).code(0).says("alice   deploy@web-1");
    inbox.says(&format!("Next: jitctl approve {id}\n"));
    assert!(bob.file(".local/state/jit/localhost/proof.pub").exists());
    bob.run(&["approve", id]).code(0).says("INC-7").says(&format!("{id} is active"));
    let shown = served.desk.run(&["show", id, "--json"]).code(0).json();
    assert_eq!(shown["approvals"][0]["proved_by"], "signature");
    assert_eq!(shown["requested_by"], "person:alice");

    let file = alice.file("deploy-cert.pub");
    cert(&["--out", file.to_str().unwrap()]).code(0).says("A certificate for deploy@web-1");
    let shown = Command::new("ssh-keygen").arg("-L").arg("-f").arg(&file).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("ssh-ed25519-cert-v01@openssh.com user certificate"), "{shown}");
    assert!(shown.contains(id), "{shown}");
    cert(&["--quiet"]).code(0);
    let kept = alice.file(".local/state/jit/localhost/certs/deploy@web-1-cert.pub");
    assert!(kept.exists());
    alice.run(&["revoke", id, "--reason", "done"]).code(0).says("1 grant revoked");
    cert(&["--quiet"]).code(1);
    assert!(!kept.exists(), "what is revoked is not offered any more");
    alice.run(&["logout"]).code(0);
    alice.run(&["list"]).code(1).says("no code was given");
}

#[test]
fn somebody_who_waits_is_told_although_the_server_was_killed_meanwhile() {
    let mut served = Served::new();
    let (alice, bob) = (served.joined("alice", ""), served.joined("bob", ""));
    alice.type_in(&["login"], &alice.codes[0]).code(0);
    bob.type_in(&["login"], &bob.codes[0]).code(0);
    let ask = ["request", "deploy@web-1", "--for", "30m", "--reason", "INC-7"];
    alice.run(&[&ask[..], &["--wait=1s"]].concat()).code(3);
    let waiting = alice.spawn(&[&ask[..], &["--wait=5m", "--json"]].concat());
    let inbox = || bob.run(&["inbox", "--json"]).code(0).json();
    until("both wait", || inbox().as_array().unwrap().len() == 2);
    let id = inbox()[0]["id"].as_str().unwrap().to_owned();
    served.kill();
    bob.run(&["inbox"]).code(5).says("can't be reached");
    served.start();
    bob.run(&["approve", &id]).code(0);
    assert_eq!(said(waiting, "").code(0).json()["id"], id.as_str());
}

#[test]
fn an_invitation_is_good_once_and_for_its_server_alone() {
    let served = Served::new();
    let text = served.invitation("alice");
    let laptop = Laptop::new("");
    let (head, _) = text.split_once("pin=").unwrap();
    let foreign = format!("{head}pin={}", "A".repeat(43));
    let join = |text: &str| said(laptop.command(&["join", text]).spawn().unwrap(), "");
    join(&foreign).code(1).says("its key is not the one that is pinned");
    join("jit://localhost/person/alice").code(2).says("it has no code");
    // Given up before the first code: nothing counts, and nothing is kept.
    join(&text).code(1).says("otpauth://totp/").says("no code was given");
    assert!(!laptop.file(".config/jit/client.toml").exists());
    let keys = served.desk.run(&["user", "key", "alice", "--list", "--json"]).code(0).json();
    assert_eq!(keys.as_array().unwrap().len(), 1);
}

/// An sshd of this test's own, on a port of its own, that takes certificates of this authority.
struct Sshd(Child, u16);

impl Sshd {
    fn new(served: &Served, laptop: &Laptop) -> Self {
        let file = |name: &str| laptop.file(name).display().to_string();
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &file("host")]);
        assert!(keygen.status().unwrap().success());
        let ca = served.ssh_ca(&["public-key"]).output().unwrap();
        assert!(ca.status.success(), "{}", String::from_utf8_lossy(&ca.stderr));
        std::fs::write(laptop.file("user-ca"), ca.stdout).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nUsePAM no\n\
             TrustedUserCAKeys {}\nAuthorizedKeysFile none\nAuthenticationMethods publickey\n\
             PermitRootLogin prohibit-password\nStrictModes no\n\
             AuthorizedPrincipalsFile {}\n",
            file("host"),
            file("user-ca"),
            file("principals")
        );
        std::fs::write(laptop.file("sshd_config"), config).unwrap();
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f", &file("sshd_config")]);
        let log = std::fs::File::create(laptop.file("sshd.log")).unwrap();
        std::fs::create_dir_all("/run/sshd").unwrap();
        let sshd = Sshd(sshd.stderr(log).spawn().unwrap(), port);
        until("sshd listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        sshd
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn plain_ssh_gets_in_through_ssh_config_while_there_is_access_and_jitctl_ssh_asks_for_it() {
    let served = Served::new();
    let policy = served.desk.file("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    let text = text.replace("logins = [\"looker\"]", "logins = [\"root\"]");
    std::fs::write(&policy, text).unwrap();
    let alice = served.joined("alice", "");
    alice.type_in(&["login"], &alice.codes[0]).code(0);
    let sshd = Sshd::new(&served, &alice);
    // What sshd lets in as root: this test's stand-in for jit-authorized.
    std::fs::write(alice.file("principals"), "root\nroot@web-1\nalice\njit:root@web-1\n").unwrap();
    // Where web-1 is, as a person's own configuration has it.
    let host = format!(
        "Host web-1\n  HostName 127.0.0.1\n  Port {}\n  StrictHostKeyChecking no\n  \
         UserKnownHostsFile {}\n  BatchMode yes\n",
        sshd.1,
        alice.file("known").display()
    );
    std::fs::write(alice.file(".ssh/config"), &host).unwrap();
    let write = || alice.run(&["ssh-config", "--hosts", "web-*", "--write"]).code(0);
    write().says("Next: ssh");
    let once = std::fs::read_to_string(alice.file(".ssh/config")).unwrap();
    assert!(once.starts_with(&host) && once.contains("Match originalhost web-* exec"), "{once}");
    write();
    assert_eq!(std::fs::read_to_string(alice.file(".ssh/config")).unwrap(), once);
    let known = std::fs::read_to_string(alice.file(".ssh/known_hosts")).unwrap();
    assert!(known.starts_with("@cert-authority web-* ssh-ed25519 "), "{known}");
    // What the server says is believed of the host CA that came with the invitation alone.
    let profile = alice.file(".config/jit/client.toml");
    let text = std::fs::read_to_string(&profile).unwrap();
    let ca = text.lines().find(|line| line.starts_with("ca = ")).unwrap();
    let other = format!("ca = \"SHA256:{}\"", "A".repeat(43));
    std::fs::write(&profile, text.replace(ca, &other)).unwrap();
    let refused = alice.run(&["ssh-config", "--hosts", "db-*", "--write"]);
    refused.code(5).says("names another host CA");
    assert_eq!(std::fs::read_to_string(alice.file(".ssh/known_hosts")).unwrap(), known);
    std::fs::write(&profile, text).unwrap();

    let config = alice.file(".ssh/config");
    let ssh = |arguments: &[&str]| {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&config).args(arguments).env_clear();
        ssh.env("HOME", alice.home.path()).env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        ssh.output().unwrap()
    };
    let without = ssh(&["root@web-1", "true"]);
    assert_eq!(without.status.code(), Some(255), "{without:?}");
    alice
        .run(&["request", "root@web-1", "--for", "5m", "--reason", "INC-7"])
        .code(0)
        .says("The policy approves it by itself");
    let with = ssh(&["root@web-1", "echo", "in"]);
    let log = || std::fs::read_to_string(alice.file("sshd.log")).unwrap();
    assert_eq!(String::from_utf8_lossy(&with.stdout), "in\n", "{with:?} {}", log());

    let all = ["revoke", "--all", "--reason", "over"];
    served.desk.run(&all).code(0);
    assert_eq!(ssh(&["root@web-1", "true"]).status.code(), Some(255), "{}", log());
    let config = config.to_str().unwrap();
    let mut typed = vec!["ssh", "root@web-1", "--", "-F", config, "echo", "in again"];
    alice.type_in(&typed, "INC-8\n5m\n").code(0).says("in again").says("For how long?");
    served.desk.run(&all).code(0);
    typed.splice(2..2, ["--for", "5m", "--reason", "INC-9"]);
    alice.run(&typed).code(0).says("in again").says("Access to web-1 as root until");
    // What waits is told as events, and ends with a code of its own.
    let asked =
        ["ssh", "deploy@web-1", "--for", "5m", "--reason", "INC-9", "--wait", "1s", "--json"];
    let said = alice.run(&asked).code(3);
    let events: Vec<Value> =
        said.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["requested", "pending"]);
    assert_eq!(events[1]["grant"]["state"], "requested");

    // While the authority is away, the last certificate goes on.
    let mut served = served;
    served.kill();
    let away = ssh(&["root@web-1", "echo", "in"]);
    assert_eq!(String::from_utf8_lossy(&away.stdout), "in\n", "{away:?} {}", log());
}

#[test]
fn a_certificate_goes_into_the_agent_which_forgets_it_at_the_end() {
    let served = Served::new();
    let alice = served.joined("alice", "");
    alice.type_in(&["login"], &alice.codes[0]).code(0);
    alice.run(&["request", "looker@web-1", "--for", "8s", "--reason", "INC-7"]).code(0);
    alice.run(&["cert", "looker@web-1"]).code(5).says("--out FILE");
    let socket = alice.file("agent");
    let mut agent = Command::new("ssh-agent");
    agent.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
    let mut agent = agent.spawn().unwrap();
    until("the agent listens", || socket.exists());
    let held = || {
        let mut list = Command::new("ssh-add");
        let output = list.arg("-L").env("SSH_AUTH_SOCK", &socket).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let mut cert = alice.command(&["--server", "localhost", "cert", "looker@web-1"]);
    let got = said(cert.env("SSH_AUTH_SOCK", &socket).spawn().unwrap(), "");
    let now = held();
    if got.code == 0 {
        until("it is forgotten", || !held().contains("ssh-ed25519"));
    }
    let _ = agent.kill();
    let _ = agent.wait();
    got.code(0).says("is in the ssh agent");
    assert!(now.contains("ssh-ed25519-cert-v01@openssh.com"), "{now}");
    let own = std::fs::read_to_string(alice.file(".ssh/id_ed25519.pub")).unwrap();
    assert!(!now.contains(own.split(' ').nth(1).unwrap()), "one's own key is not touched: {now}");
    let left = std::fs::read_dir(alice.file(".local/state/jit/localhost/certs")).unwrap();
    assert_eq!(left.count(), 0, "its private half is in the agent alone");
}
