//! Applying what goes back by itself. What stands to be confirmed is on disk before the first file
//! is changed, and two things watch over it: a timer of systemd's, and at boot the unit
//! `jit-setup-rollback.service`, which runs where `pending` is still there.

use std::fs::File;
use std::path::{Path, PathBuf};

use jit_core::authority::{Authority, SetupDeed};
use jit_core::clock::{BootMoment, Clock, SystemClock};
use jit_core::syslog::Syslog;
use jit_core::time::Span;
use jit_core::{Error, Result, process, rootfile};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::plan::{self, Change};
use super::{files, marks, sshd, system};
use crate::commands::{PROCESS, open};

/// Where it is kept; the unit names it too.
const STATE: &str = "/var/lib/jit/setup";
const PENDING: &str = "/var/lib/jit/setup/pending";
/// What runs `jitctl setup --rollback`.
pub const UNIT: &str = "jit-setup-rollback.service";
const TIMER: &str = "jit-setup-rollback.timer";

/// A setup that nobody has confirmed.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    boot_id: String,
    boot_millis: u64,
    /// Seconds until it goes back.
    within: u64,
    files: Vec<Saved>,
}

/// A file as it was and as we left it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    path: PathBuf,
    before: Option<String>,
    after: Option<String>,
}

/// One at a time applies, confirms or takes back. The lock is on a directory, so it leaves no file.
fn lock() -> Result<Flock<File>> {
    const LOCKED: &str = "/etc/pam.d";
    let directory = File::open(LOCKED)
        .map_err(|e| Error::unavailable(format!("{LOCKED} can't be opened: {e}")))?;
    Flock::lock(directory, FlockArg::LockExclusive)
        .map_err(|(_, e)| Error::unavailable(format!("{LOCKED} can't be locked: {e}")))
}

/// Whether a setup waits for its confirmation.
pub fn is_pending() -> bool {
    Path::new(PENDING).exists()
}

fn pending() -> Result<Option<Pending>> {
    if !is_pending() {
        return Ok(None);
    }
    let text = rootfile::read_private(PENDING.as_ref(), 8 << 20)?;
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|e| Error::tampered(format!("{PENDING} can't be read: {e}")))
}

/// Makes the changes, to be confirmed within the time.
///
/// # Errors
/// Whatever failed; all is as before then.
pub fn apply(authority: &Authority, changes: &[Change], within: Span) -> Result<()> {
    let _lock = lock()?;
    if is_pending() {
        return Err(Error::refused("a setup waits for its confirmation already")
            .next("jitctl setup --confirm, or jitctl setup --undo."));
    }
    let now = authority.clock().boot()?;
    let saved = |change: &Change| Saved {
        path: change.path.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
    };
    let pending = Pending {
        boot_id: now.boot_id,
        boot_millis: now.millis,
        within: within.secs(),
        files: changes.iter().map(saved).collect(),
    };
    let text = serde_json::to_string(&pending)
        .map_err(|e| Error::unavailable(format!("what is pending can't be written: {e}")))?;
    let paths: Vec<_> = changes.iter().map(|change| &change.path).collect();
    authority.note_setup(SetupDeed::Apply, json!({ "files": paths, "within": within.secs() }))?;
    rootfile::create_private_dir(STATE.as_ref())?;
    // Private from the first moment on: replace() keeps the mode of what is there.
    rootfile::create_private(PENDING.as_ref(), b"{}")?;
    let made = files::replace(PENDING.as_ref(), &text)
        .and_then(|()| arm(within))
        .and_then(|()| changes.iter().try_for_each(Change::make))
        .and_then(|()| sshd::reload());
    made.map_err(|error| {
        match restore(&pending.files).and(sshd::reload()).and_then(|()| disarm()) {
            Ok(()) => Error::refused(format!("{}; all is as before", error.what())),
            Err(worse) => Error::unavailable(format!("{}; and going back: {worse}", error.what()))
                .next("jitctl setup --undo"),
        }
    })
}

/// Has it go back by itself. The timer is systemd's own, so that it outlives this process and the
/// session that started it.
fn arm(within: Span) -> Result<()> {
    system::must("systemctl", &["enable", "--quiet", UNIT])?;
    let after = format!("--on-active={}s", within.secs());
    let unit = format!("--unit={UNIT}");
    let exact = "--timer-property=AccuracySec=100ms";
    system::must("systemd-run", &["--quiet", &after, exact, &unit])?;
    system::must("systemctl", &["is-active", "--quiet", TIMER]).map(drop)
}

fn disarm() -> Result<()> {
    files::remove(PENDING.as_ref())?;
    // It may have gone off, which is why this runs.
    system::succeeds("systemctl", &["stop", "--quiet", TIMER]);
    Ok(())
}

/// Puts every file back. One that somebody changed since keeps what they wrote, without what is
/// ours in it. Goes on after an error, and tells the first.
fn restore(saved: &[Saved]) -> Result<()> {
    let put_back = |file: &Saved| {
        let current = files::read(&file.path)?;
        let target = match &current {
            // The drop-in is ours as a whole.
            Some(text)
                if file.path != Path::new(sshd::DROP_IN)
                    && current != file.after
                    && current != file.before =>
            {
                Some(marks::original(text))
            }
            _ => file.before.clone(),
        };
        if target == current {
            return Ok(());
        }
        Change { path: file.path.clone(), before: current, after: target }.make()
    };
    let outcomes: Vec<_> = saved.iter().map(put_back).collect();
    outcomes.into_iter().collect()
}

/// Takes an unconfirmed setup back, as the timer and the unit at boot do.
///
/// # Errors
/// A file can't be put back.
pub fn roll_back(config: &Path) -> Result<bool> {
    let _lock = lock()?;
    if !is_pending() {
        return Ok(false);
    }
    match pending() {
        Ok(Some(pending)) => restore(&pending.files)?,
        // A pending file cut short by a crash was cut before anything was changed; should there be
        // something all the same, it goes by its marks.
        _ => plan::undo()?.iter().try_for_each(Change::make)?,
    }
    disarm()?;
    note(config, SetupDeed::Rollback, json!({ "why": "not confirmed" }));
    sshd::reload().map(|()| true)
}

/// Takes all of ours out of the machine's files, confirmed or not; the files that it changed.
///
/// # Errors
/// A file can't be changed.
pub fn undo(config: &Path) -> Result<Vec<PathBuf>> {
    let _lock = lock()?;
    let changes = plan::undo()?;
    let was_pending = is_pending();
    changes.iter().try_for_each(Change::make)?;
    disarm()?;
    let paths: Vec<_> = changes.into_iter().map(|change| change.path).collect();
    if was_pending || !paths.is_empty() {
        note(config, SetupDeed::Undo, json!({ "files": paths }));
        // Last: where sshd's configuration is wrong for another reason, ours is out of it already.
        sshd::reload()?;
    }
    Ok(paths)
}

/// Makes a setup last, from a session that came in through it.
///
/// # Errors
/// Refused where there is nothing to confirm, or from another session.
pub fn confirm(authority: &Authority) -> Result<()> {
    let _lock = lock()?;
    let pending = pending()?.ok_or_else(|| {
        Error::refused("no setup waits for its confirmation")
            .next("It is confirmed, or it has gone back: jitctl audit show. Again: jitctl setup.")
    })?;
    let applied = BootMoment { boot_id: pending.boot_id, millis: pending.boot_millis };
    authority.confirm_setup(process::audit_session(std::process::id()), &applied)?;
    disarm()
}

/// Seconds left until it goes back.
///
/// # Errors
/// It can't be told.
pub fn seconds_left() -> Result<Option<u64>> {
    let now = SystemClock::default().boot()?;
    let left = |p: Pending| {
        let end = p.boot_millis / 1000 + p.within;
        if p.boot_id == now.boot_id { end.saturating_sub(now.millis / 1000) } else { 0 }
    };
    Ok(pending()?.map(left))
}

/// On the log; where that is out of order, in syslog: going back must not depend on it.
fn note(config: &Path, deed: SetupDeed, detail: serde_json::Value) {
    let noted = open(config).and_then(|authority| authority.note_setup(deed, detail.clone()));
    if let Err(error) = noted {
        let syslog = Syslog::new(PROCESS, Some(PathBuf::from("/dev/log")));
        syslog.trouble(&format!("{} {detail}, unrecorded: {error}", deed.action()));
    }
}
