//! What is not as it was sealed is refused, whatever was done to it.

use super::*;

fn vault(seed: u8) -> Vault {
    Vault::from_master_key(&[seed; 32])
}

/// A small backup; its bytes.
fn bytes(dir: &Path) -> Vec<u8> {
    let path = dir.join("good");
    let mut writer = Writer::new(File::create(&path).unwrap(), 1_800_000_000);
    for member in [Member::About, Member::Store, Member::Config, Member::Policy, Member::MasterKey]
    {
        let text = format!("content of {}", member.name());
        writer.add(member, text.len() as u64, text.as_bytes()).unwrap();
    }
    writer.seal(&vault(1)).unwrap();
    std::fs::read(path).unwrap()
}

fn opened(dir: &Path, bytes: &[u8]) -> Result<Archive> {
    let path = dir.join("tried");
    std::fs::write(&path, bytes).unwrap();
    let archive = Archive::open(&path)?;
    archive.check_seal(&vault(1))?;
    Ok(archive)
}

/// An archive of these entries, sealed by whoever holds the key.
fn forged(dir: &Path, entries: &[(&str, EntryType, u64, &[u8])]) -> Result<Archive> {
    let path = dir.join("forged");
    let hashing = Hashing { file: File::create(&path).unwrap(), hash: Sha256::new() };
    let mut writer = Writer { builder: tar::Builder::new(hashing), time: 0 };
    for (name, kind, size, content) in entries {
        let mut header = header("x", *size, 0);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_cksum();
        writer.builder.append(&header, *content).unwrap();
    }
    writer.seal(&vault(1)).unwrap();
    let bytes = std::fs::read(path).unwrap();
    opened(dir, &bytes)
}

#[test]
fn what_was_sealed_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let archive = opened(dir.path(), &bytes(dir.path())).unwrap();
    assert_eq!(archive.text(Member::Policy).unwrap().unwrap(), "content of policy.toml");
    assert!(!archive.has(Member::UserCa));
    let out = dir.path().join("out");
    archive.extract(Member::Store, &out).unwrap();
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "content of jit.db");
    assert!(archive.extract(Member::Store, &out).is_err(), "overwritten");
}

#[test]
fn every_flipped_byte_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let good = bytes(dir.path());
    for i in 0..good.len() {
        let mut bad = good.clone();
        bad[i] ^= 1;
        let error = opened(dir.path(), &bad).map(drop).unwrap_err();
        assert_eq!(error.kind(), jit_core::Kind::Tampered, "byte {i}: {error}");
    }
}

#[test]
fn a_backup_that_is_cut_off_or_goes_on_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = bytes(dir.path());
    for length in 0..good.len() {
        if length % 64 == 0 || length % 512 == 511 {
            assert!(opened(dir.path(), &good[..length]).is_err(), "{length} bytes");
        }
    }
    assert!(opened(dir.path(), &[&good[..], &[0; 512]].concat()).is_err());
    assert!(opened(dir.path(), &[&good[..], &good[..]].concat()).is_err());
}

#[test]
fn another_master_key_does_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("b"), bytes(dir.path())).unwrap();
    let archive = Archive::open(&dir.path().join("b")).unwrap();
    archive.check_seal(&vault(1)).unwrap();
    let error = archive.check_seal(&vault(2)).unwrap_err();
    assert!(error.what().contains("master key is another"), "{error}");
}

/// Even one that whoever made it could seal.
#[test]
fn members_that_ours_have_not_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = EntryType::Regular;
    let good = [
        ("about.json", file, 1, &b"x"[..]),
        ("jit.db", file, 1, b"x"),
        ("jit.toml", file, 1, b"x"),
        ("policy.toml", file, 1, b"x"),
    ];
    forged(dir.path(), &good).unwrap();
    type Entry = (&'static str, EntryType, u64, &'static [u8]);
    let bad: [(usize, Entry, &str); 12] = [
        (4, ("../etc/shadow", file, 1, b"x"), "does not belong"),
        (4, ("/etc/shadow", file, 1, b"x"), "does not belong"),
        (4, ("./user_ca.pub", file, 1, b"x"), "does not belong"),
        (4, ("extra", file, 1, b"x"), "does not belong"),
        (4, ("jit.db", file, 1, b"x"), "does not belong"),
        (4, ("user_ca.pub", EntryType::Symlink, 0, b""), "no plain file"),
        (4, ("user_ca.pub", EntryType::Link, 0, b""), "no plain file"),
        (4, ("user_ca.pub", EntryType::Directory, 0, b""), "no plain file"),
        (4, ("user_ca.pub", EntryType::GNUSparse, 0, b""), "no plain file"),
        (4, ("././@LongLink", EntryType::GNULongName, 1, b"x"), "does not belong"),
        (4, ("master.key", file, 5000, &[b'x'; 5000]), "too large"),
        // A size that the file does not have.
        (4, ("user_ca.pub", file, 60_000, b"x"), ""),
    ];
    for (at, entry, says) in bad {
        let mut entries = good.to_vec();
        entries.insert(at, entry);
        let error = forged(dir.path(), &entries).map(drop).unwrap_err();
        assert_eq!(error.kind(), jit_core::Kind::Tampered);
        assert!(error.what().contains(says), "{} {says}: {error}", entry.0);
    }
    for missing in 0..4 {
        let mut entries = good.to_vec();
        entries.remove(missing);
        assert!(forged(dir.path(), &entries).is_err(), "{}", good[missing].0);
    }
    let huge = [good[0], ("jit.db", file, 5 << 30, &b"x"[..])];
    let error = forged(dir.path(), &huge).map(drop).unwrap_err();
    assert!(error.what().contains("too large"), "{error}");
}
