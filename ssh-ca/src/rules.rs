//! What a certificate must be before it is signed. The builder below us takes empty principals,
//! duplicates, commas, serial number 0 and empty windows; none of that gets past here.

use std::collections::BTreeSet;

use jit_core::certificate::{KeyId, Specification, principal};
use jit_core::name::{Login, Place};
use jit_core::person::check_key;
use jit_core::time::Timestamp;
use jit_core::{Error, Result};
use ssh_key::public::KeyData;

/// sshd takes no certificate with more (PROTOCOL.certkeys, `SSHKEY_CERT_MAX_PRINCIPALS`).
pub const MOST_PRINCIPALS: usize = 256;

/// Checks everything in a certificate to be signed by `ca`.
///
/// # Errors
/// Refused, saying what is wrong.
pub fn check(certificate: &Specification, ca: &KeyData) -> Result<()> {
    let no = |why: &str| Err(Error::refused(format!("not signed: {why}")));
    if certificate.serial == 0 {
        return no("the serial number is 0");
    }
    check_subject(&certificate.public_key, ca)?;
    if KeyId::parse(&certificate.key_id.to_string()).ok().as_ref() != Some(&certificate.key_id) {
        return no("the key ID does not read back");
    }
    match certificate.principals.len() {
        // An empty list would mean every account on every host.
        0 => return no("it names no principal"),
        1..=MOST_PRINCIPALS => {}
        _ => return no("it names more than 256 principals"),
    }
    let mut seen = BTreeSet::new();
    for text in &certificate.principals {
        parse_principal(text)?;
        if !seen.insert(text) {
            return no(&format!("the principal {text} stands there twice"));
        }
    }
    let window = &certificate.validity;
    if window.not_before >= window.not_after {
        return no("it would never be valid");
    }
    // u64::MAX means forever to sshd. A time that reads back is far below.
    if Timestamp::from_unix(window.not_after.unix()).is_err() {
        return no("it would be valid after the year 9999");
    }
    Ok(())
}

/// Checks the key that is to be certified.
///
/// # Errors
/// Refused when it is the CA's own, a certificate, or of a type or size that sshd refuses.
fn check_subject(key: &KeyData, ca: &KeyData) -> Result<()> {
    if key == ca {
        return Err(Error::refused("not signed: the key is the CA's own"));
    }
    check_key(key).map_err(|error| Error::refused(format!("not signed: {}", error.what())))
}

/// Reads `deploy@web-1` or `deploy@env=prod`, in its one spelling.
///
/// # Errors
/// Refused when it has another form.
pub fn parse_principal(text: &str) -> Result<(Login, Place)> {
    let parts = text
        .split_once('@')
        .and_then(|(login, place)| Some((Login::parse(login).ok()?, Place::parse(place).ok()?)));
    match parts {
        Some((login, place)) if principal(&login, &place) == text => Ok((login, place)),
        _ => {
            let shown: String = text.chars().take(40).collect();
            Err(Error::refused(format!(
                "not signed: `{}` is no principal of ours",
                shown.escape_debug()
            )))
        }
    }
}
