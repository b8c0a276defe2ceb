//! How many decisions a second there are with 1,000 roles and 100,000 people: the pure decision,
//! looking for those who could approve, and both with everything that is read for it.

// Measuring is what clocks are for; nothing is decided here.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use jit_core::authority::Authority;
use jit_core::clock::{Clock, SystemClock};
use jit_core::config::Config;
use jit_core::grant::{Actor, Ask};
use jit_core::host::Host;
use jit_core::name::{GroupName, HostName, Label, Login, PersonName, Place, Reason};
use jit_core::person::Person;
use jit_core::policy::{Facts, Held, Policy, Verdict, decide, eligible};
use jit_core::seal::Vault;
use jit_core::store::sqlite::{Opener, SqliteStore};
use jit_core::store::{Mode, Store};
use jit_core::time::{Span, Timestamp};
use jit_core::{Error, Result};
use nix::time::{ClockId, clock_gettime};

const ROLES: usize = 1_000;
const PEOPLE: usize = 100_000;
/// Every so many people, one leads.
const LEADS: usize = 20;
/// Groups of leads.
const LEAD_GROUPS: usize = 50;
const BATCH: usize = 10_000;

fn main() -> Result<()> {
    let now = SystemClock::default().now()?;
    let text = policy();
    let path = Path::new("policy.toml");
    let parsed = Policy::parse(path, &text)?;
    report("read the policy", 20, || Policy::parse(path, &text).map(drop))?;

    let people = (0..PEOPLE).map(|number| person(number, now)).collect::<Result<Vec<_>>>()?;
    let hosts = [host(now)?];
    let held = Held::new();
    let asks: Vec<_> = (0..ROLES).map(ask).collect::<Result<_>>()?;
    let mut turn = (0..ROLES).cycle();
    let mut facts = |approvers| {
        let number = turn.next().unwrap_or_default();
        let requester = &people[number];
        let facts =
            Facts { requester, hosts: &hosts, approvers, before: 0, held: &held, draft: false };
        (&asks[number], facts)
    };
    report("decide", 20_000, || {
        let (ask, facts) = facts(&[]);
        match decide(ask, &parsed, &facts, now).verdict {
            Verdict::Pending { .. } => Ok(()),
            other => Err(Error::refused(format!("that is no request to approve: {other:?}"))),
        }
    })?;
    report("name those who could approve", 20, || {
        let (ask, facts) = facts(&[]);
        match eligible(ask, &parsed, &facts, now, &people).len() {
            0 => Err(Error::refused("nobody could approve")),
            _ => Ok(()),
        }
    })?;

    let dir = tempfile::Builder::new()
        .prefix("jit-bench.")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .tempdir_in("/run")
        .map_err(|e| Error::unavailable(format!("no directory in /run: {e}")))?;
    let authority = stored(dir.path(), &text, &people)?;
    let (deploy, web) = (Login::parse("deploy")?, Place::parse("web-1")?);
    let mut turn = (0..ROLES).cycle();
    report("explain: read, decide, name", 5, || {
        let name = &people[turn.next().unwrap_or_default()].name;
        authority.explain(name, &deploy, &web, false, None).map(drop)
    })?;
    let mut turn = (0..ROLES).cycle();
    report("request: read, decide, record", 50, || {
        let ask = asks[turn.next().unwrap_or_default()].clone();
        let by = Actor::Person(ask.person.clone());
        authority.request(&jit_core::authority::NewRequest { ask, by, origin: None }).map(drop)
    })
}

/// Runs `work` so often, and prints what it took of the processor.
fn report(name: &str, times: u32, mut work: impl FnMut() -> Result<()>) -> Result<()> {
    let before = processor_us()?;
    for _ in 0..times {
        work()?;
    }
    let each = (processor_us()? - before) / f64::from(times);
    println!("  {name:32} {each:12.1} us each, {:10.0} a second", 1e6 / each);
    Ok(())
}

fn processor_us() -> Result<f64> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_err(|e| Error::unavailable(format!("the processor's time: {e}")))?;
    Ok(time.tv_sec() as f64 * 1e6 + time.tv_nsec() as f64 / 1e3)
}

fn policy() -> String {
    let mut text = String::new();
    for role in 0..ROLES {
        let leads = role % LEAD_GROUPS;
        // Writing to a string can't fail.
        let _ = write!(
            text,
            "[[role]]\nname = 'role-{role}'\nmembers = ['@team-{role}', 'p{role}']\n\
             hosts = ['env=prod and not tier=db', 'web-{role}']\nlogins = ['{{person}}', 'deploy']\n\
             sudo = true\nmax_duration = '1h'\nreason = {{ pattern = '^INC-[0-9]+ ' }}\n\
             approvals = [{{ from = '@leads-{leads}', count = 1 }}]\n\
             auto_approve = [{{ members = ['@oncall'], max_duration = '30m' }}]\n"
        );
    }
    text + "[[deny]]\nmembers = ['@suspended']\n"
}

fn person(number: usize, now: Timestamp) -> Result<Person> {
    let mut groups = BTreeSet::from([GroupName::parse(&format!("team-{}", number % ROLES))?]);
    if number.is_multiple_of(LEADS) {
        groups.insert(GroupName::parse(&format!("leads-{}", number / LEADS % LEAD_GROUPS))?);
    }
    let name = PersonName::parse(&format!("p{number}"))?;
    Ok(Person { name, groups, suspended: false, created_at: now })
}

fn host(now: Timestamp) -> Result<Host> {
    let labels = BTreeSet::from([Label::parse("env=prod")?, Label::parse("tier=web")?]);
    Ok(Host { name: HostName::parse("web-1")?, labels, created_at: now, key: None })
}

fn ask(number: usize) -> Result<Ask> {
    Ok(Ask {
        person: PersonName::parse(&format!("p{number}"))?,
        login: Login::parse("deploy")?,
        place: Place::parse("web-1")?,
        sudo: false,
        duration: Span::from_secs(1800)?,
        start: None,
        extends: None,
        reason: Reason::parse("INC-1 a reason of a usual length")?,
    })
}

/// An authority with all of it in its store.
fn stored(dir: &Path, policy: &str, people: &[Person]) -> Result<Authority> {
    let at = dir.display();
    let text = format!(
        "host = 'web-1'\nstate_dir = '{at}'\nrun_dir = '{at}'\nmaster_key_file = '{at}/key'\n\
         policy_file = '{at}/policy.toml'\n[log]\nsyslog_socket = ''\n"
    );
    Vault::create_file(&dir.join("key"))?;
    std::fs::write(dir.join("policy.toml"), policy)
        .map_err(|e| Error::unavailable(format!("the policy can't be written: {e}")))?;
    let config = Config::parse(&dir.join("jit.toml"), &text)?;
    let authority = Authority::open(config.clone(), "bench", Opener::Admin)?;
    let labels = BTreeSet::from([Label::parse("env=prod")?, Label::parse("tier=web")?]);
    authority.put_host(&Actor::Root, &HostName::parse("web-1")?, &labels)?;
    let vault = std::sync::Arc::new(Vault::open_file(&config.master_key_file)?);
    let store = SqliteStore::open(&config.database(), vault, config.busy_timeout, Opener::Admin)?;
    for batch in people.chunks(BATCH) {
        let tx = store.begin(Mode::Write)?;
        for person in batch {
            tx.put_person(person)?;
        }
        tx.commit()?;
    }
    store.checkpoint()?;
    Ok(authority)
}
