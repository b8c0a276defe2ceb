//! A person of an instance: their laptop's directory, key, authenticator app and recovery codes.

use crate::error::{Context, Failed, Result, ensure};
use crate::ground::write_program;
use crate::run::{Outcome, run_within};
use crate::terminal::Terminal;
use crate::totp::Authenticator;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Somebody who asks for access, approves it, or both.
pub struct Person {
    /// Their name, which is also the name of their own login.
    pub name: String,
    /// What stands for their laptop: key, ssh configuration, programs on the path.
    pub home: PathBuf,
    instance: PathBuf,
    authenticator: Mutex<Option<Authenticator>>,
    recovery_codes: Mutex<Vec<String>>,
    answers: AtomicUsize,
}

/// Answers a prompt with the next line of a file, and keeps what was asked. That a hardware key waits
/// to be touched is said only.
const ASKPASS: &str = r#"#!/bin/sh
printf '%s\n' "$1" >> "$JIT_ANSWERS.asked"
[ "$SSH_ASKPASS_PROMPT" = none ] && exit
IFS= read -r answer < "$JIT_ANSWERS" || exit 1
sed -i 1d "$JIT_ANSWERS"
printf '%s\n' "$answer"
"#;

impl Person {
    /// Makes the laptop of `name`, with a new key.
    pub fn new(instance: &Path, name: &str) -> Result<Self> {
        let home = instance.join("people").join(name);
        std::fs::create_dir_all(home.join("sh"))?;
        let person = Self {
            name: name.to_owned(),
            home,
            instance: instance.to_owned(),
            authenticator: Mutex::default(),
            recovery_codes: Mutex::default(),
            answers: AtomicUsize::new(0),
        };
        for key in [person.key(), person.window_key()] {
            let comment = format!("{name}@laptop");
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", &comment, "-f"];
            let mut keygen = Command::new("ssh-keygen");
            crate::run::run(keygen.args(arguments).arg(key), "")?.ok()?;
        }
        write_program(&person.home.join("sh/askpass"), ASKPASS)?;
        person.goes_by("")?;
        Ok(person)
    }

    /// Has their ssh started by way of `launcher`, such as into another network namespace.
    pub fn goes_by(&self, launcher: &str) -> Result<()> {
        let home = self.home.display();
        for program in ["ssh", "scp", "sftp"] {
            let text = format!(
                "#!/bin/sh\nexec {launcher} /usr/bin/{program} -F {home}/ssh_config \"$@\"\n"
            );
            write_program(&self.home.join("sh").join(program), &text)?;
        }
        Ok(())
    }

    /// Runs ssh from their laptop without a terminal; `answers` are given to the prompts in turn,
    /// and the prompts are added to standard error.
    pub fn ssh(&self, answers: &[&str], arguments: &[&str]) -> Result<Outcome> {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        let file = self.home.join(format!("answers-{number}"));
        std::fs::write(&file, answers.iter().map(|a| format!("{a}\n")).collect::<String>())?;
        let mut ssh = Command::new(self.home.join("sh/ssh"));
        ssh.env_clear().envs(self.environment()).current_dir("/");
        ssh.env("SSH_ASKPASS", self.home.join("sh/askpass"));
        ssh.env("SSH_ASKPASS_REQUIRE", "force").env("JIT_ANSWERS", &file);
        ssh.args(["-o", "NumberOfPasswordPrompts=1"]).args(arguments);
        let mut outcome = run_within(&mut ssh, "", Duration::from_secs(90))?;
        let asked = self.home.join(format!("answers-{number}.asked"));
        outcome.stderr.push_str(&std::fs::read_to_string(asked).unwrap_or_default());
        Ok(outcome)
    }

    /// Runs a line of shell on their laptop, without a terminal.
    pub fn run(&self, line: &str) -> Result<Outcome> {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).env_clear().envs(self.environment()).current_dir(&self.home);
        let mut outcome = run_within(&mut shell, "", Duration::from_secs(90))?;
        outcome.command = format!("{}@laptop$ {line}", self.name);
        Ok(outcome)
    }

    /// A terminal on their laptop that runs `line`.
    pub fn terminal(&self, line: &str) -> Result<Terminal> {
        Terminal::open(Command::new("sh").envs(self.environment()), line)
    }

    /// An ssh session on a terminal, logged in with a recovery code and at its shell prompt.
    pub fn session(&self, target: &str) -> Result<Terminal> {
        let mut terminal = self.terminal(&format!("ssh {target}"))?;
        terminal.answer("Verification code: ", &self.recovery_code()?)?;
        terminal.expect("$ ")?;
        Ok(terminal)
    }

    fn environment(&self) -> Vec<(String, String)> {
        let home = self.home.display().to_string();
        let path = format!("{home}/sh:{}/sh", self.instance.display());
        crate::ground::environment(&self.instance, &home, &path)
    }

    /// Their private key file.
    pub fn key(&self) -> PathBuf {
        self.home.join("id_ed25519")
    }

    /// Their public key file.
    pub fn public_key(&self) -> PathBuf {
        self.home.join("id_ed25519.pub")
    }

    /// A key for certificates. It is enrolled nowhere, so that it logs in by its certificate or
    /// not at all: of a key that is enrolled, ssh offers the plain key first.
    pub fn window_key(&self) -> PathBuf {
        self.home.join("id_window")
    }

    /// Its public half.
    pub fn window_public_key(&self) -> PathBuf {
        self.home.join("id_window.pub")
    }

    /// Where ssh looks for the certificate of that key.
    pub fn certificate(&self) -> PathBuf {
        self.home.join("id_window-cert.pub")
    }

    /// Arguments with which ssh offers certificates and no plain key.
    pub fn certificate_only(&self) -> [String; 4] {
        let key = self.window_key().display().to_string();
        ["-i", &key, "-o", "PubkeyAcceptedAlgorithms=*-cert-v01@openssh.com"].map(str::to_owned)
    }

    /// Enrols an authenticator app with `jitctl mfa enroll --json`.
    pub fn enrol(&self, mut jitctl: Command) -> Result<()> {
        jitctl.args(["mfa", "enroll", &self.name, "--json"]);
        self.enrol_by(jitctl)
    }

    /// Joins an authority by an invitation, from their own machine, with `jitctl join --json`.
    pub fn join(&self, invitation: &str) -> Result<()> {
        let mut jitctl = self.own_jitctl();
        jitctl.args(["join", invitation, "--json", "--key"]).arg(self.key());
        self.enrol_by(jitctl)
    }

    /// Has them use `jitctl` of `programs` on their own machine, started by way of `launcher`.
    pub fn has_jitctl(&self, programs: &Path, launcher: &str) -> Result<()> {
        let text = format!("#!/bin/sh\nexec {launcher} {}/jitctl \"$@\"\n", programs.display());
        write_program(&self.home.join("sh/jitctl"), &text)
    }

    /// `jitctl` as they start it on their own machine, with arguments to be added.
    pub fn own_jitctl(&self) -> Command {
        let mut jitctl = Command::new(self.home.join("sh/jitctl"));
        jitctl.env_clear().envs(self.environment()).current_dir("/");
        jitctl
    }

    /// Runs `jitctl` on their own machine; `code` is what they type when one is asked for.
    pub fn jitctl(&self, code: &str, arguments: &[&str]) -> Result<Outcome> {
        let mut outcome = crate::run::run(self.own_jitctl().args(arguments), code)?;
        outcome.command = format!("{}@laptop$ jitctl {}", self.name, arguments.join(" "));
        Ok(outcome)
    }

    fn enrol_by(&self, mut jitctl: Command) -> Result<()> {
        let mut child = jitctl
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting jitctl")?;
        let mut said = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let told = |child: &mut std::process::Child, line: &str| {
            let mut errors = String::new();
            if let Some(stderr) = child.stderr.as_mut() {
                // The message is a help only: what was read of it is shown.
                let _ = stderr.read_to_string(&mut errors);
            }
            Failed::new(format!("jitctl said to {}:\n{line}{errors}", self.name))
        };
        let uri = serde_json::from_str::<serde_json::Value>(&line)
            .ok()
            .and_then(|value| Some(value.get("otpauth_uri")?.as_str()?.to_owned()));
        let Some(uri) = uri else { return Err(told(&mut child, &line)) };
        let mut authenticator = Authenticator::from_uri(&uri)?;
        let code = authenticator.enrolment_code()?;
        let mut stdin = child.stdin.take().context("no stdin")?;
        stdin.write_all(format!("{code}\n").as_bytes())?;
        drop(stdin);
        let mut rest = String::new();
        said.read_to_string(&mut rest)?;
        let status = child.wait()?;
        let codes = rest.lines().find_map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            let codes = value.get("recovery_codes")?.as_array()?;
            Some(codes.iter().filter_map(|code| Some(code.as_str()?.to_owned())).collect())
        });
        let Some(codes) = codes.filter(|_| status.success()) else {
            return Err(told(&mut child, &rest));
        };
        *self.recovery_codes.lock().map_err(poisoned)? = codes;
        self.holds(authenticator, &uri)
    }

    /// Gives them an authenticator app that was enrolled elsewhere.
    pub fn holds(&self, authenticator: Authenticator, uri: &str) -> Result<()> {
        std::fs::write(self.home.join("otpauth-uri"), format!("{uri}\n"))?;
        *self.authenticator.lock().map_err(poisoned)? = Some(authenticator);
        Ok(())
    }

    /// Gives them new recovery codes, with `jitctl mfa codes --json`.
    pub fn new_recovery_codes(&self, mut jitctl: Command) -> Result<()> {
        jitctl.args(["mfa", "codes", &self.name, "--json"]);
        let said = crate::run::run(&mut jitctl, "")?.ok()?.json()?;
        let codes = said.get("recovery_codes").and_then(|codes| codes.as_array());
        let codes = codes.context("no recovery codes in the answer")?;
        let codes = codes.iter().filter_map(|code| Some(code.as_str()?.to_owned())).collect();
        *self.recovery_codes.lock().map_err(poisoned)? = codes;
        Ok(())
    }

    /// The URI their authenticator app was given.
    pub fn otpauth_uri(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.home.join("otpauth-uri")).ok()?;
        Some(text.trim().to_owned())
    }

    /// Forgets the app, as somebody does who lost the phone.
    pub fn lose_phone(&self) -> Result<()> {
        *self.authenticator.lock().map_err(poisoned)? = None;
        Ok(())
    }

    /// A one-time code never given before; may wait for the next step.
    pub fn code(&self) -> Result<String> {
        self.with_app(Authenticator::fresh_code)
    }

    /// The code given last: a replay.
    pub fn used_code(&self) -> Result<String> {
        self.with_app(|app| app.used_code())
    }

    /// Six digits that are not right now, nor soon.
    pub fn wrong_code(&self) -> Result<String> {
        self.with_app(|app| app.wrong_code())
    }

    /// A recovery code never given before: a second factor without any wait.
    pub fn recovery_code(&self) -> Result<String> {
        let mut codes = self.recovery_codes.lock().map_err(poisoned)?;
        codes.pop().context(format!("{} has no recovery code left", self.name))
    }

    /// Uses `work` on their authenticator app.
    pub fn with_app<T>(&self, work: impl FnOnce(&mut Authenticator) -> Result<T>) -> Result<T> {
        let mut app = self.authenticator.lock().map_err(poisoned)?;
        work(app.as_mut().context(format!("{} has no authenticator app", self.name))?)
    }

    /// What `SSH_AUTH_INFO_0` holds after they showed their plain key.
    pub fn auth_info(&self) -> Result<String> {
        let public = std::fs::read_to_string(self.public_key())?;
        let words: Vec<_> = public.split(' ').take(2).collect();
        ensure(words.len() == 2, || format!("no public key: {public}"))?;
        Ok(format!("publickey {}\n", words.join(" ")))
    }

    /// Writes their ssh configuration: `lines` are one block a host.
    pub fn configure_ssh(&self, lines: &str) -> Result<()> {
        Ok(std::fs::write(self.home.join("ssh_config"), lines)?)
    }
}

fn poisoned<T>(_: T) -> Failed {
    Failed::new("another thread failed while it used this person")
}
