//! Telling a hook one event, by whichever way it is told.

use jit_core::hook::{Channel, Hook};
use jit_core::time::Timestamp;

use crate::command;
use crate::event::Event;
use crate::webhook::{self, Webhook};

/// What came back: from a webhook its status, from a command its exit code.
pub(crate) struct Answer {
    /// `200 OK`
    pub(crate) status: String,
    /// The beginning of what was said beside, as it came.
    pub(crate) text: String,
}

/// Tells `hook` an event; an error is a sentence about what went wrong.
pub(crate) fn tell(hook: &Hook, event: &Event, now: Timestamp) -> Result<Answer, String> {
    match &hook.channel {
        Channel::Webhook { url, secret_file, ca_file } => {
            let webhook = Webhook { url, secret_file, ca_file, timeout: hook.timeout };
            webhook::post(&webhook, event, now)
        }
        Channel::Command { run, user } => command::run(run, user, hook.timeout, &event.body),
    }
}

/// The beginning of what somebody else said, in characters that may be kept.
pub(crate) fn beginning(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().chars().take(200).collect()
}
