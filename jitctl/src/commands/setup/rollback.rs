//! Applying what goes back by itself. What stands to be confirmed is on disk before the first file
//! is changed, and two things watch over it: a timer of systemd's, and at boot the unit
//! `jit-setup-rollback.service`, which runs where `pending` is still there.

use std::path::{Path, PathBuf};

use jit_core::authority::{Authority, SetupDeed};
use jit_core::clock::{BootMoment, Clock, SystemClock};
use jit_core::syslog::Syslog;
use jit_core::time::Span;
use jit_core::{Error, Result, process, rootfile};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::plan::{self, Change};
use super::{copies, files, lock, marks, sshd, system};
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
    let _lock = lock::take()?;
    if is_pending() {
        return Err(Error::refused("a setup waits for its confirmation already")
            .next("jitctl setup --confirm, or jitctl setup --undo."));
    }
    for change in changes {
        if files::read(&change.path)? != change.before {
            return Err(Error::refused(format!("{} was changed meanwhile", change.path.display()))
                .next("Run jitctl setup again; nothing was changed."));
        }
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
    // sshd's part counts before PAM's is there (see `plan::apply`): wherever this ends, and also in
    // between, somebody gets in.
    let (pam, sshd): (Vec<_>, Vec<_>) =
        changes.iter().partition(|change| change.path.starts_with("/etc/pam.d"));
    let made = files::replace(PENDING.as_ref(), &text)
        .and_then(|()| pending.files.iter().try_for_each(Saved::keep))
        .and_then(|()| arm(within))
        .and_then(|()| sshd.into_iter().try_for_each(Change::make))
        .and_then(|()| sshd::reload())
        .and_then(|()| pam.into_iter().try_for_each(Change::make));
    made.map_err(|error| {
        let back = restore(&pending.files);
        match back.and_then(|()| sshd::reload()).and_then(|()| disarm()) {
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
    copies::clear(plan::files())?;
    files::remove(PENDING.as_ref())?;
    // It may have gone off, which is why this runs.
    system::succeeds("systemctl", &["stop", "--quiet", TIMER]);
    Ok(())
}

/// Puts every file back, PAM's before sshd's, as the other way round nobody would get in where it
/// ends half-way; so it ends at the first error, too, and the unit tries again. A file that somebody
/// changed since keeps what they wrote, without what is ours in it.
fn restore(saved: &[Saved]) -> Result<()> {
    saved.iter().rev().try_for_each(Saved::put_back)
}

impl Saved {
    fn keep(&self) -> Result<()> {
        self.before.as_deref().map_or(Ok(()), |text| copies::keep(&self.path, text))
    }

    fn put_back(&self) -> Result<()> {
        let current = files::read(&self.path)?;
        let target = match &current {
            // The drop-in is ours as a whole.
            Some(text)
                if self.path != Path::new(sshd::DROP_IN)
                    && current != self.after
                    && current != self.before =>
            {
                Some(marks::original(text))
            }
            _ => self.before.clone(),
        };
        if target == current {
            return Ok(());
        }
        Change { path: self.path.clone(), before: current, after: target }.make()
    }
}

/// Takes an unconfirmed setup back, as the timer and the unit at boot do.
///
/// # Errors
/// A file can't be put back.
pub fn roll_back(config: &Path) -> Result<bool> {
    let _lock = lock::take()?;
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
    let _lock = lock::take()?;
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
    let _lock = lock::take()?;
    let pending = pending()?.ok_or_else(|| {
        Error::refused("no setup waits for its confirmation")
            .next("It is confirmed, or it has gone back: jitctl audit show. Again: jitctl setup.")
    })?;
    let applied = BootMoment { boot_id: pending.boot_id, millis: pending.boot_millis };
    authority.confirm_setup(process::audit_session(std::process::id()), &applied)?;
    disarm()
}

/// A setup that waits for its confirmation, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// How long it has waited; after a reboot that is not known.
    pub since: u64,
    /// How long until it goes back.
    pub left: u64,
}

/// The setup that waits, if one does.
///
/// # Errors
/// It can't be told.
pub fn waiting() -> Result<Option<Waiting>> {
    let now = SystemClock::default().boot()?;
    let waiting = |p: Pending| {
        let since = (now.millis / 1000).saturating_sub(p.boot_millis / 1000);
        match p.boot_id == now.boot_id {
            true => Waiting { since, left: p.within.saturating_sub(since) },
            false => Waiting { since: 0, left: 0 },
        }
    };
    Ok(pending()?.map(waiting))
}

/// On the log; where that is out of order, in syslog: going back must not depend on it.
fn note(config: &Path, deed: SetupDeed, detail: serde_json::Value) {
    let noted = open(config).and_then(|authority| authority.note_setup(deed, detail.clone()));
    if let Err(error) = noted {
        let syslog = Syslog::new(PROCESS, Some(PathBuf::from("/dev/log")));
        syslog.trouble(&format!("{} {detail}, unrecorded: {error}", deed.action()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(path: PathBuf, before: Option<&str>) -> Saved {
        let before = before.map(ToOwned::to_owned);
        Saved { path, before, after: Some("ours\n".into()) }
    }

    #[test]
    fn sshd_goes_back_only_once_pam_has() {
        let dir = tempfile::tempdir().unwrap();
        let [drop_in, pam] = ["00-jit.conf", "sshd"].map(|name| dir.path().join(name));
        let files = [saved(drop_in.clone(), None), saved(pam.clone(), Some("theirs\n"))];
        for file in &files {
            file.keep().unwrap();
            files::replace(&file.path, "ours\n").unwrap();
        }
        // One that can't be put back.
        std::fs::rename(&pam, dir.path().join("away")).unwrap();
        std::fs::create_dir(&pam).unwrap();
        restore(&files).unwrap_err();
        assert!(drop_in.exists());
        std::fs::remove_dir(&pam).unwrap();
        std::fs::rename(dir.path().join("away"), &pam).unwrap();
        restore(&files).unwrap();
        assert!(!drop_in.exists());
        assert_eq!(files::read(&pam).unwrap().as_deref(), Some("theirs\n"));
    }
}
