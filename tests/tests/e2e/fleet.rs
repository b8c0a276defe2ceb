//! A fleet: an authority that serves the network, a host that asks it, people on their own machines.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tests::error::{Result, ensure};
use tests::process::wait_until;
use tests::{Fleet, Outcome, Person, Release, Terminal, need};

on_both!(from_nothing_to_a_shell_and_out_again);

const CODE: &str = "Verification code: ";
/// By when a host of the fleet has heard what was decided, and acted on it.
const SOON: Duration = Duration::from_secs(6);
/// How long is waited for what need not be quick.
const PATIENCE: Duration = Duration::from_secs(30);

/// On one Debian, in the fleet of an authority on the other.
fn from_nothing_to_a_shell_and_out_again(release: Release) -> Result<()> {
    let fleet = Fleet::set_up(release)?;
    fleet.log_in()?;
    let id = fleet.approved(&[])?;

    // A code is asked for on the target, which the authority checks. The host's certificate says
    // which host it is: nobody is asked, and no key is known beforehand.
    let mut session = fleet.session()?;
    session.type_line("echo $(id -un) on $(hostname)")?;
    session.expect("alice on web-1")?;
    sessions(&fleet, "alice@web-1")?;
    // A certificate is not needed: an enrolled key and a code do as well.
    let wrong = fleet.alice.wrong_code()?;
    fleet.alice.ssh(&[&wrong], &["web-1", "true"])?.refused()?;
    fleet.alice.ssh(&[&fleet.alice.code()?], &["web-1", "id -un"])?.ok()?.says("alice")?;

    // sudo takes a grant that says so, and a code, which the authority checks as well.
    session.type_line("sudo id -u; echo ended $?")?;
    session.answer(CODE, &fleet.alice.recovery_code()?)?;
    session.expect("No active sudo grant for alice@web-1.")?;
    session.answer("Reason for access (empty to leave): ", "")?;
    session.expect("ended 1")?;
    let sudo = fleet.approved(&["--sudo"])?;
    fleet.in_step()?;
    as_root(&mut session, "sudo -k id -un", &fleet.alice.wrong_code()?)?;
    session.expect("Sorry, try again.")?;
    session.answer(CODE, &fleet.alice.recovery_code()?)?;
    session.expect("root")?;
    session.expect("ended 0")?;
    // Whoever came in that way says that the setup may stay.
    as_root(&mut session, "sudo -k jitctl setup --confirm", &fleet.alice.recovery_code()?)?;
    session.expect("Confirmed: it stays.")?;
    session.expect("ended 0")?;
    fleet
        .target
        .run("jitctl doctor")?
        .ok()?
        .says("sshd shows a certificate by which people know")?;

    // What is revoked on the authority is over on the target.
    fleet.jitctl(&["revoke", &sudo, "--reason", "over"])?.ok()?;
    fleet.in_step()?;
    as_root(&mut session, "sudo -k id -un", &fleet.alice.recovery_code()?)?;
    session.answer("Reason for access (empty to leave): ", "")?;
    session.expect("ended 1")?;
    fleet.jitctl(&["revoke", &id, "--reason", "over"])?.ok()?;
    session.end_within(SOON)?;
    sessions(&fleet, "Nobody is in.")?;
    fleet.alice.ssh(&[&fleet.alice.code()?], &["web-1", "true"])?.refused()?;
    Ok(())
}

/// What the authority soon says of the sessions on its hosts.
fn sessions(fleet: &Fleet, say: &str) -> Result<()> {
    let said = || fleet.jitctl(&["sessions"]).and_then(|outcome| outcome.says(say).map(drop));
    wait_until(say, PATIENCE, || said().is_ok()).map(drop)
}

fn as_root(session: &mut Terminal, line: &str, code: &str) -> Result<()> {
    session.type_line(&format!("{line}; echo ended $?"))?;
    session.answer(CODE, code).map(drop)
}

/// On the host, what proves a second factor: the certificate, too.
const BY_CERTIFICATE: &str = "cd /etc/jit && sed '/^.authority/,$ s/^#second_factor = .*/\
     second_factor = \"certificate\"/' jit.toml > new.toml && \
     jitctl doctor --config /etc/jit/new.toml && mv new.toml jit.toml && systemctl restart jit-link";

#[test]
fn plain_tools_get_in_as_the_ca_is_rotated_and_the_authority_goes_down() -> Result<()> {
    need::laptops()?;
    let fleet = Fleet::set_up(Release::Trixie)?;
    fleet.log_in()?;
    let id = fleet.approved(&[])?;
    a_wrong_word_is_found_before_it_locks_anybody_out(&fleet)?;
    fleet.target.must(BY_CERTIFICATE)?;
    plain_tools_get_in(&fleet)?;
    a_new_certificate_of_the_host_is_taken_up(&fleet)?;
    the_hosts_follow_a_rotation(&fleet)?;

    // Without the authority there is nobody who could check a code; a certificate needs none.
    fleet.alice.run("ssh web-1 true")?.ok()?;
    fleet.authority.must("systemctl stop ssh-ca-serve.socket ssh-ca-serve jit-signer")?;
    fleet.alice.run("ssh web-1 id -un")?.ok()?.says("alice")?;
    let plain = ["-o", "CertificateFile=none", "-F", "/dev/null", "-l", "alice", "-i"];
    let known = format!("UserKnownHostsFile={}/known_hosts", fleet.authority.dir.display());
    let key = fleet.alice.key().display().to_string();
    let line = [&plain[..], &[&key, "-o", &known, "web-1", "true"]].concat();
    fleet.alice.ssh(&[&fleet.alice.code()?], &line)?.refused()?;

    // Once it is back, what was revoked takes the connections that ansible keeps, too.
    fleet.authority.must("systemctl start jit-signer ssh-ca-serve")?;
    fleet.alice.run("ssh -f -N -M -S master -o ControlPersist=yes web-1")?.ok()?;
    fleet.alice.run("ssh -S master -O check web-1")?.ok()?;
    fleet.jitctl(&["revoke", &id, "--reason", "over"])?.ok()?;
    tests::process::wait_until("the master is gone", PATIENCE, || {
        fleet.alice.run("ssh -S master -O check web-1").is_ok_and(|said| said.code != 0)
    })?;
    fleet.alice.run("ssh -o BatchMode=yes web-1 true")?.refused().map(drop)
}

/// `second_factor` stands in two sections, with words of their own.
fn a_wrong_word_is_found_before_it_locks_anybody_out(fleet: &Fleet) -> Result<()> {
    let said = "second_factor of [factor] is \"required\" or \"none\"; \"ask\" and \"certificate\" \
                are words of [authority]";
    let host = &fleet.target;
    host.must(
        "cd /etc/jit && cp jit.toml good.toml && sed \
         's/^#second_factor = \"required\"/second_factor = \"certificate\"/' good.toml > bad.toml",
    )?;
    host.run("jitctl doctor --config /etc/jit/bad.toml")?.refused()?.says(said)?;
    host.must("jitctl doctor --config /etc/jit/good.toml")?;
    // In place it denies, and whoever looks is told.
    host.must("cp /etc/jit/bad.toml /etc/jit/jit.toml")?;
    fleet.alice.ssh(&[&fleet.alice.recovery_code()?], &["web-1", "true"])?.refused()?;
    host.run("jitctl doctor")?.refused()?.says(said)?;
    host.run("jitctl setup --yes")?.refused()?.says(said)?;
    host.must("cp /etc/jit/good.toml /etc/jit/jit.toml; rm /etc/jit/*d.toml")?;
    fleet.alice.ssh(&[&fleet.alice.recovery_code()?], &["web-1", "true"])?.ok().map(drop)
}

/// Ansible switches keyboard-interactive off, by which sshd asks PAM; what comes first counts.
const ANSIBLE: &str = "export ANSIBLE_SSH_ARGS='-o ControlMaster=auto -o ControlPersist=60s \
     -o KbdInteractiveAuthentication=yes -o PreferredAuthentications=publickey,keyboard-interactive'; \
     ansible web-1 -i web-1, -m ping";

/// By one Match block, without a question.
fn plain_tools_get_in(fleet: &Fleet) -> Result<()> {
    let alice = &fleet.alice;
    let own = std::fs::read_to_string(alice.home.join("ssh_config"))?;
    // As people have it, who keep their configuration elsewhere.
    alice
        .run("mkdir -m 700 .ssh && ln -s ../ssh_config .ssh/config && : > .ssh/known_hosts")?
        .ok()?;
    let configuration = own.replace("GlobalKnownHostsFile", "#GlobalKnownHostsFile");
    alice.configure_ssh(&configuration)?;
    alice
        .run("ssh -o BatchMode=yes web-1 true")?
        .refused()?
        .says("Host key verification failed")?;

    let write = || alice.jitctl("", &["ssh-config", "--hosts", "web-1", "--write"]);
    write()?.ok()?;
    let files = || alice.run("cat .ssh/config .ssh/known_hosts");
    let first = files()?.ok()?.stdout;
    ensure(first.starts_with(&configuration), || format!("what stood there is gone:\n{first}"))?;
    write()?.ok()?;
    ensure(files()?.stdout == first, || "a second time changes something".to_owned())?;

    for (line, says) in [
        ("ssh web-1 id -un", "alice"),
        ("echo sent > a && scp -q a web-1:b && ssh web-1 cat b", "sent"),
        ("mkdir d && mv a d && rsync -a d web-1: && rsync -a web-1:d/a c && cat c", "sent"),
        (
            "ssh web-1 'git init -q r && git -C r -c user.name=a -c user.email=a@a commit -q \
             --allow-empty -m first' && git clone -q web-1:r && git -C r log --format=%s",
            "first",
        ),
        ("ssh -tt web-1 tty", "/dev/pts/"),
        (ANSIBLE, "\"ping\": \"pong\""),
    ] {
        alice.run(line)?.ok()?.says(says)?;
    }
    Ok(())
}

/// OpenSSH 10 reads it once: something has to tell it.
fn a_new_certificate_of_the_host_is_taken_up(fleet: &Fleet) -> Result<()> {
    const FILE: &str = "/var/lib/jit/ssh_host_ed25519_key-cert.pub";
    let shown = || {
        let mut scan = fleet.target.outside("ssh-keyscan");
        let said = tests::run::run(scan.args(["-c", "-t", "ed25519", "web-1"]), "")?;
        Ok::<_, tests::Failed>(said.stdout)
    };
    let before = fleet.target.must(&format!("cut -d' ' -f2 {FILE}"))?;
    ensure(shown()?.contains(before.trim()), || "sshd shows no certificate".to_owned())?;
    fleet.target.must(&format!("rm {FILE}; systemctl restart jit-link"))?;
    fleet.target.wait_until("a new certificate", PATIENCE, &format!("test -e {FILE}"))?;
    let now = fleet.target.must(&format!("cut -d' ' -f2 {FILE}"))?;
    ensure(now != before, || "it is the old one".to_owned())?;
    tests::process::wait_until("sshd shows it", PATIENCE, || {
        shown().is_ok_and(|shown| shown.contains(now.trim()))
    })?;
    fleet.alice.run("ssh web-1 true")?.ok().map(drop)
}

/// Nobody comes by on the hosts.
fn the_hosts_follow_a_rotation(fleet: &Fleet) -> Result<()> {
    let certificate = |name: &str| -> Result<String> {
        let file = fleet.alice.home.join(name).display().to_string();
        fleet.alice.jitctl("", &["cert", "web-1", "--out", &file])?.ok()?;
        Ok(file)
    };
    // With that certificate, and no other.
    let known = format!("UserKnownHostsFile={}/known_hosts", fleet.authority.dir.display());
    let with = |file: &str| {
        let option = format!("CertificateFile={file}");
        let key = fleet.alice.key().display().to_string();
        let line = ["-F", "/dev/null", "-l", "alice", "-i", &key, "-o", &option, "-o", &known];
        fleet.alice.ssh(&[], &[&line[..], &["web-1", "id -un"]].concat())
    };
    let follows = |keys: usize| {
        let line = format!(
            "test $(wc -l < /var/lib/jit/user_ca.pub) = {keys} && \
             sshd -T | grep -q '^trustedusercakeys /var/lib/jit/user_ca.pub'"
        );
        fleet.target.wait_until("the host follows", PATIENCE, &line)
    };
    let first = certificate("first-cert.pub")?;
    with(&first)?.ok()?.says("alice")?;
    fleet.authority.must("ssh-ca rotate")?;
    follows(2)?;
    let second = certificate("second-cert.pub")?;
    for good in [&first, &second] {
        with(good)?.ok()?.says("alice")?;
    }
    // A key that leaked is worth nothing from now on; its certificates neither.
    fleet.authority.must("ssh-ca rotate --at-once")?;
    follows(1)?;
    for bad in [&first, &second] {
        with(bad)?.refused()?;
    }
    with(&certificate("third-cert.pub")?)?.ok()?.says("alice")?;
    fleet.target.run("jitctl doctor")?.ok()?.says("user_ca.pub holds the user CA key").map(drop)
}

#[test]
fn people_wait_out_an_outage_and_use_agents_hardware_keys_and_accounts() -> Result<()> {
    need::laptops()?;
    let fleet = Fleet::set_up(Release::Bookworm)?;
    fleet.log_in()?;
    who_waits_is_let_in_although_the_authority_was_killed(&fleet)?;
    programs_are_told_what_still_waits(&fleet)?;
    an_agent_gets_a_certificate_and_forgets_it(&fleet)?;
    hardware_keys_count_where_somebody_touched_them(&fleet)?;
    people_of_the_authoritys_machine_are_known_by_their_accounts(&fleet)
}

fn who_waits_is_let_in_although_the_authority_was_killed(fleet: &Fleet) -> Result<()> {
    let mut waiting =
        fleet.alice.terminal("jitctl ssh web-1 --for 30m --reason 'INC-2 the disk is full'")?;
    waiting.expect("Waiting for approval.")?;
    fleet.authority.must(
        "systemctl kill --signal=KILL jit-signer ssh-ca-serve && \
         systemctl stop ssh-ca-serve jit-signer",
    )?;
    std::thread::sleep(Duration::from_secs(3));
    ensure(waiting.is_running(), || waiting.screen())?;
    fleet.authority.must("systemctl start jit-signer ssh-ca-serve")?;
    let inbox = fleet.bob.jitctl("", &["inbox", "--json"])?.ok()?.json()?;
    let id = inbox.pointer("/0/id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
    fleet.bob.jitctl("", &["inbox"])?.ok()?.says(&id)?.says("INC-2 the disk is full")?;
    fleet.approve(&id)?;
    waiting.answer(CODE, &fleet.alice.recovery_code()?)?;
    waiting.expect("$ ")?;
    fleet.jitctl(&["revoke", &id, "--reason", "over"])?.ok()?;
    waiting.end_within(SOON).map(drop)
}

fn programs_are_told_what_still_waits(fleet: &Fleet) -> Result<()> {
    let asked = ["--for", "5m", "--reason", "INC-3", "--json", "--wait=1s"];
    let said = fleet.alice.jitctl("", &[&["ssh", "web-1"], &asked[..]].concat())?.code_is(3)?;
    said.says("\"event\":\"requested\"")?.says("\"event\":\"pending\"")?;
    let said = fleet.alice.jitctl("", &[&["request", "web-1"], &asked[..]].concat())?.code_is(3)?;
    let id = tests::site::id_of(&said)?;
    fleet.alice.jitctl("", &["cancel", &id])?.ok()?;
    // Whoever waits long enough is told.
    let mut waiting =
        fleet.alice.terminal("jitctl request web-1 --for 5m --reason INC-4 --wait; echo got $?")?;
    waiting.expect("bob or carol can approve")?;
    let inbox = || fleet.bob.jitctl("", &["inbox", "--json"])?.ok()?.json();
    let newest = |value: serde_json::Value| {
        let all = value.as_array().cloned().unwrap_or_default();
        let found = all.into_iter().find(|grant| grant["reason"] == "INC-4");
        found.and_then(|grant| Some(grant["id"].as_str()?.to_owned()))
    };
    let mut id = None;
    tests::process::wait_until("it is in the inbox", PATIENCE, || {
        id = inbox().ok().and_then(newest);
        id.is_some()
    })?;
    fleet.approve(&id.unwrap_or_default())?;
    waiting.expect("got 0")?;
    fleet.jitctl(&["revoke", "--all", "--reason", "over"])?.ok().map(drop)
}

/// An ssh agent on somebody's laptop, which takes hardware keys by libraries in their home.
struct Agent(Child, PathBuf);

impl Agent {
    fn start(person: &Person) -> Result<Self> {
        let socket = person.home.join("agent");
        let libraries = format!("{}/*", person.home.display());
        let mut agent = Command::new("ssh-agent");
        agent.arg("-D").arg("-a").arg(&socket).args(["-P", &libraries]).stdout(Stdio::null());
        let agent = Agent(agent.env_clear().spawn()?, socket);
        tests::process::wait_until("the agent listens", PATIENCE, || agent.1.exists())?;
        Ok(agent)
    }

    /// What programs know it by.
    fn variable(&self) -> String {
        format!("SSH_AUTH_SOCK={}", self.1.display())
    }

    /// Logs in with nothing but what it holds.
    fn logs_in(&self, fleet: &Fleet, person: &Person) -> Result<Outcome> {
        let option = format!("IdentityAgent={}", self.1.display());
        let known = format!("UserKnownHostsFile={}/known_hosts", fleet.authority.dir.display());
        let line = ["-F", "/dev/null", "-l", &person.name, "-o", &option, "-o", &known];
        person.ssh(&[&person.recovery_code()?], &[&line[..], &["web-1", "id -un"]].concat())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn an_agent_gets_a_certificate_and_forgets_it(fleet: &Fleet) -> Result<()> {
    let alice = &fleet.alice;
    let short = ["grant", "alice", "web-1", "--for", "25s", "--reason", "INC-5 tests"];
    fleet.jitctl(&short)?.ok()?;
    let agent = Agent::start(alice)?;
    let variable = agent.variable();
    alice.run(&format!("{variable} jitctl cert web-1"))?.ok()?.says("is in the ssh agent")?;
    let held = format!("{variable} ssh-add -l");
    alice.run(&held)?.ok()?.says("ED25519-CERT")?;
    agent.logs_in(fleet, alice)?.ok()?.says("alice")?;
    tests::process::wait_until("it is forgotten", PATIENCE, || {
        alice.run(&held).is_ok_and(|said| said.said("no identities"))
    })
    .map(drop)
}

/// Of her own, as OpenSSH knows them; the hardware is a program.
fn hardware_keys_count_where_somebody_touched_them(fleet: &Fleet) -> Result<()> {
    let library = fleet.authority.dir.join("people/dana/authenticator.so");
    let launcher = format!("env SSH_SK_PROVIDER={} {}", library.display(), fleet.target.way_in());
    let dana = fleet.person("dana", &launcher)?;
    let source = dana.home.join("authenticator.c");
    std::fs::write(&source, include_str!("../../src/testhost/authenticator.c"))?;
    let make = "cc -shared -fPIC -Wall -Wextra -Werror -DDIRECTORY=\"\\\"$PWD\\\"\" \
                -o authenticator.so authenticator.c -lcrypto";
    dana.run(make)?.ok()?;
    dana.run(
        "rm id_ed25519* && ssh-keygen -q -t ed25519-sk -w $PWD/authenticator.so -N '' -f id_ed25519 \
         && ssh-keygen -q -t ed25519-sk -O verify-required -w $PWD/authenticator.so -N '' -f id_pin",
    )?
    .ok()?;
    fleet.jitctl(&["user", "add", "dana", "--group", "dev", "--group", "leads"])?.ok()?;
    fleet.target.must("useradd --create-home --shell /bin/bash dana")?;

    // Nobody touches it, and it signs all the same.
    dana.run("touch absent")?.ok()?;
    let invitation = fleet.invitation("user", "dana")?;
    ensure(dana.join(&invitation).is_err(), || "joined without a touch".to_owned())?;
    dana.run("rm absent")?.ok()?;
    dana.join(&invitation)?;
    dana.run("touch absent")?.ok()?;
    dana.jitctl(&dana.recovery_code()?, &["login"])?.refused()?.says("the login is not right")?;
    dana.run("rm absent")?.ok()?;
    dana.jitctl(&dana.recovery_code()?, &["login"])?.ok()?;

    // A yes is signed by it, with a touch.
    let ask = ["request", "web-1", "--for", "30m", "--reason", "INC-7", "--json"];
    let id = tests::site::id_of(&fleet.alice.jitctl("", &ask)?.ok()?)?;
    dana.run("touch absent")?.ok()?;
    dana.jitctl("", &["approve", &id])?.refused()?;
    dana.run("rm absent")?.ok()?;
    dana.jitctl("", &["approve", &id])?.code_is(3)?;
    let shown = fleet.jitctl(&["show", &id, "--json"])?.ok()?.json()?;
    let proof = shown.pointer("/approvals/0/proved_by");
    ensure(proof == Some(&"signature".into()), || format!("{shown}"))?;
    fleet.alice.jitctl("", &["cancel", &id])?.ok()?;

    // And so are logins: with a certificate over it, and with the key alone.
    let id = tests::site::id_of(&dana.jitctl("", &ask)?.ok()?)?;
    fleet.approve(&id)?;
    fleet.in_step()?;
    let certificate = dana.home.join("sk-cert.pub").display().to_string();
    dana.jitctl("", &["cert", "web-1", "--out", &certificate])?.ok()?;
    let kind = "sk-ssh-ed25519-cert-v01@openssh.com user certificate";
    dana.run("ssh-keygen -L -f sk-cert.pub")?.ok()?.says(kind)?;
    let configuration = std::fs::read_to_string(dana.home.join("ssh_config"))?;
    let provider = format!("{configuration}    SecurityKeyProvider {}\n", library.display());
    dana.configure_ssh(&provider)?;
    let option = format!("CertificateFile={certificate}");
    let certificate = ["-o", &option, "web-1", "id -un"];
    for arguments in [&certificate[..], &certificate[2..]] {
        dana.run("touch absent")?.ok()?;
        dana.ssh(&[&dana.wrong_code()?], arguments)?.refused()?.does_not_say(CODE)?;
        dana.run("rm absent")?.ok()?;
        dana.ssh(&[&dana.recovery_code()?], arguments)?.ok()?.says("dana")?;
    }

    let agent = Agent::start(&dana)?;
    let add = format!("ssh-add -q -S {} id_ed25519", library.display());
    dana.run(&format!("{} {add}", agent.variable()))?.ok()?;
    agent.logs_in(fleet, &dana)?.ok()?.says("dana")?;

    // A key that wants its owner's PIN each time.
    let key = dana.home.join("id_pin");
    let public = std::fs::read_to_string(key.with_extension("pub"))?;
    std::fs::write(fleet.authority.root().join("root/pin.pub"), public)?;
    fleet.jitctl(&["user", "key", "dana", "--add", "/root/pin.pub"])?.ok()?;
    fleet.in_step()?;
    let key = format!("IdentityFile={}", key.display());
    let provider = format!("SecurityKeyProvider={}", library.display());
    let by_pin = ["-o", &key, "-o", &provider, "-F", "/dev/null", "-l", "dana"];
    let known = format!("UserKnownHostsFile={}/known_hosts", fleet.authority.dir.display());
    let by_pin = [&by_pin[..], &["-o", &known, "web-1", "id -un"]].concat();
    dana.ssh(&["0000", &dana.wrong_code()?], &by_pin)?.refused()?.does_not_say(CODE)?;
    dana.run("touch verified")?.ok()?;
    dana.ssh(&[&dana.recovery_code()?], &by_pin)?.ok()?.says("dana")?;
    fleet.jitctl(&["revoke", &id, "--reason", "over"])?.ok().map(drop)
}

/// By its socket, as people who are neither root nor have joined.
fn people_of_the_authoritys_machine_are_known_by_their_accounts(fleet: &Fleet) -> Result<()> {
    fleet.jitctl(&["user", "add", "erin", "--group", "dev"])?.ok()?;
    fleet.authority.must("for name in alice bob erin mallory; do useradd -m $name; done")?;
    let run = |account: &str, line: &str| {
        fleet.authority.run(&format!("runuser -u {account} -- {line} < /dev/null"))
    };
    let ask = "jitctl request web-1 --for 10m --reason INC-6 --json";
    let id = tests::site::id_of(&run("alice", ask)?.ok()?)?;
    run("alice", "jitctl list")?.ok()?.says(&id)?;
    run("alice", &format!("jitctl show {id}"))?.ok()?.says("INC-6")?;
    run("alice", "jitctl whoami")?.ok()?.says("alice")?;
    run("bob", "jitctl inbox")?.ok()?.says(&id)?;
    // Somebody else's is not shown, nor theirs to say anything of.
    run("erin", "jitctl list")?.ok()?.does_not_say(&id)?;
    for verb in ["show", "cancel", "approve"] {
        run("erin", &format!("jitctl {verb} {id}"))?.refused()?.does_not_say("INC-6")?;
    }
    run("erin", "jitctl inbox")?.ok()?.does_not_say(&id)?;
    run("erin", &format!("{ask} --as alice"))?.refused()?;
    // An account whose name is nobody's.
    run("mallory", "jitctl list")?.refused()?;
    // A yes takes more than an account: a code, or a signature.
    run("bob", &format!("jitctl approve {id}"))?.refused()?;
    run("alice", &format!("jitctl approve {id}"))?.refused()?;
    let shown = fleet.jitctl(&["show", &id, "--json"])?.ok()?.json()?;
    ensure(shown["state"] == "requested", || format!("{shown}"))?;
    let line =
        format!("echo {} | runuser -u bob -- jitctl approve {id}", fleet.bob.recovery_code()?);
    fleet.authority.run(&line)?.code_is(3)?;
    run("alice", &format!("jitctl cancel {id}"))?.ok().map(drop)
}
