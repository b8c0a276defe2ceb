//! Where a person's configuration and state are: the platform's usual places.

use std::path::PathBuf;

use etcetera::BaseStrategy;
use jit_core::{Error, Result};

/// What the directories are called.
const NAME: &str = "jit";

/// Where things are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The home directory.
    pub home: PathBuf,
    /// What a person may edit: `~/.config/jit`, on macOS `~/Library/Application Support/jit`.
    pub config: PathBuf,
    /// What comes and goes by itself: `~/.local/state/jit`, on macOS as above.
    pub state: PathBuf,
}

impl Places {
    /// Those of the user who runs this.
    ///
    /// # Errors
    /// Misconfigured when the user has no home directory.
    pub fn of_user() -> Result<Self> {
        let homeless = |e| {
            Error::misconfigured(format!("there is no home directory to keep things in: {e}"))
                .next("Run this as a user that has one.")
        };
        if cfg!(target_os = "macos") {
            let apple = etcetera::base_strategy::Apple::new().map_err(homeless)?;
            let support = apple.data_dir().join(NAME);
            let home = apple.home_dir().to_owned();
            return Ok(Places { home, config: support.clone(), state: support });
        }
        let xdg = etcetera::base_strategy::Xdg::new().map_err(homeless)?;
        let state = xdg.state_dir().unwrap_or_else(|| xdg.data_dir()).join(NAME);
        Ok(Places { home: xdg.home_dir().to_owned(), config: xdg.config_dir().join(NAME), state })
    }

    /// The file with the authorities that were joined.
    pub fn client_file(&self) -> PathBuf {
        self.config.join("client.toml")
    }
}
