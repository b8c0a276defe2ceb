//! Keys and signatures by the user's own `ssh-keygen`: it knows agents, hardware keys, passphrases
//! and how to ask for them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jit_core::person::{fingerprint, parse_public_key};
use jit_core::{Error, Result};
use ssh_key::{Algorithm, PublicKey};

use crate::private;

/// The largest public key file that is read.
const LARGEST: u64 = 64 * 1024;

/// A key that somebody here can sign with.
#[derive(Clone, Debug)]
pub struct SigningKey {
    file: PathBuf,
    public: PublicKey,
}

impl SigningKey {
    /// The key in `file`: the private one, or the `.pub` beside it where an agent has the private one.
    ///
    /// # Errors
    /// Not found or invalid when the public key can't be read; invalid when it is no Ed25519 key.
    pub fn open(file: &Path) -> Result<Self> {
        let file = match file.to_str().and_then(|name| name.strip_suffix(".pub")) {
            Some(private) if Path::new(private).exists() => PathBuf::from(private),
            _ => file.to_owned(),
        };
        let public_file = if is_public(&file) { file.clone() } else { with_pub(&file) };
        let text = private::read_public(&public_file, LARGEST).map_err(|e| {
            let private = file.display();
            match e.kind() {
                std::io::ErrorKind::NotFound => {
                    Error::not_found(format!("there is no {}", public_file.display())).next(
                        format!(
                            "Without a key: ssh-keygen -t ed25519. With one: ssh-keygen -y -f \
                             {private} > {private}.pub"
                        ),
                    )
                }
                _ => Error::invalid(format!("{} can't be read: {e}", public_file.display())),
            }
        })?;
        let public = parse_public_key(&text)?;
        if !matches!(public.algorithm(), Algorithm::Ed25519 | Algorithm::SkEd25519) {
            return Err(Error::invalid(format!(
                "{} is a key of type {}, and only Ed25519 keys sign here",
                file.display(),
                public.algorithm()
            ))
            .next("Make one: ssh-keygen -t ed25519, or -t ed25519-sk on a hardware key."));
        }
        Ok(SigningKey { file, public })
    }

    /// A new Ed25519 key in `file`, which nobody has to be there for.
    ///
    /// # Errors
    /// Unavailable when ssh-keygen makes none.
    pub fn make(file: &Path, comment: &str) -> Result<Self> {
        for old in [file.to_owned(), with_pub(file)] {
            private::remove(&old)?;
        }
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(file);
        let made = keygen.stdin(Stdio::null()).stdout(Stdio::null()).status().map_err(missing)?;
        if !made.success() {
            return Err(Error::unavailable(format!("no key was made in {}", file.display())));
        }
        SigningKey::open(file)
    }

    /// The file: the private key, or the public one of a key in an agent.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The public key's file.
    pub fn public_file(&self) -> PathBuf {
        if is_public(&self.file) { self.file.clone() } else { with_pub(&self.file) }
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The public key as one line.
    ///
    /// # Errors
    /// Invalid when it can't be written, which no key that was read is.
    pub fn line(&self) -> Result<String> {
        let line = self.public.to_openssh();
        line.map_err(|e| Error::invalid(format!("the key can't be written: {e}")))
    }

    /// `SHA256:…`
    pub fn fingerprint(&self) -> String {
        fingerprint(self.public.key_data())
    }

    /// Whether each signature needs somebody: to touch a hardware key, or to type a passphrase.
    ///
    /// # Errors
    /// Unavailable when ssh-keygen is missing.
    pub fn needs_person(&self) -> Result<bool> {
        if self.public.algorithm() == Algorithm::SkEd25519 {
            return Ok(true);
        }
        if self.in_agent()? {
            return Ok(false);
        }
        // Opens without a passphrase?
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-y", "-P", "", "-f"]).arg(&self.file);
        keygen.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(!keygen.status().map_err(missing)?.success())
    }

    /// Whether an agent holds it.
    fn in_agent(&self) -> Result<bool> {
        let output = Command::new("ssh-add").arg("-L").stdin(Stdio::null()).output();
        let output = output.map_err(missing)?;
        let held = String::from_utf8_lossy(&output.stdout);
        Ok(held
            .lines()
            .filter_map(|line| PublicKey::from_openssh(line).ok())
            .any(|key| key.key_data() == self.public.key_data()))
    }

    /// The armoured SSHSIG signature over `text` for `namespace`.
    ///
    /// # Errors
    /// Refused when ssh-keygen does not sign: it says why on standard error.
    pub fn sign(&self, namespace: &str, text: &str) -> Result<String> {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(&self.file);
        let mut child = keygen
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(missing)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that has ended already says so by its status.
            let _ = stdin.write_all(text.as_bytes());
        }
        let output = child.wait_with_output().map_err(missing)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said =
                said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
            return Err(Error::refused(format!(
                "{} did not sign: {}",
                self.file.display(),
                said.trim()
            ))
            .next("With an agent: ssh-add. A hardware key has to be plugged in and touched."));
        }
        String::from_utf8(output.stdout)
            .map_err(|_| Error::unavailable("ssh-keygen wrote no signature"))
    }
}

/// A signature without its armour, on one line.
///
/// # Errors
/// Unavailable when it is none.
pub fn bare(armoured: &str) -> Result<String> {
    let lines = armoured.lines().filter(|line| !line.starts_with("-----"));
    let bare: String = lines.map(str::trim).collect();
    match STANDARD.decode(&bare) {
        Ok(bytes) if bytes.starts_with(b"SSHSIG") => Ok(bare),
        _ => Err(Error::unavailable("ssh-keygen wrote no signature")),
    }
}

fn is_public(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "pub")
}

fn with_pub(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

fn missing(error: std::io::Error) -> Error {
    Error::unavailable(format!("ssh-keygen or ssh-add can't be run: {error}"))
        .next("Install OpenSSH's client: apt install openssh-client.")
}
