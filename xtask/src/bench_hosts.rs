//! Figures of real machines: how soon a revoked session is gone, what the keeper costs, how large
//! the packages are.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::error::{Context, Result, ensure};
use tests::packages::Packages;
use tests::process::wait_until;
use tests::{Release, Site};

/// How often a session is revoked.
const REVOKES: usize = 50;
/// How many sessions the keeper is given to keep.
const SESSIONS: usize = 1000;
/// How long its work is watched.
const WATCHED: Duration = Duration::from_secs(60);

/// Measures and prints.
pub fn run() -> Result<()> {
    revokes()?;
    keeper()?;
    packages()
}

/// From the start of `jitctl revoke` to the moment at which no process of the account is left.
fn revokes() -> Result<()> {
    let site = Site::set_up(Release::Trixie)?;
    let mut took = Vec::new();
    for run in 0..REVOKES {
        if run % 8 == 0 {
            // Ten recovery codes are all there are.
            site.alice.new_recovery_codes(site.host.command("jitctl"))?;
        }
        let id = site.grant(&site.alice, "alice", &[])?;
        let mut terminal = site.session(&site.alice, "alice")?;
        terminal.type_line(
            "nohup sleep 301 > /dev/null 2>&1 & setsid sleep 302 & tmux new-session -d 'sleep 303'; \
             systemd-run --user sleep 304; echo started",
        )?;
        terminal.expect("\nstarted")?;
        let uid = site.host.must("id -u alice")?.trim().to_owned();
        let began = Instant::now();
        site.revoke(&id)?;
        let acknowledged = began.elapsed();
        wait_until("all is gone", Duration::from_secs(20), || !anything_of(&site, &uid))?;
        took.push((began.elapsed(), acknowledged));
        terminal.end_within(Duration::from_secs(5))?;
    }
    took.sort();
    let seconds = |d: Duration| d.as_secs_f64();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    println!("From `jitctl revoke` to the last process gone, {REVOKES} runs on Debian 13:");
    println!("  median {:.2} s, worst {:.2} s", seconds(median.0), seconds(worst.0));
    println!("  of which until jitctl had said so: {:.2} s in the median run", seconds(median.1));
    Ok(())
}

/// Whether a process of the host belongs to the account, seen from outside and so quickly.
fn anything_of(site: &Site, uid: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(site.host.root().join("proc")) else { return true };
    entries.flatten().any(|entry| {
        let read =
            |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let status = read("status");
        let real = status.lines().find_map(|line| line.strip_prefix("Uid:\t"));
        let owned = real.and_then(|ids| ids.split('\t').next()) == Some(uid);
        (owned || read("loginuid") == uid) && !status.contains("State:\tZ")
    })
}

/// What the keeper needs with many sessions open, beside what it needs with none.
fn keeper() -> Result<()> {
    let site = Site::set_up(Release::Trixie)?;
    println!("The keeper, watched for {} s each:", WATCHED.as_secs());
    site.grant(&site.alice, "alice", &["--for", "2h"])?;
    watch(&site, "no session")?;
    // Without a second factor, as a thousand codes would take a thousand times 30 seconds.
    site.host.must(
        "sed -i 's/^#second_factor = .*/second_factor = \"none\"/' /etc/jit/jit.toml; \
         sed -i 's/^AuthenticationMethods .*/AuthenticationMethods publickey\\nMaxStartups 200/' \
             /etc/ssh/sshd_config.d/00-jit.conf; \
         systemctl reload ssh; systemctl restart jitd; until jitctl status | grep -q runs; do :; done",
    )?;
    let mut clients = Vec::new();
    for _ in 0..SESSIONS {
        let mut ssh = Command::new(site.alice.home.join("sh/ssh"));
        ssh.args(["web-1", "sleep 3600"]).stdin(Stdio::null()).stdout(Stdio::null());
        clients.push(ssh.stderr(Stdio::null()).spawn().context("starting ssh")?);
        // Ten at a time on their way in.
        if clients.len() % 10 == 0 {
            let so_many = clients.len();
            wait_until("sessions are open", Duration::from_secs(60), || {
                site.processes_matching("sleep 3600").is_ok_and(|count| count >= so_many)
            })?;
        }
    }
    let listed = site.jitctl(&["sessions", "--json"])?.ok()?.json()?;
    let listed = listed.as_array().map_or(0, Vec::len);
    ensure(listed == SESSIONS, || format!("{listed} of {SESSIONS} sessions are on record"))?;
    watch(&site, &format!("{SESSIONS} sessions"))?;
    let began = Instant::now();
    site.jitctl(&["revoke", "--all", "--reason", "the bench is over"])?.ok()?;
    wait_until("all sessions end", Duration::from_secs(120), || {
        site.processes_matching("sleep 3600").is_ok_and(|count| count == 0)
    })?;
    println!("  all {SESSIONS} ended {:.1} s after a revoke", began.elapsed().as_secs_f64());
    for mut client in clients {
        client.wait()?;
    }
    Ok(())
}

fn watch(site: &Site, what: &str) -> Result<()> {
    let ticks = || -> Result<u64> {
        let line = "cut -d' ' -f14,15 /proc/$(pgrep -x jitd)/stat";
        let said = site.host.must(line)?;
        Ok(said.split_whitespace().filter_map(|n| n.parse::<u64>().ok()).sum())
    };
    let before = ticks()?;
    std::thread::sleep(WATCHED);
    let percent = (ticks()? - before) as f64 / WATCHED.as_secs_f64();
    let memory = site.host.must("grep VmRSS /proc/$(pgrep -x jitd)/status")?;
    let memory = memory.split_whitespace().nth(1).context("no memory")?.to_owned();
    println!("  {what:14} {memory} KiB resident, {percent:.2} % of a core");
    Ok(())
}

fn packages() -> Result<()> {
    println!("Size of the packages:");
    for file in Packages::built()?.files()? {
        let size = std::fs::metadata(&file)?.len() / 1024;
        println!("  {:40} {size} KiB", file.file_name().unwrap_or_default().display());
    }
    Ok(())
}
