//! What a request asks for, as bytes: the same for the same request wherever they are made, so that
//! a yes can be bound to them and signed on another machine.
//!
//! ```text
//! jit-request@v1
//! id: k7q2-m9xd
//! revision: 1
//! filed: 2026-11-24T16:00:00Z
//! person: alice
//! login: deploy
//! place: web-1
//! sudo: no
//! seconds: 1800
//! start: -
//! extends: -
//! reason: INC-7 the disk is full
//! ```
//! Each line ends with a newline; `-` stands for what was not asked for. Where the role holds the
//! session to addresses or a command, lines `from: 10.0.0.0/8` and `command: /usr/bin/backup` follow:
//! whoever says yes to a vendor's backup says it to nothing else. The other terms are not in it:
//! the policy sets them, for all who come by the role, and nobody who asks can change them. A yes to
//! less than what is asked for has one line more, `for at most: 600`. No value has a line end in it:
//! names, places and reasons are checked where they enter.

use sha2::{Digest as _, Sha256};

use super::{Digest, Grant};
use crate::audit::hex;
use crate::error::{Error, Result};
use crate::time::{Span, Timestamp};

/// The namespace of signatures under a request (PROTOCOL.sshsig): one made for anything else is none.
pub const NAMESPACE: &str = "jit-approval@v1";

impl Grant {
    /// What is asked for, and for at most how long a yes is given, where that is shorter.
    ///
    /// # Errors
    /// Tampered when a value is not on one line, as then two requests could have the same bytes.
    pub fn canonical(&self, most: Option<Span>) -> Result<String> {
        let ask = &self.ask;
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let mut lines = vec![
            ("id", self.id.to_string()),
            ("revision", self.revision.to_string()),
            ("filed", self.requested_at.rfc3339()),
            ("person", ask.person.to_string()),
            ("login", ask.login.to_string()),
            ("place", ask.place.to_string()),
            ("sudo", if ask.sudo { "yes" } else { "no" }.to_owned()),
            ("seconds", ask.duration.secs().to_string()),
            ("start", or_none(ask.start.map(Timestamp::rfc3339))),
            ("extends", or_none(ask.extends.as_ref().map(ToString::to_string))),
            ("reason", ask.reason.to_string()),
        ];
        let held = &self.terms.restrictions;
        lines.extend(held.addresses().map(|list| ("from", list)));
        lines.extend(held.force_command.iter().map(|command| ("command", command.to_string())));
        lines.extend(most.map(|most| ("for at most", most.secs().to_string())));
        let mut text = "jit-request@v1\n".to_owned();
        for (name, value) in lines {
            if value.contains(['\n', '\r']) {
                return Err(Error::tampered(format!("the {name} of {} has two lines", self.id)));
            }
            text.push_str(&format!("{name}: {value}\n"));
        }
        Ok(text)
    }

    /// Its digest.
    ///
    /// # Errors
    /// As [`Grant::canonical`].
    pub fn digest(&self, most: Option<Span>) -> Result<Digest> {
        Ok(Digest(hex(&Sha256::digest(self.canonical(most)?))))
    }
}
