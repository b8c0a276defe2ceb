//! Sessions on other hosts, as the authority learns of them from what their hosts tell.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Link, Told, cut};
use crate::audit::Outcome;
use crate::grant::{Action, Actor};
use crate::id::GrantId;
use crate::name::{Login, PersonName};
use crate::time::Timestamp;

/// So many sessions of one host are kept; what is beyond stands in the log alone. They are one row,
/// which is written anew whenever the host tells something.
const MOST: usize = 256;
/// So many of the grants that let a session in.
const MOST_GRANTS: usize = 16;
/// So many characters of an address or a terminal, which are the host's words.
const LONGEST: usize = 100;

/// A session on another host that is not over, as far as that host has told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSession {
    /// An ssh session, or a sudo inside one.
    pub action: Action,
    /// Whose.
    pub person: PersonName,
    /// As which account.
    pub login: Login,
    /// When it was opened, by the host's clock.
    pub opened_at: Timestamp,
    /// The end of its cover when it was opened.
    pub until: Timestamp,
    /// From which address.
    pub rhost: Option<String>,
    /// On which terminal.
    pub tty: Option<String>,
    /// The grants that let it in.
    pub grants: Vec<GrantId>,
    /// When its connection was closed; what it left running is still kept to the deadline.
    pub closed_at: Option<Timestamp>,
}

impl Link {
    /// Takes in what a record of the host's says of sessions. What can't be read stands in the log
    /// as it came, and is no session here.
    pub(crate) fn note(&mut self, told: &Told) {
        if told.outcome != Outcome::Done {
            return;
        }
        let Some(id) = told.detail["session"].as_u64() else { return };
        match told.action.as_str() {
            "session.open" if self.sessions.len() < MOST => {
                self.sessions.extend(opened(told).map(|session| (id, session)));
            }
            "session.close" => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.closed_at = Some(told.time);
                }
            }
            "session.end" => {
                self.sessions.remove(&id);
            }
            _ => {}
        }
    }
}

/// The session that a record says was opened.
fn opened(told: &Told) -> Option<HostSession> {
    let Ok(Actor::Person(person)) = Actor::try_from(told.actor.clone()) else { return None };
    let what = &told.detail["for"];
    let text = |value: &Value| value.as_str().map(|text| cut(text, LONGEST));
    let grants = told.detail["grants"].as_array()?.iter().take(MOST_GRANTS);
    Some(HostSession {
        action: serde_json::from_value(what["action"].clone()).ok()?,
        person,
        login: Login::parse(what["login"].as_str()?).ok()?,
        opened_at: told.time,
        until: Timestamp::parse(told.detail["until"].as_str()?).ok()?,
        rhost: text(&what["from"]),
        tty: text(&what["tty"]),
        grants: grants.map(|id| serde_json::from_value(id.clone()).ok()).collect::<Option<_>>()?,
        closed_at: None,
    })
}
