//! Time-based one-time passwords: RFC 6238 with the parameters that every authenticator app knows,
//! HMAC-SHA-1, six digits, steps of 30 seconds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use totp_rs::{Algorithm, Builder, Secret, Totp};

use super::{Code, PersonOrNobody};
use crate::error::{Error, Result};
use crate::name::PersonName;
use crate::seal::Vault;
use crate::secret::{SecretBytes, SecretText, random_bytes};
use crate::time::Timestamp;

/// Seconds of a step.
pub const STEP: u64 = 30;
/// Steps accepted before and after the present one (RFC 6238 section 5.2 recommends one).
const SKEW: u16 = 1;

/// A new secret of 160 bits, the length RFC 4226 section 4 recommends.
///
/// # Errors
/// Unavailable when the system gives no random numbers.
pub fn generate() -> Result<SecretBytes> {
    Ok(SecretBytes::new(random_bytes::<20>()?.to_vec()))
}

/// Seals a secret for its person, in base64.
///
/// # Errors
/// Unavailable when it can't be sealed.
pub fn seal(vault: &Vault, person: &PersonOrNobody, secret: &SecretBytes) -> Result<String> {
    Ok(STANDARD.encode(vault.seal(&purpose(person), secret.expose())?))
}

/// Opens what [`seal`] sealed for the same person.
///
/// # Errors
/// Tampered when it doesn't open.
pub fn unseal(vault: &Vault, person: &PersonOrNobody, sealed: &str) -> Result<SecretBytes> {
    let purpose = purpose(person);
    let sealed = STANDARD
        .decode(sealed)
        .map_err(|_| Error::tampered(format!("the sealed {purpose} is damaged")))?;
    vault.open(&purpose, &sealed)
}

/// The latest step whose code is accepted at `now`.
pub fn latest_step(now: Timestamp) -> u64 {
    now.unix() / STEP + u64::from(SKEW)
}

/// The step, within the skew around `now`, whose code this is.
///
/// # Errors
/// Tampered when the secret has an impossible length.
pub fn matching_step(secret: &SecretBytes, code: &Code, now: Timestamp) -> Result<Option<u64>> {
    let totp = totp(secret)?;
    // Anything but a one-time code is compared too, to something it can't equal.
    let typed = match code {
        Code::Totp(typed) => typed.expose(),
        Code::Recovery(_) | Code::Malformed => "??????",
    };
    let present = now.unix() / STEP;
    let skew = u64::from(SKEW);
    let mut found = None;
    for step in present.saturating_sub(skew)..=latest_step(now) {
        let right = SecretText::new(totp.generate(step * STEP).to_string());
        let same = crate::secret::equal(right.expose().as_bytes(), typed.as_bytes());
        // Where two steps share a code, the later one counts: it burns both.
        found = if same { Some(step) } else { found };
    }
    Ok(found)
}

/// The URI that authenticator apps read, plain or as a QR code (Key Uri Format). It contains the
/// secret.
///
/// # Errors
/// Tampered when the secret has an impossible length.
pub fn otpauth_uri(issuer: &str, person: &PersonName, secret: &SecretBytes) -> Result<SecretText> {
    let base32 = SecretText::new(totp(secret)?.secret().to_base32());
    // Person and issuer are checked names: nothing in them needs escaping.
    Ok(SecretText::new(format!(
        "otpauth://totp/{issuer}:{person}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP}",
        base32.expose()
    )))
}

/// The code of a moment, as an authenticator app would show it.
///
/// # Errors
/// Tampered when the secret has an impossible length.
#[cfg(test)]
pub(crate) fn code_at(secret: &SecretBytes, now: Timestamp) -> Result<String> {
    Ok(totp(secret)?.generate(now.unix()).to_string())
}

fn totp(secret: &SecretBytes) -> Result<Totp> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(SKEW)
        .with_step_duration(STEP)
        .with_secret(Secret::new(secret.expose().into()))
        .build()
        .map_err(|_| Error::tampered("a TOTP secret has an impossible length"))
}

fn purpose(person: &PersonOrNobody) -> String {
    format!("TOTP secret of {}", person.key())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;

    /// RFC 6238 appendix B, cut to six digits.
    #[test]
    fn the_test_vectors_of_rfc_6238() {
        let secret = SecretBytes::new(b"12345678901234567890".to_vec());
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(code_at(&secret, at(time)).unwrap(), code);
            let typed = Code::parse(code);
            assert_eq!(matching_step(&secret, &typed, at(time)).unwrap(), Some(time / 30));
            assert_eq!(matching_step(&secret, &typed, at(time + 60)).unwrap(), None);
        }
    }

    #[test]
    fn a_uri_that_apps_read() {
        let secret = SecretBytes::new(b"12345678901234567890".to_vec());
        let uri = otpauth_uri("web-1", &PersonName::parse("alice").unwrap(), &secret).unwrap();
        assert_eq!(
            uri.expose(),
            "otpauth://totp/web-1:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=web-1\
             &algorithm=SHA1&digits=6&period=30"
        );
    }
}
