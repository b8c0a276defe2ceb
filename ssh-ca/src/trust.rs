//! The CA's public keys, in the forms in which sshd and ssh are told to trust them.

use jit_core::store::{CaKey, CaKind};
use jit_core::{Error, Result};

use crate::issue::no_ca;

/// One line for each key, the one that signs first: for `TrustedUserCAKeys`, or to read.
///
/// # Errors
/// Not found when there is none.
pub fn public_keys(kind: CaKind, keys: &[CaKey]) -> Result<String> {
    lines(kind, keys, |key| format!("{} jit-{kind}-ca\n", key.public_key))
}

/// One line for each key of the host CA, for known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
/// `hosts` are the names that it may vouch for, such as `*.example.org`.
///
/// # Errors
/// Not found when there is none; invalid when `hosts` is no pattern.
pub fn known_hosts(hosts: &str, keys: &[CaKey]) -> Result<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_*?!,:[]".contains(&b);
    // A leading | would be a hashed name, which matches nothing that we know of.
    if hosts.is_empty() || hosts.len() > 1024 || !hosts.bytes().all(plain) {
        return Err(Error::invalid("this is no pattern of host names")
            .next("Write it as known_hosts does: *.example.org,web-1"));
    }
    lines(CaKind::Host, keys, |key| {
        format!("@cert-authority {hosts} {} jit-host-ca\n", key.public_key)
    })
}

fn lines(kind: CaKind, keys: &[CaKey], line: impl Fn(&CaKey) -> String) -> Result<String> {
    if keys.is_empty() { Err(no_ca(kind)) } else { Ok(keys.iter().map(line).collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::time::Timestamp;

    fn key(kind: CaKind, blob: &str) -> CaKey {
        CaKey {
            kind,
            fingerprint: "SHA256:x".into(),
            public_key: format!("ssh-ed25519 {blob}"),
            sealed_private_key: "sealed".into(),
            created_at: Timestamp::from_unix(0).unwrap(),
        }
    }

    #[test]
    fn every_key_is_trusted_and_nothing_secret_is_printed() {
        let keys = [key(CaKind::User, "NEW"), key(CaKind::User, "OLD")];
        let text = public_keys(CaKind::User, &keys).unwrap();
        assert_eq!(text, "ssh-ed25519 NEW jit-user-ca\nssh-ed25519 OLD jit-user-ca\n");
        let text = known_hosts("*", &[key(CaKind::Host, "NEW")]).unwrap();
        assert_eq!(text, "@cert-authority * ssh-ed25519 NEW jit-host-ca\n");
    }

    #[test]
    fn no_key_is_an_error_and_not_an_empty_file() {
        assert!(public_keys(CaKind::User, &[]).is_err());
        assert!(known_hosts("*", &[]).is_err());
    }

    #[test]
    fn a_pattern_can_not_add_another_line_or_field() {
        for bad in ["", "a b", "a\n@cert-authority *", "a\tb", "#", "|1|x", "ä", "a\"b"] {
            assert!(known_hosts(bad, &[key(CaKind::Host, "K")]).is_err(), "{bad:?}");
        }
    }
}
