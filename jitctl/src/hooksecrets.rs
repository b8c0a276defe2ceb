//! The secrets of webhooks on their way through a backup: each sealed under the master key for its
//! own file, so that a backup without that key tells none of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jit_core::hook::{Channel, Hooks};
use jit_core::seal::Vault;
use jit_core::secret::SecretText;
use jit_core::{Error, Result, rootfile};

/// The largest secret that is read.
const LARGEST: u64 = 4096;

/// Sealed, by the file that each stands in.
pub type Sealed = BTreeMap<PathBuf, Vec<u8>>;

/// The files of secrets that hooks name.
fn files(hooks: &Hooks) -> impl Iterator<Item = &Path> {
    hooks.0.iter().filter_map(|hook| match &hook.channel {
        Channel::Webhook { secret_file, .. } => Some(secret_file.as_path()),
        Channel::Command { .. } => None,
    })
}

/// Those of `hooks` that are there.
///
/// # Errors
/// Misconfigured when others may read one.
pub fn sealed(hooks: &Hooks, vault: &Vault) -> Result<Sealed> {
    let there = files(hooks).filter(|file| file.symlink_metadata().is_ok());
    there
        .map(|file| {
            let text = SecretText::new(rootfile::read_private(file, LARGEST)?);
            Ok((file.to_owned(), vault.seal(&purpose(file), text.expose().as_bytes())?))
        })
        .collect()
}

/// The secrets in `sealed` for the files that `hooks` name, and for no other.
///
/// # Errors
/// Tampered when one is not what was sealed for its file.
pub fn opened(hooks: &Hooks, sealed: &Sealed, vault: &Vault) -> Result<Vec<(PathBuf, SecretText)>> {
    let mut found: BTreeMap<&Path, SecretText> = BTreeMap::new();
    for file in files(hooks) {
        let Some(bytes) = sealed.get(file) else { continue };
        let plain = vault.open(&purpose(file), bytes)?;
        let text = std::str::from_utf8(plain.expose()).map_err(|_| {
            Error::tampered(format!("the secret of {} in the backup is no text", file.display()))
        })?;
        found.insert(file, SecretText::new(text.to_owned()));
    }
    Ok(found.into_iter().map(|(file, text)| (file.to_owned(), text)).collect())
}

fn purpose(file: &Path) -> String {
    format!("hook secret in backup: {}", file.display())
}
