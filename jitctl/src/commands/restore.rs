//! `jitctl restore`: from a backup, onto a fresh host or over a broken store.
//!
//! All of it is looked through, and made fit for the present, in a directory apart; only then is
//! anything put in place, the store last: until it is there, every login is denied.

use std::path::{Path, PathBuf};

use jit_core::audit::hex;
use jit_core::authority::{self, Authority, Restored};
use jit_core::config::Config;
use jit_core::hook::Hooks;
use jit_core::policy::Policy;
use jit_core::seal::Vault;
use jit_core::secret::{SecretText, equal};
use jit_core::store::sqlite::Opener;
use jit_core::time::Timestamp;
use jit_core::{Error, Kind, Result, lockfile, rootfile};
use serde_json::{Value, json};

use super::PROCESS;
use crate::archive::{Archive, Member, copy_file};
use crate::cli::Restore;
use crate::hooksecrets::{self, Sealed};
use crate::output::{Exit, Output, count, joined};
use crate::place::{self, Readers};
use crate::scratch::Scratch;

/// Runs `jitctl restore`.
pub fn run(path: &Path, restore: &Restore, output: Output) -> Result<Exit> {
    let first = Archive::open(&restore.file)?;
    let (config, text) = configuration(path, &first)?;
    if lockfile::is_held(&config.keeper_lock()) {
        return Err(Error::refused("jitd runs, and keeps sessions by the store that is there")
            .next("systemctl stop jitd, then again; then systemctl start jitd"));
    }
    if config.database().symlink_metadata().is_ok() && !restore.replace {
        return Err(Error::refused(format!("there is a store {}", config.database().display()))
            .next("With --replace it is moved aside."));
    }
    rootfile::create_private_dir(&config.state_dir)?;
    let scratch = Scratch::new(&config.state_dir)?;
    let copy = scratch.file("backup");
    copy_file(&restore.file, &copy)?;
    let archive = Archive::open(&copy)?;
    let key = Key::of(&archive, &config, &scratch, restore.replace)?;
    let vault = Vault::open_file(&key.file)?;
    archive.check_seal(&vault)?;
    let secrets = hook_secrets(&config, &archive, &vault)?;
    if archive.text(Member::Config)? != text {
        return Err(Error::tampered("the backup was changed while it was read"));
    }

    archive.extract(Member::Store, &scratch.file(Member::Store.name()))?;
    let staged = Config {
        state_dir: scratch.path().to_owned(),
        master_key_file: key.file.clone(),
        ..config.clone()
    };
    let (backup, restored) = looked_through(staged, &archive, restore.keep_grants)?;

    let mut placed = Placed { now: restored.at, done: Vec::new(), aside: Vec::new() };
    rootfile::create_private_dir(&config.run_dir)?;
    key.place(&config, &mut placed)?;
    placed.keep(path, Member::Config, &archive, false)?;
    placed.keep(&config.policy_file, Member::Policy, &archive, gives_nothing(&config))?;
    for member in [Member::UserCa, Member::HostCa] {
        placed.keep(&path.with_file_name(member.name()), member, &archive, true)?;
    }
    placed.keep(&config.hooks_file, Member::Hooks, &archive, false)?;
    for (file, secret) in &secrets {
        placed.keep_text(file, secret.expose(), Readers::Root, false)?;
    }
    placed.store(&scratch.file(Member::Store.name()), &config)?;
    let answer = Answer { path, backup, restored, placed, kept: restore.keep_grants };
    output.answer(answer.text(), || answer.json())?;
    Ok(Exit::Done)
}

/// The configuration that is there, else that of the backup, and the text of the latter.
fn configuration(path: &Path, archive: &Archive) -> Result<(Config, Option<String>)> {
    let text = archive.text(Member::Config)?;
    let config = match (path.symlink_metadata(), &text) {
        (Err(_), Some(text)) => Config::parse(path, text)?,
        _ => Config::load(path).map_err(|e| {
            e.next("Mend it, or move it away: where there is none, that of the backup is taken.")
        })?,
    };
    Ok((config, text))
}

/// The secrets of the webhooks in the backup, by their files.
fn hook_secrets(
    config: &Config,
    archive: &Archive,
    vault: &Vault,
) -> Result<Vec<(PathBuf, SecretText)>> {
    let (Some(hooks), Some(sealed)) =
        (archive.text(Member::Hooks)?, archive.text(Member::HookSecrets)?)
    else {
        return Ok(Vec::new());
    };
    let hooks = Hooks::parse(&config.hooks_file, &hooks)?;
    let sealed: Sealed = serde_json::from_str(&sealed)
        .map_err(|_| Error::tampered("the secrets of hooks in the backup can't be read"))?;
    hooksecrets::opened(&hooks, &sealed, vault)
}

/// Checks the store that was unpacked, and takes from it what must not count again.
fn looked_through(
    staged: Config,
    archive: &Archive,
    keep_grants: bool,
) -> Result<(authority::Backup, Restored)> {
    let about = archive.text(Member::About)?.unwrap_or_default();
    let about: Value = serde_json::from_str(&about).unwrap_or_default();
    let (Some(1), Some(at)) = (about["format"].as_u64(), about["at"].as_u64()) else {
        return Err(Error::unavailable("this program does not know that kind of backup")
            .next("Install the version that wrote it, or a later one."));
    };
    let at = Timestamp::from_unix(at)?;
    let unsound = |e: Error| {
        let next = "Nothing was changed. Take another backup.";
        if e.kind() == Kind::Tampered { e.context("the store in the backup").next(next) } else { e }
    };
    let authority = Authority::open(staged, PROCESS, Opener::Admin).map_err(unsound)?;
    let backup = authority::Backup { at, log: authority.verify().map_err(unsound)? };
    let restored = authority.restored(&backup, keep_grants).map_err(|e| {
        if e.kind() == Kind::Unavailable {
            e.next("Nothing was changed. Set the clock (timedatectl set-ntp true), then again.")
        } else {
            e
        }
    })?;
    Ok((backup, restored))
}

/// The master key that opens the backup.
struct Key {
    /// Where it is now.
    file: PathBuf,
    /// Its text, where it comes from the backup and is not there yet.
    text: Option<SecretText>,
}

impl Key {
    fn of(archive: &Archive, config: &Config, scratch: &Scratch, replace: bool) -> Result<Self> {
        let place = &config.master_key_file;
        let there = place.symlink_metadata().is_ok();
        if !archive.has(Member::MasterKey) {
            if !there {
                return Err(Error::misconfigured(format!(
                    "the backup holds no master key, and there is none in {}",
                    place.display()
                ))
                .next("Put your copy of it there, owned by root and of mode 0600."));
            }
            return Ok(Key { file: place.clone(), text: None });
        }
        let file = scratch.file(Member::MasterKey.name());
        archive.extract(Member::MasterKey, &file)?;
        let text = SecretText::new(rootfile::read_private(&file, LARGEST_KEY)?);
        if there {
            // One that can't be read is another one, too.
            let old = rootfile::read_private(place, LARGEST_KEY).map(SecretText::new);
            let same = |old: SecretText| equal(old.expose().as_bytes(), text.expose().as_bytes());
            if old.is_ok_and(same) {
                return Ok(Key { file, text: None });
            }
            if !replace {
                return Err(Error::refused(format!(
                    "the master key {} is another than that of the backup",
                    place.display()
                ))
                .next("With --replace it is moved aside."));
            }
        }
        Ok(Key { file, text: Some(text) })
    }

    fn place(self, config: &Config, placed: &mut Placed) -> Result<()> {
        let path = &config.master_key_file;
        let Some(text) = self.text else { return Ok(()) };
        placed.aside(path)?;
        place::put(path, text.expose(), Readers::Root)?;
        placed.done.push(format!("master key {}", path.display()));
        Ok(())
    }
}

/// A key has 64 digits.
const LARGEST_KEY: u64 = 1024;

/// Whether the policy that is there gives nothing to anybody, as a new one does.
fn gives_nothing(config: &Config) -> bool {
    Policy::load(&config.policy_file).is_ok_and(|p| p.roles.is_empty() && p.denies.is_empty())
}

/// What was put where.
struct Placed {
    now: Timestamp,
    done: Vec<String>,
    aside: Vec<String>,
}

impl Placed {
    /// Moves what is at `path` aside.
    fn aside(&mut self, path: &Path) -> Result<()> {
        if path.symlink_metadata().is_ok() {
            self.aside.push(place::aside(path, self.now)?.display().to_string());
        }
        Ok(())
    }

    /// Puts a member in its place. Another one that is there is kept, unless it should `give_way`;
    /// that of the backup is then put beside it.
    fn keep(&mut self, path: &Path, of: Member, archive: &Archive, give_way: bool) -> Result<()> {
        let Some(text) = archive.text(of)? else { return Ok(()) };
        // The address of a webhook may hold a secret.
        let readers = if of == Member::Hooks { Readers::Root } else { Readers::All };
        self.keep_text(path, &text, readers, give_way)
    }

    /// The same of a text.
    fn keep_text(
        &mut self,
        path: &Path,
        text: &str,
        readers: Readers,
        give_way: bool,
    ) -> Result<()> {
        let there = path.symlink_metadata().is_ok();
        let same = |old: Vec<u8>| equal(&old, text.as_bytes());
        if there && std::fs::read(path).is_ok_and(same) {
            return Ok(());
        }
        if there && !give_way {
            let beside =
                place::with_ending(path, &format!(".from-backup-{}", place::stamp(self.now)));
            place::put(&beside, text, readers)?;
            self.done.push(format!("{} beside the one that is there", beside.display()));
            return Ok(());
        }
        self.aside(path)?;
        place::put(path, text, readers)?;
        self.done.push(path.display().to_string());
        Ok(())
    }

    /// Puts the store in place, with the files that the engine keeps beside it.
    fn store(&mut self, from: &Path, config: &Config) -> Result<()> {
        let database = config.database();
        if place::with_ending(from, "-wal").exists() {
            return Err(Error::unavailable("the restored store was not written out in full")
                .next("Is there room? df -h."));
        }
        // Its log first: with the name of the store it would be taken for that of the new one.
        for ending in ["-wal", "-shm"] {
            let file = place::with_ending(&database, ending);
            if file.symlink_metadata().is_ok() {
                let to = place::with_ending(
                    &database,
                    &format!(".replaced-{}{ending}", place::stamp(self.now)),
                );
                place::moved(&file, &to)?;
            }
        }
        self.aside(&database)?;
        place::moved(from, &database)?;
        self.done.push(format!("store {}", database.display()));
        Ok(())
    }
}

/// What came of it.
struct Answer<'a> {
    path: &'a Path,
    backup: authority::Backup,
    restored: Restored,
    placed: Placed,
    kept: bool,
}

impl Answer<'_> {
    fn head(&self) -> Option<String> {
        self.backup.log.head.as_ref().map(|head| hex(&head.hash))
    }

    fn text(&self) -> String {
        let Answer { backup, restored, placed, .. } = self;
        let mut text = format!(
            "The backup is of {}: {}, the last with the hash\n  {}\n\n",
            backup.at.local(),
            count(backup.log.records, "record"),
            self.head().as_deref().unwrap_or("-")
        );
        text.extend(placed.done.iter().map(|what| format!("restored  {what}\n")));
        text.extend(placed.aside.iter().map(|what| format!("aside     {what}\n")));
        let grants = joined(restored.ended.iter().map(|grant| grant.id()), " ");
        let people = joined(&restored.codes_void, " ");
        text.push_str(&match (self.kept, restored.ended.is_empty()) {
            (true, _) => {
                "\nGrants were kept: what was revoked since lives again. See jitctl list.\n".into()
            }
            (false, true) => "\nNo grant was alive in it.\n".to_owned(),
            (false, false) => format!("\nEnded, as they are of the past: {grants}\n"),
        });
        let glass = match restored.break_glass_void {
            0 => "",
            _ => "Break-glass codes are void. ",
        };
        text.push_str(&format!(
            "{glass}Recovery codes are void: {people}. Codes of authenticators count again in a minute.\n\
             People, keys and suspensions are as they were then: what was changed since has to be\n\
             done again. Sessions opened since are on no record: `loginctl` shows who is on; end\n\
             them, or reboot.\n\nNext:\n"
        ));
        let option = super::config_option(self.path);
        text.push_str("  systemctl start jitd\n");
        text.push_str(&format!("  jitctl{option} doctor\n  jitctl{option} user list\n"));
        let names = restored.codes_void.iter();
        text.extend(names.map(|name| format!("  jitctl{option} mfa codes {name}\n")));
        if restored.break_glass_void > 0 {
            text.push_str(&format!("  jitctl{option} break-glass create\n"));
        }
        text
    }

    fn json(&self) -> Value {
        let grants: Vec<_> = self.restored.ended.iter().map(|grant| grant.id()).collect();
        json!({
            "backup_at": self.backup.at.rfc3339(), "records": self.backup.log.records,
            "head": self.head(), "restored": self.placed.done, "aside": self.placed.aside,
            "grants_ended": grants, "grants_kept": self.kept,
            "recovery_codes_void": self.restored.codes_void,
            "break_glass_codes_void": self.restored.break_glass_void,
        })
    }
}
