//! `jitctl inbox`: what waits for a person's yes.

use jit_core::Result;

use super::Desk;
use crate::cli::Inbox;
use crate::grants;
use crate::output::Exit;

/// Runs `jitctl inbox`.
pub fn run(desk: &Desk, inbox: &Inbox) -> Result<Exit> {
    let Inbox { person } = inbox;
    let (waiting, now) = desk.authority.inbox(person)?;
    let text = match waiting.last() {
        None => format!("Nothing waits for {person}."),
        // The oldest first: it lapses soonest.
        Some(oldest) => format!(
            "{}Next: jitctl approve {} --as {person}",
            grants::rows(&waiting, now),
            oldest.id()
        ),
    };
    desk.output.answer(text, || grants::json_list(&waiting, now))?;
    Ok(Exit::Done)
}
