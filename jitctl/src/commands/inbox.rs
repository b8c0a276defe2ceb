//! `jitctl inbox`: what waits for a person's yes.

use jit_core::Result;

use crate::cli::Inbox;
use crate::grants;
use crate::line::Line;
use crate::output::Exit;

/// Runs `jitctl inbox`.
pub fn run(line: &Line, inbox: &Inbox) -> Result<Exit> {
    let Inbox { person } = inbox;
    let (waiting, now) = line.way.inbox(person)?;
    let text = match waiting.last() {
        None => format!("Nothing waits for {person}."),
        // The oldest first: it lapses soonest.
        Some(oldest) => format!(
            "{}Next: jitctl approve {}{}",
            grants::rows(&waiting, now),
            oldest.id(),
            line.by(person)
        ),
    };
    line.output.answer(text, || grants::json_list(&waiting, now))?;
    Ok(Exit::Done)
}
