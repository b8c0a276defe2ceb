//! Hosts and their labels.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::name::{HostName, Label, Place};
use crate::time::Timestamp;

/// An enrolled machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The one name.
    pub name: HostName,
    /// Labels such as `env=prod`.
    pub labels: BTreeSet<Label>,
    /// When it was added.
    pub created_at: Timestamp,
    /// The key with which it proves over the network who it is, in OpenSSH form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Host {
    /// Whether `place` names this host, or a label of it.
    pub fn is_at(&self, place: &Place) -> bool {
        match place {
            Place::Host(name) => *name == self.name,
            Place::Label(label) => self.labels.contains(label),
        }
    }

    /// Every place that names this host: itself, then its labels.
    pub fn places(&self) -> Vec<Place> {
        std::iter::once(Place::Host(self.name.clone()))
            .chain(self.labels.iter().cloned().map(Place::Label))
            .collect()
    }
}
