//! Explaining a certificate: what it says, as `ssh-keygen -L` does, and what it means to us.

use jit_core::audit::escaped;
use jit_core::authority::Authority;
use jit_core::certificate::{self, KeyId};
use jit_core::grant::Phase;
use jit_core::person::fingerprint;
use jit_core::store::CaKind;
use jit_core::time::{Timestamp, spoken};
use jit_core::{Error, Kind, Result};
use serde_json::{Value, json};
use ssh_key::Certificate;
use ssh_key::certificate::CertType;

use crate::{rules, sign};

/// What a certificate means to an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The grant and person it names, if its key ID is of our form.
    pub key_id: Option<KeyId>,
    /// Which of our CAs signed it. Whether the signature is good is part of `refusal`.
    pub signed_by: Option<CaKind>,
    /// Where its grant stands now.
    pub phase: Option<Phase>,
    /// Seconds until it, or its grant, ends.
    pub remaining: u64,
    /// Why no host would take it now; none when one would.
    pub refusal: Option<String>,
}

/// Finds out what a certificate means now.
///
/// # Errors
/// Unavailable or tampered; a certificate that is not good is no error but a [`Meaning`].
pub fn meaning(authority: &Authority, certificate: &Certificate) -> Result<Meaning> {
    let now = authority.now()?;
    let ca = fingerprint(certificate.signature_key());
    let mut signed_by = None;
    for kind in [CaKind::User, CaKind::Host] {
        if authority.ca_keys(kind)?.iter().any(|key| key.fingerprint == ca) {
            signed_by = Some(kind);
        }
    }
    let mut meaning = Meaning {
        key_id: KeyId::parse(certificate.key_id()).ok(),
        signed_by,
        phase: None,
        remaining: certificate.valid_before().saturating_sub(now.unix()),
        refusal: None,
    };
    if let Some(key_id) = &meaning.key_id {
        match authority.grant(&key_id.grant) {
            Ok((grant, _)) => {
                meaning.phase = Some(grant.phase(now));
                let left = grant.window().map_or(0, |window| window.not_after.since(now));
                meaning.remaining = meaning.remaining.min(left);
            }
            Err(error) if error.kind() == Kind::NotFound => meaning.remaining = 0,
            Err(error) => return Err(error),
        }
    }
    match would_pass(authority, certificate, &meaning, now) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::Tampered) => {
            return Err(error);
        }
        Err(error) => {
            meaning.refusal = Some(error.what().to_owned());
            meaning.remaining = 0;
        }
    }
    Ok(meaning)
}

/// Whether a host that the certificate names would take it now.
fn would_pass(
    authority: &Authority,
    certificate: &Certificate,
    meaning: &Meaning,
    now: Timestamp,
) -> Result<()> {
    let no = |why: String| Err(Error::refused(why));
    match meaning.signed_by {
        Some(CaKind::User) => {}
        Some(CaKind::Host) => return no("it is signed by our host CA, not by our user CA".into()),
        None => return no("it is signed by no CA of ours".into()),
    }
    let trusted = [certificate.signature_key().fingerprint(ssh_key::HashAlg::Sha256)];
    let Some(first) = certificate.valid_principals().first() else {
        return no("it names no principal".into());
    };
    let (login, place) = rules::parse_principal(first)
        .map_err(|_| Error::refused("it names a principal that is none of ours"))?;
    let host = sign::host_at(place)?;
    let key_id = certificate::check(certificate, &trusted, &login, &host, now)?;
    let serial = certificate.serial();
    let issued = authority.issued(serial)?.filter(|issued| {
        issued.grant == key_id.grant
            && issued.person == key_id.person
            && issued.key == fingerprint(certificate.public_key())
    });
    if issued.is_none() {
        return no(format!("no certificate {serial} like it is on record"));
    }
    // Before the grant: suspending somebody ends it, too, and is what there is to know.
    match authority.person(&key_id.person) {
        Ok(person) if person.suspended => {
            return no(format!("{} is suspended", key_id.person));
        }
        Err(error) if error.kind() == Kind::NotFound => {
            return no(format!("there is no person {}", key_id.person));
        }
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    match meaning.phase {
        Some(Phase::Active) => Ok(()),
        Some(phase) => no(format!("its grant {} is {phase}", key_id.grant)),
        None => no(format!("there is no grant {}", key_id.grant)),
    }
}

/// For people: what the certificate says.
pub fn contents(certificate: &Certificate) -> String {
    let kind = kind(certificate);
    let list = |items: Vec<String>| match items.is_empty() {
        true => "(none)".to_owned(),
        // One a line: a principal of another CA may hold a comma.
        false => items.join(&format!("\n{:20}", "")),
    };
    let options = |map: &ssh_key::certificate::OptionsMap| {
        list(map.iter().map(|(name, data)| option(name, data)).collect())
    };
    [
        ("Type", format!("{} {kind} certificate", certificate.algorithm().to_certificate_type())),
        ("Public key", fingerprint(certificate.public_key())),
        ("Signing CA", fingerprint(certificate.signature_key())),
        ("Key ID", format!("\"{}\"", safe(certificate.key_id()))),
        ("Serial", certificate.serial().to_string()),
        (
            "Valid",
            format!(
                "from {} to {}",
                local(certificate.valid_after()),
                local(certificate.valid_before())
            ),
        ),
        ("Principals", list(certificate.valid_principals().iter().map(|p| safe(p)).collect())),
        ("Critical options", options(certificate.critical_options())),
        ("Extensions", options(certificate.extensions())),
    ]
    .map(|(name, value)| line(name, &value))
    .concat()
}

/// For people: what that means.
pub fn told(meaning: &Meaning) -> String {
    let mut text = String::new();
    if let Some(key_id) = &meaning.key_id {
        let phase = meaning.phase.map_or("unknown to us".to_owned(), |phase| phase.to_string());
        text += &line("Grant", &format!("{}, {phase}", key_id.grant));
        text += &line("Person", key_id.person.as_str());
        text += &line("May", if key_id.sudo { "login, sudo" } else { "login" });
        if let Some(factor) = &key_id.factor {
            text += &line("Factor", &format!("{}, {}", factor.kind, factor.at.local()));
        }
    }
    let by = meaning.signed_by.map_or("no CA of ours".to_owned(), |kind| format!("our {kind} CA"));
    text += &line("Signed by", &by);
    text + &match &meaning.refusal {
        None => line("Accepted", &format!("yes, for {}", spoken(meaning.remaining))),
        Some(why) => line("Accepted", &format!("no: {}", safe(why))),
    }
}

/// For programs: both.
pub fn json(certificate: &Certificate, meaning: Option<&Meaning>) -> Value {
    let time = |seconds| Timestamp::from_unix(seconds).map(Timestamp::rfc3339).ok();
    json!({
        "type": certificate.algorithm().to_certificate_type(),
        "kind": kind(certificate),
        "key": fingerprint(certificate.public_key()),
        "ca": fingerprint(certificate.signature_key()),
        "key_id": certificate.key_id(),
        "serial": certificate.serial(),
        "valid_after": time(certificate.valid_after()),
        "valid_before": time(certificate.valid_before()),
        "principals": certificate.valid_principals(),
        "critical_options": options_json(certificate.critical_options()),
        "extensions": options_json(certificate.extensions()),
        "meaning": meaning.map(|meaning| json!({
            "grant": meaning.key_id.as_ref().map(|key_id| &key_id.grant),
            "person": meaning.key_id.as_ref().map(|key_id| &key_id.person),
            "may": meaning.key_id.as_ref().map(|key_id| match key_id.sudo {
                true => vec!["login", "sudo"],
                false => vec!["login"],
            }),
            "factor": meaning.key_id.as_ref().and_then(|key_id| key_id.factor),
            "signed_by": meaning.signed_by,
            "state": meaning.phase,
            "accepted": meaning.refusal.is_none(),
            "why_not": meaning.refusal,
            "remaining_seconds": meaning.remaining,
        })),
    })
}

fn options_json(map: &ssh_key::certificate::OptionsMap) -> Value {
    map.iter().map(|(name, data)| (name.clone(), Value::from(data.clone()))).collect()
}

fn kind(certificate: &Certificate) -> &'static str {
    match certificate.cert_type() {
        CertType::User => "user",
        CertType::Host => "host",
    }
}

fn option(name: &str, data: &str) -> String {
    if data.is_empty() { safe(name) } else { format!("{} {}", safe(name), safe(data)) }
}

fn local(seconds: u64) -> String {
    Timestamp::from_unix(seconds).map_or_else(|_| "forever".to_owned(), Timestamp::local)
}

fn line(name: &str, value: &str) -> String {
    format!("  {name:<16}  {value}\n")
}

/// A certificate from elsewhere may say anything; here it moves no cursor.
fn safe(text: &str) -> String {
    text.chars().flat_map(escaped).collect()
}
