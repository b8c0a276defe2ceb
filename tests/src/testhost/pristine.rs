//! The pristine file tree of a Debian release, made once by debootstrap and never written to again.

use crate::error::{Context, Result};
use crate::run::run_within;
use nix::fcntl::{Flock, FlockArg};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where trees are kept, from one run to the next.
const CACHE: &str = "/var/cache/jit-test-hosts";

/// What every host has: what real ones have, what people run over ssh, and what a person could use to
/// stay.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,openssh-client,\
    openssh-sftp-server,sudo,iproute2,cron,at,tmux,screen,procps,passwd,dbus-user-session,\
    pamtester,rsync,git,python3";

/// Changes when the recipe does, so that an old tree is not taken for a new one.
const RECIPE: &str = "4";

/// A Debian release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Debian 12: OpenSSH 9.2, sudo 1.9.13, systemd 252.
    Bookworm,
    /// Debian 13: OpenSSH 10.0, sudo 1.9.16, systemd 257, sudo-rs.
    Trixie,
}

impl Release {
    /// Both.
    pub const ALL: [Release; 2] = [Release::Bookworm, Release::Trixie];

    /// What Debian calls it.
    pub fn name(self) -> &'static str {
        match self {
            Release::Bookworm => "bookworm",
            Release::Trixie => "trixie",
        }
    }
}

/// The tree of `release`; made now if it was never made, which takes a minute.
pub fn tree(release: Release) -> Result<PathBuf> {
    std::fs::create_dir_all(CACHE)?;
    let tree = Path::new(CACHE).join(format!("{}-{RECIPE}", release.name()));
    let directory = std::fs::File::open(CACHE)?;
    // One at a time makes trees, over all processes.
    let _lock = Flock::lock(directory, FlockArg::LockExclusive)
        .map_err(|(_, error)| crate::Failed::new(format!("locking {CACHE}: {error}")))?;
    if tree.exists() {
        return Ok(tree);
    }
    eprintln!("Making the pristine tree of a test host with Debian {} …", release.name());
    let draft = tree.with_extension("draft");
    if draft.exists() {
        std::fs::remove_dir_all(&draft).context("removing a draft that was left")?;
    }
    let mut include = PACKAGES.to_owned();
    if release == Release::Trixie {
        include.push_str(",sudo-rs");
    }
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &format!("--include={include}"), release.name()]);
    debootstrap.arg(&draft);
    run_within(&mut debootstrap, "", Duration::from_secs(900))?.ok()?;
    // Each host is one machine, not a copy of another; systemd makes the id anew.
    std::fs::write(draft.join("etc/machine-id"), "")?;
    std::fs::rename(&draft, &tree)?;
    Ok(tree)
}
