//! `cargo xtask demo`: the whole story on one machine, with the real ssh, sshd and sudo. Each step
//! is checked; where reality differs from the story the demo fails and says where.

use crate::story::{Screen, administrator, command, remark, step, styled};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tests::error::{Context, Result, ensure};
use tests::process::{of_account, wait_until};
use tests::totp::Authenticator;
use tests::{Instance, Options, Person, ServerOptions, undo};

const CODE: &str = "Verification code: ";

/// Developers ask for web-1 only, so that web-2 shows what a certificate is not good for.
const POLICY: &str = r#"[[role]]
name = "developers"
members = ["@dev"]
hosts = ["web-1"]
logins = ["{person}", "deploy"]
sudo = true
max_duration = "1h"
approvals = [{ from = "@leads", count = 1 }]
"#;

/// Plays the story; leaves the instance running if `keep`.
pub fn play(keep: bool) -> Result<()> {
    let began = Instant::now();
    println!("Building, and setting up a throw-away instance …");
    let mut demo = Demo { instance: set_up()? };
    demo.second_host()?;
    demo.no_grant()?;
    let (mut session, first) = demo.request_at_the_prompt()?;
    demo.wrong_and_reused_code()?;
    demo.sudo(&mut session)?;
    demo.certificate(&first)?;
    demo.other_host()?;
    demo.revoke(session)?;
    demo.window_ends()?;
    demo.log()?;
    let took = began.elapsed().as_secs();
    let end = format!("The story held, every step of it, in {took} s.");
    println!("\n{}", styled("1", &end));
    if keep { demo.keep() } else { Ok(()) }
}

/// Ends the instance that was left running.
pub fn stop() -> Result<()> {
    tests::need::root()?;
    let kept = undo::kept();
    if kept.is_empty() {
        println!("No instance is running.");
    }
    for directory in kept {
        undo::undo(&directory)?;
        println!("Stopped and removed {}.", directory.display());
    }
    tests::instance::clear_leftovers()
}

fn set_up() -> Result<Instance> {
    let this = std::env::current_exe().context("looking for this program")?;
    Instance::with(Options {
        plain_names: true,
        policy: POLICY.to_owned(),
        collector: Some((this, vec!["collect-log".to_owned()])),
        narrate: Some(administrator),
        ..Options::default()
    })
}

struct Demo {
    instance: Instance,
}

impl Demo {
    fn second_host(&mut self) -> Result<()> {
        step(1, "A second host, so that there is one that nobody was granted");
        self.instance.jitctl(&["host", "add", "web-2"])?.ok()?;
        self.instance.add_server(&ServerOptions::host("web-2"))?;
        remark("Two sshd are up; ssh finds web-1 and web-2 on loopback ports.");
        self.new_phone()
    }

    /// The others were enrolled by a program; this is how it looks to a person.
    fn new_phone(&self) -> Result<()> {
        let carol = &self.instance.carol;
        remark("carol has a new phone:");
        self.instance.jitctl(&["mfa", "reset", "carol"])?.ok()?;
        let mut screen = Screen::root(&self.instance, "jitctl mfa enroll carol")?;
        let shown = screen.expect(CODE)?;
        ensure(shown.contains('▀'), || format!("no QR code is shown:\n{shown}"))?;
        let uri = shown.split_whitespace().find(|word| word.starts_with("otpauth://"));
        let uri = uri.context(format!("no otpauth address is shown:\n{shown}"))?;
        let mut app = Authenticator::from_uri(uri)?;
        screen.secret("", &app.enrolment_code()?)?;
        ensure(screen.end()? == 0, || format!("carol is not enrolled:\n{}", screen.text()))?;
        carol.holds(app, uri)
    }

    fn no_grant(&self) -> Result<()> {
        step(2, "No standing access: the right key and the right code, and no grant");
        let alice = &self.instance.alice;
        let mut screen = Screen::laptop(&self.instance, alice, "ssh web-1")?;
        screen.secret(CODE, &alice.code()?)?;
        screen.expect("No active grant for alice@web-1.")?;
        screen.answer("Reason for access (empty to leave): ", "")?;
        refused(&mut screen)
    }

    /// Returns the open session and its grant.
    fn request_at_the_prompt(&self) -> Result<(Screen, String)> {
        step(3, "Asking for access at the prompt; bob approves from another terminal");
        let Instance { alice, bob, .. } = &self.instance;
        let mut screen = Screen::laptop(&self.instance, alice, "ssh web-1")?;
        screen.secret(CODE, &alice.code()?)?;
        screen.answer("Reason for access (empty to leave): ", "INC-7 the disk is full")?;
        screen.answer("For how long? [", "")?;
        screen.expect("Request ")?;
        let id = screen.expect(" filed for alice@web-1")?;
        screen.expect("Waiting for approval. Press Enter to check again: ")?;
        println!();
        self.approve(bob, &id)?;
        screen.answer("", "")?;
        screen.expect(&format!("Grant {id}."))?;
        screen.answer("$ ", "id -un")?;
        screen.expect("alice")?;
        screen.expect("$ ")?;
        println!();
        remark("alice is in. The session stays open for the next steps.");
        self.instance.jitctl(&["sessions"])?.ok()?.says("alice")?;
        Ok((screen, id))
    }

    fn approve(&self, person: &Person, id: &str) -> Result<()> {
        let line = format!("jitctl approve {id} --as {}", person.name);
        let mut screen = Screen::root(&self.instance, &line)?;
        screen.secret(&format!("Verification code for {}: ", person.name), &person.code()?)?;
        let code = screen.end()?;
        ensure(code == 0, || format!("{line} ended with {code}:\n{}", screen.text()))
    }

    fn wrong_and_reused_code(&self) -> Result<()> {
        let alice = &self.instance.alice;
        let line = "ssh -o NumberOfPasswordPrompts=1 web-1";
        step(4, "The same grant, with a wrong code, then with the code that was used already");
        for code in [alice.wrong_code()?, alice.used_code()?] {
            let mut screen = Screen::laptop(&self.instance, alice, line)?;
            screen.secret(CODE, &code)?;
            screen.expect("Permission denied")?;
            refused(&mut screen)?;
        }
        Ok(())
    }

    fn sudo(&self, session: &mut Screen) -> Result<()> {
        let Instance { alice, carol, .. } = &self.instance;
        step(5, "sudo without a grant for it, in the session that is open");
        session.answer("", "sudo id")?;
        session.secret(CODE, &alice.recovery_code()?)?;
        session.expect("No active sudo grant for alice@web-1.")?;
        session.answer("Reason for access (empty to leave): ", "")?;
        session.expect("$ ")?;
        println!();
        step(6, "sudo with a grant for it");
        let asked = self.instance.jitctl(&[
            "request",
            "alice@web-1",
            "--as",
            "alice",
            "--for",
            "10m",
            "--sudo",
            "--reason",
            "INC-7 empty the log directory",
        ])?;
        ensure(asked.code == 0, || asked.told())?;
        let id = self.newest_pending()?;
        self.approve(carol, &id)?;
        remark("alice waits for the next code on her phone, up to 30 s.");
        let code = alice.code()?;
        session.answer("", "sudo id")?;
        session.secret(CODE, &code)?;
        session.expect("uid=0(root)")?;
        session.expect("$ ")?;
        println!();
        Ok(())
    }

    fn newest_pending(&self) -> Result<String> {
        let mut list = self.instance.command("jitctl");
        list.args(["list", "--state", "requested", "--json"]);
        let list = tests::run::run(&mut list, "")?.ok()?.json()?;
        let rows = list.as_array().or_else(|| list.get("grants")?.as_array());
        let newest = rows.and_then(|rows| rows.iter().find_map(|row| row.get("id")?.as_str()));
        Ok(newest.context("no request is pending")?.to_owned())
    }

    fn certificate(&self, grant: &str) -> Result<()> {
        step(7, "A certificate for exactly that window, as OpenSSH shows it, and a login with it");
        let Instance { alice, .. } = &self.instance;
        remark("Its key is a new one, enrolled nowhere: alone it opens nothing.");
        let key = alice.window_public_key().display().to_string();
        self.instance.ssh_ca(&["sign", "--grant", grant, "--key", &key])?.ok()?;
        let file = alice.certificate().display().to_string();
        command("alice@laptop$", &format!("ssh-keygen -L -f {file}"));
        let shown = tests::run::must("ssh-keygen", &["-L", "-f", &file])?;
        print!("{shown}");
        for text in [&format!("grant={grant}"), "alice@web-1", "permit-pty"] {
            ensure(shown.contains(text), || format!("the certificate does not show {text}"))?;
        }
        let before = self.instance.web().sshd_log().len();
        let line = "ssh -i ~/id_window web-1 'echo I am $(id -un)'";
        let mut screen = Screen::laptop(&self.instance, alice, line)?;
        screen.secret(CODE, &alice.recovery_code()?)?;
        screen.expect("I am alice")?;
        ensure(screen.end()? == 0, || "the login with the certificate failed".to_owned())?;
        let log = self.instance.web().sshd_log().split_off(before);
        let wanted = ["Partial publickey", "ED25519-CERT", &format!("grant={grant}")];
        let line = log.lines().find(|line| wanted.iter().all(|text| line.contains(text)));
        remark("sshd's own log says by what, and names the grant:");
        println!("{}", line.context(format!("sshd's log does not name {grant}:\n{log}"))?);
        Ok(())
    }

    fn other_host(&mut self) -> Result<()> {
        step(8, "The same certificate on a host of another name");
        let alice = &self.instance.alice;
        let mut screen = Screen::laptop(&self.instance, alice, "ssh -i ~/id_window web-2")?;
        screen.expect("Permission denied (publickey)")?;
        refused(&mut screen)?;
        let log = self.instance.server("web-2")?.sshd_log();
        let said = log.lines().find(|line| line.contains("an authorized principal"));
        remark("sshd on web-2 says why:");
        println!("{}", said.context(format!("web-2 refused for another reason:\n{log}"))?);
        Ok(())
    }

    fn revoke(&self, mut session: Screen) -> Result<()> {
        step(9, "Revoked: the session that is running dies");
        session.answer("", "(setsid nohup sleep 600 >/dev/null 2>&1 &); echo started")?;
        session.expect("\nstarted")?;
        session.expect("$ ")?;
        println!();
        self.instance
            .jitctl(&["revoke", "--user", "alice", "--reason", "the laptop is lost"])?
            .ok()?;
        let began = Instant::now();
        session.end_within(Duration::from_secs(10))?;
        self.gone("alice", Duration::from_secs(10))?;
        remark(&format!(
            "Every process of alice was gone {} ms after.",
            began.elapsed().as_millis()
        ));
        Ok(())
    }

    fn window_ends(&self) -> Result<()> {
        step(10, "A window of 20 seconds: session and background job end with it");
        let alice = &self.instance.alice;
        let code = alice.code()?;
        self.instance
            .jitctl(&[
                "grant",
                "alice",
                "alice@web-1",
                "--for",
                "20s",
                "--reason",
                "INC-8 a short look",
            ])?
            .ok()?;
        let began = Instant::now();
        let mut screen = Screen::laptop(&self.instance, alice, "ssh web-1")?;
        screen.secret(CODE, &code)?;
        screen.answer("$ ", "nohup sleep 300 > /dev/null 2>&1 &")?;
        screen.answer("$ ", "while :; do date +%T; sleep 4; done")?;
        screen.end_within(Duration::from_secs(30))?;
        self.gone("alice", Duration::from_secs(5))?;
        let lasted = began.elapsed().as_secs_f32();
        ensure((18.0..23.0).contains(&lasted), || {
            format!("the window was 20 s, but everything was gone after {lasted:.1} s")
        })?;
        remark(&format!("All of it was gone {lasted:.1} s after the grant."));
        Ok(())
    }

    fn gone(&self, account: &str, limit: Duration) -> Result<()> {
        wait_until(&format!("every process of {account} is gone"), limit, || {
            of_account(account).is_ok_and(|processes| processes.is_empty())
        })?;
        Ok(())
    }

    fn log(&self) -> Result<()> {
        step(11, "The log of it all");
        self.instance.jitctl(&["list"])?.ok()?;
        self.instance.jitctl(&["audit", "show"])?.ok()?.says("revoke")?;
        self.instance.jitctl(&["audit", "verify"])?.ok()?;
        Ok(())
    }

    fn keep(self) -> Result<()> {
        let file = self.write_instance_json()?;
        self.instance.keep()?;
        let d = self.instance.dir.display();
        println!(
            "
The instance is still running. To use it:

  as the administrator      {d}/sh/jitctl status
  a code for alice          oathtool --totp -b SECRET   (SECRET: see {d}/people/alice/otpauth-uri)
  as alice                  {d}/people/alice/sh/ssh web-1
  approve as bob            {d}/sh/jitctl approve ID --as bob
  what happened             {d}/sh/jitctl audit show; tail {d}/log/*
  for programs              {}
  end it                    cargo xtask demo --stop
",
            file.display()
        );
        Ok(())
    }

    fn write_instance_json(&self) -> Result<PathBuf> {
        let instance = &self.instance;
        let text = |path: &Path| path.display().to_string();
        let people: Vec<_> = [&instance.alice, &instance.bob, &instance.carol]
            .map(|person| {
                json!({
                    "name": person.name,
                    "logins": [person.name, instance.deploy],
                    "key_file": text(&person.key()),
                    "ssh_config": text(&person.home.join("ssh_config")),
                    "otpauth_uri": person.otpauth_uri(),
                })
            })
            .into();
        let hosts: Vec<_> = instance
            .servers
            .iter()
            .map(|server| {
                json!({
                    "name": server.host,
                    "address": "127.0.0.1",
                    "port": server.port,
                    "config": text(&server.config),
                    "pam_service": server.service,
                    "sshd_log": text(&server.log),
                    "jitd_log": text(&instance.dir.join(format!("log/jitd-{}.log", server.host))),
                })
            })
            .collect();
        let whole = json!({
            "directory": text(&instance.dir),
            "config": text(&instance.web().config),
            "port": instance.web().port,
            "programs": text(&instance.dir.join("bin")),
            "hosts": hosts,
            "people": people,
            "syslog": text(&instance.dir.join("log/syslog")),
            "logs": text(&instance.dir.join("log")),
            "stop": "cargo xtask demo --stop",
        });
        let file = instance.dir.join("instance.json");
        std::fs::write(&file, format!("{}\n", serde_json::to_string_pretty(&whole)?))?;
        Ok(file)
    }
}

fn refused(screen: &mut Screen) -> Result<()> {
    let code = screen.end()?;
    ensure(code == 255, || format!("ssh should have been refused, but ended with {code}"))
}
