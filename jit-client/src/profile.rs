//! `client.toml`: the authorities that somebody has joined, and who they are there.
//!
//! ```toml
//! [[server]]                               # the first is used, unless --server names another
//! name   = "jit.example.com"
//! url    = "https://jit.example.com:8443"
//! pin    = "sha256:…"                      # without: the system's certificate authorities decide
//! ca     = "SHA256:…"                      # the host CA, which vouches for the hosts
//! person = "alice"
//! key    = "/home/alice/.ssh/id_ed25519"
//! ```

use std::fmt::Write;
use std::path::{Path, PathBuf};

use jit_core::name::PersonName;
use jit_core::person::parse_fingerprint;
use jit_core::{Error, Result};
use serde::{Deserialize, Serialize};
use ssh_key::PublicKey;

use crate::{Http, Places, Trust, pin, private};

/// The largest file that is read.
const LARGEST: u64 = 64 * 1024;
/// What stands at its head when we write it.
const HEAD: &str = "# Written by jitctl join; yours to edit. The first server is used unless --server names another.\n";

/// One authority, and who somebody is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What the authority calls itself: it stands in everything that is signed for it.
    pub name: String,
    /// Where it is, `https://HOST:PORT`.
    pub url: String,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// Certificate authorities to believe, where there is no pin and the system's are not meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The fingerprint of its host CA's key, which vouches for hosts: the server says which key that
    /// is, the invitation which is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Who somebody is there.
    pub person: PersonName,
    /// Their key.
    pub key: PathBuf,
}

impl Profile {
    /// Whom to believe.
    ///
    /// # Errors
    /// Invalid when the pin is malformed.
    pub fn trust(&self) -> Result<Trust> {
        Ok(match &self.pin {
            Some(pin) => Trust::Pin(pin::read(pin)?),
            None => Trust::Authorities(self.ca_file.clone()),
        })
    }

    /// Of the host CA's keys that the server names, in OpenSSH form, the one that was joined.
    ///
    /// # Errors
    /// Misconfigured when it is not known which that is; tampered when the server names others.
    pub fn host_ca(&self, named: &[String]) -> Result<Option<PublicKey>> {
        if named.is_empty() {
            return Ok(None);
        }
        let name = &self.name;
        let ca = self.ca.as_deref().ok_or_else(|| {
            Error::misconfigured(format!("by which key the hosts of {name} are known is not said"))
                .next(
                    "Ask an admin what ssh-ca public-key --host --json says on the authority, and \
                     put ca = \"SHA256:…\" into client.toml; or join again.",
                )
        })?;
        let ca = parse_fingerprint(ca)?;
        let keys = named.iter().filter_map(|line| PublicKey::from_openssh(line).ok());
        let mut keys = keys.filter(|key| key.fingerprint(ca.algorithm()) == ca);
        keys.next().map(Some).ok_or_else(|| {
            Error::tampered(format!("{} names another host CA than the one of {name}", self.url))
                .next(format!("No key of it was taken. Ask an admin whether {ca} is still it."))
        })
    }

    /// The way there.
    ///
    /// # Errors
    /// Invalid when address or pin is malformed.
    pub fn transport(&self) -> Result<Http> {
        Http::https(&self.url, &self.trust()?)
    }

    /// Where what comes and goes with this authority is kept.
    ///
    /// # Errors
    /// Invalid when the authority's name can't be a directory's.
    pub fn state(&self, places: &Places) -> Result<PathBuf> {
        check_name(&self.name)?;
        Ok(places.state.join(&self.name))
    }
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// The first is the usual one.
    #[serde(default, rename = "server")]
    pub servers: Vec<Profile>,
}

impl Profiles {
    /// Reads the file; nothing where there is none.
    ///
    /// # Errors
    /// Misconfigured, with the line that is wrong.
    pub fn load(file: &Path) -> Result<Self> {
        let Some(text) = private::read(file, LARGEST)? else { return Ok(Profiles::default()) };
        let wrong = |e: &dyn std::fmt::Display| {
            Error::misconfigured(format!("{}: {e}", file.display()))
                .next("Mend it, or remove it and join again: jitctl join.")
        };
        let profiles: Profiles =
            toml::from_str(&text).map_err(|e| wrong(&e.to_string().trim_end()))?;
        for profile in &profiles.servers {
            check_name(&profile.name)
                .and_then(|()| profile.trust().map(drop))
                .and_then(|()| {
                    profile.ca.as_deref().map_or(Ok(()), |ca| parse_fingerprint(ca).map(drop))
                })
                .map_err(|e| wrong(&e))?;
        }
        Ok(profiles)
    }

    /// The one that is meant: by its name, its address or what is between; the first unless named.
    ///
    /// # Errors
    /// Not found.
    pub fn choose(&self, server: Option<&str>) -> Result<&Profile> {
        let known = || {
            let names: Vec<_> = self.servers.iter().map(|p| p.name.as_str()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let found = match server {
            None => self.servers.first(),
            Some(wanted) => self.servers.iter().find(|profile| {
                let place = profile.url.trim_start_matches("https://");
                profile.name == wanted || profile.url == wanted || place == wanted
            }),
        };
        found.ok_or_else(|| {
            let what = server.unwrap_or("authority");
            Error::not_found(format!("no {what} was joined from here; joined are: {}", known()))
                .next("Ask an admin for an invitation, then: jitctl join 'jit://…'")
        })
    }

    /// Adds one in place of what was known under its name, and makes it the usual one.
    pub fn put(&mut self, profile: Profile) {
        self.servers.retain(|old| old.name != profile.name);
        self.servers.insert(0, profile);
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Misconfigured when it can't be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        let mut text = HEAD.to_owned();
        for Profile { name, url, pin, ca_file, ca, person, key } in &self.servers {
            let ca_file = ca_file.as_ref().map(|file| file.display().to_string());
            let key = key.display().to_string();
            let lines = [
                ("name", Some(name.as_str())),
                ("url", Some(url)),
                ("pin", pin.as_deref()),
                ("ca_file", ca_file.as_deref()),
                ("ca", ca.as_deref()),
                ("person", Some(person.as_str())),
                ("key", Some(&key)),
            ];
            text.push_str("\n[[server]]\n");
            for (key, value) in lines {
                if let Some(value) = value {
                    // A JSON string is a TOML one, for what may stand here.
                    let _ = writeln!(text, "{key} = {}", serde_json::Value::from(value));
                }
            }
        }
        private::write(file, &text)
    }
}

/// A server's name is a part of what is signed, and of paths.
fn check_name(name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !name.is_empty()
        && name.len() <= 253
        && !name.starts_with(['.', '-'])
        && name.chars().all(fits)
    {
        return Ok(());
    }
    Err(Error::invalid(format!("`{}` is no name of an authority", name.escape_debug())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the key below.
    const CA: &str = "SHA256:T7SvZ2cslqpPj6nKzitCBHHlpVF3r3MvLwmFL0fk0IE";
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn profile(name: &str) -> Profile {
        Profile {
            name: name.to_owned(),
            url: format!("https://{name}:8443"),
            pin: Some(format!("sha256:{}", "A".repeat(43))),
            ca_file: None,
            ca: Some(CA.to_owned()),
            person: PersonName::parse("alice").unwrap(),
            key: "/home/al \"ice\"/.ssh/id_ed25519".into(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_the_last_joined_is_the_usual_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("jit/client.toml");
        assert_eq!(Profiles::load(&file).unwrap(), Profiles::default());
        assert!(Profiles::default().choose(None).unwrap_err().to_string().contains("jitctl join"));
        let mut profiles = Profiles::default();
        profiles.put(profile("one.example.com"));
        profiles.put(profile("two.example.com"));
        profiles.put(profile("two.example.com"));
        profiles.save(&file).unwrap();
        let read = Profiles::load(&file).unwrap();
        assert_eq!(read, profiles);
        assert_eq!(read.servers.len(), 2);
        assert_eq!(read.choose(None).unwrap().name, "two.example.com");
        assert_eq!(read.choose(Some("one.example.com:8443")).unwrap().name, "one.example.com");
        assert!(read.choose(Some("three.example.com")).is_err());
    }

    #[test]
    fn of_the_keys_that_a_server_names_the_one_that_was_joined_is_taken() {
        let other =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let joined = profile("jit");
        let take = |named: &[&str]| {
            joined.host_ca(&named.iter().map(|&line| line.to_owned()).collect::<Vec<_>>())
        };
        let taken = take(&["no key", other, KEY]).unwrap().unwrap();
        assert_eq!(taken.to_openssh().unwrap(), KEY);
        assert_eq!(take(&[]).unwrap(), None);
        for named in [&[other][..], &["no key"]] {
            assert_eq!(take(named).unwrap_err().kind(), jit_core::Kind::Tampered);
        }
        let hostile = format!("{KEY}\n@cert-authority * {other}");
        if let Ok(Some(key)) = take(&[&hostile]) {
            assert!(!key.to_openssh().unwrap().contains('\n'));
        }
        let unsaid = Profile { ca: None, ..joined };
        assert!(unsaid.host_ca(&[KEY.to_owned()]).unwrap_err().to_string().contains("client.toml"));
    }

    #[test]
    fn a_file_that_others_read_or_that_says_what_we_do_not_know_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("client.toml");
        let mut profiles = Profiles::default();
        profiles.put(profile("one.example.com"));
        profiles.save(&file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        for (from, to) in [
            ("name = ", "insecure = true\nname = "),
            ("one.example.com\"\nurl", "../one\"\nurl"),
            ("sha256:AAAA", "sha256:A"),
            ("SHA256:", "SHA512:"),
        ] {
            let wrong = text.replacen(from, to, 1);
            assert_ne!(wrong, text);
            private::write(&file, &wrong).unwrap();
            let said = Profiles::load(&file).unwrap_err();
            assert_eq!(said.kind(), jit_core::Kind::Misconfigured, "{said}");
        }
        private::write(&file, &text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Profiles::load(&file).unwrap_err().to_string().contains("read by others"));
    }
}
