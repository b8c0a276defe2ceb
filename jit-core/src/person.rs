//! People and their identity keys.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use ssh_key::public::KeyData;
use ssh_key::{Fingerprint, PublicKey};

use crate::error::{Error, Result};
use crate::name::{GroupName, PersonName};
use crate::time::Timestamp;

/// A human with a name, groups and, kept apart, identity keys and factors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The one name.
    pub name: PersonName,
    /// The groups that policy speaks of.
    pub groups: BTreeSet<GroupName>,
    /// A suspended person gets nothing: no request, approval, factor or login.
    pub suspended: bool,
    /// When the person was added.
    pub created_at: Timestamp,
}

/// A person's own SSH public key: the first factor. One key belongs to one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityKey {
    /// Whose it is.
    pub person: PersonName,
    /// `SHA256:…` over the key blob, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// The key in OpenSSH form, `ssh-ed25519 AAAA…`, without comment.
    pub public_key: String,
    /// What it is called, for people.
    pub comment: String,
    /// When it was added.
    pub added_at: Timestamp,
}

/// The longest public key line we read: an RSA key of 16384 bits has 2.8 KiB.
const LONGEST_KEY: usize = 8 * 1024;

impl IdentityKey {
    /// Reads one line of a public key file.
    ///
    /// # Errors
    /// As [`parse_public_key`].
    pub fn parse(person: PersonName, line: &str, added_at: Timestamp) -> Result<Self> {
        let key = parse_public_key(line)?;
        let bare = PublicKey::new(key.key_data().clone(), "");
        let public_key = bare
            .to_openssh()
            .map_err(|e| Error::invalid(format!("the key can't be written: {e}")))?;
        let comment = key.comment().chars().filter(|c| !c.is_control()).take(64).collect();
        Ok(IdentityKey {
            person,
            fingerprint: fingerprint(key.key_data()),
            public_key: public_key.trim().to_owned(),
            comment,
            added_at,
        })
    }
}

/// `SHA256:…` over the key blob.
pub fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(ssh_key::HashAlg::Sha256).to_string()
}

/// Reads what [`fingerprint`] writes.
///
/// # Errors
/// Invalid when it is another hash, or none.
pub fn parse_fingerprint(text: &str) -> Result<Fingerprint> {
    let read = text.parse().ok().filter(|read: &Fingerprint| read.is_sha256());
    read.ok_or_else(|| {
        Error::invalid("that is no fingerprint of a key, such as SHA256: and 43 characters")
            .next("ssh-ca public-key --host says which the authority's is.")
    })
}

/// Reads one line of a public key file.
///
/// # Errors
/// Invalid when it is no public key, a certificate, a private key, or one that [`check_key`] refuses.
pub fn parse_public_key(line: &str) -> Result<PublicKey> {
    let line = line.trim();
    if line.len() > LONGEST_KEY {
        return Err(Error::invalid("the public key is larger than 8 KiB"));
    }
    if line.contains("PRIVATE KEY") {
        return Err(Error::invalid("this is a private key, which nobody but its owner may hold")
            .next("Give the file that ends in .pub."));
    }
    // The parser takes a certificate for a key of an unknown type.
    if line.split(' ').next().is_some_and(|word| word.ends_with("-cert-v01@openssh.com")) {
        return Err(Error::invalid("this is a certificate, not a key")
            .next("Give the key's own file, such as id_ed25519.pub."));
    }
    let key = PublicKey::from_openssh(line).map_err(|e| {
        Error::invalid(format!("this is no SSH public key: {e}"))
            .next("Give one line of a .pub file, such as `ssh-ed25519 AAAA… alice@laptop`.")
    })?;
    check_key(key.key_data())?;
    Ok(key)
}

/// Checks that a key is of a type and size that sshd accepts.
///
/// # Errors
/// Invalid for DSA, RSA below 2048 or above 16384 bits, and types we don't know.
pub fn check_key(key: &KeyData) -> Result<()> {
    let no = |what: String| Err(Error::invalid(what).next("Make one: ssh-keygen -t ed25519."));
    match key {
        KeyData::Ed25519(_)
        | KeyData::Ecdsa(_)
        | KeyData::SkEd25519(_)
        | KeyData::SkEcdsaSha2NistP256(_) => Ok(()),
        KeyData::Rsa(rsa) => match rsa.n.as_positive_bytes().map_or(0, <[u8]>::len) * 8 {
            0..2048 => no("an RSA key below 2048 bits is too weak".into()),
            2048..=16_384 => Ok(()),
            _ => no("sshd takes no RSA key above 16384 bits".into()),
        },
        KeyData::Dsa(_) => no("DSA keys are no longer accepted by sshd".into()),
        other => no(format!("sshd knows no keys of type {}", other.algorithm())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBO8vL1BxSCT9ZoS+U+UJEqjFO7DyXoeNAbdapVOeqCi42uqw7+GyMk9BwUiBY2rcO4HkQPVbRqUj5xdiqIyRqO4= x";
    const CERTIFICATE: &str = "ecdsa-sha2-nistp256-cert-v01@openssh.com AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAg4sLp4KR6gmubZEPJ6di/ev6laTzJ6cET+qo6+ZMkDnkAAAAIbmlzdHAyNTYAAABBBO8vL1BxSCT9ZoS+U+UJEqjFO7DyXoeNAbdapVOeqCi42uqw7+GyMk9BwUiBY2rcO4HkQPVbRqUj5xdiqIyRqO4AAAAAAAAAAAAAAAEAAAABeAAAAAUAAAABeQAAAAAAAAAA//////////8AAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACBk2F3K519TC/cc45ytm9Ghlu3pfXxIhu2+c+oRqWWsNQAAAFMAAAALc3NoLWVkMjU1MTkAAABAsPJimDxyrXvuNSpjQSvjzTohASBkhHLrDUY+a+CypwHD+Z5Z+vznYGmpjzKiRbBe8hU54lymecGey36QPvL5AQ== x";
    const WEAK: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC8dR3dmGV+gKbg3oeeh8zwthx+t9YX/HNiGONxsF9HxmncwepMJm23nzrRpMsO5aPc9/O6j1bszdJgZhwuJHKQn/A/2Y8KbFycbDg8ADNIV/g25wUFRBKhn8MG6H9hidfjqWp6IzaLNfSBjl0UpkbhHzVZAMIPrznW/l/Eczklqw== x";

    #[test]
    fn a_key_is_read_whatever_sshd_accepts_and_nothing_else() {
        assert_eq!(parse_public_key(ECDSA).unwrap().comment(), "x");
        for (bad, why) in [
            (CERTIFICATE, "a certificate, not a key"),
            (WEAK, "too weak"),
            ("ssh-new@example.com AAAAE3NzaC1uZXdAZXhhbXBsZS5jb20AAAABYQ==", "no keys of type"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
            ("ssh-ed25519 AAAA", "no SSH public key"),
            ("", "no SSH public key"),
        ] {
            let said = parse_public_key(bad).unwrap_err();
            assert!(said.what().contains(why), "{bad}: {said}");
        }
    }
}
