//! `jitctl backup`: everything that a fresh host needs to be this one again, in one file.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jit_core::audit::hex;
use jit_core::authority;
use jit_core::hook::Hooks;
use jit_core::secret::SecretText;
use jit_core::{Error, Result, rootfile};
use serde_json::json;

use super::Desk;
use crate::archive::{Member, Writer};
use crate::cli::Backup;
use crate::hooksecrets;
use crate::output::{Exit, count};
use crate::place;
use crate::scratch::Scratch;

/// The largest text that is read: as large as our own files may be.
const LARGEST: u64 = 1 << 20;

/// Runs `jitctl backup`.
pub fn run(desk: &Desk, path: &Path, backup: &Backup) -> Result<Exit> {
    let Desk { authority, output } = desk;
    let file = std::path::absolute(&backup.file)
        .map_err(|e| Error::invalid(format!("that names no file: {e}")))?;
    if file.symlink_metadata().is_ok() {
        return Err(Error::refused(format!("{} is there already", file.display()))
            .next("Choose another name: a backup is never overwritten."));
    }
    let scratch = Scratch::new(&authority.config().state_dir)?;
    let store = scratch.file(Member::Store.name());
    let made = authority.copy_store(&store)?;
    let part = Part::beside(&file);
    write(desk, path, &made, &store, &part.0, !backup.without_master_key)?;
    authority.backed_up(&made, &file.display().to_string(), !backup.without_master_key)?;
    place::moved(&part.0, &file)?;

    let head = made.log.head.as_ref().map(|head| hex(&head.hash));
    let key_file = authority.config().master_key_file.display();
    let key = if backup.without_master_key {
        format!("The master key is not in it: without a copy of {key_file} it can't be restored.")
    } else {
        "IT HOLDS THE MASTER KEY: whoever has this file can read every secret in it, and make codes\n\
         of everybody. Keep it offline and locked away."
            .to_owned()
    };
    let text = format!(
        "Written: {}, {}, the last with the hash\n  {}\n{key}\n\
         Next, on a fresh host or over a broken store: jitctl restore FILE",
        file.display(),
        count(made.log.records, "record"),
        head.as_deref().unwrap_or("-"),
    );
    output.answer(text, || {
        json!({
            "file": file.display().to_string(), "records": made.log.records, "head": head,
            "with_master_key": !backup.without_master_key,
        })
    })?;
    Ok(Exit::Done)
}

/// Writes the archive into the new file `part`.
fn write(
    desk: &Desk,
    path: &Path,
    made: &authority::Backup,
    store: &Path,
    part: &Path,
    with_master_key: bool,
) -> Result<()> {
    let authority = &desk.authority;
    let unwritable =
        |e: std::io::Error| Error::unavailable(format!("{} can't be written: {e}", part.display()));
    // Never one that is there, nor through a link: the directory may be anybody's.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(part)
        .map_err(unwritable)?;
    let mut writer = Writer::new(file, made.at.unix());
    let about = json!({ "format": 1, "at": made.at.unix(), "host": authority.config().host });
    let about = about.to_string();
    writer.add(Member::About, about.len() as u64, about.as_bytes())?;
    let store = std::fs::File::open(store).map_err(unwritable)?;
    writer.add(Member::Store, store.metadata().map_err(unwritable)?.len(), &store)?;
    let config = authority.config();
    let mut texts = vec![
        (Member::Config, Some(rootfile::read(path, LARGEST)?)),
        (Member::Policy, Some(rootfile::read(&config.policy_file, LARGEST)?)),
    ];
    for member in [Member::UserCa, Member::HostCa] {
        texts.push((member, optional(&path.with_file_name(member.name()))?));
    }
    let hooks = optional(&config.hooks_file)?;
    if let Some(text) = &hooks {
        // What can't be read as hooks is taken along as it is; it names no secrets.
        let hooks = Hooks::parse(&config.hooks_file, text).unwrap_or_default();
        let secrets = hooksecrets::sealed(&hooks, authority.vault())?;
        texts.push((Member::Hooks, Some(text.clone())));
        if !secrets.is_empty() {
            let json = serde_json::to_string(&secrets)
                .map_err(|e| Error::unavailable(format!("the secrets can't be written: {e}")))?;
            texts.push((Member::HookSecrets, Some(json)));
        }
    }
    for (member, text) in texts {
        if let Some(text) = text {
            writer.add(member, text.len() as u64, text.as_bytes())?;
        }
    }
    if with_master_key {
        let key = SecretText::new(rootfile::read_private(&config.master_key_file, LARGEST)?);
        writer.add(Member::MasterKey, key.expose().len() as u64, key.expose().as_bytes())?;
    }
    writer.seal(authority.vault())
}

/// The text of a file that need not be there.
fn optional(path: &Path) -> Result<Option<String>> {
    if path.symlink_metadata().is_ok() { rootfile::read(path, LARGEST).map(Some) } else { Ok(None) }
}

/// The file that is being written: gone when dropped, unless it was moved to its place.
struct Part(PathBuf);

impl Part {
    fn beside(file: &Path) -> Self {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        Part(file.with_file_name(format!(".{name}.part-{}", std::process::id())))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
