//! The file of a backup: a plain tar archive, which every system can list, that ends with a seal
//! under the master key over all that stands before it.
//!
//! ```text
//! about.json  jit.db  jit.toml  policy.toml  [user_ca.pub]  [host_ca.pub]  [hooks.toml]
//! [hooks.secrets]  [master.key]  seal
//! ```
//! Reading one trusts nothing in it: the members are those above, in that order, plain files below a
//! size, and no name from the archive is ever a path. What the seal does not fit is refused whole.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use jit_core::audit::hex;
use jit_core::rootfile;
use jit_core::seal::Vault;
use jit_core::secret::equal;
use jit_core::{Error, Result};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// When it was made, as JSON.
    About,
    /// The store.
    Store,
    /// The configuration.
    Config,
    /// The policy.
    Policy,
    /// What sshd trusts.
    UserCa,
    /// What people's known_hosts trust.
    HostCa,
    /// Who is told of events.
    Hooks,
    /// The webhooks' secrets, each sealed under the master key, as JSON.
    HookSecrets,
    /// The master key.
    MasterKey,
}

/// The order in which they stand.
const MEMBERS: [Member; 9] = [
    Member::About,
    Member::Store,
    Member::Config,
    Member::Policy,
    Member::UserCa,
    Member::HostCa,
    Member::Hooks,
    Member::HookSecrets,
    Member::MasterKey,
];

/// The name of the seal, which stands last.
const SEAL: &str = "seal";
/// Bytes of a block of tar(5).
const BLOCK: u64 = 512;
/// The seal's header, its content, and the two empty blocks at the end.
const TAIL: u64 = 4 * BLOCK;

impl Member {
    /// Its name in the archive; that of the file it comes from, too.
    pub fn name(self) -> &'static str {
        match self {
            Member::About => "about.json",
            Member::Store => "jit.db",
            Member::Config => "jit.toml",
            Member::Policy => "policy.toml",
            Member::UserCa => "user_ca.pub",
            Member::HostCa => "host_ca.pub",
            Member::Hooks => "hooks.toml",
            Member::HookSecrets => "hooks.secrets",
            Member::MasterKey => "master.key",
        }
    }

    /// The most bytes it may have.
    fn limit(self) -> u64 {
        match self {
            Member::Store => 4 << 30,
            Member::Config | Member::Policy | Member::Hooks | Member::HookSecrets => 1 << 20,
            Member::UserCa | Member::HostCa => 64 << 10,
            Member::About | Member::MasterKey => 4 << 10,
        }
    }

    fn is_required(self) -> bool {
        matches!(self, Member::About | Member::Store | Member::Config | Member::Policy)
    }
}

/// A backup that is being written.
pub struct Writer {
    builder: tar::Builder<Hashing>,
    time: u64,
}

impl Writer {
    /// Into an empty file; members get the time `unix`.
    pub fn new(file: File, unix: u64) -> Self {
        let hashing = Hashing { file, hash: Sha256::new() };
        Writer { builder: tar::Builder::new(hashing), time: unix }
    }

    /// The next member, which has `size` bytes.
    ///
    /// # Errors
    /// Unavailable when it can't be written; refused when it is too large to be read again.
    pub fn add(&mut self, member: Member, size: u64, content: impl Read) -> Result<()> {
        if size > member.limit() {
            let name = member.name();
            return Err(Error::refused(format!("{name} is too large for a backup: {size} bytes")));
        }
        let header = header(member.name(), size, self.time);
        self.builder.append(&header, content.take(size)).map_err(unwritable)
    }

    /// Seals and ends it, and makes it durable.
    ///
    /// # Errors
    /// Unavailable when it can't be written.
    pub fn seal(mut self, vault: &Vault) -> Result<()> {
        let seal = seal(vault, self.builder.get_ref().hash.clone());
        self.builder
            .append(&header(SEAL, seal.len() as u64, 0), seal.as_bytes())
            .map_err(unwritable)?;
        let hashing = self.builder.into_inner().map_err(unwritable)?;
        hashing.file.sync_all().map_err(unwritable)
    }
}

/// Writes, and remembers the hash of all it wrote.
struct Hashing {
    file: File,
    hash: Sha256,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn header(name: &str, size: u64, time: u64) -> Header {
    let mut header = Header::new_ustar();
    // The names are ours, and short: this can't fail, and an archive without one is refused.
    let _ = header.set_path(name);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size);
    header.set_mtime(time);
    header.set_cksum();
    header
}

/// What the seal says: a tag under the master key over the hash of what stands before it.
fn seal(vault: &Vault, hash: Sha256) -> String {
    hex(&vault.tag("backup", "1", &hex(&hash.finalize()))) + "\n"
}

/// A backup whose shape is right. What it says is to be believed once [`Archive::check_seal`] did.
pub struct Archive {
    file: File,
    /// Bytes before the seal.
    body: u64,
    members: Vec<Place>,
}

/// Where a member stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    member: Member,
    start: u64,
    size: u64,
}

impl Archive {
    /// Looks at the shape of a backup.
    ///
    /// # Errors
    /// Not found; tampered when it is cut off or anything else than a backup of ours.
    pub fn open(path: &Path) -> Result<Self> {
        let unreadable = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::not_found(format!("there is no file {}", path.display()))
            }
            _ => Error::unavailable(format!("{} can't be read: {e}", path.display())),
        };
        let file = File::open(path).map_err(unreadable)?;
        let meta = file.metadata().map_err(unreadable)?;
        if !meta.is_file() {
            return Err(Error::invalid(format!("{} is no plain file", path.display())));
        }
        Archive::read(file, meta.len()).map_err(|e| e.context(path.display()))
    }

    fn read(file: File, length: u64) -> Result<Self> {
        let body = length
            .checked_sub(TAIL)
            .filter(|body| *body > 0 && body % BLOCK == 0)
            .ok_or_else(|| damaged("it is cut off, or none of ours"))?;
        let mut members: Vec<Place> = Vec::new();
        let mut order = MEMBERS.iter().copied();
        let mut archive = tar::Archive::new((&file).take(body));
        // Raw: what other archives use to lengthen names or sizes is a member that ours have not.
        let entries = archive.entries().map_err(|e| damaged(&e.to_string()))?.raw(true);
        for entry in entries {
            let entry = entry.map_err(|e| damaged(&e.to_string()))?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let member = order
                .find(|member| member.name() == name)
                .ok_or_else(|| damaged(&format!("`{name}` does not belong there")))?;
            if entry.header().entry_type() != EntryType::Regular {
                return Err(damaged(&format!("{name} is no plain file")));
            }
            let (start, size) = (entry.raw_file_position(), entry.size());
            if size > member.limit() {
                return Err(damaged(&format!("{name} is too large: {size} bytes")));
            }
            if start.checked_add(size).is_none_or(|end| end > body) {
                return Err(damaged(&format!("{name} is cut off")));
            }
            members.push(Place { member, start, size });
        }
        let archive = Archive { file, body, members };
        match MEMBERS.iter().find(|member| member.is_required() && !archive.has(**member)) {
            Some(missing) => Err(damaged(&format!("{} is missing", missing.name()))),
            None => Ok(archive),
        }
    }

    /// Whether it holds this.
    pub fn has(&self, member: Member) -> bool {
        self.place(member).is_some()
    }

    /// Checks that all of it is as it was when it was sealed under the master key of `vault`.
    ///
    /// # Errors
    /// Tampered when it is not, or the key is another one.
    pub fn check_seal(&self, vault: &Vault) -> Result<()> {
        let mut hash = Sha256::new();
        std::io::copy(&mut self.part(0, self.body)?, &mut hash).map_err(unreadable)?;
        let mut tail = tar::Builder::new(Vec::new());
        let seal = seal(vault, hash);
        tail.append(&header(SEAL, seal.len() as u64, 0), seal.as_bytes()).map_err(unreadable)?;
        let tail = tail.into_inner().map_err(unreadable)?;
        let mut there = vec![0; tail.len()];
        self.file.read_exact_at(&mut there, self.body).map_err(unreadable)?;
        if equal(&there, &tail) {
            return Ok(());
        }
        Err(damaged(
            "its seal does not fit: it was damaged or edited, or the master key is another",
        )
        .next("Take another backup, or put the master key of that time in its place."))
    }

    /// A member's text; none when it is not there.
    ///
    /// # Errors
    /// Tampered when it is no text.
    pub fn text(&self, member: Member) -> Result<Option<String>> {
        let Some(place) = self.place(member) else { return Ok(None) };
        let mut text = String::new();
        self.part(place.start, place.size)?
            .read_to_string(&mut text)
            .map_err(|e| damaged(&format!("{}: {e}", member.name())))?;
        Ok(Some(text))
    }

    /// Writes a member into the new private file `to`.
    ///
    /// # Errors
    /// Tampered when it is not there; unavailable when the file can't be written.
    pub fn extract(&self, member: Member, to: &Path) -> Result<()> {
        let place =
            self.place(member).ok_or_else(|| damaged(&format!("{} is missing", member.name())))?;
        copy(self.part(place.start, place.size)?, to)
    }

    fn place(&self, member: Member) -> Option<Place> {
        self.members.iter().copied().find(|place| place.member == member)
    }

    fn part(&self, start: u64, size: u64) -> Result<impl Read> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        Ok(file.take(size))
    }
}

/// Copies the file at `from` into the new private file `to`: what others may go on changing is read
/// once.
///
/// # Errors
/// Not found; unavailable when it can't be read or written, or is larger than any backup.
pub fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let most: u64 = MEMBERS.iter().map(|member| member.limit() + 2 * BLOCK).sum::<u64>() + TAIL;
    let file = File::open(from).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() > most {
        return Err(damaged("it is larger than any backup"));
    }
    copy(file.take(most), to)
}

fn copy(mut from: impl Read, to: &Path) -> Result<()> {
    rootfile::create_private(to, b"")?;
    let copied = std::fs::OpenOptions::new().write(true).open(to).and_then(|mut file| {
        std::io::copy(&mut from, &mut file)?;
        file.sync_all()
    });
    copied.map_err(unwritable)
}

fn damaged(how: &str) -> Error {
    Error::tampered(format!("this is no sound backup: {how}"))
        .next("Nothing was changed. Take another backup.")
}

fn unreadable(error: std::io::Error) -> Error {
    Error::unavailable(format!("the backup can't be read: {error}"))
}

fn unwritable(error: std::io::Error) -> Error {
    Error::unavailable(format!("the file can't be written: {error}")).next("Is there room? df -h.")
}

#[cfg(test)]
mod tests;
