//! Events of a real machine: over TLS by a CA of one's own, through refusals and restarts, each at
//! least once, in order and under the same number; and to a local command in the unit's sandbox.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::error::{Context, Result, ensure};
use tests::{Release, Site, process, run, testhost};

on_both!(a_webhook_and_a_command_hear_of_everything_through_refusals_and_restarts);

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// How many deliveries the receiver refuses at first.
const REFUSES: usize = 2;

/// Ended when dropped.
struct Receiver(Child);

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A CA, and a certificate of it for the people's address, in `dir`.
fn certificates(dir: &Path) -> Result<()> {
    let file = |name: &str| dir.join(name).display().to_string();
    let (ca, ca_key) = (file("ca.pem"), file("ca.key"));
    let new = ["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt"];
    let new = [&new[..], &["ec_paramgen_curve:prime256v1"]].concat();
    let ca_line = ["-subj", "/CN=hooks-ca", "-keyout", &ca_key, "-out", &ca];
    run::must("openssl", &[&new[..], &ca_line].concat())?;
    let name = format!("subjectAltName=IP:{}", testhost::CLIENT);
    let (server, key) = (file("server.pem"), file("server.key"));
    let more = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", &name, "-CA", &ca];
    let out = ["-CAkey", &ca_key, "-subj", "/CN=hooks", "-keyout", &key, "-out", &server];
    run::must("openssl", &[&new[..], &more, &out].concat()).map(drop)
}

fn receiver(site: &Site, dir: &Path) -> Result<Receiver> {
    let file = |name: &str| dir.join(name).display().to_string();
    std::fs::write(dir.join("receiver.py"), include_str!("../../src/testhost/receiver.py"))?;
    let mut python = site.host.outside("/usr/bin/python3");
    python.args([&file("receiver.py"), testhost::CLIENT, "8443"]);
    python.args([&file("server.pem"), &file("server.key"), SECRET, &REFUSES.to_string()]);
    python.arg(file("got")).stdin(Stdio::null());
    Ok(Receiver(python.spawn().context("starting the receiver")?))
}

/// What the receiver was sent so far.
fn got(dir: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(dir.join("got")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).context("what was sent")).collect()
}

/// Waits until a delivery that holds `reason` was answered with `status`.
fn wait_for(dir: &Path, reason: &str, status: u64) -> Result<()> {
    let fits = |one: &Value| one["status"] == status && one["event"].to_string().contains(reason);
    process::wait_until(reason, Duration::from_secs(30), || {
        got(dir).is_ok_and(|all| all.iter().any(fits))
    })
    .map(drop)
}

fn a_webhook_and_a_command_hear_of_everything_through_refusals_and_restarts(
    release: Release,
) -> Result<()> {
    let site = Site::set_up(release)?;
    let dir = site.host.dir.join("receiver");
    std::fs::create_dir(&dir)?;
    certificates(&dir)?;
    let etc = site.host.root().join("etc/jit");
    std::fs::copy(dir.join("ca.pem"), etc.join("hooks-ca.pem"))?;
    std::fs::write(etc.join("pager.secret"), format!("{SECRET}\n"))?;
    let told = "#!/bin/sh\nexec logger -t told \"$(id -un) $(cat)\"\n";
    std::fs::write(site.host.root().join("usr/local/bin/told"), told)?;
    let hooks = format!(
        "[[webhook]]\nname = \"pager\"\nurl = \"https://{}:8443/jit\"\n\
         secret_file = \"/etc/jit/pager.secret\"\nca_file = \"/etc/jit/hooks-ca.pem\"\n\
         events = [\"grant.*\"]\n\
         [[command]]\nname = \"told\"\nrun = [\"/usr/local/bin/told\"]\nevents = [\"grant.*\"]\n",
        testhost::CLIENT
    );
    std::fs::write(etc.join("hooks.toml"), hooks)?;
    site.host.must(
        "set -e; chmod 600 /etc/jit/pager.secret; chmod 644 /etc/jit/hooks-ca.pem; \
         chmod 755 /usr/local/bin/told; jitctl hooks check; systemctl enable --now jit-hooks",
    )?;
    let up = "jitctl hooks list && jitctl audit show --action hook.start | grep -q told";
    site.host.wait_until("both hooks are taken up", Duration::from_secs(15), up)?;
    let event = |reason: &str| {
        let line = ["grant", "alice", "alice@web-1", "--for", "5m", "--reason", reason];
        site.jitctl(&line)?.ok().map(drop)
    };

    // Nobody listens; then it refuses; meanwhile the service is ended and started anew.
    let reasons = ["INC-1 nobody", "INC-2 refused", "INC-3 killed", "INC-4 last"];
    event(reasons[0])?;
    let failing = "jitctl hooks list --json | grep -q tries";
    site.host.wait_until("the receiver is not there", Duration::from_secs(15), failing)?;
    let listening = receiver(&site, &dir)?;
    event(reasons[1])?;
    wait_for(&dir, reasons[0], 503)?;
    site.host.must("systemctl restart jit-hooks")?;
    wait_for(&dir, reasons[0], 200)?;
    wait_for(&dir, reasons[1], 200)?;
    site.host.must("systemctl kill --signal=KILL jit-hooks")?;
    event(reasons[2])?;
    wait_for(&dir, reasons[2], 200)?;
    event(reasons[3])?;
    wait_for(&dir, reasons[3], 200)?;
    drop(listening);

    let all = got(&dir)?;
    ensure(all.iter().all(|one| one["signed"] == true), || format!("not signed: {all:#?}"))?;
    let refused = all.iter().filter(|one| one["status"] == 503).count();
    ensure(refused == REFUSES, || format!("{refused} refused: {all:#?}"))?;
    let mut deliveries = Vec::new();
    for reason in reasons {
        let mut of_it: Vec<_> = all
            .iter()
            .filter(|one| one["event"].to_string().contains(reason))
            .map(|one| one["delivery"].as_str().unwrap_or_default().to_owned())
            .collect();
        of_it.dedup();
        ensure(of_it.len() == 1, || format!("{reason} has the numbers {of_it:?}"))?;
        deliveries.extend(of_it);
    }
    let mut distinct = deliveries.clone();
    distinct.dedup();
    ensure(distinct.len() == reasons.len(), || format!("not told apart: {deliveries:?}"))?;
    for reason in reasons {
        let heard = format!("journalctl -q -t told | grep 'nobody {{' | grep -q '{reason}'");
        site.host.wait_until("the command hears of it", Duration::from_secs(10), &heard)?;
    }
    site.jitctl(&["doctor"])?.says("jit-hooks runs")?.does_not_say("was not told for").map(drop)
}
