//! What a certificate of ours means, and how it is checked: the key ID, the principals, the
//! options, and sshd's report of the key that was authenticated (`SSH_AUTH_INFO_0`).
//!
//! The format is PROTOCOL.certkeys of OpenSSH. Checking answers with an error for everything that is
//! not certainly ours and valid; there is no third answer.

mod host;

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ssh_key::certificate::CertType;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Certificate, Fingerprint, HashAlg};

use crate::error::{Error, Result};
use crate::factor::ProvedFactor;
use crate::grant::{Permission, Window};
use crate::host::Host;
use crate::id::GrantId;
use crate::name::{Login, PersonName, Place};
use crate::restriction::Restrictions;
use crate::restriction::{FORCE_COMMAND, ForcedCommand, Network, SOURCE_ADDRESS};
use crate::time::Timestamp;

pub use host::{HostSpecification, SSHD_KEY, check_host};

/// The longest `SSH_AUTH_INFO_0` we read: sshd takes no key packet above 256 KiB, and one with 256
/// principals of ours is below 64 KiB.
const LONGEST_AUTH_INFO: usize = 128 * 1024;

/// What the key ID of a certificate says: `jit/1 grant=k7q2-m9xd user=alice may=login,sudo`, followed
/// by ` mfa=totp@1800000000` where a second factor was proved for it, and by ` rule=factors` where the
/// role takes certain factors only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyId {
    /// The grant it was issued for.
    pub grant: GrantId,
    /// The person it was issued to.
    pub person: PersonName,
    /// Whether the grant allows sudo.
    pub sudo: bool,
    /// The second factor that was proved when it was issued.
    pub factor: Option<ProvedFactor>,
    /// Whether the role takes certain second factors only. Which, a certificate does not say, so it is
    /// no proof of such a grant by itself.
    pub rule: bool,
}

impl KeyId {
    /// Reads a key ID, strictly: exactly the fields that [`KeyId`] prints, in their order.
    ///
    /// # Errors
    /// Invalid when it has another form.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || Error::invalid("the key ID of the certificate is none of ours");
        if text.len() > 200 {
            return Err(bad());
        }
        let mut fields = text.split(' ');
        let mut field =
            |name: &str| fields.next().and_then(|field| field.strip_prefix(name)).ok_or_else(bad);
        field("jit/1")?;
        let (grant, person) = (field("grant=")?, field("user=")?);
        let sudo = field("may=")? == "login,sudo";
        let (mut factor, mut rule) = (None, false);
        for field in fields {
            match field.strip_prefix("mfa=") {
                Some(proved) => factor = Some(ProvedFactor::parse(proved).map_err(|_| bad())?),
                None => rule = true,
            }
        }
        let key_id = KeyId {
            grant: GrantId::parse(grant).map_err(|_| bad())?,
            person: PersonName::parse(person).map_err(|_| bad())?,
            sudo,
            factor,
            rule,
        };
        // Printing it again is the strictest check: one spelling, nothing after it.
        if key_id.to_string() == text { Ok(key_id) } else { Err(bad()) }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let may = if self.sudo { "login,sudo" } else { "login" };
        write!(f, "jit/1 grant={} user={} may={may}", self.grant, self.person)?;
        if let Some(factor) = &self.factor {
            write!(f, " mfa={factor}")?;
        }
        f.write_str(if self.rule { " rule=factors" } else { "" })
    }
}

/// The principal that a grant puts into its certificate: `deploy@web-1` or `deploy@env=prod`.
pub fn principal(login: &Login, place: &Place) -> String {
    format!("{login}@{place}")
}

/// The principals that a host accepts for an account: `deploy@web-1`, then one for each label. Never
/// empty.
pub fn accepted_principals(login: &Login, host: &Host) -> Vec<String> {
    host.places().iter().map(|place| principal(login, place)).collect()
}

/// A certificate to be signed: everything in it but the nonce and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specification {
    /// Unique; never 0.
    pub serial: u64,
    /// The key it certifies.
    pub public_key: KeyData,
    /// See [`KeyId`].
    pub key_id: KeyId,
    /// Never empty.
    pub principals: Vec<String>,
    /// `valid_after ≤ now < valid_before`.
    pub validity: Window,
    /// The extensions; a certificate without them permits nothing but to run commands.
    pub permissions: BTreeSet<Permission>,
    /// The critical options.
    pub restrictions: Restrictions,
}

/// The first factor that sshd reports as authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstFactor {
    /// A certificate, checked by nobody yet but sshd, which trusts more CAs than we do.
    Certificate(Box<Certificate>),
    /// A plain key.
    Key(KeyData),
}

/// Reads `SSH_AUTH_INFO_0`: a line for each method that succeeded, `publickey ALGORITHM BASE64`
/// among them. Exactly one key counts; no line is no first factor.
///
/// # Errors
/// Invalid when it is too long, malformed, or reports more than one key.
pub fn parse_auth_info(text: &str) -> Result<Option<FirstFactor>> {
    let bad = |what: &str| Error::invalid(format!("SSH_AUTH_INFO_0 {what}"));
    if text.len() > LONGEST_AUTH_INFO {
        return Err(bad("is too long"));
    }
    let mut keys = text.lines().filter(|line| {
        *line == "publickey" || line.starts_with("publickey ") || line.starts_with("publickey\t")
    });
    let Some(line) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(bad("reports more than one key"));
    }
    let fields: Vec<&str> = line.split(' ').collect();
    let &[_, algorithm, blob] = fields.as_slice() else {
        return Err(bad("is malformed"));
    };
    let blob = STANDARD.decode(blob).map_err(|_| bad("holds no base64"))?;
    if algorithm.ends_with("-cert-v01@openssh.com") {
        let certificate =
            Certificate::from_bytes(&blob).map_err(|_| bad("holds no certificate"))?;
        // The parser is lax with lengths; sshd is not. One meaning has one encoding.
        if certificate.to_bytes().ok().as_ref() != Some(&blob) {
            return Err(bad("holds a certificate in another encoding than ours"));
        }
        if certificate.algorithm().to_certificate_type() != algorithm {
            return Err(bad("names another algorithm than the certificate's"));
        }
        return Ok(Some(FirstFactor::Certificate(Box::new(certificate))));
    }
    let key = ssh_key::PublicKey::from_bytes(&blob).map_err(|_| bad("holds no key"))?;
    if key.to_bytes().ok().as_ref() != Some(&blob) {
        return Err(bad("holds a key in another encoding than ours"));
    }
    // An RSA key is reported under the name of its signature algorithm by some versions.
    let rsa = key.algorithm().is_rsa() && algorithm.starts_with("rsa-sha2-");
    if key.algorithm().as_str() != algorithm && !rsa {
        return Err(bad("names another algorithm than the key's"));
    }
    Ok(Some(FirstFactor::Key(key.key_data().clone())))
}

/// Checks that a certificate is one of ours, in force, for this account on this host.
///
/// # Errors
/// Refused, with the reason for the log.
pub fn check(
    certificate: &Certificate,
    trusted_cas: &[Fingerprint],
    login: &Login,
    host: &Host,
    now: Timestamp,
) -> Result<KeyId> {
    let no = |why: &str| Err(Error::refused(format!("certificate refused: {why}")));
    // A CA key is a plain Ed25519 key: neither a certificate nor a security key signs for us.
    if certificate.signature_key().algorithm() != Algorithm::Ed25519
        || certificate.signature().algorithm() != Algorithm::Ed25519
    {
        return no("its signature key is no plain Ed25519 key");
    }
    if !trusted_cas.contains(&certificate.signature_key().fingerprint(HashAlg::Sha256)) {
        return no("it is signed by another CA");
    }
    if certificate.cert_type() != CertType::User {
        return no("it is no user certificate");
    }
    if certificate.validate_at(now.unix(), trusted_cas).is_err() {
        return no("its signature or its validity is not good");
    }
    if certificate.serial() == 0 {
        return no("it has no serial number");
    }
    // An empty list would mean every account on every host.
    if certificate.valid_principals().is_empty() {
        return no("it names no principal");
    }
    let accepted = accepted_principals(login, host);
    if !certificate.valid_principals().iter().any(|principal| accepted.contains(principal)) {
        return no(&format!("it is not for {login}@{}", host.name));
    }
    if restrictions(certificate).is_none() {
        return no("it has a critical option that we never issue");
    }
    let known =
        |name: &String| Permission::ALL.iter().any(|permission| permission.extension() == name);
    if !certificate.extensions().iter().all(|(name, data)| known(name) && data.is_empty()) {
        return no("it has an extension that we never issue");
    }
    KeyId::parse(certificate.key_id())
        .map_err(|error| Error::refused(format!("certificate refused: {}", error.what())))
}

/// What the critical options hold to, in the one spelling that we issue; sshd enforces it.
pub fn restrictions(certificate: &Certificate) -> Option<Restrictions> {
    let mut found = Restrictions::default();
    for (name, value) in certificate.critical_options().iter() {
        match name.as_str() {
            FORCE_COMMAND => found.force_command = Some(ForcedCommand::parse(value).ok()?),
            SOURCE_ADDRESS => {
                let networks = value.split(',').map(Network::parse);
                found.source_addresses = networks.collect::<Result<_>>().ok()?;
            }
            _ => return None,
        }
    }
    // Printing them again is the strictest check.
    let again = found.critical_options();
    let same = certificate.critical_options().len() == again.len()
        && again
            .iter()
            .all(|(name, value)| certificate.critical_options().get(*name) == Some(value));
    same.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::at;
    use proptest::prelude::*;
    use ssh_key::PrivateKey;
    use ssh_key::certificate::Builder;
    use ssh_key::private::{Ed25519Keypair, KeypairData};

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
    }

    fn host() -> Host {
        Host {
            name: crate::name::HostName::parse("web-1").unwrap(),
            labels: [crate::name::Label::parse("env=prod").unwrap()].into(),
            created_at: at(0),
            key: None,
        }
    }

    fn login() -> Login {
        Login::parse("deploy").unwrap()
    }

    fn builder() -> Builder {
        let mut builder =
            Builder::new(vec![7; 16], key(1).public_key().key_data().clone(), 1000, 2000).unwrap();
        builder.serial(5).unwrap();
        builder.key_id("jit/1 grant=k7q2-m9xd user=alice may=login,sudo").unwrap();
        builder.extension("permit-pty", "").unwrap();
        builder
    }

    fn check_at(certificate: &Certificate, now: u64) -> Result<KeyId> {
        let ca = key(9).public_key().fingerprint(HashAlg::Sha256);
        check(certificate, &[ca], &login(), &host(), at(now))
    }

    /// A user certificate, unless `change` makes it another kind.
    fn signed(change: impl FnOnce(&mut Builder)) -> Certificate {
        let mut builder = builder();
        change(&mut builder);
        builder.sign(&key(9)).unwrap()
    }

    #[test]
    fn a_certificate_of_ours_is_accepted_within_its_validity_only() {
        let good = signed(|b| drop(b.valid_principal("deploy@web-1").map(|_| ())));
        let key_id = check_at(&good, 1000).unwrap();
        assert_eq!(key_id.person.as_str(), "alice");
        assert!(check_at(&good, 1999).is_ok());
        assert!(check_at(&good, 999).is_err());
        assert!(check_at(&good, 2000).is_err());
        let label = signed(|b| drop(b.valid_principal("deploy@env=prod").map(|_| ())));
        assert!(check_at(&label, 1500).is_ok());
    }

    #[test]
    fn a_certificate_with_no_principal_is_never_accepted() {
        let all = signed(|b| drop(b.all_principals_valid().map(|_| ())));
        assert!(check_at(&all, 1500).unwrap_err().what().contains("names no principal"));
    }

    #[test]
    fn a_certificate_of_another_host_login_ca_or_kind_is_refused() {
        for principal in
            ["deploy@web-2", "deploy", "root@web-1", "deploy@env=test", "deploy@web-1 "]
        {
            let other = signed(|b| drop(b.valid_principal(principal).map(|_| ())));
            assert!(check_at(&other, 1500).is_err(), "{principal}");
        }
        let mut foreign = builder();
        foreign.valid_principal("deploy@web-1").unwrap();
        let foreign = foreign.sign(&key(8)).unwrap();
        assert!(check_at(&foreign, 1500).unwrap_err().what().contains("another CA"));
        let host_type = signed(|b| {
            b.valid_principal("deploy@web-1").unwrap();
            b.cert_type(CertType::Host).unwrap();
        });
        assert!(check_at(&host_type, 1500).is_err());
        let critical = signed(|b| {
            b.valid_principal("deploy@web-1").unwrap();
            b.critical_option("force-command", "true").unwrap();
        });
        assert!(check_at(&critical, 1500).is_err());
        let extension = signed(|b| {
            b.valid_principal("deploy@web-1").unwrap();
            b.extension("grant@example.org", "").unwrap();
        });
        assert!(check_at(&extension, 1500).is_err());
    }

    #[test]
    fn every_flipped_byte_of_a_certificate_is_refused() {
        let good = signed(|b| drop(b.valid_principal("deploy@web-1").map(|_| ())));
        let bytes = good.to_bytes().unwrap();
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 1;
            let report =
                format!("publickey ssh-ed25519-cert-v01@openssh.com {}", STANDARD.encode(&bad));
            if let Ok(Some(FirstFactor::Certificate(certificate))) = parse_auth_info(&report) {
                assert!(check_at(&certificate, 1500).is_err(), "byte {i}");
            }
        }
    }

    #[test]
    fn a_certificate_typed_signature_key_is_refused() {
        // The same certificate, its signature key's algorithm name replaced by a certificate's.
        let good = signed(|b| drop(b.valid_principal("deploy@web-1").map(|_| ())));
        let bytes = good.to_bytes().unwrap();
        let plain = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";
        let place = bytes.windows(plain.len()).rposition(|w| w == plain).unwrap();
        let typed = b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com\0\0\0\x20";
        let mut forged = bytes[..place - 4].to_vec();
        let length = u32::from_be_bytes(bytes[place - 4..place].try_into().unwrap());
        let grown = length + u32::try_from(typed.len() - plain.len()).unwrap();
        forged.extend(grown.to_be_bytes());
        forged.extend(typed);
        forged.extend(&bytes[place + plain.len()..]);
        match Certificate::from_bytes(&forged) {
            Ok(certificate) => assert!(check_at(&certificate, 1500).is_err()),
            Err(_) => {
                let line = format!(
                    "publickey ssh-ed25519-cert-v01@openssh.com {}",
                    STANDARD.encode(&forged)
                );
                assert!(parse_auth_info(&line).is_err());
            }
        }
    }

    #[test]
    fn only_the_key_that_sshd_reports_as_authenticated_counts() {
        let line = key(1).public_key().to_openssh().unwrap();
        let other = key(2).public_key().to_openssh().unwrap();
        let report = format!("publickey {}\nkeyboard-interactive/pam\n", line.trim());
        let Some(FirstFactor::Key(found)) = parse_auth_info(&report).unwrap() else { panic!() };
        assert_eq!(&found, key(1).public_key().key_data());
        assert_eq!(parse_auth_info("").unwrap(), None);
        assert_eq!(parse_auth_info("keyboard-interactive/pam\n").unwrap(), None);
        let two = format!("publickey {}\npublickey {}\n", line.trim(), other.trim());
        assert!(parse_auth_info(&two).is_err());
        for bad in [
            "publickey",
            "publickey ",
            "publickey ssh-ed25519",
            "publickey ssh-ed25519 !!",
            "publickey ssh-ed25519 AAAA x",
            "publickey ssh-rsa",
        ] {
            assert!(parse_auth_info(bad).is_err(), "{bad}");
        }
        let lying = format!("publickey ssh-rsa {}", line.split(' ').nth(1).unwrap());
        assert!(parse_auth_info(&lying).is_err());
        assert!(parse_auth_info(&"publickey ".repeat(100_000)).is_err());
    }

    #[test]
    fn a_key_id_has_one_spelling() {
        let text = "jit/1 grant=k7q2-m9xd user=alice may=login";
        assert_eq!(KeyId::parse(text).unwrap().to_string(), text);
        assert_eq!(KeyId::parse(text).unwrap().factor, None);
        for mfa in ["totp@1800000000", "recovery@1"] {
            let proved = format!("{text},sudo mfa={mfa}");
            let key_id = KeyId::parse(&proved).unwrap();
            assert_eq!(
                (key_id.to_string(), key_id.factor.unwrap().to_string()),
                (proved, mfa.into())
            );
        }
        for ruled in [format!("{text} rule=factors"), format!("{text} mfa=totp@1 rule=factors")] {
            let key_id = KeyId::parse(&ruled).unwrap();
            assert!(key_id.rule);
            assert_eq!(key_id.to_string(), ruled);
        }
        for bad in [
            "",
            "jit/1",
            "jit/1 grant=k7q2-m9xd user=alice may=login rule=",
            "jit/1 grant=k7q2-m9xd user=alice may=login rule=other",
            "jit/1 grant=k7q2-m9xd user=alice may=login rule=factors rule=factors",
            "jit/1 grant=k7q2-m9xd user=alice may=login rule=factors mfa=totp@1",
            "jit/2 grant=k7q2-m9xd user=alice may=login",
            "jit/1 grant=k7q2-m9xd user=Alice may=login",
            "jit/1 grant=k7q2m9xd user=alice may=login",
            "jit/1 grant=k7q2-m9xd user=alice may=sudo",
            "jit/1 grant=k7q2-m9xd user=alice may=login,sudo extra",
            "jit/1  grant=k7q2-m9xd user=alice may=login",
            "jit/1 user=alice grant=k7q2-m9xd may=login",
            "jit/1 grant=k7q2-m9xd user=alice may=login\n",
            "jit/1 grant=k7q2-m9xd user=alice may=login mfa=",
            "jit/1 grant=k7q2-m9xd user=alice may=login mfa=totp",
            "jit/1 grant=k7q2-m9xd user=alice may=login mfa=totp@",
            "jit/1 grant=k7q2-m9xd user=alice may=login mfa=totp@01800000000",
            "jit/1 grant=k7q2-m9xd user=alice may=login mfa=totp@+1800000000",
            "jit/1 grant=k7q2-m9xd user=alice may=login mfa=totp@18446744073709551615",
            "jit/1 grant=k7q2-m9xd user=alice may=login mfa=none@1800000000",
            "jit/1 grant=k7q2-m9xd user=alice may=login mfa=totp@1800000000 mfa=totp@1800000000",
            "jit/1 grant=k7q2-m9xd user=alice mfa=totp@1800000000 may=login",
        ] {
            assert!(KeyId::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_report_makes_the_parser_panic(text in "(publickey |ssh-ed25519|[A-Za-z0-9+/= \n]){0,20}") {
            let _ = parse_auth_info(&text);
        }

        #[test]
        fn no_blob_makes_the_parser_panic(blob in proptest::collection::vec(any::<u8>(), 0..300)) {
            let blob = STANDARD.encode(blob);
            let _ = parse_auth_info(&format!("publickey ssh-ed25519-cert-v01@openssh.com {blob}"));
            let _ = parse_auth_info(&format!("publickey ssh-ed25519 {blob}"));
        }
    }
}
