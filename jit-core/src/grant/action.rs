//! What a grant allows: to log in, to use sudo, and what sshd lets its sessions do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What may be done with a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Log in by ssh.
    Login,
    /// Use sudo.
    Sudo,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Action::Login => "login",
            Action::Sudo => "sudo",
        })
    }
}

/// What sshd lets a session do beyond running commands: a certificate extension, and the option of
/// the same meaning on an authorized key (PROTOCOL.certkeys, sshd(8)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// `permit-agent-forwarding`
    AgentForwarding,
    /// `permit-port-forwarding`
    PortForwarding,
    /// `permit-pty`
    Pty,
    /// `permit-user-rc`
    UserRc,
    /// `permit-X11-forwarding`
    X11Forwarding,
}

impl Permission {
    /// All of them.
    pub const ALL: [Permission; 5] = [
        Permission::AgentForwarding,
        Permission::PortForwarding,
        Permission::Pty,
        Permission::UserRc,
        Permission::X11Forwarding,
    ];

    /// The certificate extension.
    pub fn extension(self) -> &'static str {
        match self {
            Permission::AgentForwarding => "permit-agent-forwarding",
            Permission::PortForwarding => "permit-port-forwarding",
            Permission::Pty => "permit-pty",
            Permission::UserRc => "permit-user-rc",
            Permission::X11Forwarding => "permit-X11-forwarding",
        }
    }

    /// The authorized_keys option, which follows `restrict`.
    pub fn key_option(self) -> &'static str {
        match self {
            Permission::AgentForwarding => "agent-forwarding",
            Permission::PortForwarding => "port-forwarding",
            Permission::Pty => "pty",
            Permission::UserRc => "user-rc",
            Permission::X11Forwarding => "X11-forwarding",
        }
    }
}
