//! `ssh-ca init --serve NAME`: from a machine that holds the CA to one that serves it.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use jit_core::config::{Config, DEFAULT_PATH, Serve};
use jit_core::time::Timestamp;
use jit_core::{Error, Result, rootfile};
use nix::unistd::Group;

use super::certificate::{beside, make};
use super::files;
use super::tls::Identity;

/// The port unless another is given: as other programs' second HTTPS port.
const PORT: u16 = 8443;
/// The group of the front's account, which may read the TLS key and talk to the signer.
pub const FRONT_GROUP: &str = "jit-front";
/// The units, the one that the other needs first.
const UNITS: [&str; 2] = ["jit-signer.service", "ssh-ca-serve.service"];
/// The largest configuration.
const LARGEST: u64 = 1024 * 1024;

/// Under which name, and at which port, clients reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A DNS name or an IP address.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// Reads `NAME` or `NAME:PORT`; an IPv6 address stands in brackets before a port.
    ///
    /// # Errors
    /// Invalid when it is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid(format!("`{}` is no name of a server", text.escape_debug()))
                .next("Write it as jit.example.com, jit.example.com:8443 or [2001:db8::1]:8443")
        };
        let (name, port) = match text.rsplit_once(':') {
            _ if text.parse::<IpAddr>().is_ok() => (text, None),
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        };
        let port = match port {
            None => PORT,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(bad)?,
        };
        let name = name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let label = |label: &str| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-')
        };
        let is_name = name.len() <= 253 && name.split('.').all(label);
        if is_name || name.parse::<IpAddr>().is_ok() {
            Ok(Address { name, port })
        } else {
            Err(bad())
        }
    }
}

/// What was made, and what clients are to be told.
pub struct Made {
    /// `https://…`
    pub url: String,
    /// What clients pin.
    pub pin: String,
    /// What was made or started, a line each.
    pub steps: Vec<String>,
    /// What is left to type.
    pub next: Vec<String>,
}

/// Writes `[serve]`, makes the certificate, and starts the units; what is there already stays.
///
/// # Errors
/// Refused when the configuration serves another name; misconfigured when a file can't be written.
pub fn set_up(config: &Config, path: &Path, address: &Address, now: Timestamp) -> Result<Made> {
    let mut steps = Vec::new();
    let serve = match &config.serve {
        Some(serve) if serve.name != address.name => {
            return Err(Error::refused(format!(
                "{} says that the server is {}",
                path.display(),
                serve.name
            ))
            .next("Clients know it by that name, and enrol anew with another; change it there."));
        }
        Some(serve) => serve.clone(),
        None => {
            let serve = write_section(path, address)?;
            steps.push(format!("[serve] in {}", path.display()));
            serve
        }
    };
    let tls = files(&serve);
    if !tls.key.exists() {
        let directory = tls.key.parent().unwrap_or(Path::new("/"));
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(|e| {
            Error::misconfigured(format!("{} can't be made: {e}", directory.display()))
        })?;
        let mut names = vec![serve.name.clone(), config.host.to_string(), "localhost".into()];
        names.dedup();
        make(&tls, &names, now)?;
        for_the_front(&tls.key)?;
        steps.push(format!("TLS certificate {}", tls.certificate.display()));
    }
    let pin = Identity::load(tls)?.pin();
    let mut next = Vec::new();
    let services = format!("systemctl enable --now {}", UNITS.join(" "));
    if path == Path::new(DEFAULT_PATH) && systemd_has_units() {
        start()?;
        steps.push(services);
    } else if path == Path::new(DEFAULT_PATH) {
        next.push(services);
    } else {
        let config = path.display();
        next.push(format!("ssh-ca --config {config} signer &"));
        next.push(format!("ssh-ca --config {config} serve &"));
    }
    Ok(Made { url: url(&serve.name, serve.listen.port()), pin, steps, next })
}

fn url(name: &str, port: u16) -> String {
    if name.contains(':') {
        format!("https://[{name}]:{port}")
    } else {
        format!("https://{name}:{port}")
    }
}

/// Adds the table to the configuration, which is replaced as a whole or not at all.
fn write_section(path: &Path, address: &Address) -> Result<Serve> {
    let failed = |e: std::io::Error| {
        Error::misconfigured(format!("{} can't be written: {e}", path.display()))
    };
    let mut text = rootfile::read(path, LARGEST)?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let tls = beside(path);
    let written = write!(
        text,
        "\n[serve]\n\
         # What clients know this server by. It is part of all that they sign.\n\
         name = \"{}\"\n\
         listen = \"[::]:{}\"\n\
         # Who administers over the network: people and @groups.\n\
         admins = [\"@admins\"]\n\
         cert_file = \"{}\"\n\
         key_file = \"{}\"\n",
        address.name,
        address.port,
        tls.certificate.display(),
        tls.key.display(),
    );
    written.map_err(|e| Error::invalid(e.to_string()))?;
    let serve = Config::parse(path, &text)?.serve;
    let beside = path.with_extension("toml.new");
    let _ = std::fs::remove_file(&beside);
    rootfile::create_public(&beside, text.as_bytes())?;
    // It may have been readable by root alone, for a reason.
    let mode = std::fs::metadata(path).map_err(failed)?.permissions();
    std::fs::set_permissions(&beside, mode).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)?;
    serve.ok_or_else(|| Error::misconfigured("[serve] was not taken up"))
}

/// Lets the front's account read its key, where there is that account.
fn for_the_front(key: &Path) -> Result<()> {
    let Ok(Some(group)) = Group::from_name(FRONT_GROUP) else { return Ok(()) };
    std::os::unix::fs::chown(key, None, Some(group.gid.as_raw()))
        .and_then(|()| std::fs::set_permissions(key, PermissionsExt::from_mode(0o640)))
        .map_err(|e| Error::misconfigured(format!("{}: {e}", key.display())))
}

/// Whether systemd runs this machine, and the package is installed.
fn systemd_has_units() -> bool {
    let installed = |unit: &&str| {
        ["/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system"]
            .iter()
            .any(|directory| Path::new(directory).join(unit).exists())
    };
    Path::new("/run/systemd/system").is_dir() && UNITS.iter().all(installed)
}

fn start() -> Result<()> {
    let failed = |what: String| {
        Error::unavailable(format!("the units could not be started: {what}"))
            .next("journalctl -u jit-signer -u ssh-ca-serve says why.")
    };
    let mut systemctl = Command::new("/usr/bin/systemctl");
    let said = systemctl.args(["enable", "--now"]).args(UNITS).output();
    match said.map_err(|e| failed(e.to_string()))? {
        said if said.status.success() => Ok(()),
        said => Err(failed(String::from_utf8_lossy(&said.stderr).trim().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_name_or_an_address_with_or_without_a_port() {
        let read = |text: &str| Address::parse(text).map(|a| (a.name, a.port)).ok();
        let is = |name: &str, port| Some((name.to_owned(), port));
        assert_eq!(read("jit.example.com"), is("jit.example.com", 8443));
        assert_eq!(read("JIT.example.com:443"), is("jit.example.com", 443));
        assert_eq!(read("192.0.2.1:1"), is("192.0.2.1", 1));
        assert_eq!(read("2001:db8::1"), is("2001:db8::1", 8443));
        assert_eq!(read("[2001:db8::1]:9"), is("2001:db8::1", 9));
        for bad in ["", ":1", "a:0", "a:65536", "a b", "a/b", "a..b", "-a", "a\"b", "a\nb", "x@y"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
