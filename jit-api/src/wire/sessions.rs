//! Sessions.

use jit_core::id::GrantId;
use jit_core::name::{HostName, Login, PersonName};
use jit_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A session that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Its number on its host.
    pub id: u64,
    /// Which host.
    #[schemars(with = "String")]
    pub host: HostName,
    /// `login` or `sudo`.
    pub action: String,
    /// Who.
    #[schemars(with = "String")]
    pub person: PersonName,
    /// As which account.
    #[schemars(with = "String")]
    pub login: Login,
    /// Since when.
    #[schemars(with = "u64")]
    pub opened_at: Timestamp,
    /// Since when its connection is closed, where it left something running.
    #[schemars(with = "Option<u64>")]
    pub closed_at: Option<Timestamp>,
    /// Until when, unless it has no cover any more.
    #[schemars(with = "Option<u64>")]
    pub ends_at: Option<Timestamp>,
    /// How much of that is left.
    pub seconds_left: u64,
    /// From where.
    pub rhost: Option<String>,
    /// On which terminal.
    pub tty: Option<String>,
    /// The grants that let it in.
    #[schemars(with = "Vec<String>")]
    pub grants: Vec<GrantId>,
    /// The grant to extend if it is to go on.
    #[schemars(with = "Option<String>")]
    pub extend: Option<GrantId>,
    /// Its processes, where it is on the authority's own host. Of another one it is known what that
    /// has told.
    pub processes: Option<Processes>,
}

/// By what the processes of a session are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Processes {
    /// The first of them.
    pub pid: u32,
    /// Their cgroup.
    pub scope: Option<String>,
    /// The kernel's audit session.
    pub audit_session: Option<u32>,
}

/// Sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    /// Those of the authority's own host first, oldest first.
    pub sessions: Vec<Session>,
    /// Whether `jitd` runs there, which ends them.
    pub keeper_runs: bool,
}
