//! What a grant holds an ssh session to beyond the account: where it may come from, and the one
//! command it may run. sshd enforces both: as critical options of a certificate (PROTOCOL.certkeys)
//! and as options of an authorized key (sshd(8)).

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The certificate's critical option for addresses.
pub const SOURCE_ADDRESS: &str = "source-address";
/// The certificate's critical option for the command.
pub const FORCE_COMMAND: &str = "force-command";

/// Addresses and a command; empty ones hold to nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restrictions {
    /// From where alone; from anywhere when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_addresses: Vec<Network>,
    /// The only command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_command: Option<ForcedCommand>,
}

impl Restrictions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Restrictions::default()
    }

    /// As critical options: names and values.
    pub fn critical_options(&self) -> Vec<(&'static str, String)> {
        let command = self.force_command.iter().map(|c| (FORCE_COMMAND, c.to_string()));
        command.chain(self.addresses().map(|list| (SOURCE_ADDRESS, list))).collect()
    }

    /// As authorized_keys options, each with a comma before it.
    pub fn key_options(&self) -> String {
        let from = self.addresses().map(|list| format!(",from=\"{list}\"")).unwrap_or_default();
        let command = self.force_command.as_ref().map(|c| format!(",command=\"{c}\""));
        from + &command.unwrap_or_default()
    }

    /// What satisfies both: the addresses that both take, and the command of the one that has one.
    /// None where nothing could satisfy both.
    pub fn both(&self, other: &Restrictions) -> Option<Restrictions> {
        let force_command = match (&self.force_command, &other.force_command) {
            (Some(one), Some(two)) if one != two => return None,
            (one, two) => one.as_ref().or(two.as_ref()).cloned(),
        };
        let (ours, theirs) = (&self.source_addresses, &other.source_addresses);
        let source_addresses = match (ours.as_slice(), theirs.as_slice()) {
            ([], all) | (all, []) => all.to_vec(),
            _ => {
                let within = |list: &[Network], one: &Network| list.iter().any(|n| n.contains(one));
                let mut both: Vec<_> = ours.iter().filter(|n| within(theirs, n)).cloned().collect();
                both.extend(theirs.iter().filter(|n| within(ours, n)).cloned());
                both.sort();
                both.dedup();
                if both.is_empty() {
                    return None;
                }
                both
            }
        };
        Some(Restrictions { source_addresses, force_command })
    }

    /// The addresses as sshd lists them; none where every address will do.
    pub fn addresses(&self) -> Option<String> {
        let list: Vec<_> = self.source_addresses.iter().map(ToString::to_string).collect();
        (!list.is_empty()).then(|| list.join(","))
    }
}

/// Addresses such as `10.0.0.0/8`, or one: `192.0.2.7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads one. Bits behind the prefix are zero, as sshd wants them.
    ///
    /// # Errors
    /// Invalid when it has another form.
    pub fn parse(text: &str) -> Result<Self> {
        let shown: String = text.chars().take(60).collect();
        let bad = |what: &str| {
            Error::invalid(format!("`{}` {what}", shown.escape_debug()))
                .next("Write it as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7.")
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad("is no network address"))?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| bad("has no such prefix length"))?
            }
            Some(_) => return Err(bad("has no such prefix length")),
        };
        if bits > width {
            return Err(bad("has no such prefix length"));
        }
        let host_bits = u32::from(width - bits);
        let behind = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |bit| bit - 1);
        if number(address) & behind != 0 {
            return Err(bad("has bits behind its prefix"));
        }
        Ok(Network { address, bits })
    }
}

impl Network {
    /// Whether every address of `other` is one of this.
    pub fn contains(&self, other: &Network) -> bool {
        let (ours, theirs) = (number(self.address), number(other.address));
        let width: u32 = if self.address.is_ipv4() { 32 } else { 128 };
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.bits <= other.bits
            && (ours ^ theirs).checked_shr(width - u32::from(self.bits)).unwrap_or(0) == 0
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl TryFrom<String> for Network {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Network::parse(&text)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

/// A command with its arguments: an absolute path, then words. Nothing in it means anything to a
/// shell but the spaces, and nothing can end the quotes of an option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ForcedCommand(String);

impl ForcedCommand {
    /// Checks a command.
    ///
    /// # Errors
    /// Invalid when it is no absolute path, too long, or has a character that a shell could read.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b" /._=:,@+-".contains(&b);
        if !text.starts_with('/') || text.len() > 200 || !text.bytes().all(plain) {
            return Err(Error::invalid("a forced command is an absolute path and plain words")
                .next(
                    "It may hold a-z A-Z 0-9 . _ - + = : , @ / and spaces. Put anything else into \
                     a script.",
                ));
        }
        Ok(ForcedCommand(text.to_owned()))
    }
}

impl fmt::Display for ForcedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ForcedCommand {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        ForcedCommand::parse(&text)
    }
}

impl From<ForcedCommand> for String {
    fn from(command: ForcedCommand) -> String {
        command.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_what_sshd_takes() {
        for good in ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0", "::/0", "192.0.2.7/32"] {
            assert_eq!(Network::parse(good).unwrap().to_string(), good);
        }
        assert_eq!(Network::parse("192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
        for bad in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/",
            "10.0.0/8",
            "*.example",
            "!10.0.0.0/8",
            "10.0.0.0/8,0.0.0.0/0",
            "2001:db8::1/32",
            "::/129",
            "10.0.0.0/8\"",
        ] {
            assert!(Network::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_forced_command_has_nothing_for_a_shell_to_read() {
        assert!(ForcedCommand::parse("/usr/bin/backup --to=eu-1 /srv/data").is_ok());
        for bad in [
            "",
            "backup",
            "/bin/a;b",
            "/bin/a\"",
            "/bin/a'",
            "/bin/a\nb",
            "/bin/$a",
            "/bin/a|b",
            "/bin/a\\",
            "/bin/`a`",
            "/bin/a&",
            "/bin/a>b",
            "/bin/ä",
            "/bin/a*",
            "/bin/a#",
        ] {
            assert!(ForcedCommand::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn both_is_what_each_takes() {
        let held = |networks: &[&str], command: Option<&str>| Restrictions {
            source_addresses: networks.iter().map(|n| Network::parse(n).unwrap()).collect(),
            force_command: command.map(|c| ForcedCommand::parse(c).unwrap()),
        };
        let wide = held(&["10.0.0.0/8", "192.0.2.0/24"], None);
        let narrow = held(&["10.1.0.0/16", "2001:db8::/32"], Some("/bin/a"));
        assert_eq!(wide.both(&narrow), Some(held(&["10.1.0.0/16"], Some("/bin/a"))));
        assert_eq!(held(&[], None).both(&narrow), Some(narrow.clone()));
        assert_eq!(held(&["10.2.0.0/16"], None).both(&narrow), None);
        assert_eq!(held(&[], Some("/bin/b")).both(&narrow), None);
        assert!(Network::parse("::/0").unwrap().contains(&Network::parse("::1").unwrap()));
        assert!(!Network::parse("::/0").unwrap().contains(&Network::parse("10.0.0.1").unwrap()));
    }

    #[test]
    fn the_options_are_as_sshd_writes_them() {
        let held = Restrictions {
            source_addresses: vec![
                Network::parse("10.0.0.0/8").unwrap(),
                Network::parse("192.0.2.7").unwrap(),
            ],
            force_command: Some(ForcedCommand::parse("/usr/bin/backup now").unwrap()),
        };
        assert_eq!(
            held.key_options(),
            r#",from="10.0.0.0/8,192.0.2.7/32",command="/usr/bin/backup now""#
        );
        let options = held.critical_options();
        assert_eq!(options[0], ("force-command", "/usr/bin/backup now".into()));
        assert_eq!(options[1], ("source-address", "10.0.0.0/8,192.0.2.7/32".into()));
        assert_eq!(Restrictions::default().key_options(), "");
    }
}
