//! How long the check of a login takes with 1,000 and with 1,000,000 grants in the store, and their
//! ratio: what a person did before, and what others do, must not make their logins slower. In the
//! processor's time, so that the disk and other programs do not count; medians. Run as root with
//! `--release`, with room for 2 GB in /var/lib; `--json` prints for programs.

// Measuring is what clocks are for; nothing is decided here.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jit_core::authority::Authority;
use jit_core::config::Config;
use jit_core::grant::{Action, Actor, Ask, Grant, Terms, Way};
use jit_core::id::GrantId;
use jit_core::login::{Attempt, Entry, Identity, LoginService};
use jit_core::name::{HostName, Login, PersonName, Place, Reason};
use jit_core::seal::Vault;
use jit_core::store::sqlite::{Opener, SqliteStore};
use jit_core::store::{Mode, Store};
use jit_core::time::{Span, Timestamp};
use jit_core::{Error, Result};
use nix::time::{ClockId, clock_gettime};
use serde_json::json;

const FEW: u32 = 1_000;
const MANY: u32 = 1_000_000;
/// Between whom the grants are spread; alice is one of them.
const PEOPLE: u32 = 1_000;
/// One in so many is alive.
const ALIVE: u32 = 100;
const CHECKS: usize = 200;
/// How many grants are added in one transaction.
const BATCH: u32 = 10_000;

fn main() -> Result<()> {
    let few = measure(FEW)?;
    let many = measure(MANY)?;
    let ratio = many / few;
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", json!({ "few_us": few, "many_us": many, "ratio": ratio }));
    } else {
        println!("a login's grant check, processor time, median of {CHECKS}:");
        println!("  with {FEW} grants in the store      {few:8.0} us");
        println!("  with {MANY} grants in the store   {many:8.0} us");
        println!("  ratio                               {ratio:8.2}");
    }
    Ok(())
}

/// Microseconds of the processor for a check with `grants` in the store.
fn measure(grants: u32) -> Result<f64> {
    let dir = tempfile::Builder::new()
        .prefix("jit-bench.")
        .permissions(PermissionsExt::from_mode(0o700))
        .tempdir_in("/var/lib")
        .map_err(|e| Error::unavailable(format!("no directory in /var/lib: {e}")))?;
    let config = configuration(dir.path())?;
    fill(&config, grants)?;
    let authority = Authority::open(config, "bench", Opener::Login)?;
    let who = Identity { person: PersonName::parse("p0")?, by: "the bench".into(), session: None };
    let attempt = Attempt {
        pid: 1,
        action: Action::Login,
        login: Login::parse("deploy")?,
        service: "bench".into(),
        rhost: None,
        tty: None,
    };
    let mut times = Vec::new();
    for _ in 0..CHECKS {
        let before = processor_us()?;
        let entry = authority.may_enter(&who, &attempt)?;
        times.push(processor_us()? - before);
        if !matches!(entry, Entry::Granted(_)) {
            return Err(Error::refused("the check refused a live grant"));
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[CHECKS / 2])
}

fn processor_us() -> Result<f64> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_err(|e| Error::unavailable(format!("the processor's time: {e}")))?;
    Ok(time.tv_sec() as f64 * 1e6 + time.tv_nsec() as f64 / 1e3)
}

fn configuration(dir: &Path) -> Result<Config> {
    let at = dir.display();
    let text = format!(
        "host = 'web-1'\nstate_dir = '{at}'\nrun_dir = '{at}'\nmaster_key_file = '{at}/key'\n\
         policy_file = '{at}/policy.toml'\n[log]\nsyslog_socket = ''\n"
    );
    Vault::create_file(&dir.join("key"))?;
    Config::parse(&dir.join("jit.toml"), &text)
}

/// Adds people, the host and `grants` of which alice's first is alive.
fn fill(config: &Config, grants: u32) -> Result<()> {
    let authority = Authority::open(config.clone(), "bench", Opener::Admin)?;
    authority.put_host(&Actor::Root, &HostName::parse("web-1")?, &BTreeSet::new())?;
    authority.add_person(&Actor::Root, &PersonName::parse("p0")?, &BTreeSet::new(), &[])?;
    let now = authority.now()?;
    let vault = std::sync::Arc::new(Vault::open_file(&config.master_key_file)?);
    let store = SqliteStore::open(&config.database(), vault, config.busy_timeout, Opener::Admin)?;
    for start in (0..grants).step_by(BATCH as usize) {
        let tx = store.begin(Mode::Write)?;
        for number in start..grants.min(start + BATCH) {
            tx.add_grant(&grant(number, now)?)?;
        }
        tx.commit()?;
    }
    store.checkpoint()
}

fn grant(number: u32, now: Timestamp) -> Result<Grant> {
    let hour = Span::from_secs(3600)?;
    // The living ones began just now, the others ended a day ago and earlier.
    let person = number % PEOPLE;
    let alive = if person == 0 { number == 0 } else { number.is_multiple_of(ALIVE) };
    let age = if alive { 60 } else { 86_400 + u64::from(number) * 30 };
    let began = now.before(Span::from_secs(age)?);
    let ask = Ask {
        person: PersonName::parse(&format!("p{person}"))?,
        login: Login::parse("deploy")?,
        place: Place::parse("web-1")?,
        sudo: false,
        duration: hour,
        start: None,
        extends: None,
        reason: Reason::parse("INC-1 a reason of a usual length")?,
    };
    let terms = Terms { permissions: BTreeSet::new(), ..Terms::of_root() };
    Grant::request(GrantId::random()?, ask, terms, Actor::Root, began, hour)?
        .approve(Way::Root, began)
}
