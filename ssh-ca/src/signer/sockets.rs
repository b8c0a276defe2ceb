//! The two sockets. Their directory is root's, and everybody may enter it: who may connect to which,
//! its mode says.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;

use jit_core::config::Config;
use jit_core::{Error, Result};
use nix::unistd::Group;

use crate::serve::setup::FRONT_GROUP;

/// Bound, so that who connects waits until somebody answers.
pub struct Sockets {
    api: UnixListener,
    front: UnixListener,
}

impl Sockets {
    /// Makes both. The lock that the caller holds says that what is there is a dead one's.
    ///
    /// # Errors
    /// Misconfigured when the directory is not root's alone to write, or can't be made.
    pub fn bind(config: &Config) -> Result<Self> {
        let directory = config.socket_dir();
        let made = std::fs::DirBuilder::new().mode(0o755).recursive(true).create(&directory);
        // The umask may have closed it.
        made.and_then(|()| std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)))
            .map_err(|e| failed(&directory, &e))?;
        // What is inside is root's if the directory is.
        jit_core::rootfile::check_file(&directory)?;
        let (api, front) = (config.api_socket(), config.front_socket());
        let sockets = Sockets { api: bind(&api)?, front: bind(&front)? };
        let group = Group::from_name(FRONT_GROUP).ok().flatten();
        if let Some(group) = group {
            chown(&front, None, Some(group.gid.as_raw())).map_err(|e| failed(&front, &e))?;
        }
        mode(&front, 0o660)?;
        mode(&api, 0o666)?;
        Ok(sockets)
    }

    /// Takes them into the runtime: for local people, and for the front.
    ///
    /// # Errors
    /// Unavailable when the system refuses.
    pub fn listen(self) -> Result<(tokio::net::UnixListener, tokio::net::UnixListener)> {
        let take = |listener: UnixListener| {
            listener.set_nonblocking(true)?;
            tokio::net::UnixListener::from_std(listener)
        };
        take(self.api)
            .and_then(|api| Ok((api, take(self.front)?)))
            .map_err(|e| Error::unavailable(format!("the sockets can't be used: {e}")))
    }
}

fn bind(path: &Path) -> Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(path, &e)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(|e| failed(path, &e))?;
    // Until it has its own mode nobody but root connects.
    mode(path, 0o600)?;
    Ok(listener)
}

fn mode(path: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).map_err(|e| failed(path, &e))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::misconfigured(format!("{} can't be made: {error}", path.display()))
}
