//! Signing the certificates of hosts, and what they are told, by the other CA.

use jit_api::proof::ANSWER;
use jit_core::certificate::{HostSpecification, check_host};
use jit_core::secret::random_bytes;
use jit_core::store::CaKind;
use jit_core::{Error, Result};
use ssh_key::Certificate;
use ssh_key::certificate::{Builder, CertType};
use ssh_key::{HashAlg, LineEnding, SshSig};

use super::Ready;
use crate::key::CaKeyPair;

/// Signs hosts' certificates, and answers to hosts, with a host CA key.
pub struct HostSigner(CaKeyPair);

impl HostSigner {
    /// With a host CA's key.
    ///
    /// # Errors
    /// Refused for a user CA's.
    pub fn new(key: CaKeyPair) -> Result<Self> {
        if key.kind() != CaKind::Host {
            return Err(Error::refused("a user CA key signs no host's certificate"));
        }
        Ok(HostSigner(key))
    }

    /// The key that signs.
    pub fn key(&self) -> &CaKeyPair {
        &self.0
    }

    /// Signs `wanted`, reads the result back and checks it as a host would.
    ///
    /// # Errors
    /// Refused when the key is the CA's own; tampered when what came out is not what was wanted.
    pub fn sign(&self, wanted: &HostSpecification) -> Result<Certificate> {
        if wanted.public_key == *self.0.public() {
            return Err(Error::refused("not signed: the key is the CA's own"));
        }
        let bad = |why: String| Error::tampered(format!("the certificate can't be made: {why}"));
        let made = self.build(wanted).map_err(|error| bad(error.to_string()))?;
        let bytes = made.to_bytes().map_err(|error| bad(error.to_string()))?;
        let read = Certificate::from_bytes(&bytes).map_err(|error| bad(error.to_string()))?;
        let trusted = [self.0.public().fingerprint(ssh_key::HashAlg::Sha256)];
        let opens = wanted.validity.not_before;
        check_host(&read, &wanted.public_key, &wanted.host, &trusted, opens)
            .map_err(|error| bad(error.what().to_owned()))?;
        Ok(read)
    }

    /// The armoured signature over an answer to a host.
    ///
    /// # Errors
    /// Tampered when it can't be made.
    pub fn sign_answer(&self, text: &str) -> Result<String> {
        SshSig::sign(&Ready(&self.0), ANSWER, HashAlg::Sha512, text.as_bytes())
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|e| Error::tampered(format!("the answer can't be signed: {e}")))
    }

    fn build(&self, wanted: &HostSpecification) -> ssh_key::Result<Certificate> {
        let nonce = random_bytes::<32>().map_err(|_| ssh_key::Error::Crypto)?;
        let (opens, ends) = (wanted.validity.not_before.unix(), wanted.validity.not_after.unix());
        let mut builder = Builder::new(nonce, wanted.public_key.clone(), opens, ends)?;
        builder.serial(wanted.serial)?.cert_type(CertType::Host)?;
        builder.key_id(wanted.key_id())?;
        builder.valid_principal(wanted.host.as_str())?;
        builder.sign(&Ready(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jit_core::name::HostName;
    use jit_core::time::Timestamp;
    use ssh_key::HashAlg;
    use ssh_key::public::{Ed25519PublicKey, KeyData};

    const DAY: u64 = 86_400;

    fn at(unix: u64) -> Timestamp {
        Timestamp::from_unix(unix).unwrap()
    }

    fn host(name: &str) -> HostName {
        HostName::parse(name).unwrap()
    }

    #[test]
    fn a_hosts_certificate_names_that_host_and_no_person_can_use_it() {
        let signer = HostSigner::new(CaKeyPair::generate(CaKind::Host).unwrap()).unwrap();
        let other = CaKeyPair::generate(CaKind::Host).unwrap();
        let key = KeyData::Ed25519(Ed25519PublicKey([7; 32]));
        let wanted = HostSpecification::new(7, &key, &host("web-1"), at(1000)).unwrap();
        let made = signer.sign(&wanted).unwrap();
        assert_eq!(made.cert_type(), CertType::Host);
        assert_eq!(made.valid_principals(), ["web-1"]);
        assert_eq!(made.valid_before() - made.valid_after(), 30 * DAY);
        assert_eq!(made.key_id(), "jit/1 host=web-1");

        let own = signer.0.public().fingerprint(HashAlg::Sha256);
        let others = other.public().fingerprint(HashAlg::Sha256);
        let check = |key: &KeyData, name: &str, trusted: &[_], now| {
            check_host(&made, key, &host(name), trusted, at(now))
        };
        assert!(!check(&key, "web-1", &[own], 1000).unwrap());
        assert!(!check(&key, "web-1", &[own], 1000 + 10 * DAY - 1).unwrap());
        assert!(check(&key, "web-1", &[own], 1000 + 10 * DAY).unwrap(), "the next one is due");
        assert!(check(&key, "web-1", &[others, own], 1000).unwrap(), "another key signs by now");
        assert!(check(&key, "web-2", &[own], 1000).is_err());
        assert!(
            check(&KeyData::Ed25519(Ed25519PublicKey([8; 32])), "web-1", &[own], 1000).is_err()
        );
        assert!(check(&key, "web-1", &[others], 1000).is_err());
        assert!(check(&key, "web-1", &[own], 999).is_err());
        assert!(check(&key, "web-1", &[own], 1000 + 30 * DAY).is_err());
    }

    #[test]
    fn neither_ca_signs_for_the_other_nor_itself() {
        assert!(HostSigner::new(CaKeyPair::generate(CaKind::User).unwrap()).is_err());
        let key = CaKeyPair::generate(CaKind::Host).unwrap();
        let own = key.public().clone();
        let wanted = HostSpecification::new(7, &own, &host("web-1"), at(1000)).unwrap();
        assert!(HostSigner::new(key).unwrap().sign(&wanted).is_err());
    }
}
