//! `cargo xtask bench`: the module beside others, interleaved, a login's grant check with few and
//! with many grants, decisions by a large policy, and signing beside the bare signature. Machines differ and are noisy; the
//! ratios are what counts.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::error::{Context, Result, ensure};
use tests::run::run_within;
use tests::{Instance, Person, need, product};

/// People who log in in turn: a code is good once, so one person alone gives a figure each 30 s.
const PEOPLE: usize = 12;
/// How often each of them does.
const ROUNDS: usize = 6;

/// Measures and prints.
pub fn run() -> Result<()> {
    need::peers()?;
    let bench = Bench::start()?;
    bench.logins()?;
    bench.memory()?;
    module_size()?;
    grant_check()?;
    decisions()?;
    signing()?;
    serving()
}

/// The authority over the network: certificates per second, waiting, memory.
pub fn serving() -> Result<()> {
    println!("Served over the network:");
    let mut cargo = Command::new("cargo");
    cargo.args(["bench", "--quiet", "--locked", "-p", "ssh-ca", "--bench", "serve"]);
    said(cargo)
}

struct Bench {
    instance: Instance,
    people: Vec<Person>,
    google: String,
}

impl Bench {
    fn start() -> Result<Self> {
        let instance = Instance::start()?;
        let people: Vec<_> = (0..PEOPLE)
            .map(|n| Person::new(&instance.dir, &format!("p{n}")))
            .collect::<Result<_>>()?;
        for person in &people {
            let key = person.public_key().display().to_string();
            let add = ["user", "add", &person.name, "--group", "dev", "--key", &key];
            instance.jitctl(&add)?.ok()?;
            person.enrol(instance.command("jitctl"))?;
            instance.grant(person, &format!("{}@web-1", instance.deploy), &[])?;
        }
        let peak = instance.dir.join("sh/peak");
        let text =
            format!("#!/bin/sh\ngrep VmHWM /proc/$PPID/status > {}/peak\n", instance.dir.display());
        tests::ground::write_program(&peak, &text)?;
        let google = instance.dir.join("google").display().to_string();
        let bench = Self { instance, people, google };
        let module = bench.instance.module().display().to_string();
        let config = bench.instance.web().config.display().to_string();
        let ours = format!("{module} config={config}");
        bench.service("permit", "pam_permit.so", "pam_permit.so")?;
        let theirs = format!("pam_google_authenticator.so secret={} user=root", bench.google);
        bench.service("google", &theirs, "pam_permit.so")?;
        bench.service("jit", &ours, &ours)?;
        Ok(bench)
    }

    /// A pair of PAM services: the second one also notes the process's peak memory at the end.
    fn service(&self, name: &str, auth: &str, account: &str) -> Result<()> {
        let lines = format!("auth required {auth}\naccount required {account}\n");
        let peak = self.instance.dir.join("sh/peak");
        let noting = format!("{lines}account optional pam_exec.so quiet {}\n", peak.display());
        std::fs::write(self.path(name), lines)?;
        Ok(std::fs::write(self.path(&format!("{name}-peak")), noting)?)
    }

    fn path(&self, name: &str) -> String {
        format!("/etc/pam.d/jit-{}-{name}", self.instance.tag)
    }

    /// Runs both phases; returns how long they took. It waits without polling, whose grain would
    /// be as long as what is measured.
    fn pamtester(&self, service: &str, person: &Person, code: &str) -> Result<Duration> {
        let info = format!("SSH_AUTH_INFO_0={}", person.auth_info()?);
        let service = format!("jit-{}-{service}", self.instance.tag);
        let mut pamtester = Command::new("pamtester");
        pamtester.args(["-E", &info, "-I", "tty=ssh", "-I", "rhost=127.0.0.1", &service]);
        pamtester.args([&self.instance.deploy, "authenticate", "acct_mgmt"]);
        pamtester.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = pamtester.spawn().context("starting pamtester")?;
        let mut stdin = child.stdin.take().context("no stdin")?;
        // pam_permit asks for nothing and may have ended: then nobody reads, and all is well.
        let _ = stdin.write_all(format!("{code}\n").as_bytes());
        drop(stdin);
        let output = child.wait_with_output()?;
        let took = began.elapsed();
        ensure(output.status.success(), || {
            let said = String::from_utf8_lossy(&output.stdout);
            format!("{service} refused: {said}{}", String::from_utf8_lossy(&output.stderr))
        })?;
        Ok(took)
    }

    /// Gives google-authenticator a state in which the code was not used yet.
    fn reset_google(&self, secret: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let text = format!("{secret}\n\" RATE_LIMIT 3 30\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n");
        std::fs::write(&self.google, text)?;
        Ok(std::fs::set_permissions(&self.google, PermissionsExt::from_mode(0o400))?)
    }

    fn logins(&self) -> Result<()> {
        let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
        for _ in 0..ROUNDS {
            for person in &self.people {
                let code = person.code()?;
                let secret = person.with_app(|app| Ok(app.secret().to_owned()))?;
                self.reset_google(&secret)?;
                for service in ["permit", "google", "jit"] {
                    let took = self.pamtester(service, person, &code)?;
                    times.entry(service).or_default().push(took);
                }
            }
        }
        let permit = median(&times, "permit")?;
        println!("pamtester authenticate + acct_mgmt, median of {} each:", PEOPLE * ROUNDS);
        for (service, name) in [
            ("permit", "pam_permit"),
            ("google", "google-authenticator, reuse and rate limit on"),
            ("jit", "pam_jit"),
        ] {
            let took = median(&times, service)?;
            println!("  {name:48} {:6.2} ms  ratio {:.2}", took * 1e3, took / permit);
        }
        Ok(())
    }

    fn memory(&self) -> Result<()> {
        println!("Peak memory of the process after both phases:");
        let person = &self.people[0];
        let mut base = 0;
        for service in ["permit", "google", "jit"] {
            let code = person.code()?;
            let secret = person.with_app(|app| Ok(app.secret().to_owned()))?;
            self.reset_google(&secret)?;
            self.pamtester(&format!("{service}-peak"), person, &code)?;
            let text = std::fs::read_to_string(self.instance.dir.join("peak"))?;
            let kib = text.split_whitespace().nth(1).and_then(|word| word.parse::<i64>().ok());
            let kib = kib.context("no peak memory was noted")?;
            if service == "permit" {
                base = kib;
            }
            println!("  {service:10} {kib:6} KiB, {:+6} KiB", kib - base);
        }
        Ok(())
    }
}

fn median(times: &BTreeMap<&str, Vec<Duration>>, service: &str) -> Result<f64> {
    let mut sorted = times.get(service).context("nothing was measured")?.clone();
    sorted.sort();
    Ok(sorted[sorted.len() / 2].as_secs_f64())
}

fn module_size() -> Result<()> {
    let size = |path: &Path| std::fs::metadata(path).map(|data| data.len() / 1024);
    println!("Size of the module:");
    println!("  pam_jit.so {} KiB", size(&product::build()?.join("libpam_jit.so"))?);
    if let Some(path) = need::module_path("pam_google_authenticator.so") {
        println!("  pam_google_authenticator.so {} KiB", size(&path)?);
    }
    Ok(())
}

fn signing() -> Result<()> {
    println!("Certificates signed:");
    example("ssh-ca", "signing_rate")
}

fn grant_check() -> Result<()> {
    println!("Grants in the store:");
    example("jit-core", "grant_check")
}

fn decisions() -> Result<()> {
    println!("Decisions, 1,000 roles and 100,000 people:");
    example("jit-core", "decisions")
}

/// Runs an example that measures, and prints what it says.
fn example(package: &str, name: &str) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--release", "--locked", "-p", package]);
    cargo.args(["--example", name]);
    said(cargo)
}

fn said(mut cargo: Command) -> Result<()> {
    cargo.current_dir(product::workspace());
    let said = run_within(&mut cargo, "", Duration::from_secs(900))?;
    ensure(said.code == 0, || said.told())?;
    print!("{}", said.stdout);
    Ok(())
}
